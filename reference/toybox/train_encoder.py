"""Trains the vision encoder alone: every visual token must equal the summed codes of its cell.

Each attribute (shape, colour, glyph, motion) has a fixed code in the 192-d token space; the codes
are those the start checkpoint grew up with, made orthogonal. A decoder that reads these codes keeps
working while the encoder sharpens. A thing's row and column get small codes too: the encoder has only
relative positions and can tell them just where the frame has a rim, which helps the decoder there. `python train_encoder.py BANK START OUT STEPS`.
"""

import pickle
import sys
import time
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
BATCH = 96


def scene_labels(seconds: int, things: list) -> np.ndarray:
    """int8 [seconds, 16, 4]: shape, colour, glyph, motion indices; -1 = has none, motion 4 = still."""
    labels = np.full((seconds, 16, 4), -1, np.int8)
    labels[..., 0] = SHAPE.index("empty")
    for second, sights in enumerate(moments(seconds, things)):
        for s in sights:
            labels[second, s.cell] = (SHAPE.index("card" if s.glyph else s.shape),
                                      -1 if s.glyph else COLOUR.index(s.colour),
                                      GLYPH.index(s.glyph) if s.glyph else -1,
                                      MOTION.index(s.motion) if s.motion else 4)
    return labels


def code_sum(labels: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """[..., 4] labels -> [..., 192] summed codes."""
    padded = torch.cat((codes, torch.zeros(1, codes.shape[1])))
    offset = torch.tensor([0, len(SHAPE), len(SHAPE + COLOUR), len(SHAPE + COLOUR + GLYPH)])
    none = (labels < 0) | (labels == torch.tensor([99, 99, 99, 4]))
    return padded[torch.where(none, len(codes), labels + offset)].sum(-2)


def fit_codes(vision: Vision, frames: np.ndarray, labels: torch.Tensor) -> torch.Tensor:
    """Least squares from the encoder's own features, then the nearest orthogonal set of one norm."""
    features = encode(vision, frames).float().reshape(-1, 192)
    flat = labels.reshape(-1, 4)
    keep = (flat[:, 0] != SHAPE.index("empty")) | (torch.rand(len(flat)) < 0.05)
    onehot = code_sum(flat[keep], torch.eye(len(NAMES)))
    fitted = torch.linalg.solve(onehot.T @ onehot + 2 * torch.eye(len(NAMES)), onehot.T @ features[keep])
    u, _, v = torch.linalg.svd(F.normalize(fitted, dim=1), full_matrices=False)
    return CODE_NORM * u @ v


def place_codes(codes: torch.Tensor) -> torch.Tensor:
    """[8, 192] codes of four rows and four columns, orthogonal to the others; each four sum to zero."""
    free = torch.linalg.svd(codes)[2][len(codes):len(codes) + 8]
    centred = free.view(2, GRID, -1) - free.view(2, GRID, -1).mean(1, keepdim=True)
    return PLACE_NORM * F.normalize(centred, dim=-1).flatten(0, 1)


def losses(features: torch.Tensor, labels: torch.Tensor, codes: torch.Tensor, places: torch.Tensor):
    """Squared error to the code sums plus cross-entropy with logits tied to the codes."""
    thing = labels[..., 0] != SHAPE.index("empty")
    place = (places[:GRID, None] + places[None, GRID:]).flatten(0, 1)
    error = (features - code_sum(labels, codes) - place * thing[..., None]).square().sum(-1)
    squared = error[thing].mean() + 0.5 * error[~thing].mean()
    logits = features @ codes.T * (3 / CODE_NORM)
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
    for codes_of, target in ((places[:GRID], cells // GRID), (places[GRID:], cells % GRID)):
        head = features[thing] @ codes_of.T * (3 / PLACE_NORM)
        total = total + 0.5 * F.cross_entropy(head, target)
        right.append((head.argmax(-1) == target).float().mean().item())
    return total + 0.5 * F.cross_entropy(split[0][~thing], labels[..., 0][~thing]), right


def sample(rng, shards: list, batch: int):
    """Random pairs with light changes; one in twelve gets a foreign first frame (a cut inside the pair)."""
    frames, labels = [], []
    for _ in range(batch):
        pixels, marks = shards[rng.integers(len(shards))]
        at = rng.integers(len(pixels))
        pair, mark = pixels[at], marks[at]
        if rng.random() < 0.08:
            pair, mark = np.stack((pixels[rng.integers(len(pixels)), 1], pair[1])), mark.copy()
            mark[mark[:, 0] != SHAPE.index("empty"), 3] = -1  # motion cannot be told
        frames.append(pair)
        labels.append(mark)
    x = torch.from_numpy(np.stack(frames)).float()
    x = x * (0.85 + 0.3 * torch.rand(batch, 1, 1, 1, 3)) + 20 * (torch.rand(batch, 1, 1, 1, 1) - 0.5)
    return x.clamp_(0, 255), torch.from_numpy(np.stack(labels)).long()


def load_shards(folder: Path, held_out: bool) -> list:
    """(frames memmap, labels) of every finished shard; shard 0 is kept for validation."""
    shards = []
    for path in sorted(folder.glob("frames*.npy")):
        if "part" not in path.stem and (path.stem == "frames0") == held_out:
            with open(folder / f"things{path.stem[6:]}.pkl", "rb") as file:
                marks = np.concatenate([scene_labels(*scene) for scene in pickle.load(file)])
            shards.append((np.load(path, mmap_mode="r"), marks))
    return shards


def main(folder: Path, start: Path, out: Path, steps: int) -> None:
    torch.set_num_threads(1)
    rng, vision = np.random.default_rng(), load_vision(start)
    shards, (held,) = load_shards(folder, False), load_shards(folder, True)
    known = out.with_suffix(".codes.pt")
    codes = torch.load(known) if known.exists() else fit_codes(
        vision, shards[0][0], torch.from_numpy(shards[0][1]).long())
    torch.save(codes, known)
    places = place_codes(codes)
    matrices = [p for p in vision.parameters() if p.ndim > 1]
    others = [p for p in vision.parameters() if p.ndim <= 1]
    optimizer, began = Muon(matrices, others, 0.012, 1e-3), time.time()
    for step in range(1, steps + 1):
        x, labels = sample(rng, shards, BATCH)
        with torch.autocast("cpu", torch.bfloat16):
            features = vision(x)
        loss, right = losses(features.float(), labels, codes, places)
        loss.backward()
        optimizer.step(min(1, step / 30, 1.4 * (1 - step / steps) + 0.01))
        if step % 50 == 0:
            with torch.no_grad():
                rows = rng.integers(len(held[0]), size=400)
                value, right = losses(vision(torch.from_numpy(held[0][np.sort(rows)])).float(),
                                      torch.from_numpy(held[1][np.sort(rows)]).long(), codes, places)
            print(f"{time.time() - began:.0f}s step {step} train {loss.item():.3f} held {value.item():.3f}",
                  "shape colour glyph motion row column", *(f"{r:.3f}" for r in right), flush=True)
            torch.save(vision.state_dict(), out.with_suffix(".part"))
            out.with_suffix(".part").rename(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
