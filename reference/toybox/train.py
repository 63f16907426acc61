"""Trains Toybox from one checkpoint to the next: `python train.py --out DIR --minutes 22`.

Chains the three stages of `stages.py` in the time given, on a GPU if there is one. Called again with the same
arguments it goes on where it was; `--stop-after` ends this call earlier. See README.md.
"""

import argparse
import os
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from checkpoint import SHIPPED, grow, load_pair, save_pair
from curves import draw_curves
from export import export
from model import Decoder, Sizes, Vision
from run import Run, Stopped
from scenes import TRAINING_SEED, VALIDATION_SEED, SceneBank
from stages import CPU, GPU, TRIAL, DecoderStage, EncoderStage, JointStage, World

STAGES = {"encoder": EncoderStage, "decoder": DecoderStage, "joint": JointStage}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--minutes", type=float, default=22, help="training time of all stages together")
    parser.add_argument("--stop-after", type=float, default=1e9, help="minutes after which this call ends, to be called again")
    parser.add_argument("--shares", type=float, nargs=3, default=(0.2, 0.45, 0.35), help="of the time: encoder, decoder, joint")
    parser.add_argument("--start", type=Path, default=SHIPPED, help="a .gguf, .pt or .npz to start from")
    parser.add_argument("--scratch", action="store_true", help="start from nothing, in the sizes below")
    parser.add_argument("--width", type=int, default=192, help="of the decoder; only from scratch")
    parser.add_argument("--vision-width", type=int, default=128, help="only from scratch")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--ffn", type=int, default=512)
    parser.add_argument("--vision-depth", type=int, default=4)
    parser.add_argument("--theta", type=float, help="rotary base; that of the start if left out")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, default=max(1, os.cpu_count() - 2), help="processes that lay out streams")
    parser.add_argument("--tokens", type=int, help="of a batch of streams; by device if left out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dry-run", action="store_true", help="tiny batches and banks, to try every stage out")
    return parser.parse_args()


def start(args: argparse.Namespace) -> tuple[Sizes, Vision, Decoder]:
    """The network to begin with."""
    if args.scratch:
        sizes = Sizes(vision_width=args.vision_width, vision_depth=args.vision_depth, vision_heads=args.vision_width // 32,
                      width=args.width, layers=args.layers, heads=args.width // 32, ffn=args.ffn, theta=args.theta or Sizes.theta)
        vision, decoder = Vision(sizes), Decoder(sizes)
        torch.nn.init.normal_(decoder.embed_tokens.weight, std=0.1)
        return sizes, vision, decoder
    sizes, vision, decoder = load_pair(args.start)
    sizes, vision, decoder = grow(sizes, vision, decoder, args.layers, args.ffn, args.vision_depth)
    if args.theta and args.theta != sizes.theta:
        sizes, old = replace(sizes, theta=args.theta), decoder
        decoder = Decoder(sizes)
        decoder.load_state_dict(old.state_dict())
    return sizes, vision, decoder


def hand_out(run: Run) -> None:
    """The newest weights as a GGUF pair where that can be written here, and the curves so far."""
    try:
        export(run.folder / "model.pt", run.folder / "gguf")
    except ImportError as missing:
        print(f"{missing}: export {run.folder / 'model.pt'} with export.py where it is installed")
    draw_curves([run.folder / "log.jsonl"], run.folder / "curves.svg")


def main(args: argparse.Namespace) -> None:
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(args.seed)
    scale = TRIAL if args.dry_run else GPU if args.device.startswith("cuda") else CPU
    scale = replace(scale, tokens=args.tokens or scale.tokens)
    settings = {k: str(v) for k, v in vars(args).items() if k not in ("out", "stop_after", "workers", "device", "tokens")}
    run = Run(args.out, args.stop_after, settings)
    bank = lambda name, seed, count: SceneBank.kept(args.out / f"scenes.{name}", (seed, args.seed), count, args.workers)
    world = World(scale, args.device, args.workers, bank("training", TRAINING_SEED, scale.scenes),
                  bank("validation", VALIDATION_SEED, scale.validation_scenes), args.seed)
    sizes, vision, decoder = start(args)
    if run.state["stage"] or run.state["done"]:
        sizes, vision, decoder = load_pair(args.out / "model.pt")
    else:
        save_pair(args.out / "model.pt", sizes, vision, decoder)
    for (name, kind), share in zip(STAGES.items(), args.shares):
        if name in run.state["done"] or not share:
            continue
        stage = kind(world, sizes, vision, decoder)
        run.resume(stage, name)
        try:
            run.carry_out(name, stage, args.minutes * share)
        except Stopped:
            print("stopped; call again to go on")
            return hand_out(run)
        hand_out(run)


if __name__ == "__main__":
    main(arguments())
