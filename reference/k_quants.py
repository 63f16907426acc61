"""Quantises to Q4_K, Q5_K and Q6_K, which the `gguf` package can only dequantise.

Plain rounding, without llama.cpp's search for the best scales: the blocks are valid and
near the values, no more is needed of test weights.
"""

from __future__ import annotations

import gguf
import numpy as np

BLOCK = 256


def quantize(values: np.ndarray, kind: gguf.GGMLQuantizationType) -> np.ndarray:
    """float32 [..., columns] to uint8 [..., bytes]; columns are a multiple of 256."""
    kinds = gguf.GGMLQuantizationType
    blocks = values.astype(np.float32).reshape(-1, BLOCK)
    if kind == kinds.Q6_K:
        raw = _q6(blocks)
    else:
        raw = _with_minima(blocks, {kinds.Q4_K: 4, kinds.Q5_K: 5}[kind])
    return raw.reshape(*values.shape[:-1], -1)


def _with_minima(blocks: np.ndarray, bits: int) -> np.ndarray:
    """Q4_K and Q5_K: eight runs of 32, each with a scale and a minimum of six bits."""
    runs = blocks.reshape(-1, 8, 32)
    minimum = np.maximum(-runs.min(axis=-1), 0)
    scale = (np.maximum(runs.max(axis=-1), 0) + minimum) / (2**bits - 1)
    d, scale = _share(scale, 63)
    d_min, minimum = _share(minimum, 63)
    q = _divide(runs + _halves(d_min)[..., None] * minimum[..., None], _halves(d)[..., None] * scale[..., None])
    q = q.clip(0, 2**bits - 1).astype(np.uint8)

    low, high = scale[:, :4] | (scale[:, 4:] >> 4 << 6), minimum[:, :4] | (minimum[:, 4:] >> 4 << 6)
    packed = np.concatenate([low, high, (scale[:, 4:] & 15) | ((minimum[:, 4:] & 15) << 4)], axis=-1)
    fifth = np.packbits(q >> 4, axis=1, bitorder="little").reshape(-1, 32)
    pairs = (q & 15).reshape(-1, 4, 2, 32)
    nibbles = (pairs[:, :, 0] | (pairs[:, :, 1] << 4)).reshape(-1, 128)
    parts = [d.view(np.uint8), d_min.view(np.uint8), packed, *([fifth] if bits == 5 else []), nibbles]
    return np.concatenate(parts, axis=-1)


def _q6(blocks: np.ndarray) -> np.ndarray:
    """Sixteen runs of 16, each with a scale of a signed byte; the value farthest from zero becomes -32."""
    runs = blocks.reshape(-1, 16, 16)
    farthest = np.take_along_axis(runs, np.abs(runs).argmax(axis=-1, keepdims=True), axis=-1)
    wanted = farthest[..., 0] / -32
    d, _ = _share(np.abs(wanted), 127)
    scale = _divide(wanted, _halves(d)).astype(np.int8)
    q = _divide(runs, (_halves(d) * scale)[..., None]).clip(-32, 31).astype(np.int8) + 32
    q = q.astype(np.uint8).reshape(-1, 2, 4, 32)  # halves of 128, each four runs of 32

    low = q & 15
    nibbles = np.concatenate([low[:, :, 0] | (low[:, :, 2] << 4), low[:, :, 1] | (low[:, :, 3] << 4)], axis=-1)
    shifts = np.array([0, 2, 4, 6], dtype=np.uint8)[:, None]
    upper = np.bitwise_or.reduce(q >> 4 << shifts, axis=2)
    return np.concatenate(
        [nibbles.reshape(-1, 128), upper.reshape(-1, 64), scale.view(np.uint8), d.view(np.uint8)], axis=-1
    )


def _share(values: np.ndarray, largest: int) -> tuple[np.ndarray, np.ndarray]:
    """One half a block, float16 [blocks, 1], and how often each of its values [blocks, runs] holds it, uint8."""
    d = (values.max(axis=-1, keepdims=True) / largest).astype(np.float16)
    return d, _divide(values, _halves(d)).clip(0, largest).astype(np.uint8)


def _halves(d: np.ndarray) -> np.ndarray:
    return d.astype(np.float32)


def _divide(values: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Rounded; zero where the divisor is."""
    return np.rint(np.divide(values, by, out=np.zeros_like(values), where=np.broadcast_to(by, values.shape) != 0))
