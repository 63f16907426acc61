"""A bank of rendered scenes on disk: frames once, features again whenever the encoder changes.

`python bank.py render FOLDER FIRST LAST` draws shards of 1,000 scenes (3.5 pairs a scene),
`python bank.py encode FOLDER VISION FIRST LAST` writes their features beside them. Streams are
chains of scenes, so a bank of N scenes holds N^k streams, and the encoder runs once a scene.
Shard 0 is for validation.
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
TRAINING_SEED, HELD_OUT_SEED, STREAM_SEED = 1, 2, 3  # first word of every scene's seed


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


def cuts(drawn: list) -> set[int]:
    """The scenes whose first pair straddles a cut: its first frame is the scene before's last."""
    return set(range(CUT_EVERY, len(drawn), CUT_EVERY))


def encode_shard(folder: Path, vision: Vision, shard: int) -> None:
    frames, drawn = np.array(np.load(folder / f"frames{shard}.npy", mmap_mode="r")), load_things(folder, shard)
    starts = np.cumsum([0] + [seconds for seconds, _ in drawn])
    for index in cuts(drawn):
        frames[starts[index], 0] = frames[starts[index] - 1, 1]
    np.save(folder / "features.part.npy", encode(vision, frames).numpy())
    (folder / "features.part.npy").rename(folder / f"features{shard}.npy")


def load_things(folder: Path, shard: int) -> list:
    with open(folder / f"things{shard}.pkl", "rb") as file:
        return pickle.load(file)


class Bank:
    """Scenes as (sights per second, features [seconds, 16, 192]), from the shards encoded so far."""

    def __init__(self, folder: Path, held_out: bool = False):
        self.folder, self.held_out, self.scenes = folder, held_out, []
        self.shards, self.dates = {}, {}

    def refresh(self) -> None:
        """Takes in shards that were encoded, or encoded anew, since the last call."""
        for path in self.folder.glob("features[0-9]*.npy"):
            shard, date = int(path.stem[8:]), path.stat().st_mtime
            if (shard == 0) == self.held_out and self.dates.get(shard) != date:
                self.dates[shard], self.shards[shard] = date, self.read(shard, torch.from_numpy(np.load(path)))
        self.scenes = [scene for shard in self.shards.values() for scene in shard]

    def read(self, shard: int, features: torch.Tensor) -> list:
        drawn, scenes, at = load_things(self.folder, shard), [], 0
        for index, (seconds, things) in enumerate(drawn):
            sights = moments(seconds, things)
            if index in cuts(drawn):
                sights[0] = [replace(s, motion=None) for s in sights[0]]  # cannot be told
            scenes.append((sights, features[at:at + seconds]))
            at += seconds
        return scenes


def main(verb: str, folder: Path, *rest: str) -> None:
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    vision = load_vision(Path(rest[0])) if verb == "encode" else None
    for shard in range(int(rest[-2]), int(rest[-1])):
        if vision:
            encode_shard(folder, vision, shard)
        else:
            render(folder, shard)
        print(verb, shard, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
