"""Makes the clips that ship or test: held-out film strips, long streams, the demo, the camera scene.

`python clips.py heldout`, `python clips.py streams` and `python clips.py videos`. Everything is unseen
in training.
"""

import json
import subprocess
import sys
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

import world
from checkpoint import HERE
from questions import PAST, PRESENT, ask_type
from scenes import HELD_OUT_SEED, STREAM_SEED
from timeline import Timeline, moments
from world import DIRECTIONS, FRAMES_PER_SECOND, SIZE, Thing

ROOT = HERE.parents[1]
HELD_OUT, STREAMS = ROOT / "eval" / "heldout", ROOT / "eval" / "streams"
FIXTURES, DEMO = ROOT / "e2e" / "fixtures" / "clips", ROOT / "public" / "demo"
LENGTHS = (1, 1, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 8, 9, 10, 12, 14, 16, 16, 4)  # seconds, three rounds of these
QUESTIONS_PER_CLIP = {"present": 6, "past": 2}
STREAM_LENGTHS, STREAMS_PER_LENGTH = (8, 16, 32, 64, 128, 512), 12  # seconds
STREAM_SCENES, SCENES_PER_STRIP = 240, 30
QUESTIONS_PER_STREAM = {"present": 12, "past": 12}
ROUND = 3  # of held-out clips: a new one is due when answers to the last have guided a choice of weights
SCALE, PLAYBACK_FPS = 4, 10


def held_out() -> None:
    """60 clips of 1 to 16 s as JPEG strips, eight questions each."""
    HELD_OUT.mkdir(parents=True, exist_ok=True)
    index = []
    for clip in range(3 * len(LENGTHS)):
        rng, seconds, frames, sights = Random(f"{ROUND} {clip}"), LENGTHS[clip % len(LENGTHS)], [], []
        while len(sights) < seconds:
            scene = world.draw_scene((HELD_OUT_SEED, ROUND, clip, len(sights)))
            frames.append(scene.frames)
            sights += moments(scene.seconds, scene.things)
        strip, line = np.concatenate(frames)[:seconds], Timeline(sights[:seconds])
        name = f"clip{clip:02d}.jpg"
        Image.fromarray(strip.reshape(-1, SIZE, 3)).save(HELD_OUT / name, quality=92)
        asked = draw_questions(rng, line, QUESTIONS_PER_CLIP, lambda q: q.text)
        index.append({"clip": name, "frames": 2 * seconds, "framesPerSecond": FRAMES_PER_SECOND, "questions": [
            {"type": q.type, "tense": q.tense, "question": q.text, "accepted": q.accepted} for q in asked]})
    (HELD_OUT / "questions.json").write_text(f"[\n{lines(index)}\n]\n")


def streams() -> None:
    """Streams of 8 to 512 s as chains of scenes from one bank; the bank as JPEG strips.

    Each question also says how many seconds before the end its answer was last to be seen (`ago`).
    """
    STREAMS.mkdir(parents=True, exist_ok=True)
    scenes = [world.draw_scene((STREAM_SEED, i)) for i in range(STREAM_SCENES)]
    strips, chains = [], []
    for first in range(0, STREAM_SCENES, SCENES_PER_STRIP):
        part, name = scenes[first:first + SCENES_PER_STRIP], f"scenes{first // SCENES_PER_STRIP}.jpg"
        strip = np.concatenate([s.frames for s in part])
        Image.fromarray(strip.reshape(-1, SIZE, 3)).save(STREAMS / name, quality=85)
        strips.append({"file": name, "seconds": [s.seconds for s in part]})
    for seconds in STREAM_LENGTHS:
        for number in range(STREAMS_PER_LENGTH):
            name, sights, chain = f"{seconds}s-{number:02d}", [], []
            rng = Random(name)
            order = rng.sample(range(STREAM_SCENES), STREAM_SCENES)
            while len(sights) < seconds:
                chain.append(order[len(chain)])
                sights += moments(scenes[chain[-1]].seconds, scenes[chain[-1]].things)
            line = Timeline(sights[:seconds])
            asked = draw_questions(rng, line, QUESTIONS_PER_STREAM, lambda q: (q.type, q.answer))
            chains.append({"name": name, "seconds": seconds, "scenes": chain, "questions": [
                {"type": q.type, "tense": q.tense, "question": q.text, "accepted": q.accepted}
                | ({} if q.since is None else {"ago": seconds - 1 - q.since}) for q in asked]})
    (STREAMS / "streams.json").write_text(f'{{"framesPerSecond": {FRAMES_PER_SECOND}, "strips": [\n{lines(strips)}\n], '
                                          f'"streams": [\n{lines(chains)}\n]}}\n')


