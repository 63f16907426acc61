"""How people type: British or American, sloppy case, without question mark, with small slips."""

from random import Random

NEIGHBOURS = {a: b for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm") for a, b in zip(row, row[1:] + row[-2])}
SHORTEST = 4  # letters of a word that may hold a slip; shorter ones would often become another word
LEAD_INS = ("And ", "So ", "Ok, ", "Please tell me: ", "Now, ", "Tell me, ", "And now: ", "Toybox, ")


def slip(rng: Random, word: str) -> str:
    """One letter dropped, doubled, exchanged with the next or with its neighbour on the keyboard."""
    at, kind = rng.randrange(1, len(word) - 1), rng.randrange(4)
    if kind == 0:
        return word[:at] + word[at + 1:]
    if kind == 1:
        return word[:at] + word[at] + word[at:]
    if kind == 2:
        return word[:at] + word[at + 1] + word[at] + word[at + 2:]
    return word[:at] + NEIGHBOURS.get(word[at].lower(), word[at]) + word[at + 1:]


def mistyped(rng: Random, text: str) -> str:
    """The text with one slip in one of its longer words, if it has any."""
    words = text.split(" ")
    places = [i for i, word in enumerate(words) if len(word) >= SHORTEST and word.isalpha()]
    if places:
        place = rng.choice(places)
        words[place] = slip(rng, words[place])
    return " ".join(words)


def typed(rng: Random, text: str) -> str:
    """The text as somebody may type it: about four in ten as it stands, but for the spelling of colour."""
    if rng.random() < 0.5:
        text = text.replace("colour", "color")
    if rng.random() < 0.05:
        text = rng.choice(LEAD_INS) + text[0].lower() + text[1:]
    if rng.random() < 0.12:
        text = mistyped(rng, text)
    draw = rng.random()
    if draw < 0.15:
        text = text[0].lower() + text[1:]
    elif draw < 0.3:
        text = text.lower()
    elif draw < 0.36:
        text = text.upper()
    if rng.random() < 0.25:
        text = text.rstrip("?.!") or text
    return text
