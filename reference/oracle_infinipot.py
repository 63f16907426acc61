"""Which tokens InfiniPot-V keeps, on whole frames, in plain float64.

The method is InfiniPot-V's: temporal-axis redundancy of keys (TaR), then value norms
(VaN). Ringside's shaders are compared with the indices written here.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fixture_files import write_json

# No chosen score is nearer than this (relative) to a refused one, unless exactly equal:
# then the same choice is a fair demand on float32.
SMALLEST_GAP = 2e-5


@dataclass(frozen=True)
class Setting:
    """frames of height x width tokens each; of all of them a head keeps `keep`."""

    name: str
    layers: int
    kv_heads: int
    head_dim: int
    frames: int
    height: int
    width: int
    keep: int
    rho: float = 0.25
    alpha: float = 0.5
    repeated: bool = False  # frames 1 and 3 repeat frame 0: exact ties
    pooling: bool = False  # of value norms, layer by layer


SETTINGS = [
    Setting("small", 2, 2, 32, 8, 2, 3, 36),
    Setting("recents-exceed-alpha", 1, 2, 32, 8, 2, 3, 19),
    Setting("only-recents", 1, 1, 32, 9, 2, 2, 8),
    Setting("ties", 1, 2, 32, 12, 3, 4, 97, repeated=True),
    Setting("one-token-frames", 2, 1, 80, 37, 1, 1, 21),
    Setting("wide", 1, 2, 64, 10, 4, 5, 96),
    Setting("head-128", 1, 1, 128, 12, 2, 5, 75),
    Setting("pooled", 4, 2, 4, 8, 7, 8, 225, pooling=True),
    Setting("pooled-small-grid", 9, 1, 4, 11, 3, 5, 90, pooling=True),
    Setting("pooled-few-frames", 3, 1, 8, 4, 6, 5, 70, pooling=True),
]


def kept_tokens(keys: np.ndarray, values: np.ndarray, setting: Setting) -> tuple[np.ndarray, np.ndarray]:
    """Token indices that stay, ascending, int64 [layers, kvHeads, keep].

    keys, values: [layers, kvHeads, frames * patches, headDim], frame after frame. Also
    how clear the two cuts of each head are, float64 [layers * kvHeads, 2 (TaR, VaN)].
    """
    kept = np.empty((*keys.shape[:2], setting.keep), dtype=np.int64)
    gaps = []
    for layer, head in np.ndindex(keys.shape[:2]):
        kept[layer, head], gap = _kept_by_head(
            keys[layer, head].astype(np.float64),
            _value_scores(values[layer, head].astype(np.float64), layer, setting),
            setting,
        )
        gaps.append(gap)
    return kept, np.array(gaps)


def _kept_by_head(keys: np.ndarray, value_scores: np.ndarray, setting: Setting) -> tuple[np.ndarray, tuple[float, float]]:
    patches, total = setting.height * setting.width, len(keys)
    recent_frames = math.floor(setting.frames * setting.rho)
    recents = recent_frames * patches
    if not 1 <= recent_frames or recents > setting.keep:
        raise ValueError("the recent frames must exist and fit into what is kept")
    older = total - recents

    unit = keys / np.linalg.norm(keys, axis=-1, keepdims=True)
    unit = unit.reshape(setting.frames, patches, -1)
    cosine = np.einsum("fjd,tjd->fjt", unit[:-recent_frames], unit[-recent_frames:])
    redundancy = -cosine.mean(axis=-1).reshape(older)

    # As published: the share by norm is rounded, halves to even, and redundancy has the rest.
    by_redundancy = max(recents, setting.keep - round((1 - setting.alpha) * setting.keep)) - recents
    first, first_gap = _highest(redundancy, np.arange(older), by_redundancy)
    rest = np.setdiff1d(np.arange(older), first)
    by_norm = setting.keep - recents - by_redundancy
    second, second_gap = _highest(value_scores[rest], rest, by_norm)
    return np.sort(np.concatenate([first, second, np.arange(older, total)])), (first_gap, second_gap)


def _value_scores(values: np.ndarray, layer: int, setting: Setting) -> np.ndarray:
    """VaN of every token. Pooled, it is the mean over a window around the token; what lies outside counts as 0."""
    norms = np.linalg.norm(values, axis=-1)
    quarter = min(3, layer // max(1, setting.layers // 4))
    if not setting.pooling or quarter == 3:
        return norms
    if quarter == 2:
        return _mean_around(norms, (3,))
    shape = (setting.frames, setting.height, setting.width)
    size = min(7 if quarter == 0 else 5, *shape)
    size -= 1 - size % 2
    if size < 2:
        return norms
    return _mean_around(norms.reshape(shape), (size if quarter == 0 else 1, size, size)).reshape(-1)


def _mean_around(values: np.ndarray, window: tuple[int, ...]) -> np.ndarray:
    padded = np.pad(values, [(size // 2, size // 2) for size in window])
    return np.lib.stride_tricks.sliding_window_view(padded, window).mean(axis=tuple(range(-len(window), 0)))


def _highest(scores: np.ndarray, tokens: np.ndarray, count: int) -> tuple[np.ndarray, float]:
    """The `count` tokens of highest score, of equals the older; and how clear the cut is (0: a tie)."""
    scores = np.round(scores, 12)  # so that equal inputs are equal whatever the order of sums
    order = np.argsort(-scores, kind="stable")
    chosen = tokens[order[:count]]
    if count in (0, len(scores)):
        return chosen, math.inf
    lowest, refused = scores[order[count - 1]], scores[order[count]]
    return chosen, (lowest - refused) / max(abs(lowest), 1e-3)


def random_cache(setting: Setting, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Keys and values as float16 [layers, kvHeads, tokens, headDim], alike from frame to frame."""
    rng = np.random.default_rng(seed)
    patches = setting.height * setting.width
    shape = (setting.layers, setting.kv_heads, setting.frames, patches, setting.head_dim)
    scene = rng.normal(0, 1, size=(*shape[:2], 1, *shape[3:]))
    change = np.cumsum(rng.normal(0, 0.35, size=shape), axis=2)
    keys = scene + change
    values = rng.normal(0, 1, size=shape) * rng.uniform(0.5, 1.5, size=(*shape[:-1], 1))
    if setting.repeated:
        for array in (keys, values):
            array[:, :, [1, 3]] = array[:, :, [0]]
    flat = (*shape[:2], setting.frames * patches, setting.head_dim)
    return keys.reshape(flat).astype("<f2"), values.reshape(flat).astype("<f2")


