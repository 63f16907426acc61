"""Questions a person may ask about a stream, with natural wording and full-sentence answers.

`ask(rng, timeline)` returns one `Question`. Present types look at the last second only, past types
at the whole stream, chat types at neither. Answers repeat the name they speak of.
"""

from dataclasses import dataclass
from itertools import accumulate, permutations
from random import Random

from outside import outside
from timeline import Sight, Timeline
from typing_habits import typed
from wording import UNSEEN_WORDINGS, WORDINGS
from world import COLOURS, DIGITS, LETTERS, SHAPES, SIZE

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
PLACES = ("at the top left", "at the top", "at the top right", "on the left", "in the middle", "on the right",
          "at the bottom left", "at the bottom", "at the bottom right")
AGO = ((2, "just now"), (6, "a few seconds ago"), (15, "about ten seconds ago"), (45, "about half a minute ago"),
       (10 ** 6, "about a minute ago"))
MARGIN = 5  # pixels from a boundary of the 3x3 grid within which both sides are right
PRESENT = {"see": 2, "colour": 2.6, "shape": 1.2, "count": 1, "exist1": 1.2, "exist": 1.5, "glyph": 1.5,
           "where": 3.5, "moving": 1.5}
PAST = {"first": 1, "before": 2, "after": 2, "earlier1": 0.7, "earlier": 1, "distinct": 1.4, "order": 1.2,
        "lastglyph": 0.8, "ago": 1.4}
PRESENT_STEPS, PAST_STEPS = list(accumulate(PRESENT.values())), list(accumulate(PAST.values()))


@dataclass
class Question:
    type: str
    tense: str  # "present", "past" or "chat"
    text: str
    answer: str
    accepted: list[str]
    since: int | None = None  # past: the last second by which memory must hold what the answer rests on


def with_article(name: str) -> str:
    if name.startswith(("letter", "digit")):
        return f"the {name}"
    return ("an " if name[0] in "aeiou" else "a ") + name


def listing(names: list[str]) -> str:
    spoken = [with_article(n) for n in names]
    return spoken[0] if len(spoken) == 1 else ", ".join(spoken[:-1]) + " and " + spoken[-1]


def any_order(prefix: str, names: list[str]) -> list[str]:
    """The sentence in every order of its names, the given order first."""
    return [f"{prefix} {listing(list(order))}." for order in permutations(names)]


def random_name(rng: Random) -> str:
    if rng.random() < 0.2:
        return f"digit {rng.choice(DIGITS)}" if rng.random() < 0.4 else f"letter {rng.choice(LETTERS)}"
    return f"{rng.choice(list(COLOURS))} {rng.choice(SHAPES)}"


def near_miss(rng: Random, names: list[str]) -> str:
    """A name not among `names`, mostly sharing an attribute with one of them."""
    while True:
        name = random_name(rng)
        shapes = [n for n in names if not n.startswith(("letter", "digit"))]
        if shapes and rng.random() < 0.65:
            colour, shape = rng.choice(shapes).split()
            name = f"{colour} {rng.choice(SHAPES)}" if rng.random() < 0.5 else f"{rng.choice(list(COLOURS))} {shape}"
        if name not in names:
            return name


def reference(rng: Random, sight: Sight, now: list[Sight]) -> str:
    """A definite name for the sight: shape alone if that is unambiguous, or the whole name."""
    alone = sum(s.shape == sight.shape for s in now) == 1
    return sight.shape if alone and not sight.glyph and rng.random() < 0.55 else sight.name


