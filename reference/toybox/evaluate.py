"""Whole-sentence accuracy on the held-out clips of eval/heldout, per type and length.

`python evaluate.py VISION DECODER [QUESTIONS.json]`. Greedy decoding gives an accepted answer
exactly if, fed that answer, every one of its tokens is the likeliest; so no decoding loop is needed.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from bank import encode
from checkpoint import HERE, load_decoder, load_vision
from model import TOKENS_PER_PAIR
from questions import Question
from streams import Layout, collate
from tokenizer import Text
from world import SIZE

HELD_OUT = HERE.parents[1] / "eval" / "heldout" / "questions.json"
BUCKETS = (1, 2, 4, 8, 16)


def load_strip(path: Path) -> np.ndarray:
    """A vertical film strip of 112x112 frames -> uint8 [pairs, 2, 112, 112, 3]."""
    return np.asarray(Image.open(path).convert("RGB")).reshape(-1, 2, SIZE, SIZE, 3)


@torch.no_grad()
def right_answers(decoder, text: Text, features: torch.Tensor, questions: list[dict]) -> list[bool]:
    """Which of the questions about one clip are answered right; features [seconds, 16, 192]."""
    layout, seconds = Layout(features), len(features)
    layout.text([*text.open_user, *text.open_vision])
    layout.frames(0, seconds, np.ones((seconds, TOKENS_PER_PAIR), bool))
    owner = []
    for index, q in enumerate(questions):
        for answer in q["accepted"]:
            owner.append(index)
            layout.branch(len(owner), [text.vision_end], Question("", "", q["question"], answer, []), text)
    ids, visual, positions, attend, targets, _ = collate([layout.row])
    x = decoder.embed_tokens(ids.clamp(min=0)).masked_scatter((ids == -1)[..., None], visual)
    hits = decoder.logits(decoder(x, positions, attend)[0]).argmax(-1) == targets
    branch, right = torch.tensor(layout.row.branch), [False] * len(questions)
    for number, index in enumerate(owner, 1):
        right[index] |= bool(hits[0][(branch == number) & (targets[0] != -100)].all())
    return right


def main(vision_path: Path, decoder_path: Path, questions_path: Path) -> None:
    torch.set_num_threads(1)
    vision, decoder, text, table = load_vision(vision_path), load_decoder(decoder_path), Text(), {}
    for clip in json.loads(questions_path.read_text()):
        features = encode(vision, load_strip(questions_path.parent / clip["clip"])).float()
        bucket = next(b for b in BUCKETS if len(features) <= b)
        for q, right in zip(clip["questions"], right_answers(decoder, text, features, clip["questions"])):
            for key in ((q["tense"], q["type"]), (q["tense"], "all")):
                table.setdefault(key, {}).setdefault(bucket, []).append(right)
    print("| tense | type |" + "".join(f" ≤{b} s |" for b in BUCKETS) + " all |")
    print("|---|---|" + "---|" * (len(BUCKETS) + 1))
    for (tense, kind), row in sorted(table.items(), key=lambda item: (item[0][0] != "present", item[0])):
        cells = [row.get(b, []) for b in BUCKETS]
        cells.append(sum(cells, []))
        print(f"| {tense} | {kind} |" + "".join(f" {100 * sum(c) / len(c):.0f} ({len(c)}) |" if c else " – |" for c in cells))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else HELD_OUT)
