"""How often Toybox is right, in whole answers.

`python evaluate.py MODEL [QUESTIONS.json]`: on the held-out clips of eval/heldout, by type and length.
`python evaluate.py MODEL --camera`: the same clips and questions as rougher cameras would show them.
`python evaluate.py MODEL --wordings`: how often a held-out wording gets the answer of a trained one, typing slips
    too, and how often what lies outside Toybox' world gets its graceful sentence.
`python evaluate.py MODEL --dialogue`: second questions, with and without a frame since the first, and
    questions in mid-stream with talk before them.

Greedy decoding gives an accepted answer exactly if, fed that answer, every one of its tokens is the likeliest;
so where answers are known no decoding loop is needed.
"""

import argparse
import json
from pathlib import Path
from random import Random

import numpy as np
import torch
from PIL import Image

from answer import answers, encode, hidden_states, watch
from cameras import CONDITIONS
from checkpoint import HERE, load_pair
from lens import Lens
from outside import outside
from questions import PAST, PRESENT, Question, ask, ask_type, draw
from raster import Raster
from scenes import SceneBank
from streams import Layout
from timeline import Timeline
from tokenizer import Text
from typing_habits import typed
from wording import UNSEEN_WORDINGS, WORDINGS
from world import SIZE

HELD_OUT = HERE.parents[1] / "eval" / "heldout" / "questions.json"
BUCKETS = (1, 2, 4, 8, 16)
FREE_SEED, FREE_CLIPS, MOST_FREE_SECONDS = 5, 40, 12  # of the streams that wordings and dialogues are asked on
OUTSIDE_QUESTIONS = 200


class Model:
    def __init__(self, path: Path, device: str):
        _, vision, decoder = load_pair(path)
        self.vision, self.decoder, self.text = vision.to(device), decoder.to(device), Text()

    def right(self, features: torch.Tensor, prefix: Layout, opening: list[int], questions: list[dict]) -> list[bool]:
        """Which of the questions after a prefix are answered right."""
        owner = []
        for index, q in enumerate(questions):
            for answer in q["accepted"]:
                owner.append(index)
                prefix.branch(len(owner), opening, Question("", "", q["question"], answer, []), self.text)
        hidden, branch, targets = hidden_states(self.decoder, prefix, features)
        hits = self.decoder.logits(hidden).argmax(-1).cpu().numpy()[:len(targets)] == targets
        right = [False] * len(questions)
        for number, index in enumerate(owner, 1):
            right[index] |= bool(hits[(branch == number) & (targets >= 0)].all())
        return right


def load_strip(path: Path) -> np.ndarray:
    """A vertical film strip of 112x112 frames -> uint8 [pairs, 2, 112, 112, 3]."""
    return np.asarray(Image.open(path).convert("RGB")).reshape(-1, 2, SIZE, SIZE, 3)


def ask_clips(model: Model, path: Path, condition=lambda frames: frames) -> dict:
    """(tense, type) -> longest length of the bucket -> whether each answer is right."""
    table = {}
    for clip in json.loads(path.read_text()):
        features = encode(model.vision, condition(load_strip(path.parent / clip["clip"])))
        bucket = next(b for b in BUCKETS if len(features) <= b)
        prefix = watch(model.text, len(features))
        for q, right in zip(clip["questions"], model.right(features, prefix, [model.text.vision_end], clip["questions"])):
            for key in ((q["tense"], q["type"]), (q["tense"], "all")):
                table.setdefault(key, {}).setdefault(bucket, []).append(right)
    return table


def percent(marks: list[bool]) -> str:
    return f"{100 * sum(marks) / len(marks):.0f} ({len(marks)})" if marks else "–"


def clean(model: Model, path: Path) -> None:
    print("| tense | type |" + "".join(f" ≤{b} s |" for b in BUCKETS) + " all |")
    print("|---|---|" + "---|" * (len(BUCKETS) + 1))
    for (tense, kind), row in sorted(ask_clips(model, path).items(), key=lambda item: (item[0][0] != "present", item[0])):
        cells = [*(row.get(b, []) for b in BUCKETS), sum(row.values(), [])]
        print(f"| {tense} | {kind} | " + " | ".join(map(percent, cells)) + " |")


def camera(model: Model, path: Path) -> None:
    print("| condition | present | past |\n|---|---|---|")
    for name, condition in CONDITIONS.items():
        table = ask_clips(model, path, condition)
        cells = [percent(sum(table[tense, "all"].values(), [])) for tense in ("present", "past")]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def free_stream(number: int) -> tuple[Random, np.ndarray, list]:
    """A stream of 3 to 12 s, through one lens, that nothing else is asked on: its dice, frames and sights."""
    rng, bank = Random(f"free {number}"), SceneBank.draw((FREE_SEED, number), MOST_FREE_SECONDS)
    seconds, generator = rng.randint(3, MOST_FREE_SECONDS), torch.Generator().manual_seed(number)
    lens = Lens.draw(1, generator, "cpu").rows(torch.zeros(seconds, dtype=torch.long))
    frames = Raster(bank, "cpu").frames(torch.arange(seconds), lens)
    return rng, frames.byte().numpy(), sum(bank.sights, [])[:seconds]


