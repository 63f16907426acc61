"""Training streams: chains of scenes with branching questions, laid out as token sequences.

A stream is one shared prefix (prompt, visual tokens, perhaps earlier dialogue turns) and some ten
questions that branch from its end and do not see each other. Positions are those of transformers'
get_rope_index. Old visual tokens may be missing, as after the engine's eviction. A stream knows its scenes
by their numbers alone; features or pixels come in where it is used.
"""

from random import Random

import numpy as np

from model import GRID, TOKENS_PER_PAIR
from questions import Question, ask
from scenes import SceneBank
from targets import stream_targets
from timeline import Timeline
from tokenizer import Text

CELLS = np.array([(row, col) for row in range(GRID) for col in range(GRID)])
LONGEST_GAP = 230  # seconds of evicted past before the oldest frame kept
CROWDED_SHARE = 0.5  # of streams that end in a second with several things, if a few tries find one
DIALOGUE_SHARE, STALE_SHARE = 0.5, 0.5  # of streams with earlier turns; of turns with no frame since the last
WRONG_SHARE = 0.15  # of earlier turns whose answer is about something else, so that talk is not trusted blindly
IGNORED = -100


class Layout:
    """Appends text and frames to one row of tokens and keeps the next position.

    Parts are arrays; `row` joins them. A visual token has id -1.
    """

    def __init__(self):
        self.next, self.parts, self.questions = 0, [], []

    def add(self, ids, positions, branch: int, targets=IGNORED, second=-1, cell=-1) -> None:
        part = np.empty((8, len(ids)), np.int32)
        part[0], part[1:4], part[4], part[5], part[6], part[7] = ids, positions, branch, targets, second, cell
        self.parts.append(part)

    def text(self, ids: list[int], branch: int = 0, targets=IGNORED) -> None:
        self.add(ids, np.arange(self.next, self.next + len(ids)), branch, targets)
        self.next += len(ids)

    def frames(self, first: int, last: int, keep: np.ndarray | None = None, gap: int = 0) -> None:
        """Seconds first..last-1, only tokens with keep[second, cell]; `gap` seconds came before."""
        start = self.next
        kept = np.ones((last, TOKENS_PER_PAIR), bool) if keep is None else keep
        second, cell = np.nonzero(kept[first:last])
        places = np.stack((start + gap + second, *(start + CELLS[cell]).T))
        self.add(np.full(len(cell), -1), places, 0, IGNORED, second + first, cell)
        self.next = start + max(gap + last - first, GRID)

    def turn(self, opening: list[int], question: str, answer: str, text: Text, scored: bool, branch: int = 0) -> None:
        """A question and its answer up to its last token; its end is the caller's to add if talk goes on."""
        asked = [*opening, *text.encode(question), *text.open_answer]
        said = [*text.encode(answer), text.im_end]
        targets = [IGNORED] * (len(asked) - 1) + (said if scored else [IGNORED] * len(said))
        self.text([*asked, *said[:-1]], branch, targets)

    def branch(self, index: int, opening: list[int], question: Question, text: Text) -> None:
        """A question that later ones do not see; positions restart after it."""
        at = self.next
        self.turn(opening, question.text, question.answer, text, True, index)
        self.questions.append(question)
        self.next = at

    def row(self) -> "Row":
        return Row(np.concatenate(self.parts, 1), self.questions)


class Row:
    """One laid-out stream; every array has one entry a token."""

    def __init__(self, table: np.ndarray, questions: list):
        self.ids, self.positions, self.branch = table[0], table[1:4].T, table[4]
        self.targets, self.second, self.cell = table[5], table[6], table[7]
        self.visual = np.flatnonzero(self.ids < 0)
        self.questions = questions
        self.pairs = self.learn = None  # of training streams: the number of each visual token's pair, and its targets

    def __len__(self) -> int:
        return len(self.ids)


