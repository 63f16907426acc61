"""The toy world: short scenes of coloured shapes and glyph cards, drawn frame by frame.

A scene is 1-6 seconds at two frames a second. Objects enter, stay, move or leave; a camera model
(light, tint, noise, blur, shake, JPEG) makes the frames survive video compression and a camera
that films a screen. Everything follows from a seed. This file never asks questions.

It draws what is shown and measured, picture by picture with Pillow. Training draws the same world in
batches (`scenes.py`, `raster.py`, `lens.py`), with a rougher camera.
"""

import io
import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIZE = 112  # pixels; frames are square
FRAMES_PER_SECOND = 2
SHAPES = ("circle", "square", "triangle", "star", "heart", "cross")
COLOURS = {"red": (215, 35, 40), "green": (35, 160, 60), "blue": (40, 80, 215),
           "yellow": (240, 215, 40), "purple": (145, 45, 185), "orange": (245, 135, 25),
           "white": (245, 245, 245), "black": (22, 22, 24)}
DIGITS = "0123456789"
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # no I and O: they look like 1 and 0
DIRECTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
FONTS = [f"/usr/share/fonts/truetype/{name}.ttf" for name in (
    "dejavu/DejaVuSans-Bold", "dejavu/DejaVuSerif-Bold", "dejavu/DejaVuSans",
    "dejavu/DejaVuSansMono-Bold", "liberation/LiberationSans-Bold",
    "liberation/LiberationSerif-Bold", "liberation/LiberationMono-Bold",
    "liberation/LiberationSans-Regular")]


@dataclass
class Thing:
    """One object of a scene. `path[f]` is its centre in pixels at frame f, None while absent."""
    shape: str  # one of SHAPES, "letter" or "digit"
    colour: str  # "" for cards
    glyph: str  # "" for shapes
    radius: float
    path: list = field(default_factory=list)
    motion: list = field(default_factory=list)  # a direction or "" for every second

    @property
    def name(self) -> str:
        return f"{self.shape} {self.glyph}" if self.glyph else f"{self.colour} {self.shape}"


@dataclass
class Scene:
    seconds: int
    things: list
    frames: np.ndarray  # uint8 [seconds, 2, 112, 112, 3]


def draw_path(rng, thing: Thing, seconds: int) -> bool:
    """Chooses when the thing is there and how it moves; False if it does not fit the frame."""
    enter = int(rng.integers(1, seconds)) if seconds > 1 and rng.random() < 0.25 else 0
    leave = int(rng.integers(enter + 1, seconds)) if seconds > enter + 1 and rng.random() < 0.25 else seconds
    edge = thing.radius + 5
    x, y = rng.uniform(edge, SIZE - edge, 2)
    direction = str(rng.choice(list(DIRECTIONS))) if rng.random() < 0.4 else ""
    speed = rng.uniform(4, 13)
    if direction:  # start far from the wall it moves towards
        dx, dy = DIRECTIONS[direction]
        x = x if dx == 0 else (edge if dx > 0 else SIZE - edge) + dx * rng.uniform(0, 25)
        y = y if dy == 0 else (edge if dy > 0 else SIZE - edge) + dy * rng.uniform(0, 25)
    thing.path, thing.motion = [None] * (2 * seconds), [""] * seconds
    for second in range(enter, leave):
        dx, dy = DIRECTIONS.get(direction, (0, 0))
        inside = all(edge - 3 <= v <= SIZE - edge + 3 for v in (x + 2 * dx * speed, y + 2 * dy * speed))
        if not inside:
            direction, dx, dy = "", 0, 0
        thing.motion[second] = direction
        for frame in (2 * second, 2 * second + 1):
            thing.path[frame] = (x, y)
            x, y = x + dx * speed, y + dy * speed
    return edge <= SIZE / 2


def collide(a: Thing, b: Thing) -> bool:
    return any(p and q and math.dist(p, q) < a.radius + b.radius + 3 for p, q in zip(a.path, b.path))


def draw_thing(rng) -> Thing:
    if rng.random() < 0.27:
        glyph = str(rng.choice(list(DIGITS if rng.random() < 0.45 else LETTERS)))
        kind = "digit" if glyph in DIGITS else "letter"
        return Thing(kind, "", glyph, float(rng.uniform(19, 25)))
    return Thing(str(rng.choice(SHAPES)), str(rng.choice(list(COLOURS))), "", float(rng.uniform(12, 22)))


