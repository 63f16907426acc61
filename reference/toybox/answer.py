"""Asks Toybox about a video file: `python answer.py VISION DECODER CLIP [QUESTION ...]`.

With a .json of the clip's name beside it and no question, asks what stands there and scores it.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from bank import encode
from checkpoint import load_decoder, load_vision
from model import TOKENS_PER_PAIR
from streams import Layout, collate
from tokenizer import Text
from world import FRAMES_PER_SECOND, SIZE

LONGEST_ANSWER = 40  # tokens
LONGEST_CLIP = 120  # seconds


def load_video(path: Path) -> np.ndarray:
    """Any video, sampled and resized with ffmpeg -> uint8 [pairs, 2, 112, 112, 3]."""
    rate = ["-f", "mjpeg", "-framerate", "10"] if path.suffix == ".mjpeg" else []  # a bare stream has no clock
    raw = subprocess.run(["ffmpeg", "-v", "error", *rate, "-i", str(path), "-vf",
                          f"fps={FRAMES_PER_SECOND},scale={SIZE}:{SIZE}:flags=bilinear", "-t", str(LONGEST_CLIP), "-f", "rawvideo",
                          "-pix_fmt", "rgb24", "-"], check=True, capture_output=True).stdout
    frames = np.frombuffer(raw, np.uint8).reshape(-1, SIZE, SIZE, 3)
    return frames[:len(frames) // 2 * 2].reshape(-1, 2, SIZE, SIZE, 3)


@torch.no_grad()
def answer(decoder, text: Text, features: torch.Tensor, question: str) -> str:
    """Greedy answer to one question after a clip; features [seconds, 16, 192]."""
    said, seconds = [], len(features)
    while len(said) < LONGEST_ANSWER:
        layout = Layout(features)
        layout.text([*text.open_user, *text.open_vision])
        layout.frames(0, seconds, np.ones((seconds, TOKENS_PER_PAIR), bool))
        layout.text([text.vision_end, *text.encode(question), *text.open_answer, *said])
        ids, visual, positions, attend, _, _ = collate([layout.row])
        x = decoder.embed_tokens(ids.clamp(min=0)).masked_scatter((ids == -1)[..., None], visual)
        token = decoder.logits(decoder(x, positions, attend)[0][0, -1]).argmax().item()
        if token == text.im_end:
            break
        said.append(token)
    return text.tokenizer.decode(said)


def main(vision: Path, decoder_path: Path, clip: Path, asked: list[str]) -> None:
    torch.set_num_threads(1)
    decoder, text = load_decoder(decoder_path), Text()
    features = encode(load_vision(vision), load_video(clip)).float()
    listed = json.loads(clip.with_suffix(".json").read_text())["questions"] if not asked else [
        {"question": q, "accepted": []} for q in asked]
    right = 0
    for q in listed:
        said = answer(decoder, text, features, q["question"])
        right += said in q["accepted"]
        print(f"{'ok ' if said in q['accepted'] else '   '} {q['question']} {said}")
    if not asked:
        print(f"{right} of {len(listed)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
