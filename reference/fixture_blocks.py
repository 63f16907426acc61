"""Golden quantised blocks: raw bytes of a GGUF tensor type and the values they stand for.

Values are those of the `gguf` package's dequantiser. Each type has up to three groups:
`random` (quantised normal values), `extremes` (largest and smallest normal scales,
zero, negative scales, every quant), `subnormal` (values below the smallest normal of
the stored type, which a GPU may flush to zero).
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from fixture_files import write_json

# float16 and bfloat16 bit patterns, positive half: zero, smallest normal, about one, largest.
HALF_EXTREMES = [0x0000, 0x0400, 0x0401, 0x3BFF, 0x3C00, 0x3C01, 0x7BFE, 0x7BFF]
HALF_SUBNORMAL = [0x0001, 0x0002, 0x0200, 0x03FF]
BRAIN_EXTREMES = [0x0000, 0x0080, 0x0081, 0x3F7F, 0x3F80, 0x3F81, 0x7F7E, 0x7F7F]
BRAIN_SUBNORMAL = [0x0001, 0x0040, 0x007F]
RANDOM_BLOCKS = 128


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
        (kinds.F16, HALF_EXTREMES, HALF_SUBNORMAL),
        (kinds.BF16, BRAIN_EXTREMES, BRAIN_SUBNORMAL),
    ):
        values = normal.reshape(-1)[:512].astype(np.float32)
        groups[kind] = [
            ("random", _flat(gguf.quants.quantize(values, kind))),
            ("extremes", _flat(_signed(extremes))),
            ("subnormal", _flat(_signed(subnormal))),
        ]
    quants = {
        kinds.Q8_0: np.arange(256, dtype=np.uint8).reshape(8, 32),
        kinds.Q4_0: np.arange(256, dtype=np.uint8).reshape(16, 16),
    }
    for kind, patterns in quants.items():
        groups[kind] = [
            ("random", _flat(gguf.quants.quantize(normal.astype(np.float32), kind))),
            ("extremes", _flat(_scaled(HALF_EXTREMES, patterns))),
            ("subnormal", _flat(_scaled(HALF_SUBNORMAL[:2], patterns[:2]))),
        ]
    return groups


def _signed(bits: list[int]) -> np.ndarray:
    """The patterns and their negatives, uint16."""
    return np.array([*bits, *(b | 0x8000 for b in bits)], dtype="<u2")


def _scaled(scales: list[int], patterns: np.ndarray) -> np.ndarray:
    """Every signed scale with every row of quant bytes, uint8 [blocks, 2 + bytes]."""
    blocks = [[*np.atleast_1d(scale).view(np.uint8), *row] for scale in _signed(scales) for row in patterns]
    return np.array(blocks, dtype=np.uint8)


def _flat(blocks: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(blocks).view(np.uint8).reshape(-1)
