"""The codes the encoder is trained towards: every visual token must equal the summed codes of its cell.

Each attribute (shape, colour, glyph, motion) has a fixed code in the token space, fitted to the encoder
that training starts from and made orthogonal, so a decoder that reads that encoder keeps working while the
encoder sharpens. A thing's place gets small codes too: its row, its column, and how far its centre lies from the
middle of its cell.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

import world
from model import GRID, TOKENS_PER_PAIR

SHAPE = [*world.SHAPES, "card", "empty"]
COLOUR, GLYPH, MOTION = list(world.COLOURS), list(world.DIGITS + world.LETTERS), list(world.DIRECTIONS)
NAMES = SHAPE + COLOUR + GLYPH + MOTION
CODE_NORM, PLACE_NORM = 1.6, 0.9
CELL = world.SIZE / GRID


def scene_labels(seconds: list) -> tuple[np.ndarray, np.ndarray]:
    """What every visual token shows, from the sights of every second: labels and offsets.

    labels int8 [seconds, 16, 4]: shape, colour, glyph, motion indices; -1 = has none or cannot be told, motion 4 = still.
    offsets float32 [seconds, 16, 2]: the centre right of and below the middle of its cell, in half cells.
    """
    labels, offsets = np.full((len(seconds), 16, 4), -1, np.int8), np.zeros((len(seconds), 16, 2), np.float32)
    labels[..., 0] = SHAPE.index("empty")
    for second, sights in enumerate(seconds):
        for s in sights:
            labels[second, s.cell] = (SHAPE.index("card" if s.glyph else s.shape),
                                      -1 if s.glyph else COLOUR.index(s.colour),
                                      GLYPH.index(s.glyph) if s.glyph else -1,
                                      -1 if s.motion is None else MOTION.index(s.motion) if s.motion else 4)
            middle = (s.cell % GRID + 0.5) * CELL, (s.cell // GRID + 0.5) * CELL
            offsets[second, s.cell] = np.clip((np.array((s.x, s.y)) - middle) / (CELL / 2), -1.5, 1.5)
    return labels, offsets


def code_sum(labels: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """[..., 4] labels -> [..., width] summed codes."""
    padded = torch.cat((codes, torch.zeros_like(codes[:1])))
    offset = torch.tensor([0, len(SHAPE), len(SHAPE + COLOUR), len(SHAPE + COLOUR + GLYPH)], device=labels.device)
    none = (labels < 0) | (labels == torch.tensor([99, 99, 99, 4], device=labels.device))
    return padded[torch.where(none, len(codes), labels + offset)].sum(-2)


@dataclass
class Codes:
    """What the tokens are trained towards: [codes, width] each, all orthogonal to each other."""
    names: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor
    offsets: torch.Tensor  # x, y, each for half a cell

    def to(self, device) -> "Codes":
        return Codes(**{name: value.to(device) for name, value in vars(self).items()})


def nearest_orthogonal(rows: torch.Tensor) -> torch.Tensor:
    """The set of orthonormal rows nearest to these."""
    u, _, v = torch.linalg.svd(rows, full_matrices=False)
    return u @ v


def fit_codes(features: torch.Tensor, labels: torch.Tensor) -> Codes:
    """Least squares from an encoder's features [pairs, 16, width], float32, then the nearest orthogonal sets."""
    flat, cells = labels.reshape(-1, 4), torch.arange(TOKENS_PER_PAIR, device=labels.device).repeat(len(labels))
    features, thing = features.flatten(0, 1), flat[:, 0] != SHAPE.index("empty")
    keep = thing | (torch.rand(len(flat), device=flat.device) < 0.05)
    onehot = code_sum(flat[keep], torch.eye(len(NAMES), device=flat.device))
    damped = onehot.T @ onehot + 2 * torch.eye(len(NAMES), device=flat.device)
    names = nearest_orthogonal(F.normalize(torch.linalg.solve(damped, onehot.T @ features[keep]), dim=1))
    rest = features[thing] - code_sum(flat[thing], CODE_NORM * names)
    rest = rest - (rest @ names.T) @ names
    means = [torch.stack([rest[index == i].mean(0) for i in range(GRID)])
             for index in (cells[thing] // GRID, cells[thing] % GRID)]
    places = nearest_orthogonal(torch.cat([F.normalize(m - m.mean(0) / 2, dim=1) for m in means]))
    offsets = torch.linalg.svd(torch.cat((names, places)))[2][-2:]
    return Codes(CODE_NORM * names, PLACE_NORM * places[:GRID], PLACE_NORM * places[GRID:], PLACE_NORM * offsets)


def code_loss(features: torch.Tensor, labels: torch.Tensor, offsets: torch.Tensor, codes: Codes) -> tuple[torch.Tensor, dict]:
    """Squared error to the code sums plus cross-entropy with logits tied to the codes; how often each is right.

    features [pairs, 16, width], labels [pairs, 16, 4], offsets [pairs, 16, 2]; `offset` is in half cells.
    """
    thing = labels[..., 0] != SHAPE.index("empty")
    place = (codes.rows[:, None] + codes.columns).flatten(0, 1) + offsets @ codes.offsets
    error = (features - code_sum(labels, codes.names) - place * thing[..., None]).square().sum(-1)
    logits = features @ codes.names.T * (3 / CODE_NORM)
    split = logits.split([len(SHAPE), len(COLOUR), len(GLYPH), len(MOTION)], -1)
    still = torch.full_like(split[3][..., :1], 1.5 * CODE_NORM)
    cells = torch.arange(TOKENS_PER_PAIR, device=labels.device).expand_as(thing)
    heads = {"shape": (split[0], labels[..., 0], 1), "colour": (split[1], labels[..., 1], 1), "glyph": (split[2], labels[..., 2], 1),
             "motion": (torch.cat((split[3], still), -1), labels[..., 3], 1),
             "row": (features @ codes.rows.T * (3 / PLACE_NORM), cells // GRID, 0.5),
             "column": (features @ codes.columns.T * (3 / PLACE_NORM), cells % GRID, 0.5)}
    total, right = 0.5 * (error[thing].mean() + 0.5 * error[~thing].mean()), {}
    for name, (head, target, weight) in heads.items():
        has = thing & (target >= 0)
        total = total + weight * F.cross_entropy(head[has], target[has], reduction="sum") / has.sum().clamp(min=1)
        right[name] = (head[has].argmax(-1) == target[has]).float().mean()
    told = (features @ codes.offsets.T / PLACE_NORM ** 2)[thing] - offsets[thing]
    right["offset"] = told.detach().abs().mean()
    return total + told.square().mean() + 0.5 * F.cross_entropy(split[0][~thing], labels[..., 0][~thing]), right
