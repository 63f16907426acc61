"""Asks Toybox about a video file: `python answer.py MODEL CLIP [QUESTION ...]`.

With a .json of the clip's name beside it and no question, asks what stands there and scores it.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from attention import attention
from batches import pad
from checkpoint import load_pair
from streams import Layout
from tokenizer import Text
from world import FRAMES_PER_SECOND, SIZE

LONGEST_ANSWER = 40  # tokens
LONGEST_CLIP = 120  # seconds
ENCODED_AT_ONCE = 256  # pairs


@torch.no_grad()
def encode(vision, frames: np.ndarray) -> torch.Tensor:
    """uint8 [pairs, 2, 112, 112, 3] -> float [pairs, 16, width], on the encoder's device."""
    device = next(vision.parameters()).device
    return torch.cat([vision(part.to(device)) for part in torch.from_numpy(np.array(frames)).split(ENCODED_AT_ONCE)])


def watch(text: Text, seconds: int) -> Layout:
    """The prompt up to its last frame."""
    layout = Layout()
    layout.text([*text.open_user, *text.open_vision])
    layout.frames(0, seconds)
    return layout


@torch.no_grad()
def hidden_states(decoder, layout: Layout, features: torch.Tensor) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """One layout run through the decoder: hidden states [length, width], and its branches and targets."""
    row, device = layout.row(), features.device
    ids, positions, branch = (torch.from_numpy(pad([row])[name]).to(device) for name in ("ids", "positions", "branch"))
    x = decoder.embed_tokens(ids.long().clamp(min=0))
    x[0, torch.from_numpy(row.visual).to(device)] = features[row.second[row.visual], row.cell[row.visual]]
    return decoder(x, positions, attention(branch))[0][0], row.branch, row.targets


def answers(decoder, text: Text, features: torch.Tensor, questions: list[str]) -> list[str]:
    """Greedy answers, each as if it were the only question after a clip; features [seconds, 16, width]."""
    said, open_ones = [[] for _ in questions], list(range(len(questions)))
    while open_ones and max(map(len, said)) < LONGEST_ANSWER:
        layout = watch(text, len(features))
        for number, index in enumerate(open_ones, 1):
            at = layout.next
            layout.text([text.vision_end, *text.encode(questions[index]), *text.open_answer, *said[index]], number)
            layout.next = at
        hidden, branch, _ = hidden_states(decoder, layout, features)
        last = [int(np.flatnonzero(branch == number)[-1]) for number in range(1, len(open_ones) + 1)]
        tokens = decoder.logits(hidden[last]).argmax(-1).tolist()
        for index, token in zip(open_ones, tokens):
            if token != text.im_end:
                said[index].append(token)
        open_ones = [index for index, token in zip(open_ones, tokens) if token != text.im_end]
    return [text.tokenizer.decode(s) for s in said]


def load_video(path: Path) -> np.ndarray:
    """Any video, sampled and resized with ffmpeg -> uint8 [pairs, 2, 112, 112, 3]."""
    rate = ["-f", "mjpeg", "-framerate", "10"] if path.suffix == ".mjpeg" else []  # a bare stream has no clock
    raw = subprocess.run(["ffmpeg", "-v", "error", *rate, "-i", str(path), "-vf",
                          f"fps={FRAMES_PER_SECOND},scale={SIZE}:{SIZE}:flags=bilinear", "-t", str(LONGEST_CLIP), "-f", "rawvideo",
                          "-pix_fmt", "rgb24", "-"], check=True, capture_output=True).stdout
    frames = np.frombuffer(raw, np.uint8).reshape(-1, SIZE, SIZE, 3)
    return frames[:len(frames) // 2 * 2].reshape(-1, 2, SIZE, SIZE, 3)


def main(model: Path, clip: Path, asked: list[str]) -> None:
    torch.set_num_threads(1)
    (_, vision, decoder), text = load_pair(model), Text()
    features = encode(vision, load_video(clip))
    listed = json.loads(clip.with_suffix(".json").read_text())["questions"] if not asked else [
        {"question": q, "accepted": []} for q in asked]
    said = answers(decoder, text, features, [q["question"] for q in listed])
    right = [a in q["accepted"] for a, q in zip(said, listed)]
    for q, a, r in zip(listed, said, right):
        print(f"{'ok ' if r else '   '} {q['question']} {a}")
    if not asked:
        print(f"{sum(right)} of {len(listed)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