def backdrop(rng) -> np.ndarray:
    """A plain, graded, blotched or striped background, float [112, 112, 3]."""
    base = rng.uniform(25, 235) + rng.uniform(-45, 45, 3)
    ramp = np.linspace(-1, 1, SIZE)
    yy, xx = np.meshgrid(ramp, ramp, indexing="ij")
    angle, kind = rng.uniform(0, 2 * math.pi), rng.integers(4)
    along = xx * math.cos(angle) + yy * math.sin(angle)
    pattern = np.zeros((SIZE, SIZE))
    if kind == 1:
        pattern = along * rng.uniform(10, 40)
    elif kind == 2:
        small = rng.normal(size=(n := int(rng.integers(3, 12)), n)).astype(np.float32)
        pattern = np.asarray(Image.fromarray(small).resize((SIZE, SIZE), Image.BICUBIC)) * rng.uniform(5, 18)
    elif kind == 3:
        pattern = np.sign(np.sin(along * rng.uniform(8, 60))) * rng.uniform(3, 14)
    return base + pattern[..., None] * rng.uniform(0.7, 1.3, 3)


def outline(shape: str) -> np.ndarray:
    """A shape's unit polygon, [points, 2], y downwards."""
    turn = np.linspace(0, 2 * math.pi, 49)[:-1]
    if shape == "circle":
        return 0.95 * np.stack((np.cos(turn), np.sin(turn)), 1)
    if shape == "square":
        return 0.86 * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    if shape == "triangle":
        return np.array([(0, -1), (0.95, 0.75), (-0.95, 0.75)])
    if shape == "star":
        tips = np.arange(10) * math.pi / 5
        reach = np.where(np.arange(10) % 2, 0.45, 1.08)
        return np.stack((reach * np.sin(tips), -reach * np.cos(tips)), 1)
    if shape == "heart":
        x = 16 * np.sin(turn) ** 3
        y = 13 * np.cos(turn) - 5 * np.cos(2 * turn) - 2 * np.cos(3 * turn) - np.cos(4 * turn)
        return np.stack((x, -y - 2), 1) / 16
    arm = 0.36
    return np.array([(-arm, -1), (arm, -1), (arm, -arm), (1, -arm), (1, arm), (arm, arm), (arm, 1),
                     (-arm, 1), (-arm, arm), (-1, arm), (-1, -arm), (-arm, -arm)])


@lru_cache(256)
def font(path: str, size: int):
    return ImageFont.truetype(path, size)


def sprite(rng, thing: Thing, scale: int) -> Image.Image:
    """The thing on a transparent square, tilted; `scale` times the frame's resolution."""
    side = int(2 * scale * thing.radius * 1.5)
    image = Image.new("RGBA", (side, side))
    pen, middle = ImageDraw.Draw(image), side / 2
    if thing.glyph:
        half = scale * thing.radius * 0.88
        paper = tuple(int(v) for v in rng.uniform(205, 255) + rng.uniform(-20, 0, 3))
        ink = tuple(int(v) for v in (rng.uniform(5, 60, 3) if rng.random() < 0.6 else
                                     np.array(COLOURS[str(rng.choice(["red", "green", "blue", "purple"]))]) * 0.85))
        pen.rectangle((middle - half, middle - half, middle + half, middle + half), fill=paper + (255,))
        face = font(str(rng.choice(FONTS)), int(half * rng.uniform(1.45, 1.8)))
        pen.text((middle, middle), thing.glyph, fill=ink + (255,), font=face, anchor="mm")
        tilt = rng.uniform(-6, 6)
    else:
        colour = tuple(int(np.clip(v + rng.uniform(-14, 14), 0, 255)) for v in COLOURS[thing.colour])
        points = outline(thing.shape) * scale * thing.radius + middle
        pen.polygon([tuple(p) for p in points], fill=colour + (255,))
        tilt = rng.uniform(-15, 15)
    return image.rotate(tilt, Image.BICUBIC)


def wooden_rim(rng, canvas: Image.Image, scale: int) -> None:
    width = int(scale * rng.uniform(2, 8))
    wood = np.array((130, 85, 40)) * rng.uniform(0.6, 1.25) + rng.uniform(-12, 12, 3)
    pen = ImageDraw.Draw(canvas)
    for step in range(width):
        shade = wood * (1 + 0.12 * math.sin(step * 1.3 + rng.uniform(0, 1)))
        pen.rectangle((step, step, canvas.width - 1 - step, canvas.height - 1 - step),
                      outline=tuple(int(np.clip(v, 0, 255)) for v in shade))


