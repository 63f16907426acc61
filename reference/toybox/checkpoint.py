"""Loads and saves Toybox weights; the start checkpoint is `start.npz` beside this file."""

import json
from pathlib import Path

import numpy as np
import torch

from model import Decoder, Vision

HERE = Path(__file__).parent
START = HERE / "start.npz"


def start_weights(prefix: str) -> dict:
    """The start checkpoint's tensors below `prefix` ("visual." or "language_model."), float32."""
    return {name[len(prefix):]: torch.from_numpy(value.astype(np.float32))
            for name, value in np.load(START).items() if name.startswith(prefix)}


def load_vision(path: Path) -> Vision:
    vision = Vision()
    vision.load_state_dict(start_weights("visual.") if path.suffix == ".npz" else torch.load(path))
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
    decoder.load_state_dict(torch.load(path)["decoder"])
    return decoder
