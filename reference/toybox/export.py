"""Exports a trained Toybox as a GGUF pair in F16: `python export.py MODEL.pt [FOLDER]`.

Writes model.gguf and mmproj.gguf into FOLDER, by default where the shipped pair lies; elsewhere the shipped
card.json is laid beside them, which says what size of frames the model takes.
"""

import shutil
import sys
from pathlib import Path

from checkpoint import HERE, SHIPPED, load_pair
from model import IMAGE_MEAN, IMAGE_STD, hf_config, hf_state_dict
from tokenizer import CHAT_TEMPLATE, Text


def export(model: Path, folder: Path) -> None:
    """Raises ImportError where the gguf package is missing."""
    from gguf_pair import write_gguf_pair
    folder.mkdir(parents=True, exist_ok=True)
    sizes, vision, decoder = load_pair(model)
    write_gguf_pair(
        hf_config(Text().special, sizes), hf_state_dict(vision, decoder), HERE / "tokenizer.json", CHAT_TEMPLATE,
        [IMAGE_MEAN] * 3, [IMAGE_STD] * 3, folder / "model.gguf", folder / "mmproj.gguf", model_type="F16", name="Toybox")
    card = folder / "card.json"
    if not card.exists():
        shutil.copy(SHIPPED.with_name(card.name), card)


if __name__ == "__main__":
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else SHIPPED.parent
    export(Path(sys.argv[1]), folder)
    for path in folder.glob("*.gguf"):
        print(path.name, path.stat().st_size)
