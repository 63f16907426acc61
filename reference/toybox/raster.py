"""Draws seconds of training scenes as batches of pictures, on any device.

Backgrounds and rims are formulas of the pixel's place in the world; things are masks, sampled where
they lie. `lens.py` makes of the drawing what a camera would. `python raster.py` draws `glyphs.png`, the masks of
all digits and letters in all fonts, and `python raster.py SHEET.png` some scenes to look at.
"""

import math
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

import world
from lens import Lens, shoot
from scenes import GLYPHS, SceneBank
from world import SHAPES, SIZE

HERE = Path(__file__).parent
MASK = 64  # pixels a side
REACH = 1.15  # radii from the middle of a mask to its edge
HALF_CARD = 0.88  # radii
LETTER = 1.6  # the font size, in half cards, that glyph masks are drawn with
FINER = 2  # things are sampled so many times finer than pixels


def draw_mask(paint) -> Image.Image:
    """A mask whose `paint(pen, middle, radius)` draws four times finer."""
    image = Image.new("L", (4 * MASK,) * 2)
    paint(ImageDraw.Draw(image), 2 * MASK, 2 * MASK / REACH)
    return image.resize((MASK, MASK), Image.BOX)


def shape_mask(shape: str) -> Image.Image:
    points = world.outline(shape)
    return draw_mask(lambda pen, middle, radius: pen.polygon([tuple(p) for p in points * radius + middle], fill=255))


def glyph_mask(path: str, glyph: str) -> Image.Image:
    return draw_mask(lambda pen, middle, radius: pen.text(
        (middle, middle), glyph, fill=255, font=world.font(path, int(HALF_CARD * radius * LETTER)), anchor="mm"))


def write_glyphs() -> None:
    """One row a font, one column a glyph, so that training needs no fonts."""
    sheet = Image.new("L", (MASK * len(GLYPHS), MASK * len(world.FONTS)))
    for row, path in enumerate(world.FONTS):
        for column, glyph in enumerate(GLYPHS):
            sheet.paste(glyph_mask(path, glyph), (column * MASK, row * MASK))
    sheet.save(HERE / "glyphs.png", optimize=True)


@lru_cache
def masks(device: str) -> torch.Tensor:
    """Shapes, then glyphs: float [masks, 1, 64, 64], 0-1."""
    sheet = np.asarray(Image.open(HERE / "glyphs.png")).reshape(len(world.FONTS), MASK, len(GLYPHS), MASK)
    shapes = np.stack([np.asarray(shape_mask(shape)) for shape in SHAPES])
    both = np.concatenate((shapes, sheet.transpose(0, 2, 1, 3).reshape(-1, MASK, MASK)))
    return torch.from_numpy(both / np.float32(255))[:, None].to(device)


