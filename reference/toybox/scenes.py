"""A bank of training scenes as plain arrays: what is where, in what light, but no pixels yet.

`raster.py` draws any second of any scene from them, on whatever device, as often as wanted. Labels and
questions come from the same arrays, so tilt and crop are part of a scene: things are where the camera
sees them. `SceneBank.draw` uses as many processes as it is given; the same seed gives the same bank.
"""

import math
import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

import world
from codes import scene_labels
from timeline import moments
from world import COLOURS, DIGITS, LETTERS, SHAPES, SIZE

MOST_SECONDS, MOST_THINGS, BLOTCHES = 6, 3, 12
GLYPHS = DIGITS + LETTERS
MASKS = len(SHAPES)  # the masks of shapes come first, then those of glyphs, font by font
SHARES = (0.06, 0.34, 0.30, 0.30)  # of scenes with none, one, two and three things: more full ones than are shown
TILT, CROP = math.radians(3), 0.12  # the most a camera is turned, and cut from a side
CUT_SHARE = 0.15  # of scenes whose first frame is still the last of the scene before
CHUNK = 500  # scenes a process draws at a time
TRAINING_SEED, HELD_OUT_SEED, STREAM_SEED, VALIDATION_SEED = 1, 2, 3, 4  # first word of every scene's seed

SCENE = np.dtype([
    ("seconds", "i4"), ("cut", "?"),
    ("base", "f4", 3), ("gains", "f4", 3), ("kind", "i4"), ("angle", "f4"), ("amount", "f4"),
    ("stripes", "f4"), ("blotches", "f4", (BLOTCHES, BLOTCHES)), ("blotch_count", "f4"),
    ("rim", "f4"), ("wood", "f4", 3), ("phase", "f4"),
    ("tilt", "f4"), ("zoom", "f4"), ("shift", "f4", 2), ("beyond", "f4", 3),
    ("mask", "i4", MOST_THINGS), ("card", "?", MOST_THINGS), ("ink", "f4", (MOST_THINGS, 3)), ("paper", "f4", (MOST_THINGS, 3)),
    ("radius", "f4", MOST_THINGS), ("turn", "f4", MOST_THINGS), ("letter", "f4", MOST_THINGS),
    ("path", "f4", (MOST_THINGS, 2 * MOST_SECONDS, 2))])


def draw_ground(rng, scene) -> np.ndarray:
    """A plain, graded, blotched or striped background; returns its mean colour."""
    scene["base"] = rng.uniform(25, 235) + rng.uniform(-45, 45, 3)
    scene["gains"], scene["kind"], scene["angle"] = rng.uniform(0.7, 1.3, 3), rng.integers(4), rng.uniform(0, 2 * math.pi)
    scene["amount"] = rng.uniform(*((0, 0), (10, 40), (5, 18), (3, 14))[scene["kind"]])
    scene["stripes"], scene["blotch_count"] = rng.uniform(8, 60), rng.integers(3, BLOTCHES)
    scene["blotches"] = rng.standard_normal((BLOTCHES, BLOTCHES), np.float32)
    return scene["base"]


def draw_frame(rng, scene) -> None:
    """A rim round most pictures, and how the camera is held: half of them straight and whole."""
    scene["rim"] = rng.uniform(2, 8) if rng.random() < 0.6 else 0
    scene["wood"] = np.array((130, 85, 40)) * rng.uniform(0.6, 1.25) + rng.uniform(-12, 12, 3)
    scene["phase"] = rng.uniform(0, 2 * math.pi)
    scene["zoom"], scene["beyond"] = 1, rng.uniform(0, 255) if rng.random() < 0.5 else 0
    if rng.random() < 0.4:
        scene["tilt"] = rng.uniform(-TILT, TILT)
    if rng.random() < 0.4:
        kept = 1 - rng.uniform(0, CROP)
        scene["zoom"] = 1 / kept
        scene["shift"] = rng.uniform(-1, 1, 2) * SIZE / 2 * (1 / kept - 1)


def seen_from(scene, path: list) -> np.ndarray:
    """A path of the world as the camera sees it: [frames, 2], NaN while absent."""
    points = np.array([p or (np.nan, np.nan) for p in path]) - SIZE / 2
    c, s = math.cos(scene["tilt"]), math.sin(scene["tilt"])
    return points @ np.array(((c, s), (-s, c))) * scene["zoom"] + SIZE / 2 + scene["shift"]


