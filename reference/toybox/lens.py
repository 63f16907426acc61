"""What a camera and a video codec make of drawn pictures, in batches on any device.

Light (even and uneven), tint, noise, blur, shake, and compression: blocks of cosines with coarse
coefficients, as JPEG has them, the second frame of a pair often only as its difference from the first, as
H.264 has it. A quarter of the lenses are nearly perfect.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

BLOCK = 8
LUMA = torch.tensor([  # JPEG's tables, Annex K
    [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55], [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62], [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99]], dtype=torch.float32)
CHROMA = torch.full((8, 8), 99.0)
CHROMA[:4, :4] = torch.tensor([[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]])
TO_YCC = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
COSINES = torch.tensor([[math.sqrt((1 if k == 0 else 2) / BLOCK) * math.cos(math.pi * (2 * i + 1) * k / (2 * BLOCK))
                         for i in range(BLOCK)] for k in range(BLOCK)])


@dataclass
class Lens:
    """One camera a picture pair; every tensor has one row a pair."""
    gain: torch.Tensor  # [n, 3]
    offset: torch.Tensor  # [n]
    slope: torch.Tensor  # [n, 2]: how light grows to the right and downwards
    vignette: torch.Tensor  # [n]
    noise: torch.Tensor  # [n]: standard deviation
    blur: torch.Tensor  # [n]: 0-1
    shake: torch.Tensor  # [n]: standard deviation of `sway`
    quality: torch.Tensor  # [n]: JPEG's, 1-100
    residual: torch.Tensor  # bool [n]: the second frame is coded as a difference
    seed: torch.Generator

    @classmethod
    def draw(cls, n: int, generator: torch.Generator, device: str) -> "Lens":
        """Random lenses; repeat rows with `rows` where several pairs come from one camera."""
        uniform = lambda low, high, *shape: low + (high - low) * torch.rand(n, *shape, generator=generator, device=device)
        chance = lambda share: torch.rand(n, generator=generator, device=device) < share
        clean = chance(0.25)
        rough = torch.where(clean, 0.15, 1.0)
        lit = rough * chance(0.5)
        return cls(gain=(1 + (uniform(-0.28, 0.22) * rough)[:, None]) * (1 + uniform(-0.07, 0.07, 3) * rough[:, None]),
                   offset=uniform(-16, 16) * rough, slope=uniform(-0.3, 0.3, 2) * lit[:, None], vignette=uniform(0, 0.3) * lit,
                   noise=uniform(0, 9) * rough * chance(0.7), blur=uniform(0, 1) * chance(0.5),
                   shake=uniform(0, 1.5) * rough * chance(0.4),
                   quality=torch.where(clean, uniform(75, 95), uniform(15, 90)), residual=chance(0.5), seed=generator)

    def rows(self, index: torch.Tensor) -> "Lens":
        """The lenses at these places."""
        return Lens(**{name: value if name == "seed" else value[index] for name, value in vars(self).items()})

    def sway(self) -> torch.Tensor:
        """Pixels by which each frame of each pair is off, anew each time: [n, 2, 2]."""
        n, device = len(self.shake), self.shake.device
        return self.shake[:, None, None] * torch.randn(n, 2, 2, generator=self.seed, device=device)


def shoot(drawn: torch.Tensor, lens: Lens) -> torch.Tensor:
    """Drawn pictures [n, 2, 3, 112, 112] -> float [n, 2, 112, 112, 3], 0-255."""
    n, side = len(drawn), drawn.shape[-1]
    wide = lambda value: value.view(n, *value.shape[1:], *([1] * (5 - value.dim())))
    soft = drawn
    for dim in (-1, -2):  # each pixel and its neighbours as 1 : 2 : 1
        before, after = (torch.cat((soft.narrow(dim, at, 1), soft.narrow(dim, first, side - 1)), dim) if first == 0 else
                         torch.cat((soft.narrow(dim, first, side - 1), soft.narrow(dim, at, 1)), dim)
                         for at, first in ((0, 0), (side - 1, 1)))
        soft = (before + 2 * soft + after) / 4
    x = torch.lerp(drawn, soft, wide(lens.blur))
    line = torch.linspace(-1, 1, side, device=drawn.device)
    light = (1 + lens.slope[:, 0, None, None] * line + lens.slope[:, 1, None, None] * line[:, None]
             - lens.vignette[:, None, None] * (line ** 2 + line[:, None] ** 2) / 2)
    x = x * lens.gain[:, None, :, None, None] * light[:, None, None] + wide(lens.offset)
    x = x + wide(lens.noise) * torch.randn(x.shape, generator=lens.seed, device=x.device)
    return compress(x.clamp(0, 255), lens).permute(0, 1, 3, 4, 2)


def compress(x: torch.Tensor, lens: Lens) -> torch.Tensor:
    """Codes and decodes [n, 2, 3, 112, 112]."""
    ycc = torch.einsum("kc,ntchw->ntkhw", TO_YCC.to(x.device), x) - torch.tensor((128.0, 0, 0), device=x.device)[:, None, None]
    scale = torch.where(lens.quality < 50, 50 / lens.quality, 2 - lens.quality / 50).clamp(min=0.02)
    luma = coded(ycc[:, :, :1], LUMA, scale, lens.residual)
    small = coded(F.avg_pool2d(ycc[:, :, 1:].flatten(0, 1), 2).unflatten(0, (-1, 2)), CHROMA, scale, lens.residual)
    chroma = F.interpolate(small.flatten(0, 1), scale_factor=2, mode="bilinear").unflatten(0, (-1, 2))
    ycc = torch.cat((luma + 128, chroma), 2)
    return torch.einsum("ck,ntkhw->ntchw", torch.linalg.inv(TO_YCC).to(x.device), ycc).clamp(0, 255).round()


def coded(x: torch.Tensor, table: torch.Tensor, scale: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
    """Rounds the cosine coefficients of 8x8 blocks of [n, 2, planes, height, width] to multiples of table * scale."""
    d = COSINES.to(x.device)
    step = (table.to(x.device) * scale[:, None, None]).clamp(min=1).view(-1, 1, 1, BLOCK, 1, BLOCK)
    blocks = lambda v: v.unflatten(-1, (-1, BLOCK)).unflatten(-3, (-1, BLOCK))
    there = lambda v: torch.einsum("ki,npriwj,lj->nprkwl", d, blocks(v), d)
    back = lambda v: torch.einsum("ki,nprkwl,lj->npriwj", d, v, d).flatten(-2).flatten(-3, -2)
    first = back((there(x[:, 0]) / step).round() * step)
    base = first * residual[:, None, None, None]
    second = base + back((there(x[:, 1] - base) / step).round() * step)
    return torch.stack((first, second), 1)