def draw_questions(rng: Random, line: Timeline, wanted: dict, identity) -> list:
    """So many present and past questions of random types, none of them twice and no type more than twice."""
    asked = {}
    for tense, types in (("present", PRESENT), ("past", PAST)):
        most = len(asked) + wanted[tense]
        for _ in range(300):
            kind = rng.choice(list(types))
            question = ask_type(rng, kind, line)
            if question and len(asked) < most and sum(q.type == kind for q in asked.values()) < 2:
                asked.setdefault(identity(question), question)
    return list(asked.values())


def lines(entries: list[dict]) -> str:
    """JSON, one entry a line."""
    return ",\n".join(json.dumps(entry) for entry in entries)


def thing(name: str, x: float, y: float, radius: float, seconds: int, enter: int = 0, leave: int | None = None,
          motion: str = "", speed: float = 7) -> Thing:
    """A placed thing of a composed scene; it moves, if at all, all the time it is there."""
    first, second = name.split()
    card = first in ("letter", "digit")
    made = Thing(first if card else second, "" if card else first, second if card else "", radius)
    leave = seconds if leave is None else leave
    dx, dy = DIRECTIONS.get(motion, (0, 0))
    made.motion = [motion if enter <= s < leave else "" for s in range(seconds)]
    made.path = [(x + dx * speed * (f - 2 * enter), y + dy * speed * (f - 2 * enter)) if 2 * enter <= f < 2 * leave
                 else None for f in range(2 * seconds)]
    return made


def shoot_film(seed: int, scenes: list[tuple[int, tuple, list]]) -> list[Image.Image]:
    """Composed scenes (seconds, background colour, things) as clean 448x448 frames, two a second."""
    images = []
    for index, (seconds, ground, things) in enumerate(scenes):
        rng = np.random.default_rng((HELD_OUT_SEED, seed, index))
        backdrop = np.linspace(0.92, 1.08, SIZE)[:, None, None] * np.broadcast_to(ground, (SIZE, SIZE, 3))
        images += world.paint(rng, things, backdrop, 2 * seconds, SCALE, rim=True)
    return images


def encode_film(images: list[Image.Image], path: Path, codec: list[str]) -> None:
    """Writes the frames at 10 per second (each five times), so that players and seekers are happy."""
    path.parent.mkdir(parents=True, exist_ok=True)
    side = images[0].width
    command = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{side}x{side}",
               "-r", str(PLAYBACK_FPS), "-i", "-", *codec, str(path)]
    repeat = PLAYBACK_FPS // FRAMES_PER_SECOND
    raw = b"".join(image.tobytes() * repeat for image in images)
    subprocess.run(command, input=raw, check=True)


H264 = ["-c:v", "libx264", "-preset", "slow", "-crf", "24", "-pix_fmt", "yuv420p", "-g", "10", "-movflags", "+faststart"]
MJPEG = ["-c:v", "mjpeg", "-q:v", "5", "-pix_fmt", "yuvj420p", "-f", "mjpeg"]


def entry(kind: str, tense: str, question: str, *accepted: str) -> dict:
    return {"type": kind, "tense": tense, "question": question, "accepted": list(accepted)}


# Things of composed films stand clear of the borders between visual tokens (every 28 pixels): one whose centre
# lies on a border may be told twice, as the card says. The held-out clips place theirs anywhere.


