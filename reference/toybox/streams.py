"""Training streams: chains of scenes with branching questions, laid out as token sequences.

A stream is one shared prefix (prompt, visual tokens, perhaps earlier dialogue turns) and some ten
questions that branch from its end and do not see each other. Positions are those of transformers'
get_rope_index. Old visual tokens may be missing, as after the engine's eviction.
"""

from dataclasses import dataclass
from random import Random

import numpy as np
import torch

from model import GRID, TOKENS_PER_PAIR
from questions import Question, ask
from timeline import Timeline
from tokenizer import Text

CELLS = np.array([(row, col) for row in range(GRID) for col in range(GRID)])
LONGEST_GAP = 230  # seconds of evicted past before the oldest frame kept
CROWDED_SHARE = 0.6  # of streams that end in a second with several things, if a few tries find one


@dataclass
class Row:
    """One laid-out stream; all arrays have one entry a token."""
    ids: list  # token id, or -1 for a visual token
    visual: list  # (second, cell) of each visual token, in order
    positions: list  # (time, row, column)
    branch: list  # 0 = shared prefix, 1.. = question
    targets: list  # the token to predict next, or -100
    features: torch.Tensor  # [seconds, 16, 192]
    questions: list


class Layout:
    """Appends text and frames to a row and keeps the next position."""

    def __init__(self, features: torch.Tensor):
        self.row = Row([], [], [], [], [], features, [])
        self.next = 0

    def text(self, ids: list[int], branch: int = 0) -> None:
        row, n = self.row, len(ids)
        row.ids += ids
        row.positions += [(p, p, p) for p in range(self.next, self.next + n)]
        row.branch += [branch] * n
        row.targets += [-100] * n
        self.next += n

    def frames(self, first: int, last: int, keep: np.ndarray, gap: int = 0) -> None:
        """Seconds first..last-1, only tokens with keep[second, cell]; `gap` seconds came before."""
        start, row = self.next, self.row
        for second in range(first, last):
            time = start + gap + second - first
            for cell in np.flatnonzero(keep[second]).tolist():
                row.ids.append(-1)
                row.visual.append((second, cell))
                row.positions.append((time, start + cell // GRID, start + cell % GRID))
                row.branch.append(0)
                row.targets.append(-100)
        self.next = start + max(gap + last - first, GRID)

    def branch(self, index: int, opening: list[int], question: Question, text: Text) -> None:
        """A question and its answer, scored on the answer and its end; positions restart afterwards."""
        at = self.next
        answer = [*text.encode(question.answer), text.im_end]
        self.text([*opening, *text.encode(question.text), *text.open_answer], index)
        scored = len(self.row.ids) - 1
        self.text(answer[:-1], index)
        self.row.targets[scored:] = answer
        self.row.questions.append(question)
        self.next = at


def chain(rng: Random, scenes: list, seconds: int) -> tuple[list, torch.Tensor]:
    """Random scenes in a row, cut to `seconds`: sights per second and features [seconds, 16, 192]."""
    sights, features = [], []
    while len(sights) < seconds:
        seen, encoded = rng.choice(scenes)
        skip = rng.randrange(len(seen)) if not sights and rng.random() < 0.3 else 0
        sights += seen[skip:]
        features.append(encoded[skip:])
    return sights[:seconds], torch.cat(features)[:seconds]


def eviction(rng: Random, sights: list) -> tuple[np.ndarray, bool]:
    """Which visual tokens are kept, bool [seconds, 16], and whether the past can still be told."""
    seconds = len(sights)
    keep = np.ones((seconds, TOKENS_PER_PAIR), bool)
    recent = max(1, round(seconds * rng.uniform(0.2, 0.5)))
    old = seconds - recent
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


def draw_row(rng: Random, scenes: list, text: Text, seconds: int, questions: int, past_share: float) -> Row:
    """A stream of `seconds` with its questions; one in four has earlier dialogue turns."""
    sights, features = chain(rng, scenes, seconds)
    if rng.random() < CROWDED_SHARE:  # to tell one thing from another by its name has to be learned
        for _ in range(4):
            if len(sights[-1]) > 1:
                break
            sights, features = chain(rng, scenes, seconds)
    keep, whole = eviction(rng, sights)
    gap = int(rng.uniform(0, 1) ** 2 * LONGEST_GAP) if rng.random() < 0.25 else 0
    layout, shown, fresh = Layout(features), 0, True
    turns = rng.choice((1, 1, 2)) if rng.random() < 0.28 else 0
    layout.text(text.open_user)
    for turn in range(turns, -1, -1):
        until = rng.randint(max(shown, 1), seconds) if turn else seconds
        if fresh := until > shown:
            layout.text(text.open_vision)
            layout.frames(shown, until, keep, 0 if shown else gap)
        if turn:
            earlier = ask(rng, Timeline(sights[:until]), past_share)
            layout.text([*([text.vision_end] if fresh else []), *text.encode(earlier.text), *text.open_answer,
                         *text.encode(earlier.answer), *text.next_turn])
        shown = until
    opening, line = ([text.vision_end] if fresh else []), Timeline(sights)
    for index in range(questions):
        layout.branch(index + 1, opening, ask(rng, line, past_share if whole else 0.0), text)
    return layout.row


def grouped_attention(q, k, v, mask):
    """Attention where query heads share keys: q [n, queries, heads, 32], k, v [n, keys, kvHeads, 32].

    mask bool [n or 1, queries, keys], True = attend. The query heads of one key head are laid end to end
    as more queries, which spares the copies of the keys. Plain products, as the backward pass of
    scaled_dot_product_attention takes four times as long on a CPU.
    """
    n, queries, heads, width = q.shape
    share = heads // k.shape[2]
    q = q.unflatten(2, (-1, share)).permute(0, 2, 3, 1, 4).flatten(2, 3) * width ** -0.5
    scores = (q @ k.permute(0, 2, 3, 1)).unflatten(2, (share, queries))
    with torch.autocast("cpu", enabled=False):  # which would copy the scores to float32 and back
        weights = scores.add(torch.where(mask, 0.0, -1e9).to(scores.dtype)[:, None, None]).softmax(-1).flatten(2, 3)
    x = weights @ v.transpose(1, 2)
    return x.unflatten(2, (share, queries)).permute(0, 3, 1, 2, 4).reshape(n, queries, heads, width)


class Branching:
    """Who sees whom in rows of one prefix and its branches: all see the prefix, a branch else only itself.

    Branches are cut out and attend side by side, so no time goes into pairs that do not see each other.
    """

    def __init__(self, branches: list[list[int]], length: int):
        """branches: the branch of every token of every row, 0 = prefix; rows are padded to `length`."""
        runs = [[(start := row.index(b), start + row.count(b)) for b in sorted(set(row))] for row in branches]
        prefix, longest = max(r[0][1] for r in runs), max((e - s for r in runs for s, e in r[1:]), default=0)
        count = max(len(r) for r in runs) - 1
        self.prefix, self.branch = torch.zeros(len(runs), prefix, dtype=torch.long), None
        if count:
            self.branch = torch.zeros(len(runs), count, longest, dtype=torch.long)
        self.back = torch.zeros(len(runs), length, dtype=torch.long)  # where each token's result lies
        seen = torch.zeros(len(runs), 1, prefix, dtype=torch.bool)
        for index, row in enumerate(runs):
            for number, (start, end) in enumerate(row):
                into = self.branch[index, number - 1] if number else self.prefix[index]
                into[:end - start] = torch.arange(start, end) + index * length
                at = len(runs) * prefix + (index * count + number - 1) * longest if number else index * prefix
                self.back[index, start:end] = torch.arange(at, at + end - start)
            seen[index, :, :row[0][1]] = True
        self.prefix_mask = torch.ones(1, prefix, prefix, dtype=torch.bool).tril()
        own = torch.ones(longest, longest, dtype=torch.bool).tril()
        self.mask = torch.cat((seen.expand(-1, longest, -1), own.expand(len(runs), -1, -1)), 2).repeat_interleave(count, 0)

    def __call__(self, q, k, v):
        """q [rows, length, heads, 32], k, v [rows, length, kvHeads, 32] -> like q."""
        heads, kv_heads = q.shape[2], k.shape[2]
        qkv = torch.cat((q, k, v), 2).flatten(0, 1)
        parts = (heads, kv_heads, kv_heads)
        q, k, v = qkv[self.prefix].split(parts, 2)
        out = grouped_attention(q, k, v, self.prefix_mask).flatten(0, 1)
        if self.branch is not None:
            own_q, own_k, own_v = qkv[self.branch.flatten(0, 1)].split(parts, 2)
            shared = [x.repeat_interleave(self.branch.shape[1], 0) for x in (k, v)]
            branch = grouped_attention(own_q, *(torch.cat(x, 1) for x in zip(shared, (own_k, own_v))), self.mask)
            out = torch.cat((out, branch.flatten(0, 1)))
        return out[self.back]


def collate(rows: list[Row]):
    """Pads rows to one batch: ids, visual, positions, attend, targets, cells.

    ids, targets [rows, length]; visual [visual tokens, 192] and cells [visual tokens] in reading
    order of ids == -1; positions [rows, length, 3]; attend: their `Branching`.
    """
    length = max(len(r.ids) for r in rows)
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    targets = torch.full((len(rows), length), -100)
    positions = torch.zeros(len(rows), length, 3, dtype=torch.long)
    visual, cells = [], []
    for index, row in enumerate(rows):
        n = len(row.ids)
        ids[index, :n] = torch.tensor(row.ids)
        targets[index, :n] = torch.tensor(row.targets)
        positions[index, :n] = torch.tensor(row.positions)
        second, cell = torch.tensor(row.visual).T
        visual.append(row.features[second, cell].float())
        cells.append(cell)
    attend = Branching([row.branch for row in rows], length)
    return ids, torch.cat(visual), positions, attend, targets, torch.cat(cells)
