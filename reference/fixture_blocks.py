"""Golden quantised blocks: raw bytes of a GGUF tensor type and the values they stand for.

Values are those of the `gguf` package's dequantiser. Each type has up to four groups:
`random` (quantised normal values), `bits` (random bits with ordinary scales, of the K
types, so that no bit follows from another), `extremes` (largest and smallest normal
scales, zero, negative scales, every quant), `subnormal` (values below the smallest normal
of the stored type, which a GPU may flush to zero).
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

import k_quants
from fixture_files import write_json

# Bit patterns of float16, float32 and bfloat16, positive half: zero, smallest normal, about one, largest.
HALF_EXTREMES = [0x0000, 0x0400, 0x0401, 0x3BFF, 0x3C00, 0x3C01, 0x7BFE, 0x7BFF]
FULL_EXTREMES = [0x00000000, 0x00800000, 0x00800001, 0x3F7FFFFF, 0x3F800000, 0x3F800001, 0x7F7FFFFE, 0x7F7FFFFF]
FULL_SUBNORMAL = [0x00000001, 0x007FFFFF]
HALF_SUBNORMAL = [0x0001, 0x0002, 0x0200, 0x03FF]
BRAIN_EXTREMES = [0x0000, 0x0080, 0x0081, 0x3F7F, 0x3F80, 0x3F81, 0x7F7E, 0x7F7F]
BRAIN_SUBNORMAL = [0x0001, 0x0040, 0x007F]
RANDOM_BLOCKS = 128
RANDOM_K_BLOCKS = 12
# Where the halves stand in a block of each K type: scale, and scale of the minima.
K_HALVES = {"Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}


def write_blocks(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    records = []
    for kind, groups in _groups().items():
        raw = np.concatenate([blocks for _, blocks in groups])
        values = gguf.quants.dequantize(raw, kind).astype("<f4").reshape(-1)
        assert np.isfinite(values).all()
        (folder / f"{kind.name}.bin").write_bytes(raw.tobytes())
        np.save(folder / f"{kind.name}.values.npy", values)
        block, size = gguf.GGML_QUANT_SIZES[kind]
        records.append(
            {
                "type": kind.name,
                "ggmlType": int(kind),
                "blockValues": block,
                "blockBytes": size,
                "bytesFile": f"{kind.name}.bin",
                "valuesFile": f"{kind.name}.values.npy",
                "groups": [{"name": name, "blocks": blocks.size // size} for name, blocks in groups],
            }
        )
    write_json(folder / "blocks.json", {}, records, "types")


def check_blocks(folder: Path) -> None:
    for kind in _groups():
        raw = np.frombuffer((folder / f"{kind.name}.bin").read_bytes(), np.uint8)
        values = np.load(folder / f"{kind.name}.values.npy")
        assert np.array_equal(gguf.quants.dequantize(raw, kind).reshape(-1), values), kind.name


def _groups() -> dict[gguf.GGMLQuantizationType, list[tuple[str, np.ndarray]]]:
    """For each type, named runs of whole blocks as flat uint8."""
    kinds, rng = gguf.GGMLQuantizationType, np.random.default_rng(7)
    normal = rng.normal(0, 1, size=(RANDOM_BLOCKS, 32)) * 2.0 ** rng.integers(-12, 6, size=(RANDOM_BLOCKS, 1))
    groups = {}
    for kind, extremes, subnormal in (
        (kinds.F32, FULL_EXTREMES, FULL_SUBNORMAL),
        (kinds.F16, HALF_EXTREMES, HALF_SUBNORMAL),
        (kinds.BF16, BRAIN_EXTREMES, BRAIN_SUBNORMAL),
    ):
        values = normal.reshape(-1)[:512].astype(np.float32)
        groups[kind] = [
            ("random", _flat(gguf.quants.quantize(values, kind))),
            ("extremes", _flat(_signed(extremes, kind))),
            ("subnormal", _flat(_signed(subnormal, kind))),
        ]
    nibbles = np.arange(256, dtype=np.uint8).reshape(16, 16)
    fifth = rng.integers(0, 256, size=(16, 4), dtype=np.uint8)
    for kind, halves, patterns in (
        (kinds.Q8_0, 1, np.arange(256, dtype=np.uint8).reshape(8, 32)),
        (kinds.Q4_0, 1, nibbles),
        (kinds.Q4_1, 2, nibbles),
        (kinds.Q5_0, 1, np.concatenate([fifth, nibbles], axis=-1)),
        (kinds.Q5_1, 2, np.concatenate([fifth, nibbles], axis=-1)),
    ):
        groups[kind] = [
            ("random", _flat(gguf.quants.quantize(normal.astype(np.float32), kind))),
            ("extremes", _flat(_scaled(HALF_EXTREMES, halves, patterns))),
            ("subnormal", _flat(_scaled(HALF_SUBNORMAL[:2], halves, patterns[:2]))),
        ]
    for name, places in K_HALVES.items():
        kind = kinds[name]
        wide = rng.normal(0, 1, size=(RANDOM_K_BLOCKS, 256)) * 2.0 ** rng.integers(-12, 6, size=(RANDOM_K_BLOCKS, 1))
        ordinary = rng.normal(0, 1e-2, size=RANDOM_K_BLOCKS).astype(np.float16).view("<u2")
        groups[kind] = [
            ("random", _flat(k_quants.quantize(wide, kind))),
            ("bits", _flat(_random_blocks(kind, ordinary, places, rng))),
            ("extremes", _flat(_random_blocks(kind, _signed(HALF_EXTREMES), places, rng))),
            ("subnormal", _flat(_random_blocks(kind, _signed(HALF_SUBNORMAL), places, rng))),
        ]
    return groups


def _random_blocks(kind, scales: np.ndarray, places: list[int], rng) -> np.ndarray:
    """A block of random bits for each scale, which stands at the first place; at the second, the scales backwards."""
    blocks = rng.integers(0, 256, size=(len(scales), gguf.GGML_QUANT_SIZES[kind][1]), dtype=np.uint8)
    for place, values in zip(places, (scales, scales[::-1])):
        blocks[:, place : place + 2] = np.ascontiguousarray(values).view(np.uint8).reshape(-1, 2)
    return blocks


def _signed(bits: list[int], kind=gguf.GGMLQuantizationType.F16) -> np.ndarray:
    """The patterns and their negatives, unsigned integers of the type's size."""
    size = gguf.GGML_QUANT_SIZES[kind][1]
    sign = 1 << (8 * size - 1)
    return np.array([*bits, *(b | sign for b in bits)], dtype=f"<u{size}")


def _scaled(scales: list[int], halves: int, patterns: np.ndarray) -> np.ndarray:
    """Every signed scale with every row of quant bytes; with two halves, the scales backwards are the minima."""
    signed = _signed(scales)
    heads = np.stack([signed, signed[::-1]][:halves], axis=-1).view(np.uint8)
    return np.array([[*head, *row] for head in heads for row in patterns], dtype=np.uint8)


def _flat(blocks: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(blocks).view(np.uint8).reshape(-1)
