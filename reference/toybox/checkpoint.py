"""Toybox weights on disk: a trained `.pt`, the shipped `.gguf` pair, or the start checkpoint `start.npz`.

`python checkpoint.py FROM OUT.pt` rewrites any of them as a `.pt`: float16 weights and their sizes, which
is what stages of training hand on, what is exported, and what needs no gguf package to be read.
"""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from model import Decoder, Sizes, Vision

HERE = Path(__file__).parent
START = HERE / "start.npz"
SHIPPED = HERE.parents[1] / "public" / "models" / "toybox" / "model.gguf"
sys.path.insert(0, str(HERE.parent))


def load_pair(path: Path) -> tuple[Sizes, Vision, Decoder]:
    """Both halves in float32, from any of the three kinds of file (of a GGUF pair, either file)."""
    if path.suffix == ".npz":
        return Sizes(), *start_pair()
    if path.suffix == ".gguf":
        sizes, state = gguf_weights(path)
        parts = {part: {name[len(part) + 1:]: value for name, value in state.items() if name.startswith(part)}
                 for part in ("visual", "language_model")}
    else:
        saved = torch.load(path, map_location="cpu")
        sizes, parts = Sizes(**saved["sizes"]), saved
    vision, decoder = Vision(sizes), Decoder(sizes)
    vision.load_state_dict(parts["visual"])
    decoder.load_state_dict(parts["language_model"])
    return sizes, vision, decoder


def save_pair(path: Path, sizes: Sizes, vision: Vision, decoder: Decoder) -> None:
    """Writes a `.pt` in one move, so that an interruption leaves the old one or the new one."""
    half = lambda module: {name: value.cpu().half() for name, value in module.state_dict().items()}
    write(path, {"sizes": asdict(sizes), "visual": half(vision), "language_model": half(decoder)})


def write(path: Path, value) -> None:
    """`torch.save` in one move."""
    part = path.with_name(path.name + ".part")
    torch.save(value, part)
    part.rename(path)


def gguf_weights(path: Path) -> tuple[Sizes, dict]:
    """Sizes and tensors (`visual.*`, `language_model.*`, float32) of the pair model.gguf and mmproj.gguf."""
    from from_gguf import load_model
    loaded = load_model(path.with_name("model.gguf"), path.with_name("mmproj.gguf"))
    text, sight = loaded.config.text_config, loaded.config.vision_config
    sizes = Sizes(sight.embed_dim, sight.depth, sight.num_heads, text.hidden_size, text.num_hidden_layers,
                  text.num_attention_heads, text.num_key_value_heads, text.intermediate_size,
                  text.rope_parameters["rope_theta"], tuple(text.rope_parameters["mrope_section"]))
    return sizes, loaded.model.state_dict()


def start_pair() -> tuple[Vision, Decoder]:
    """The start checkpoint under the tokenizer's vocabulary.

    A token that spells one of the start's whole words (in any case, with or without a leading space)
    begins at that word's embedding, every other at random.
    """
    from tokenizer import Text
    state = {name: torch.from_numpy(value.astype(np.float32)) for name, value in np.load(START).items()}
    below = lambda prefix: {n[len(prefix):]: v for n, v in state.items() if n.startswith(prefix)}
    vision, decoder, weights, pieces = Vision(Sizes()), Decoder(Sizes()), below("language_model."), Text().pieces()
    words = {word: i for i, word in enumerate(json.loads((HERE / "start-words.json").read_text()))}
    old = weights.pop("embed_tokens.weight")
    used = old[:len(words)]
    new = used.mean(0) + used.std(0) * torch.randn(len(pieces), old.shape[1]) * 0.7
    for index, piece in enumerate(pieces):
        word = piece if piece in words else piece.strip(" ")
        word = word if word in words else word.lower()
        if word in words:
            new[index] = old[words[word]] + 0.15 * used.std(0) * torch.randn(old.shape[1])
    vision.load_state_dict(below("visual."))
    decoder.load_state_dict(weights | {"embed_tokens.weight": new})
    return vision, decoder


def grow(sizes: Sizes, vision: Vision, decoder: Decoder, layers: int, ffn: int, vision_depth: int):
    """The same functions in more parameters: new layers and new rows of the MLPs start by adding nothing."""
    sizes = replace(sizes, layers=max(layers, sizes.layers), ffn=max(ffn, sizes.ffn),
                    vision_depth=max(vision_depth, sizes.vision_depth))
    wider, deeper = Decoder(sizes), Vision(sizes)
    for small, large, silent in ((decoder, wider, ("o_proj", "down_proj")), (vision, deeper, ("proj", "fc2"))):
        old, new = small.state_dict(), large.state_dict()
        for name, value in new.items():
            module = name.split(".")[-2]
            if name not in old:
                if module in silent:
                    value.zero_()
            elif value.shape == old[name].shape:
                value.copy_(old[name])
            elif module == "down_proj":
                value.zero_()[:, :old[name].shape[1]] = old[name]
            else:
                value[:old[name].shape[0]] = old[name]
    return sizes, deeper, wider


def main(source: Path, out: Path) -> None:
    save_pair(out, *load_pair(source))
    print(out, out.stat().st_size, "bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
