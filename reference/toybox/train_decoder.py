"""Trains the decoder on streams of encoder features; the encoder may go on training beside it.

`python train_decoder.py BANK OUT MINUTES [FROM]`: BANK is the folder of encoded scenes (looked at
again now and then), FROM a decoder to go on from instead of the start checkpoint.
"""

import sys
import time
from pathlib import Path
from random import Random

import torch
import torch.nn.functional as F
from torch import nn

from bank import Bank
from checkpoint import load_decoder, start_decoder
from model import TOKENS_PER_PAIR
from optim import Muon
from streams import collate, draw_row
from tokenizer import Text

BATCH_TOKENS = 6000
RATE = 0.012  # Muon's
QUESTIONS, PAST_SHARE = 12, 0.15
CELL_LAYER, CELL_WEIGHT = 1, 1.0  # after this layer a training-only head must tell a visual token's own cell
REFRESH_STEPS = 50


def stream_seconds(rng: Random, done: float) -> int:
    """Lengths grow with training: 1-4 s at first, later up to 32 s."""
    longest = rng.choices((4, 8, 16, 32), ((6, 3, 1, 0) if done < 0.15 else (3, 4, 3, 0) if done < 0.4 else (3, 4, 4, 0.7)))[0]
    return rng.randint(1 if longest < 32 else 8, longest)


def batches(rng: Random, bank: Bank, text: Text, progress):
    """Endless batches of about BATCH_TOKENS; four at a time, rows of like length together."""
    while True:
        seconds = stream_seconds(rng, progress())
        count = max(2, BATCH_TOKENS // (seconds * TOKENS_PER_PAIR + 21 * QUESTIONS))
        rows = [draw_row(rng, bank.scenes, text, rng.randint(max(1, seconds - 1), seconds), QUESTIONS, PAST_SHARE)
                for _ in range(4 * count)]
        rows.sort(key=lambda row: len(row.ids))
        yield from rng.sample([collate(rows[i:i + count]) for i in range(0, len(rows), count)], 4)


def forward(decoder, batch, taps=()):
    """Hidden states at the scored tokens [scored, 192], their targets, and the tapped layers."""
    ids, visual, positions, attend, targets, _ = batch
    x = decoder.embed_tokens(ids.clamp(min=0)).masked_scatter((ids == -1)[..., None], visual)
    hidden, tapped = decoder(x, positions, attend, taps)
    scored = targets != -100
    return hidden[scored], targets[scored], tapped


def whole_answers(decoder, batch, end: int) -> list[bool]:
    """For each question in order of rows and branches: is every token up to `end` the likeliest?"""
    hidden, targets, _ = forward(decoder, batch)
    right, answers, good = decoder.logits(hidden).argmax(-1) == targets, [], True
    for hit, target in zip(right.tolist(), targets.tolist()):
        good &= hit
        if target == end:
            answers.append(good)
            good = True
    return answers


@torch.no_grad()
def validate(decoder, bank: Bank, text: Text) -> str:
    """Teacher-forced whole answers on fixed unseen streams, per length and per type."""
    by_length, by_type = {}, {}
    for seconds in (1, 4, 8, 16):
        rng = Random(seconds)
        rows = [draw_row(rng, bank.scenes, text, seconds, 12, 0.35) for _ in range(20)]
        answers = [a for i in range(0, 20, 10) for a in whole_answers(decoder, collate(rows[i:i + 10]), text.im_end)]
        for question, right in zip((q for row in rows for q in row.questions), answers, strict=True):
            by_length.setdefault((question.tense, seconds), []).append(right)
            by_type.setdefault((question.tense, question.type), []).append(right)
    said = [" ".join(f"{k[0][:4]}{k[1]}:{100 * sum(v) / len(v):.0f}" for k, v in sorted(table.items()))
            for table in (by_length, by_type)]
    return " | ".join(said)


def main(folder: Path, out: Path, minutes: float, resume: Path | None) -> None:
    torch.set_num_threads(1)
    rng, text = Random(), Text()
    count = text.tokenizer.get_vocab_size()
    decoder = load_decoder(resume) if resume else start_decoder(
        [text.tokenizer.decode([i], skip_special_tokens=False) for i in range(count)])
    cells = nn.Linear(192, TOKENS_PER_PAIR)
    if resume and resume.suffix == ".pt" and "cells" in (saved := torch.load(resume)):
        cells.load_state_dict(saved["cells"])
    bank, held = Bank(folder), Bank(folder, held_out=True)
    named = [*decoder.named_parameters(), *cells.named_parameters()]
    matrix = lambda name, p: p.ndim > 1 and "layers." in name
    optimizer = Muon([p for n, p in named if matrix(n, p)], [p for n, p in named if not matrix(n, p)], RATE, 2e-3)
    began, step, marks, seen = time.time(), 0, [], 0
    progress = lambda: (time.time() - began) / 60 / minutes
    source = batches(rng, bank, text, lambda: max(progress(), 0.5 if resume else 0))
    while (done := progress()) < 1:
        if step % REFRESH_STEPS == 0:
            bank.refresh()
            held.refresh()
        batch = next(source)
        with torch.autocast("cpu", torch.bfloat16):
            hidden, targets, (early,) = forward(decoder, batch, (CELL_LAYER,))
            loss = F.cross_entropy(decoder.logits(hidden).float(), targets)
            cell_loss = F.cross_entropy(cells(early[batch[0] == -1]).float(), batch[5])
        (loss + CELL_WEIGHT * cell_loss).backward()
        optimizer.step(min(1, step / 30) * min(1, 0.02 + 1.6 * (1 - done)))
        step += 1
        seen += int((targets == text.im_end).sum())
        marks.append((loss.item(), cell_loss.item()))
        if step % 25 == 0:
            mean = torch.tensor(marks[-25:]).mean(0).tolist()
            print(f"{time.time() - began:.0f}s step {step} questions {seen} loss {mean[0]:.3f} cell {mean[1]:.3f}", flush=True)
        if step % 300 == 0:
            print("   ", validate(decoder, held, text), flush=True)
        if step % 50 == 0:
            torch.save({"decoder": decoder.state_dict(), "cells": cells.state_dict()}, out.with_suffix(".part"))
            out.with_suffix(".part").rename(out)
    torch.save({"decoder": decoder.state_dict(), "cells": cells.state_dict()}, out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]) if len(sys.argv) > 4 else None)
