"""Frames to `pixel_values`, as the Qwen-VL image and video processors of transformers do.

Only for frames that need no resizing (sides are whole blocks of patches).
"""

from __future__ import annotations

from typing import Sequence

import numpy as np
import torch

MERGE = 2  # patches a side that the merger folds into one visual token
TEMPORAL = 2  # frames in one temporal patch

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def pixel_values(
    frames: np.ndarray, mean: Sequence[float], std: Sequence[float], patch: int
) -> tuple[torch.Tensor, tuple[int, int, int]]:
    """frames: uint8 [frames, height, width, 3], one frame for a still image; patch: its side
    in pixels.

    Returns float32 [t * h * w, 3 * 2 * patch * patch] and the grid (t, h, w) in patches.
    An odd number of frames repeats the last one, so a still image fills both frames of
    its patch. Patches are ordered by 2x2 block, values in a patch as
    [channel, frame, row, column].
    """
    count, height, width, _ = frames.shape
    if height % (patch * MERGE) or width % (patch * MERGE):
        raise ValueError(f"{height}x{width} pixels: sides must be multiples of {patch * MERGE}")
    if count % TEMPORAL:
        frames = np.concatenate([frames, frames[-1:]])
    scaled = frames.astype(np.float64) / 255
    normal = ((scaled - np.array(mean)) / np.array(std)).astype(np.float32)
    t, h, w = len(frames) // TEMPORAL, height // patch, width // patch
    blocks = normal.reshape(t, TEMPORAL, h // MERGE, MERGE, patch, w // MERGE, MERGE, patch, 3)
    blocks = blocks.transpose(0, 2, 5, 3, 6, 8, 1, 4, 7)
    return torch.from_numpy(blocks.reshape(t * h * w, -1).copy()), (t, h, w)