def camera(rng) -> dict:
    """One scene's camera: light, tint, noise, blur, compression, shake."""
    rough = rng.random()  # one in four scenes is clean
    strength = 0.15 if rough < 0.25 else 1.0
    return dict(gain=rng.uniform(0.72, 1.22) if strength == 1 else rng.uniform(0.93, 1.07),
                offset=rng.uniform(-16, 16) * strength, tint=rng.uniform(-0.07, 0.07, 3) * strength,
                noise=rng.uniform(0, 9) * strength * (rng.random() < 0.7),
                blur=rng.uniform(0, 0.9) * (rng.random() < 0.5),
                quality=int(rng.integers(25, 90)) if strength == 1 else int(rng.integers(75, 95)),
                shake=rng.uniform(0, 1.5) * (rng.random() < 0.4) * strength)


def shoot(rng, view: dict, image: Image.Image) -> np.ndarray:
    """Passes a drawn frame (any resolution) through the camera: uint8 [112, 112, 3]."""
    image = image.resize((SIZE, SIZE), Image.BOX)
    if view["blur"] > 0.2:
        image = image.filter(ImageFilter.GaussianBlur(view["blur"]))
    x = np.asarray(image, np.float32) * (view["gain"] * (1 + view["tint"])).astype(np.float32) + view["offset"]
    if view["noise"]:
        x = x + rng.standard_normal(x.shape, np.float32) * view["noise"]
    packed = io.BytesIO()
    Image.fromarray(np.clip(x, 0, 255).astype(np.uint8)).save(packed, "JPEG", quality=view["quality"])
    return np.asarray(Image.open(packed).convert("RGB"))


def fit_things(rng, seconds: int, ground: np.ndarray, shares: tuple = (0.07, 0.45, 0.30, 0.18)) -> list:
    """Things that fit together in one scene and stand out from a background of this mean colour.

    shares: of scenes with none, one, two and three of them, as far as they fit.
    """
    wanted, things = int(rng.choice(4, p=shares)), []
    for _ in range(60):
        if len(things) == wanted:
            break
        thing = draw_thing(rng)
        contrast = thing.glyph or np.linalg.norm(ground - COLOURS[thing.colour]) > 75
        if (contrast and draw_path(rng, thing, seconds) and not any(collide(thing, other) for other in things)
                and all(thing.name != other.name for other in things)):
            things.append(thing)
    return things


def compose(rng, seconds: int) -> tuple[list, np.ndarray]:
    """A background and things on it."""
    ground = backdrop(rng)
    return fit_things(rng, seconds, ground.mean((0, 1))), ground


def paint(rng, things: list, ground: np.ndarray, frames: int, scale: int, rim: bool, shake: float = 0) -> list:
    """The scene before any camera: one RGB image of (112 * scale) pixels a frame."""
    canvas = Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8)).resize((SIZE * scale,) * 2, Image.BICUBIC)
    sprites, frame = [sprite(rng, thing, scale) for thing in things], Image.new("RGBA", canvas.size)
    if rim:
        wooden_rim(rng, frame, scale)
    images = []
    for index in range(frames):
        image, sway = canvas.copy(), rng.normal(0, shake, 2) if shake else (0, 0)
        for thing, picture in zip(things, sprites):
            if thing.path[index]:
                corner = [int(round(scale * (v + s) - picture.width / 2)) for v, s in zip(thing.path[index], sway)]
                image.paste(picture, corner, picture)
        image.paste(frame, (0, 0), frame)
        images.append(image)
    return images


def draw_scene(seed) -> Scene:
    """The scene of this seed, as a camera saw it."""
    rng = np.random.default_rng(seed)
    seconds = int(rng.integers(1, 7))
    things, ground = compose(rng, seconds)
    view = camera(rng)
    images = paint(rng, things, ground, 2 * seconds, 2, rng.random() < 0.7, view["shake"])
    frames = np.stack([shoot(rng, view, image) for image in images])
    return Scene(seconds, things, frames.reshape(seconds, 2, SIZE, SIZE, 3))