def write_infinipot(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    records = []
    for index, setting in enumerate(SETTINGS):
        for seed in range(index * 1000, index * 1000 + 1000):
            keys, values = random_cache(setting, seed)
            kept, gaps = kept_tokens(keys, values, setting)
            ties = gaps == 0
            if (ties | (gaps >= SMALLEST_GAP)).all() and (ties.any(axis=0).all() if setting.repeated else not ties.any()):
                break
        else:
            raise RuntimeError(f"{setting.name}: no seed gives a clear choice")
        files = {"keysFile": f"{setting.name}.keys.npy", "valuesFile": f"{setting.name}.values.npy"}
        np.save(folder / files["keysFile"], keys)
        np.save(folder / files["valuesFile"], values)
        records.append(
            {
                "name": setting.name,
                "layers": setting.layers,
                "kvHeads": setting.kv_heads,
                "headDim": setting.head_dim,
                "frames": setting.frames,
                "grid": [setting.height, setting.width],
                "keep": setting.keep,
                "rho": setting.rho,
                "alpha": setting.alpha,
                "pooling": setting.pooling,
                **files,
                "kept": kept.tolist(),
            }
        )
    write_json(folder / "infinipot.json", {}, records)


def check_infinipot(folder: Path) -> None:
    for setting, record in zip(SETTINGS, json.loads((folder / "infinipot.json").read_text("utf-8"))["cases"]):
        keys, values = np.load(folder / record["keysFile"]), np.load(folder / record["valuesFile"])
        assert kept_tokens(keys, values, setting)[0].tolist() == record["kept"], setting.name