def chain(rng: Random, bank: SceneBank, seconds: int) -> tuple[list, np.ndarray]:
    """Random scenes in a row, cut to `seconds`: sights per second and the numbers of their pairs."""
    sights, pairs = [], []
    while len(sights) < seconds:
        scene = rng.randrange(len(bank.sights))
        seen = bank.sights[scene]
        skip = rng.randrange(len(seen)) if not sights and rng.random() < 0.3 else 0
        sights += seen[skip:]
        pairs.append(bank.first[scene] + np.arange(skip, len(seen)))
    return sights[:seconds], np.concatenate(pairs)[:seconds]


def eviction(rng: Random, sights: list) -> tuple[np.ndarray, bool]:
    """Which visual tokens are kept, bool [seconds, 16], and whether the past can still be told."""
    seconds = len(sights)
    keep = np.ones((seconds, TOKENS_PER_PAIR), bool)
    old = seconds - max(1, round(seconds * rng.uniform(0.2, 0.5)))
    draw = rng.random()
    if draw < 0.5 or old < 1:
        return keep, True
    chance = np.random.default_rng(rng.getrandbits(32))
    keep[:old] = chance.random((old, TOKENS_PER_PAIR)) > rng.choice((0.5, 0.75, 0.9))
    if draw < 0.8:  # background goes first
        for second, seen in enumerate(sights[:old]):
            keep[second, [s.cell for s in seen]] = True
        return keep, True
    if draw < 0.9:
        keep[:old] &= chance.random((old, 1)) > 0.5  # whole frames too
    return keep, False


def turn_ends(rng: Random, seconds: int) -> list[int]:
    """How many seconds were shown when each turn was asked, the last one the turn of the branches."""
    cuts = []
    for _ in range(rng.choice((1, 1, 2, 3)) if rng.random() < DIALOGUE_SHARE else 0):
        stale = cuts and rng.random() < STALE_SHARE
        cuts.append(cuts[-1] if stale else rng.randint(cuts[-1] if cuts else 1, seconds))
    return [*cuts, cuts[-1] if cuts and rng.random() < STALE_SHARE else seconds]


def draw_row(rng: Random, bank: SceneBank, text: Text, seconds: int, questions: int, past_share: float) -> Row:
    """A stream of at most `seconds` with its questions; half have earlier dialogue turns."""
    sights, pairs = chain(rng, bank, seconds)
    if rng.random() < CROWDED_SHARE:  # to tell one thing from another by its name has to be learned
        for _ in range(4):
            if len(sights[-1]) > 1:
                break
            sights, pairs = chain(rng, bank, seconds)
    cuts = turn_ends(rng, seconds)
    sights, pairs = sights[:cuts[-1]], pairs[:cuts[-1]]
    keep, whole = eviction(rng, sights)
    told = past_share if whole else 0.0
    gap = int(rng.uniform(0, 1) ** 2 * LONGEST_GAP) if rng.random() < 0.25 else 0
    layout, shown = Layout(), 0
    layout.text(text.open_user)
    for number, until in enumerate(cuts):
        if fresh := until > shown:
            layout.text(text.open_vision)
            layout.frames(shown, until, keep, 0 if shown else gap)
        opening, shown = [text.vision_end] if fresh else [], until
        if number < len(cuts) - 1:
            earlier, wrong = ask(rng, Timeline(sights[:until]), told), rng.random() < WRONG_SHARE
            answer = ask(rng, Timeline(rng.choice(bank.sights)), told).answer if wrong else earlier.answer
            layout.turn(opening, earlier.text, answer, text, scored=whole and not wrong)
            layout.text(text.next_turn)
    line = Timeline(sights)
    for index in range(questions):
        layout.branch(index + 1, opening, ask(rng, line, told), text)
    row = layout.row()
    row.pairs = pairs[row.second[row.visual]]
    row.learn = stream_targets(sights)[:, row.second[row.visual], row.cell[row.visual]]
    return row
