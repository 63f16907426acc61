"""Batches of training streams, laid out by worker processes beside the training.

A batch holds no pixels: it names the pairs its visual tokens come from (`seen`), and `forward` is given
their features. Streams of one batch are of like length; a step of training takes several batches.
"""

import gc
from dataclasses import dataclass, fields
from random import Random

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset

from attention import attention
from model import TOKENS_PER_PAIR
from scenes import SceneBank
from streams import IGNORED, Row, draw_row
from tokenizer import Text

QUESTIONS, TOKENS_A_QUESTION = 14, 22
LENGTHS = (4, 8, 16, 32, 64)  # seconds; streams of a batch are up to so long
SHARES = ((0.0, (6, 3, 1, 0, 0)), (0.1, (3, 4, 3, 0, 0)), (0.25, (2, 4, 4, 1.5, 0)), (0.4, (2, 4, 4, 3, 1.5)))
AT_ONCE = 4  # batches drawn together, then sorted by length
ROUND_UP = 32  # tokens: batches of few different sizes spare the allocator


@dataclass
class Batch:
    """Rows padded to one length."""
    ids: torch.Tensor  # [rows, length], -1 = visual token
    positions: torch.Tensor  # [rows, length, 3]
    branch: torch.Tensor  # [rows, length], -1 = padding
    targets: torch.Tensor  # [rows, length]
    visual: torch.Tensor  # [visual tokens] in reading order: which row of the features of `seen`, token by token
    seen: torch.Tensor  # [pairs]: numbers of the pairs seen, those of a row together
    owner: torch.Tensor  # [pairs]: the row that saw them
    learn: torch.Tensor  # [heads, visual tokens]

    def to(self, device: str) -> "Batch":
        return Batch(**{f.name: getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)})


def pad(rows: list[Row]) -> dict[str, np.ndarray]:
    """Rows as the first four arrays of a `Batch`, int16, which holds all of them and halves what workers hand over."""
    length = -(-max(map(len, rows)) // ROUND_UP) * ROUND_UP
    out = {"ids": np.zeros((len(rows), length), np.int16), "positions": np.zeros((len(rows), length, 3), np.int16),
           "branch": np.full((len(rows), length), -1, np.int16), "targets": np.full((len(rows), length), IGNORED, np.int16)}
    for name, array in out.items():
        for index, row in enumerate(rows):
            array[index, :len(row)] = getattr(row, name)
    return out


def collate(rows: list[Row]) -> Batch:
    """A batch of training streams."""
    arrays, seen, owner, visual = pad(rows), [], [], []
    for index, row in enumerate(rows):
        pairs, place = np.unique(row.pairs, return_inverse=True)
        visual.append((place + sum(map(len, seen))) * TOKENS_PER_PAIR + row.cell[row.visual])
        seen.append(pairs.astype(np.int32))
        owner.append(np.full(len(pairs), index, np.int32))
    arrays |= {"visual": np.concatenate(visual).astype(np.int32), "seen": np.concatenate(seen), "owner": np.concatenate(owner),
               "learn": np.concatenate([row.learn for row in rows], 1)}
    return Batch(**{name: torch.from_numpy(value) for name, value in arrays.items()})


def forward(decoder, batch: Batch, features: torch.Tensor, taps=()):
    """Hidden states at the scored tokens [scored, width], their targets, and the tapped layers.

    features [pairs of batch.seen, 16, width].
    """
    ids = batch.ids.long()
    visual = features.flatten(0, 1)[batch.visual.long()]
    x = decoder.embed_tokens(ids.clamp(min=0))
    x = x.masked_scatter((ids == -1)[..., None], visual.to(x.dtype))
    hidden, tapped = decoder(x, batch.positions, attention(batch.branch), taps)
    scored = batch.targets != IGNORED
    return hidden[scored], batch.targets[scored].long(), tapped


class Streams(IterableDataset):
    """Endless batches, each worker its own; `progress` 0-1 sets how long streams are."""

    def __init__(self, bank: SceneBank, tokens: int, past_share: float, seed: str, progress):
        self.bank, self.tokens, self.past_share, self.seed, self.progress = bank, tokens, past_share, seed, progress

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        rng, text = Random(f"{self.seed} {worker.id if worker else 0}"), Text()
        torch.set_num_threads(1)
        while True:
            shares = next(s for done, s in reversed(SHARES) if self.progress.value >= done)
            longest = rng.choices(LENGTHS, shares)[0]
            shortest = 1 if longest == LENGTHS[0] else longest // 2
            seconds = rng.randint(shortest, longest)
            count = max(1, self.tokens // (seconds * TOKENS_PER_PAIR + TOKENS_A_QUESTION * QUESTIONS))
            rows = [draw_row(rng, self.bank, text, seconds, QUESTIONS, self.past_share) for _ in range(AT_ONCE * count)]
            rows.sort(key=len)
            for place in rng.sample(range(AT_ONCE), AT_ONCE):
                yield collate(rows[place * count:(place + 1) * count])


def load(streams: Streams, workers: int):
    """Batches from that many processes; from this one if none."""
    gc.freeze()  # else each worker's garbage collector would copy the whole bank by touching it
    options = dict(prefetch_factor=2, multiprocessing_context="fork") if workers else {}
    return iter(DataLoader(streams, batch_size=None, num_workers=workers, **options))