def draw_looks(rng, scene, index: int, thing) -> None:
    """Colours, font and tilt of one thing."""
    if thing.glyph:
        font = int(rng.integers(len(world.FONTS)))
        scene["mask"][index] = MASKS + font * len(GLYPHS) + GLYPHS.index(thing.glyph)
        scene["card"][index] = True
        scene["paper"][index] = rng.uniform(205, 255) + rng.uniform(-20, 0, 3)
        bright = np.array(COLOURS[("red", "green", "blue", "purple")[rng.integers(4)]]) * 0.85
        scene["ink"][index] = rng.uniform(5, 60, 3) if rng.random() < 0.6 else bright
        scene["letter"][index], turn = rng.uniform(1.45, 1.8), 6
    else:
        scene["mask"][index] = SHAPES.index(thing.shape)
        scene["ink"][index] = np.clip(np.array(COLOURS[thing.colour]) + rng.uniform(-14, 14, 3), 0, 255)
        scene["letter"][index], turn = 1, 15
    scene["radius"][index] = thing.radius * scene["zoom"]
    scene["turn"][index] = math.radians(rng.uniform(-turn, turn)) + scene["tilt"]


def draw_scene(seed: tuple) -> tuple[np.ndarray, list]:
    """The scene of this seed: its record and its sights, second by second."""
    rng, scene = np.random.default_rng(seed), np.zeros((), SCENE)
    seconds = scene["seconds"] = int(rng.integers(1, MOST_SECONDS + 1))
    scene["mask"], scene["path"] = -1, np.nan
    mean = draw_ground(rng, scene)
    draw_frame(rng, scene)
    things = world.fit_things(rng, seconds, mean, SHARES)
    for index, thing in enumerate(things):
        draw_looks(rng, scene, index, thing)
        path = seen_from(scene, thing.path)
        scene["path"][index, :2 * seconds] = path
        thing.path = [None if np.isnan(p[0]) else (float(p[0]), float(p[1])) for p in path]
    scene["cut"], sights = rng.random() < CUT_SHARE, moments(seconds, things)
    if scene["cut"]:
        sights[0] = [replace(s, motion=None) for s in sights[0]]  # cannot be told
    return scene, sights


def draw_chunk(seed: tuple, first: int, count: int) -> tuple:
    records, sights = zip(*(draw_scene((*seed, first + i)) for i in range(count)))
    labels, offsets = zip(*map(scene_labels, sights))
    return np.stack(records), list(sights), np.concatenate(labels), np.concatenate(offsets).astype(np.float16)


@dataclass
class SceneBank:
    """Scenes and their seconds; a second is a pair of frames, and pairs are numbered through all scenes."""
    records: np.ndarray  # SCENE [scenes]
    sights: list  # for every scene, the sights of every second
    labels: np.ndarray  # int8 [pairs, 16, 4], see `scene_labels`
    offsets: np.ndarray  # float16 [pairs, 16, 2]
    first: np.ndarray  # int [scenes]: number of each scene's first pair
    scene: np.ndarray  # int [pairs]: which scene a pair belongs to
    second: np.ndarray  # int [pairs]

    @classmethod
    def draw(cls, seed: tuple, count: int, workers: int = 1) -> "SceneBank":
        jobs = [(seed, at, min(CHUNK, count - at)) for at in range(0, count, CHUNK)]
        if workers > 1:
            with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
                parts = list(pool.map(draw_chunk, *zip(*jobs)))
        else:
            parts = [draw_chunk(*job) for job in jobs]
        records, sights, labels, offsets = zip(*parts)
        records = np.concatenate(records)
        lengths = records["seconds"]
        first, scene = np.cumsum(lengths) - lengths, np.repeat(np.arange(count), lengths)
        return cls(records, sum(sights, []), np.concatenate(labels), np.concatenate(offsets), first, scene,
                   np.arange(len(scene)) - first[scene])

    @classmethod
    def kept(cls, path: Path, seed: tuple, count: int, workers: int) -> "SceneBank":
        """The bank in this file, drawn and written if there is none yet."""
        if not path.exists():
            path.with_suffix(".part").write_bytes(pickle.dumps(cls.draw(seed, count, workers), pickle.HIGHEST_PROTOCOL))
            path.with_suffix(".part").rename(path)
        return pickle.loads(path.read_bytes())