def places(sight: Sight) -> list[str]:
    """The right 3x3 places: the true one and any within MARGIN pixels.

    The first is the one to teach: where two fit, the one the sight's visual token (a quarter of the
    frame wide) lies in the most, since tokens know their cell but not the place within it.
    """
    def fitting(v: float) -> list[int]:
        thirds = {int(min(2, max(0, u) // (SIZE / 3))) for u in (v, v - MARGIN, v + MARGIN)}
        taught = (0, 1, 1, 2)[int(v // (SIZE / 4))]
        return sorted(thirds, key=lambda third: third != taught)
    return [PLACES[row * 3 + col] for row in fitting(sight.y) for col in fitting(sight.x)]


def present(rng: Random, kind: str, line: Timeline) -> tuple[dict, list[str]] | None:
    """Slots for the wording and accepted answers, or None if the second does not lend itself."""
    now = line.now
    shapes = [s for s in now if not s.glyph]
    if kind == "see":
        return {}, any_order("I see", [s.name for s in now]) if now else ["I see nothing."]
    if kind == "count":
        return {}, [f"There {'is' if len(now) == 1 else 'are'} {NUMBERS[len(now)]} object{'s' * (len(now) != 1)}."]
    if kind == "exist1":
        yes = bool(now) and rng.random() < 0.5
        if yes and not shapes or not yes and rng.random() < 0.12:
            word = "card" if rng.random() < 0.3 else rng.choice(("letter", "digit"))
            there = any(s.shape == word or word == "card" and s.glyph for s in now)
        elif rng.random() < 0.5:
            word = rng.choice(shapes).shape if yes else rng.choice([s for s in SHAPES if all(t.shape != s for t in now)])
            there = yes
        else:
            word = rng.choice(shapes).colour if yes else rng.choice([c for c in COLOURS if all(t.colour != c for t in now)])
            answer = f"Yes, there is something {word}." if yes else f"No, there is nothing {word}."
            return {"kind": "exist_colour", "word": word}, [answer]
        return ({"kind": "exist_shape", "word": word, "a": with_article(word) if word not in ("letter", "digit") else f"a {word}"},
                [f"Yes, there is a {word}." if there else f"No, there is no {word}."])
    if kind == "exist":
        yes = bool(now) and rng.random() < 0.5
        name = rng.choice(now).name if yes else near_miss(rng, [s.name for s in now])
        indefinite = ("an " if name[0] in "aeiou" else "a ") + name
        return {"a": indefinite}, [f"Yes, there is {indefinite}." if yes else f"No, there is no {name}."]
    if kind == "glyph":
        cards = [s for s in now if s.glyph]
        if not cards:
            word = rng.choice(("letter", "digit"))
            return ({"word": word}, [f"I see no {word}."]) if rng.random() < 0.1 else None
        card = rng.choice(cards)
        if sum(s.shape == card.shape for s in cards) > 1:
            return None
        return {"word": card.shape}, [f"I see the {card.name}."]
    if kind == "shape":
        colour = rng.choice(shapes).colour if shapes else rng.choice(list(COLOURS))
        found = [s for s in shapes if s.colour == colour]
        if not found:
            return ({"colour": colour}, [f"I see nothing {colour}."]) if rng.random() < 0.15 else None
        return ({"colour": colour}, [f"The {colour} thing is a {found[0].shape}."]) if len(found) == 1 else None
    if kind in ("where", "moving", "colour") and (not now or rng.random() < 0.06):  # asked of an absent thing
        name = near_miss(rng, [s.name for s in now])
        name = name if " " in name and kind != "colour" and rng.random() < 0.5 else name.split()[-1]
        absent = len(name) > 1 and name.split()[0] not in ("letter", "digit") and all(
            s.name != name and s.shape != name for s in now)
        return ({"name": name}, [f"I see no {name}."]) if absent else None
    if kind == "colour":
        sight = rng.choice(shapes) if shapes else None
        alone = sight and sum(s.shape == sight.shape for s in now) == 1
        return ({"name": sight.shape}, [f"The {sight.shape} is {sight.colour}."]) if alone else None
    sight = rng.choice(now)
    name = reference(rng, sight, now)
    if kind == "where":
        return {"name": name}, [f"The {name} is {place}." for place in places(sight)]
    if sight.motion is None:
        return None
    return {"name": name}, [f"The {name} is moving {sight.motion}." if sight.motion else f"The {name} is not moving."]


def past(rng: Random, kind: str, line: Timeline) -> tuple[dict, list[str], int | None] | None:
    """As `present`, for questions about the whole stream, and the answer's `Question.since`.

    That is when the thing asked about was last seen, or where the order of things is asked, when the
    first of them came; None where the answer rests on no one moment (what never was, how many there were).
    """
    if kind == "first":
        return ({}, any_order("First I saw", line.entrances[0][1]), line.entrances[0][0]) if line.entrances else None
    if kind in ("before", "after"):
        if not line.names:
            return None
        name = rng.choice(line.names)
        index = line.entered_once(name)
        if index is None or line.entrances[index][1] != [name]:
            return None
        own, index = index, index + (1 if kind == "after" else -1)
        said = "After" if kind == "after" else "Before"
        if not 0 <= index < len(line.entrances):
            return ({"name": name}, [f"{said} the {name} I saw nothing."], line.entrances[own][0]) if rng.random() < 0.2 else None
        names, since = line.entrances[index][1], line.entrances[min(index, own)][0]
        return ({"name": name}, [f"{said} the {name} I saw {with_article(names[0])}."], since) if len(names) == 1 else None
    if kind == "earlier1":
        known = {w for n in line.names for w in n.split() if len(w) > 1} - {"letter", "digit"}
        word = rng.choice(list(COLOURS) + list(SHAPES))
        if known and rng.random() < 0.5:
            word = rng.choice(sorted(known))
        thing = f"{word} thing" if word in COLOURS else word
        since = max((second for n, second in line.last_seen.items() if word in n.split()), default=None)
        return ({"a": with_article(thing)},
                [f"Yes, I saw {with_article(thing)}." if word in known else f"No, I did not see {with_article(thing)}."], since)
    if kind == "earlier":
        yes = bool(line.names) and rng.random() < 0.5
        name = rng.choice(line.names) if yes else near_miss(rng, line.names)
        return ({"a": with_article(name)},
                [f"Yes, I saw {with_article(name)}." if yes else f"No, I did not see {with_article(name)}."],
                line.last_seen.get(name))
    if kind == "distinct":
        count = len(line.names)
        said = NUMBERS[count] if count < len(NUMBERS) else "more than twelve"
        return {}, [f"I have seen {said} different object{'s' * (count != 1)}."], None
    if kind == "order":
        firsts = {}
        for index, (_, names) in enumerate(line.entrances):
            for name in names:
                firsts.setdefault(name, index)
        if len(firsts) < 2:
            return None
        one, two = rng.sample(list(firsts), 2)
        if firsts[one] == firsts[two]:
            return None
        earlier = one if firsts[one] < firsts[two] else two
        return {"one": one, "two": two}, [f"The {earlier} came first."], line.entrances[firsts[earlier]][0]
    if kind == "lastglyph":
        word = rng.choice(("letter", "digit"))
        cards = [(second, name) for name, second in line.last_seen.items() if name.startswith(word)]
        if not cards:
            return ({"word": word}, [f"I saw no {word}."], None) if rng.random() < 0.15 else None
        latest = max(cards)[0]
        names = [name for second, name in cards if second == latest]
        return ({"word": word}, [f"The last {word} was {names[0].split()[1]}."], latest) if len(names) == 1 else None
    if not line.names or rng.random() < 0.06:
        name = near_miss(rng, line.names)
        return {"name": name, "a": with_article(name)}, [f"I have not seen {with_article(name)}."], None
    name = rng.choice(line.names)
    gap = len(line.seconds) - 1 - line.last_seen[name]
    if gap == 0:
        return ({"name": name}, [f"I see the {name} now."], line.last_seen[name]) if rng.random() < 0.4 else None
    fitting = dict.fromkeys(next(words for most, words in AGO if g <= most) for g in (gap, gap * 0.8, gap * 1.25))
    return {"name": name}, [f"I saw the {name} {words}." for words in fitting], line.last_seen[name]


def draw(rng: Random, kind: str, line: Timeline) -> tuple[str, dict, list[str], int | None] | None:
    """What a question of this type asks, before it is worded: the key of its wordings, their slots, the
    accepted answers and `Question.since`; None if the stream does not lend itself."""
    drawn = (present if kind in PRESENT else past)(rng, kind, line)
    if drawn is None:
        return None
    slots, accepted, since = drawn if kind in PAST else (*drawn, None)
    return slots.pop("kind", kind), slots, accepted, since


def ask_type(rng: Random, kind: str, line: Timeline, plain: bool = False, unseen: bool = False) -> Question | None:
    """A question of the given type; `plain` keeps the tidy spelling, `unseen` takes held-out wordings."""
    if kind == "chat":
        text, answer = outside(rng, unseen)
        return Question(kind, "chat", text if plain else typed(rng, text), answer, [answer])
    if (drawn := draw(rng, kind, line)) is None:
        return None
    key, slots, accepted, since = drawn
    text = rng.choice((UNSEEN_WORDINGS if unseen else WORDINGS)[key]).format(**slots)
    tense = "present" if kind in PRESENT else "past"
    return Question(kind, tense, text if plain else typed(rng, text), accepted[0], accepted, since)


def ask(rng: Random, line: Timeline, past_share: float, chat_share: float = 0.05) -> Question:
    """A question of a random type that this stream lends itself to."""
    while True:
        share = rng.random()
        if share > 1 - chat_share:
            kind = "chat"
        else:
            types, steps = (PAST, PAST_STEPS) if share < past_share else (PRESENT, PRESENT_STEPS)
            kind = rng.choices(list(types), cum_weights=steps)[0]
        if question := ask_type(rng, kind, line):
            return question
