"""What training-only heads of the decoder must tell of every visual token: dense hints at what the past is.

Answers score a few tokens a question; these score every token of the stream, and teach early layers
what later ones need: where a token is, which things came just before its thing, what was first, how many
different things there have been.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from model import TOKENS_PER_PAIR
from world import COLOURS, DIGITS, LETTERS, SHAPES

NAMES = {name: i for i, name in enumerate([f"{c} {s}" for c in COLOURS for s in SHAPES]
                                          + [f"digit {d}" for d in DIGITS] + [f"letter {x}" for x in LETTERS])}
NOTHING = len(NAMES)  # before the first thing
MOST_COUNTED = 13
HEADS = {"cell": TOKENS_PER_PAIR, "name": NOTHING + 1, "fresh": 2, "before": NOTHING + 1, "first": NOTHING + 1,
         "distinct": MOST_COUNTED + 1}
EARLY = ("cell", "name")  # told after an early layer, the others after a middle one
UNTOLD = -100


def stream_targets(seconds: list) -> np.ndarray:
    """int16 [heads, seconds, 16], `UNTOLD` where a head need not tell.

    cell: the token's own; name: of the thing whose centre it holds (NOTHING: none). Only of tokens that hold
    a thing: fresh: it came this very second; before: the thing that came alone before it did; first: the
    stream's first thing, if it came alone; distinct: different things so far.
    """
    out = np.full((len(HEADS), len(seconds), TOKENS_PER_PAIR), UNTOLD, np.int16)
    cell, name, fresh, before, first, distinct = out
    cell[:] = np.arange(TOKENS_PER_PAIR)
    name[:] = NOTHING
    held, known, opener, latest = {}, set(), UNTOLD, NOTHING  # held: name -> what came before it did
    for second, sights in enumerate(seconds):
        came = [NAMES[s.name] for s in sights if NAMES[s.name] not in held]
        held = {NAMES[s.name]: held.get(NAMES[s.name], latest) for s in sights}
        if came:
            opener = opener if known else came[0] if len(came) == 1 else UNTOLD
            latest = came[0] if len(came) == 1 else UNTOLD
            known.update(came)
        for s in sights:
            at = second, s.cell
            name[at], fresh[at], before[at] = NAMES[s.name], NAMES[s.name] in came, held[NAMES[s.name]]
            first[at], distinct[at] = opener, min(len(known), MOST_COUNTED)
    return out


class TargetHeads(nn.Module):
    """Linear heads on the residual stream; not part of the model that ships."""

    def __init__(self, width: int):
        super().__init__()
        self.heads = nn.ModuleDict({name: nn.Linear(width, classes) for name, classes in HEADS.items()})

    def forward(self, early: torch.Tensor, middle: torch.Tensor, learn: torch.Tensor) -> tuple[torch.Tensor, dict]:
        """Visual tokens after both layers [tokens, width], targets [heads, tokens] -> summed loss, and each."""
        early, middle = (F.rms_norm(x.float(), x.shape[-1:]) for x in (early, middle))
        each = {}
        for index, (name, head) in enumerate(self.heads.items()):
            target = learn[index].long()
            told = head(early if name in EARLY else middle).float()
            error = F.cross_entropy(told, target, ignore_index=UNTOLD, reduction="sum")
            each[name] = error / (target != UNTOLD).sum().clamp(min=1)
        return sum(each.values()), {name: value.detach() for name, value in each.items()}
