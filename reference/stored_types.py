"""In which type each tensor of a GGUF file is stored, as llama.cpp's tools choose it, and its bytes."""

from __future__ import annotations

import gguf
import numpy as np

import k_quants

FILES, KINDS = gguf.LlamaFileType, gguf.GGMLQuantizationType

# The type of most matrices. In the _M files a few that matter more are Q6_K.
FILE_TYPES = {
    "F32": (FILES.ALL_F32, KINDS.F32),
    "F16": (FILES.MOSTLY_F16, KINDS.F16),
    "BF16": (FILES.MOSTLY_BF16, KINDS.BF16),
    "Q8_0": (FILES.MOSTLY_Q8_0, KINDS.Q8_0),
    "Q4_0": (FILES.MOSTLY_Q4_0, KINDS.Q4_0),
    "Q4_1": (FILES.MOSTLY_Q4_1, KINDS.Q4_1),
    "Q5_0": (FILES.MOSTLY_Q5_0, KINDS.Q5_0),
    "Q5_1": (FILES.MOSTLY_Q5_1, KINDS.Q5_1),
    "Q4_K_M": (FILES.MOSTLY_Q4_K_M, KINDS.Q4_K),
    "Q5_K_M": (FILES.MOSTLY_Q5_K_M, KINDS.Q5_K),
}

# What stands in for a type whose blocks do not divide a row.
FALLBACKS = {KINDS.Q4_K: KINDS.Q5_0, KINDS.Q5_K: KINDS.Q5_1, KINDS.Q6_K: KINDS.Q8_0}


def stored_type(name: str, data: np.ndarray, file_type: str, blocks: int, tied: bool) -> gguf.GGMLQuantizationType:
    """blocks: how many the file's model has. tied: whether the head is `token_embd.weight`."""
    if ".patch_embd.weight" in name:
        return KINDS.F16 if file_type == "F16" else KINDS.F32
    if data.ndim <= 1 or name.endswith("_norm.weight") or not name.endswith(".weight"):
        return KINDS.F32
    wanted = FILE_TYPES[file_type][1]
    if file_type.endswith("_M") and _matters_more(name, blocks, tied):
        wanted = KINDS.Q6_K
    for kind in (wanted, FALLBACKS.get(wanted, KINDS.F16)):
        if data.shape[-1] % gguf.GGML_QUANT_SIZES[kind][0] == 0:
            return kind
    return KINDS.F16


def _matters_more(name: str, blocks: int, tied: bool) -> bool:
    """The head; values and the last matrix of the first and last eighth of the blocks, and of each third one between."""
    if name == ("token_embd.weight" if tied else "output.weight"):
        return True
    if not name.endswith(("attn_v.weight", "ffn_down.weight")):
        return False
    block, eighth = int(name.split(".")[1]), blocks // 8
    return block < eighth or block >= 7 * blocks // 8 or (block - eighth) % 3 == 2


def stored_bytes(data: np.ndarray, kind: gguf.GGMLQuantizationType) -> np.ndarray:
    """float32 [..., columns] as the writer of `gguf` wants it."""
    if kind in (KINDS.Q4_K, KINDS.Q5_K, KINDS.Q6_K):
        return k_quants.quantize(data, kind)
    return gguf.quants.quantize(data, kind)
