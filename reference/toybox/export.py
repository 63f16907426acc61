"""Exports the trained Toybox as the GGUF pair that ships, in F16.

`python export.py VISION DECODER` writes public/models/toybox/model.gguf and mmproj.gguf.
"""

import sys
from pathlib import Path

from checkpoint import HERE, load_decoder, load_vision
from model import IMAGE_MEAN, IMAGE_STD, hf_config, hf_state_dict
from tokenizer import CHAT_TEMPLATE, Text

sys.path.insert(0, str(HERE.parent))
from qwen2vl_gguf import write_gguf_pair  # noqa: E402

SHIPPED = HERE.parents[1] / "public" / "models" / "toybox"


def main(vision: Path, decoder: Path) -> None:
    SHIPPED.mkdir(parents=True, exist_ok=True)
    write_gguf_pair(
        hf_config(Text().special), hf_state_dict(load_vision(vision), load_decoder(decoder)),
        HERE / "tokenizer.json", CHAT_TEMPLATE, [IMAGE_MEAN] * 3, [IMAGE_STD] * 3,
        SHIPPED / "model.gguf", SHIPPED / "mmproj.gguf", model_type="F16", name="Toybox")
    for path in SHIPPED.glob("*.gguf"):
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