def wordings(model: Model, clips: int) -> None:
    """Each question once tidy in a trained wording, then in another, in a held-out one, and that carelessly typed."""
    table, text = {}, model.text
    for number in range(clips):
        rng, frames, sights = free_stream(number)
        features, line, asked = encode(model.vision, frames), Timeline(sights), []
        for kind in [*PRESENT, *PAST]:
            if drawn := draw(rng, kind, line):
                key, slots, accepted, _ = drawn
                chosen = *rng.sample(WORDINGS[key], 2), rng.choice(UNSEEN_WORDINGS[key])
                one, other, unseen = (wording.format(**slots) for wording in chosen)
                asked.append((kind, accepted, (one, other, unseen, typed(rng, unseen))))
        said = answers(model.decoder, text, features, [q for *_, ways in asked for q in ways])
        for index, (kind, accepted, ways) in enumerate(asked):
            own = said[index * len(ways):(index + 1) * len(ways)]
            for key in (kind, "all"):
                marks = [own[0] in accepted, *(o == own[0] for o in own[1:])]
                for column, mark in enumerate(marks):
                    table.setdefault(key, [[], [], [], []])[column].append(mark)
    print("| type | right | same: trained wording | same: held-out wording | same: held-out, carelessly typed |\n|---|---|---|---|---|")
    for kind, row in table.items():
        print(f"| {kind} | " + " | ".join(map(percent, row)) + " |")
    rng, (_, frames, _) = Random(5), free_stream(0)
    features = encode(model.vision, frames)
    for unseen in (False, True):
        asked = [outside(rng, unseen) for _ in range(OUTSIDE_QUESTIONS)]
        said = answers(model.decoder, text, features, [typed(rng, q) for q, _ in asked])
        graceful = percent([a == b for a, (_, b) in zip(said, asked)])
        print(f"outside its world, {'held-out' if unseen else 'trained'} wordings: {graceful}")


def dialogue(model: Model, clips: int) -> None:
    """The same present and past questions asked first, second with no frame between, and after talk in mid-stream."""
    table, text = {}, model.text
    for number in range(clips):
        rng, frames, sights = free_stream(number)
        features, seconds = encode(model.vision, frames), len(sights)
        asked = {}
        for kind in [*PRESENT, *PAST]:
            if question := ask_type(rng, kind, Timeline(sights), plain=True):
                asked[kind] = {"question": question.text, "accepted": question.accepted, "tense": question.tense}
        ways = (("alone", seconds, 0), ("second, no frame between", seconds, 1), ("third, no frame between", seconds, 2),
                ("after talk in mid-stream", rng.randint(1, seconds - 1), 1))
        for name, cut, turns in ways:
            layout, shown = Layout(), 0
            layout.text(text.open_user)
            for turn in range(turns):
                earlier = ask(rng, Timeline(sights[:cut]), 0.3, chat_share=0)
                opening = add_frames(layout, text, shown, cut)
                layout.turn(opening, earlier.text, earlier.answer, text, False)
                layout.text(text.next_turn)
                shown = cut
            opening = add_frames(layout, text, shown, seconds)
            for q, right in zip(asked.values(), model.right(features, layout, opening, list(asked.values()))):
                table.setdefault(name, {"present": [], "past": []})[q["tense"]].append(right)
    print("| asked | present | past |\n|---|---|---|")
    for name, row in table.items():
        print(f"| {name} | {percent(row['present'])} | {percent(row['past'])} |")


def add_frames(layout: Layout, text: Text, shown: int, until: int) -> list[int]:
    """Seconds shown..until-1 as a video of their own, if any; returns what closes them."""
    if until == shown:
        return []
    layout.text(text.open_vision)
    layout.frames(shown, until)
    return [text.vision_end]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("questions", type=Path, nargs="?", default=HELD_OUT)
    parser.add_argument("--camera", action="store_true")
    parser.add_argument("--wordings", action="store_true")
    parser.add_argument("--dialogue", action="store_true")
    parser.add_argument("--clips", type=int, default=FREE_CLIPS, help="streams for --wordings and --dialogue")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    torch.set_num_threads(1)
    chosen = Model(args.model, args.device)
    if args.wordings:
        wordings(chosen, args.clips)
    if args.dialogue:
        dialogue(chosen, args.clips)
    if args.camera:
        camera(chosen, args.questions)
    if not (args.wordings or args.dialogue or args.camera):
        clean(chosen, args.questions)
