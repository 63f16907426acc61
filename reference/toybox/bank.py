"""A bank of rendered scenes on disk: frames once, features again whenever the encoder changes.

`python bank.py render FOLDER FIRST LAST` draws shards of 1,000 scenes (3.5 pairs a scene);
`Bank` hands scenes out with their features. Streams are chains of scenes, so a bank of N scenes
holds N^k streams, and the encoder runs once a scene.
"""

import pickle
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import world
from checkpoint import load_vision
from model import Vision
from timeline import moments

SHARD = 1000
CUT_EVERY = 8  # every so many scenes the first pair shows a cut
TRAINING_SEED, HELD_OUT_SEED = 1, 2  # first word of every scene's seed


def render(folder: Path, shard: int) -> None:
    scenes = [world.draw_scene((TRAINING_SEED, shard * SHARD + i)) for i in range(SHARD)]
    np.save(folder / f"frames{shard}.part.npy", np.concatenate([s.frames for s in scenes]))
    with open(folder / f"things{shard}.pkl", "wb") as file:
        pickle.dump([(s.seconds, s.things) for s in scenes], file)
    (folder / f"frames{shard}.part.npy").rename(folder / f"frames{shard}.npy")


@torch.no_grad()
def encode(vision: Vision, frames: np.ndarray, batch: int = 64) -> torch.Tensor:
    """uint8 [pairs, 2, 112, 112, 3] -> f16 [pairs, 16, 192]."""
    with torch.autocast("cpu", torch.bfloat16):
        parts = [vision(torch.from_numpy(np.array(frames[i:i + batch]))) for i in range(0, len(frames), batch)]
    return torch.cat(parts).half()


class Bank:
    """Scenes as (seconds, sights per second, features [seconds, 16, 192]), a shard at a time."""

    def __init__(self, folder: Path, vision: Path, held_out: bool = False):
        self.folder, self.vision_path, self.held_out = folder, vision, held_out
        self.shards = {}  # name -> scenes
        self.order = []  # names, the one encoded longest ago first
        self.scenes = []

    def refresh(self) -> str:
        """Encodes one shard, a new one if there is any, with the newest encoder."""
        names = [p.stem[6:] for p in sorted(self.folder.glob("frames*.npy"))
                 if "part" not in p.stem and (p.stem == "frames0") == self.held_out]
        name = next((n for n in names if n not in self.shards), None) or self.order.pop(0)
        frames, scenes, at = np.load(self.folder / f"frames{name}.npy", mmap_mode="r"), [], 0
        with open(self.folder / f"things{name}.pkl", "rb") as file:
            drawn = pickle.load(file)
        frames = np.array(frames)
        for index, (seconds, things) in enumerate(drawn):
            sights = moments(seconds, things)
            if index % CUT_EVERY == 0 and index:  # the pair straddles the cut: its motion cannot be told
                frames[at, 0] = frames[at - 1, 1]
                sights[0] = [replace(s, motion=None) for s in sights[0]]
            scenes.append([seconds, sights, None])
            at += seconds
        features, at = encode(load_vision(self.vision_path), frames), 0
        for scene in scenes:
            scene[2] = features[at:at + scene[0]]
            at += scene[0]
        self.shards[name] = scenes
        self.order.append(name)
        self.scenes = [scene for shard in self.shards.values() for scene in shard]
        return name


if __name__ == "__main__" and sys.argv[1] == "render":
    target = Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    for number in range(int(sys.argv[3]), int(sys.argv[4])):
        render(target, number)
        print("shard", number, flush=True)