def scene_film():
    """Three still things for nine seconds: the same answers whenever the loop is asked."""
    film = shoot_film(1, [(9, (176, 190, 198), [thing("red star", 24, 24, 18, 9), thing("letter K", 78, 42, 20, 9),
                                                thing("blue circle", 42, 78, 18, 9)])])
    names = ("a red star", "the letter K", "a blue circle")
    orders = [f"I see {names[a]}, {names[b]} and {names[c]}." for a, b, c in
              ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))]
    return film, [
        entry("see", "present", "What do you see?", *orders),
        entry("colour", "present", "What colour is the star?", "The star is red."),
        entry("colour", "present", "What color is the circle?", "The circle is blue."),
        entry("shape", "present", "What shape is the blue thing?", "The blue thing is a circle."),
        entry("count", "present", "How many objects are there?", "There are three objects."),
        entry("exist", "present", "Is there a red star?", "Yes, there is a red star."),
        entry("exist", "present", "Is there a green heart?", "No, there is no green heart."),
        entry("glyph", "present", "Which letter do you see?", "I see the letter K."),
        entry("where", "present", "Where is the star?", "The star is at the top left."),
        entry("moving", "present", "Is the circle moving?", "The circle is not moving.")]


def stream_film():
    """Forty seconds of scenes; the questions are about the last one."""
    film = shoot_film(2, [
        (6, (205, 214, 190), [thing("green square", 36, 60, 18, 6), thing("digit 7", 82, 48, 22, 6, enter=2)]),
        (6, (60, 66, 84), [thing("yellow heart", 24, 56, 18, 6, leave=5, motion="right", speed=6)]),
        (2, (120, 120, 126), []),
        (7, (190, 180, 205), [thing("black cross", 76, 30, 18, 7), thing("orange triangle", 34, 80, 18, 7, enter=3)]),
        (6, (225, 225, 215), [thing("letter R", 56, 56, 23, 6)]),
        (6, (82, 100, 90), [thing("white circle", 30, 36, 16, 6, leave=4), thing("red square", 80, 78, 18, 6, enter=1)]),
        (8, (180, 186, 178), [thing("purple star", 88, 24, 18, 8), thing("letter B", 34, 76, 20, 8)])])
    return film, [
        entry("see", "present", "What do you see?", "I see a purple star and the letter B.", "I see the letter B and a purple star."),
        entry("colour", "present", "What colour is the star?", "The star is purple."),
        entry("where", "present", "Where is the star?", "The star is at the top right."),
        entry("exist", "present", "Is there a red square?", "No, there is no red square.")]


def demo_film():
    """The clip of the first visit, and questions it is good at."""
    film = shoot_film(3, [
        (6, (196, 208, 216), [thing("red star", 40, 40, 19, 6), thing("digit 7", 72, 72, 22, 6, enter=2)]),
        (6, (58, 64, 86), [thing("yellow circle", 24, 68, 17, 6, leave=5, motion="right", speed=6)]),
        (5, (206, 198, 180), [thing("green heart", 46, 46, 21, 5)]),
        (9, (200, 204, 210), [thing("letter A", 78, 70, 20, 9), thing("orange triangle", 40, 40, 18, 9, enter=2)])])
    return film, []


def videos() -> None:
    for path, (film, questions) in ((FIXTURES / "scene.mp4", scene_film()), (FIXTURES / "stream.mp4", stream_film()),
                                    (DEMO / "toybox-demo.mp4", demo_film())):
        encode_film(film, path, H264)
        if path.stem == "scene":
            encode_film(film, path.with_suffix(".mjpeg"), MJPEG)
        if questions:
            body = ",\n".join(f"    {json.dumps(q)}" for q in questions)
            path.with_suffix(".json").write_text(
                f'{{\n  "clip": "{path.name}",\n  "seconds": {len(film) // FRAMES_PER_SECOND},\n  "questions": [\n{body}\n  ]\n}}\n')


if __name__ == "__main__":
    {"heldout": held_out, "streams": streams, "videos": videos}[sys.argv[1]]()
