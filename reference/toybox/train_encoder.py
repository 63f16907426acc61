"""Trains the vision encoder alone: every visual token must equal the summed codes of its cell.

Each attribute (shape, colour, glyph, motion) has a fixed code in the 192-d token space; the codes
are those the start checkpoint grew up with, made orthogonal. A decoder that reads these codes keeps
working while the encoder sharpens. A thing's place gets small codes too: its row and column, which the
encoder with its relative positions can tell just where the frame has a rim, and how far its centre lies
from the middle of its cell, which together with the cell says where it is. `python train_encoder.py BANK START OUT STEPS`.
"""

import pickle
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import world
from bank import encode
from checkpoint import load_vision
from model import GRID, TOKENS_PER_PAIR, Vision
from optim import Muon
from timeline import moments

SHAPE = [*world.SHAPES, "card", "empty"]
COLOUR, GLYPH, MOTION = list(world.COLOURS), list(world.DIGITS + world.LETTERS), list(world.DIRECTIONS)
NAMES = SHAPE + COLOUR + GLYPH + MOTION
CODE_NORM, PLACE_NORM = 1.6, 0.9
CELL = world.SIZE / GRID
BATCH = 96


def scene_labels(seconds: int, things: list) -> tuple[np.ndarray, np.ndarray]:
    """What every visual token shows: labels and offsets.

    labels int8 [seconds, 16, 4]: shape, colour, glyph, motion indices; -1 = has none, motion 4 = still.
    offsets float32 [seconds, 16, 2]: the centre right of and below the middle of its cell, in half cells.
    """
    labels, offsets = np.full((seconds, 16, 4), -1, np.int8), np.zeros((seconds, 16, 2), np.float32)
    labels[..., 0] = SHAPE.index("empty")
    for second, sights in enumerate(moments(seconds, things)):
        for s in sights:
            labels[second, s.cell] = (SHAPE.index("card" if s.glyph else s.shape),
                                      -1 if s.glyph else COLOUR.index(s.colour),
                                      GLYPH.index(s.glyph) if s.glyph else -1,
                                      MOTION.index(s.motion) if s.motion else 4)
            middle = (s.cell % GRID + 0.5) * CELL, (s.cell // GRID + 0.5) * CELL
            offsets[second, s.cell] = np.clip((np.array((s.x, s.y)) - middle) / (CELL / 2), -1.5, 1.5)
    return labels, offsets


def code_sum(labels: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """[..., 4] labels -> [..., 192] summed codes."""
    padded = torch.cat((codes, torch.zeros(1, codes.shape[1])))
    offset = torch.tensor([0, len(SHAPE), len(SHAPE + COLOUR), len(SHAPE + COLOUR + GLYPH)])
    none = (labels < 0) | (labels == torch.tensor([99, 99, 99, 4]))
    return padded[torch.where(none, len(codes), labels + offset)].sum(-2)


@dataclass
class Codes:
    """What the tokens are trained towards; all but `rows` and `columns` are orthogonal to each other."""
    names: torch.Tensor  # [names, 192]
    rows: torch.Tensor  # [4, 192]
    columns: torch.Tensor  # [4, 192]
    offsets: torch.Tensor  # [2, 192]: x, y, each for half a cell


def fit_codes(vision: Vision, frames: np.ndarray, labels: torch.Tensor) -> Codes:
    """Least squares from the encoder's own features, then the nearest orthogonal set of one norm."""
    features = encode(vision, frames).float().reshape(-1, 192)
    flat, cells = labels.reshape(-1, 4), torch.arange(TOKENS_PER_PAIR).repeat(len(labels))
    thing = flat[:, 0] != SHAPE.index("empty")
    keep = thing | (torch.rand(len(flat)) < 0.05)
    onehot = code_sum(flat[keep], torch.eye(len(NAMES)))
    fitted = torch.linalg.solve(onehot.T @ onehot + 2 * torch.eye(len(NAMES)), onehot.T @ features[keep])
    u, _, v = torch.linalg.svd(F.normalize(fitted, dim=1), full_matrices=False)
    rest = features[thing] - code_sum(flat[thing], CODE_NORM * u @ v)
    rest = rest - (rest @ v.T) @ v
    means = [torch.stack([rest[index == i].mean(0) for i in range(GRID)])
             for index in (cells[thing] // GRID, cells[thing] % GRID)]
    rows, columns = (PLACE_NORM * F.normalize(m - m.mean(0), dim=1) for m in means)
    offsets = PLACE_NORM * torch.linalg.svd(torch.cat((v, rows, columns)))[2][-2:]
    return Codes(CODE_NORM * u @ v, rows, columns, offsets)


def losses(features: torch.Tensor, labels: torch.Tensor, offsets: torch.Tensor, codes: Codes):
    """Squared error to the code sums plus cross-entropy with logits tied to the codes."""
    thing = labels[..., 0] != SHAPE.index("empty")
    place = (codes.rows[:, None] + codes.columns).flatten(0, 1) + offsets @ codes.offsets
    error = (features - code_sum(labels, codes.names) - place * thing[..., None]).square().sum(-1)
    squared = error[thing].mean() + 0.5 * error[~thing].mean()
    logits = features @ codes.names.T * (3 / CODE_NORM)
    split = logits.split([len(SHAPE), len(COLOUR), len(GLYPH), len(MOTION)], -1)
    still = torch.full_like(split[3][..., :1], 1.5 * CODE_NORM)
    heads = [split[0], split[1], split[2], torch.cat((split[3], still), -1)]
    total, right = squared * 0.5, []
    for index, head in enumerate(heads):
        has = thing & (labels[..., index] >= 0)
        target = labels[..., index][has]
        total = total + F.cross_entropy(head[has], target)
        right.append((head[has].argmax(-1) == target).float().mean().item())
    cells = torch.arange(TOKENS_PER_PAIR).expand_as(thing)[thing]
    for places, target in ((codes.rows, cells // GRID), (codes.columns, cells % GRID)):
        head = features[thing] @ places.T * (3 / PLACE_NORM)
        total = total + 0.5 * F.cross_entropy(head, target)
        right.append((head.argmax(-1) == target).float().mean().item())
    told = (features @ codes.offsets.T / PLACE_NORM ** 2)[thing] - offsets[thing]
    right.append(told.abs().mean().item())
    return total + told.square().mean() + 0.5 * F.cross_entropy(split[0][~thing], labels[..., 0][~thing]), right


def sample(rng, shards: list, batch: int):
    """Random pairs with light changes; one in twelve gets a foreign first frame (a cut inside the pair)."""
    frames, labels, offsets = [], [], []
    for _ in range(batch):
        pixels, marks, centres = shards[rng.integers(len(shards))]
        at = rng.integers(len(pixels))
        pair, mark = pixels[at], marks[at]
        if rng.random() < 0.08:
            pair, mark = np.stack((pixels[rng.integers(len(pixels)), 1], pair[1])), mark.copy()
            mark[mark[:, 0] != SHAPE.index("empty"), 3] = -1  # motion cannot be told
        frames.append(pair)
        labels.append(mark)
        offsets.append(centres[at])
    x = torch.from_numpy(np.stack(frames)).float()
    x = x * (0.85 + 0.3 * torch.rand(batch, 1, 1, 1, 3)) + 20 * (torch.rand(batch, 1, 1, 1, 1) - 0.5)
    return x.clamp_(0, 255), torch.from_numpy(np.stack(labels)).long(), torch.from_numpy(np.stack(offsets))


def load_shards(folder: Path, held_out: bool) -> list:
    """(frames memmap, labels, offsets) of every finished shard; shard 0 is kept for validation."""
    shards = []
    for path in sorted(folder.glob("frames*.npy")):
        if "part" not in path.stem and (path.stem == "frames0") == held_out:
            with open(folder / f"things{path.stem[6:]}.pkl", "rb") as file:
                marks = [scene_labels(*scene) for scene in pickle.load(file)]
            shards.append((np.load(path, mmap_mode="r"), *map(np.concatenate, zip(*marks))))
    return shards


def main(folder: Path, start: Path, out: Path, steps: int) -> None:
    torch.set_num_threads(1)
    rng, vision = np.random.default_rng(), load_vision(start)
    shards, (held,) = load_shards(folder, False), load_shards(folder, True)
    known = out.with_suffix(".codes.pt")
    codes = Codes(**torch.load(known)) if known.exists() else fit_codes(
        vision, shards[0][0], torch.from_numpy(shards[0][1]).long())
    torch.save(vars(codes), known)
    matrices = [p for p in vision.parameters() if p.ndim > 1]
    others = [p for p in vision.parameters() if p.ndim <= 1]
    optimizer, began = Muon(matrices, others, 0.012, 1e-3), time.time()
    for step in range(1, steps + 1):
        x, labels, offsets = sample(rng, shards, BATCH)
        with torch.autocast("cpu", torch.bfloat16):
            features = vision(x)
        loss, right = losses(features.float(), labels, offsets, codes)
        loss.backward()
        optimizer.step(min(1, step / 30, 1.4 * (1 - step / steps) + 0.01))
        if step % 50 == 0:
            with torch.no_grad():
                rows = np.sort(rng.integers(len(held[0]), size=400))
                frames, labels, offsets = (torch.from_numpy(part[rows]) for part in held)
                value, right = losses(vision(frames).float(), labels.long(), offsets, codes)
            print(f"{time.time() - began:.0f}s step {step} train {loss.item():.3f} held {value.item():.3f}",
                  "shape colour glyph motion row column offset", *(f"{r:.3f}" for r in right), flush=True)
            torch.save(vision.state_dict(), out.with_suffix(".part"))
            out.with_suffix(".part").rename(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
