"""Loads Toybox weights: a trained `.pt`, the shipped `.gguf`, or the start checkpoint `start.npz`."""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from model import Decoder, Vision

HERE = Path(__file__).parent
START = HERE / "start.npz"
sys.path.insert(0, str(HERE.parent))


def start_weights(prefix: str) -> dict:
    """The start checkpoint's tensors below `prefix` ("visual." or "language_model."), float32."""
    return {name[len(prefix):]: torch.from_numpy(value.astype(np.float32))
            for name, value in np.load(START).items() if name.startswith(prefix)}


def gguf_weights(path: Path, prefix: str) -> dict:
    """The tensors below `prefix` of the pair model.gguf and mmproj.gguf, given either file, float32."""
    from qwen2vl_from_gguf import load_model
    state = load_model(path.with_name("model.gguf"), path.with_name("mmproj.gguf")).model.state_dict()
    return {name[len(prefix):]: value for name, value in state.items() if name.startswith(prefix)}


def load_vision(path: Path) -> Vision:
    vision, kind = Vision(), path.suffix
    vision.load_state_dict(start_weights("visual.") if kind == ".npz" else
                           gguf_weights(path, "visual.") if kind == ".gguf" else torch.load(path))
    return vision


def start_decoder(pieces: list[str]) -> Decoder:
    """The start checkpoint's decoder under a new vocabulary.

    `pieces` are the decoded tokens by id. A token that spells one of the start's whole words (in any
    case, with or without a leading space) begins at that word's embedding, every other at random.
    """
    weights = start_weights("language_model.")
    words = {word: i for i, word in enumerate(json.loads((HERE / "start-words.json").read_text()))}
    old, decoder = weights.pop("embed_tokens.weight"), Decoder()
    used = old[:len(words)]
    new = used.mean(0) + used.std(0) * torch.randn(len(pieces), old.shape[1]) * 0.7
    for index, piece in enumerate(pieces):
        word = piece if piece in words else piece.strip(" ")
        word = word if word in words else word.lower()
        if word in words:
            new[index] = old[words[word]] + 0.15 * used.std(0) * torch.randn(old.shape[1])
    decoder.load_state_dict(weights | {"embed_tokens.weight": new})
    return decoder


def load_decoder(path: Path) -> Decoder:
    decoder = Decoder()
    decoder.load_state_dict(gguf_weights(path, "language_model.") if path.suffix == ".gguf" else torch.load(path)["decoder"])
    return decoder