class Raster:
    """A bank of scenes on a device, ready to be drawn."""

    def __init__(self, bank: SceneBank, device: str):
        self.device = device
        self.fields = {name: torch.from_numpy(np.ascontiguousarray(bank.records[name])).to(device)
                       for name in bank.records.dtype.names}
        self.labels, self.offsets = (torch.from_numpy(x).to(device) for x in (bank.labels, bank.offsets))
        self.scene, self.second = (torch.from_numpy(x).to(device) for x in (bank.scene, bank.second))

    def frames(self, pairs: torch.Tensor, lens: Lens) -> torch.Tensor:
        """Pairs by their numbers [n], seen through one lens each: float [n, 2, 112, 112, 3], 0-255."""
        with torch.autocast(torch.device(self.device).type, enabled=False):
            return shoot(self.cut(pairs, lens.sway()), lens)

    def cut(self, pairs: torch.Tensor, sway: torch.Tensor) -> torch.Tensor:
        """As `drawn`, but where a scene starts with a cut, its first frame is the last one of the scene before."""
        drawn = self.drawn(pairs, sway)
        cut = (self.fields["cut"][self.scene[pairs]] & (self.second[pairs] == 0) & (pairs > 0)).nonzero()[:, 0]
        if len(cut):
            drawn[cut, 0] = self.drawn(pairs[cut] - 1, sway[cut])[:, 1]
        return drawn

    def drawn(self, pairs: torch.Tensor, sway: torch.Tensor) -> torch.Tensor:
        """Pairs as no camera has seen them yet: [n, 2, 3, 112, 112]."""
        fields = {name: value[self.scene[pairs]] for name, value in self.fields.items()}
        return self.things(fields, self.second[pairs], self.ground(fields), sway)

    def world(self, f: dict) -> torch.Tensor:
        """Where in the world each pixel of each picture looks: [n, 112, 112, 2], 0-112."""
        line = torch.arange(SIZE, device=self.device) + 0.5 - SIZE / 2
        y, x = torch.meshgrid(line, line, indexing="ij")
        x, y = (v - f["shift"][:, i, None, None] for i, v in enumerate((x, y)))
        c, s = (v[:, None, None] / f["zoom"][:, None, None] for v in (f["tilt"].cos(), f["tilt"].sin()))
        return torch.stack((c * x + s * y, c * y - s * x), -1) + SIZE / 2

    def ground(self, f: dict) -> torch.Tensor:
        """Background, what lies beyond it, and how much of the rim covers it: [n, 3, 112, 112] each, the last [n, 1, ..]."""
        place = self.world(f)
        unit = place / (SIZE / 2) - 1
        wide = lambda name: f[name][:, None, None]
        along = unit[..., 0] * wide("angle").cos() + unit[..., 1] * wide("angle").sin()
        part = wide("blotch_count")[..., None] / f["blotches"].shape[-1]
        blotched = F.grid_sample(f["blotches"][:, None], unit * part, mode="bicubic", padding_mode="border", align_corners=False)[:, 0]
        striped = (along * wide("stripes")).sin().sign()
        kinds = torch.stack((torch.zeros_like(along), along, blotched, striped))
        pattern = kinds[f["kind"], torch.arange(len(along), device=self.device)]
        colour = f["base"][:, :, None, None] + (pattern * wide("amount"))[:, None] * f["gains"][:, :, None, None]
        depth = SIZE / 2 - (place - SIZE / 2).abs().amax(-1)  # pixels from the nearest edge, negative beyond it
        grain = 1 + 0.12 * (depth.floor() * 2.6 + wide("phase")).sin()
        wood = f["wood"][:, :, None, None] * grain[:, None]
        rim = ((wide("rim") - depth + 0.5).clamp(0, 1) * (wide("rim") > 0))[:, None]
        outside = (0.5 - depth).clamp(0, 1)[:, None]
        over = torch.lerp(wood, f["beyond"][:, :, None, None].expand_as(wood), outside)
        return colour.clamp(0, 255), over.clamp(0, 255), torch.maximum(rim, outside)

    def things(self, f: dict, second: torch.Tensor, ground: tuple, sway: torch.Tensor) -> torch.Tensor:
        """Lays the things on the ground and the rim over them: [n, 2, 3, 112, 112]."""
        colour, over, covered = ground
        line = (torch.arange(SIZE * FINER, device=self.device) + 0.5) / FINER
        y, x = torch.meshgrid(line, line, indexing="ij")
        pixels, images = torch.stack((x, y), -1), []
        for frame in range(2):
            picture = colour.clone()
            for index in range(f["mask"].shape[1]):
                centre = f["path"][torch.arange(len(second), device=self.device), index, 2 * second + frame]
                there = (~centre.isnan().any(-1)).nonzero()[:, 0]
                if len(there):
                    thing = {name: f[name][there, index] for name in ("mask", "card", "ink", "paper", "radius", "turn", "letter")}
                    picture[there] = self.lay(picture[there], thing, pixels - (centre + sway[:, frame])[there, None, None])
            images.append(torch.lerp(picture, over, covered))
        return torch.stack(images, 1)

    def lay(self, picture: torch.Tensor, thing: dict, offset: torch.Tensor) -> torch.Tensor:
        """One thing each on pictures [n, 3, 112, 112]; `offset` [n, 224, 224, 2]: pixels from its centre."""
        wide = lambda value: value[:, None, None]
        x, y = (offset / wide(thing["radius"])[..., None]).unbind(-1)
        c, s = wide(thing["turn"].cos()), wide(thing["turn"].sin())
        x, y = c * x + s * y, c * y - s * x
        size = REACH * wide(torch.where(thing["card"], thing["letter"] / LETTER, 1.0))
        mask = F.grid_sample(masks(self.device)[thing["mask"]], torch.stack((x / size, y / size), -1), align_corners=False)
        paper = ((torch.maximum(x.abs(), y.abs()) < HALF_CARD) & wide(thing["card"])).float()[:, None]
        for cover, colour in ((paper, thing["paper"]), (mask, thing["ink"])):
            picture = torch.lerp(picture, colour[:, :, None, None].expand_as(picture), F.avg_pool2d(cover, FINER))
        return picture


def contact_sheet(path: Path) -> None:
    """Twelve scenes, one a column, second by second."""
    bank = SceneBank.draw((0,), 12, 1)
    pairs = torch.arange(len(bank.scene))
    frames = Raster(bank, "cpu").frames(pairs, Lens.draw(len(pairs), torch.Generator().manual_seed(1), "cpu"))
    sheet = Image.new("RGB", (12 * SIZE, 6 * SIZE))
    for number, (scene, second) in enumerate(zip(bank.scene, bank.second)):
        sheet.paste(Image.fromarray(frames[number, 1].numpy().astype(np.uint8)), (int(scene) * SIZE, int(second) * SIZE))
    sheet.save(path)


if __name__ == "__main__":
    contact_sheet(Path(sys.argv[1])) if len(sys.argv) > 1 else write_glyphs()
