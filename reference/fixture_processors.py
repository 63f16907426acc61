"""What image processors of transformers make of pictures of odd sizes: processors.json.gz.

Each record has a picture, and the levels (0 to 255) that the processor's pixel values
stand for: for Qwen2-VL and Qwen3-VL in the order of patches, `[patches, 3, size, size]`,
for the others as a picture. Pictures have the aspect of what they are resized to. All
resize with Pillow, as these processors do without torchvision.
"""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import numpy as np
from PIL import Image
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

from fixture_pictures import random_frames

# Family, size of the picture, size it is brought to, both (width, height).
CASES = [
    ("qwen2-vl", (151, 101), (84, 56)),
    ("qwen2-vl", (73, 146), (56, 112)),
    ("qwen2-vl", (31, 21), (84, 56)),
    ("qwen2-vl", (85, 57), (84, 56)),
    ("qwen3-vl", (139, 70), (128, 64)),
    ("qwen3-vl", (41, 82), (64, 128)),
    ("llava-onevision", (143, 143), (84, 84)),
    ("llava-onevision", (61, 61), (84, 84)),
    ("smolvlm", (143, 143), (84, 84)),
    ("smolvlm", (61, 61), (84, 84)),
]


def write_processors(folder: Path) -> None:
    text = json.dumps([_record(*case) for case in CASES], separators=(",", ":"))
    (folder / "processors.json.gz").write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def check_processors(folder: Path) -> None:
    stored = json.loads(gzip.decompress((folder / "processors.json.gz").read_bytes()))
    assert stored == [_record(*case) for case in CASES]


def _record(family: str, size: tuple[int, int], target: tuple[int, int]) -> dict:
    width, height = size
    picture = random_frames(width * 1000 + height, 1, height, width)[0] & 0xF0  # fewer levels pack better
    image = Image.fromarray(picture)
    if family in ("qwen2-vl", "qwen3-vl"):
        patch, normal = (14, {}) if family == "qwen2-vl" else (16, {"image_mean": [0.5] * 3, "image_std": [0.5] * 3})
        # Numbers of pixels between which the processor brings a picture, in whole blocks.
        area = target[0] * target[1]
        bounds = {"shortest_edge": area * 9 // 10, "longest_edge": area * 11 // 10}
        processor = Qwen2VLImageProcessorPil(patch_size=patch, size=bounds, **normal)
        made = processor(image, return_tensors="np")
        assert list(made["image_grid_thw"][0]) == [1, target[1] // patch, target[0] // patch], (family, size)
        values = made["pixel_values"].reshape(-1, 3, 2, patch, patch)[:, :, 0]
    else:
        edge = {"height": target[1], "width": target[0]}
        if family == "llava-onevision":
            processor = LlavaOnevisionImageProcessorPil(size=edge, image_grid_pinpoints=[list(target)])
        else:
            longest = {"longest_edge": target[0]}
            processor = SmolVLMImageProcessorPil(size=longest, max_image_size=longest, do_image_splitting=False)
        patch, values = None, processor(image, return_tensors="np")["pixel_values"][0, 0]
        assert values.shape == (3, *target), (family, values.shape)
    mean, std = (np.array(each).reshape(3, 1, 1) for each in (processor.image_mean, processor.image_std))
    levels = (values * std + mean) * 255
    assert np.abs(levels - levels.round()).max() < 1e-3, "pixel values that no level gives"
    data = levels.round().astype(np.uint8)
    return {
        "family": family,
        "patchSize": patch,
        "width": width,
        "height": height,
        "picture": _text(picture),
        "target": list(target),
        "levels": _text(data if patch else data.transpose(1, 2, 0)),
    }


def _text(data: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(data).tobytes()).decode()
