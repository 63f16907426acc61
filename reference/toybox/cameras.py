"""Rougher cameras for clips that are already drawn: codec, tilt, crop, uneven light, no rim, all at once.

Each condition takes and gives frames uint8 [pairs, 2, 112, 112, 3]. H.264 is ffmpeg's own where it is
installed, else the model of a codec that training uses.
"""

import shutil
import subprocess

import numpy as np
import torch
from PIL import Image

from lens import Lens, compress
from world import FRAMES_PER_SECOND, SIZE

FILMED = 224  # pixels a side of the coded video
PLAYED = 10  # frames a second of the coded video
CRF = "36"  # constant quality, of 51: a clip comes to some 10-30 kbit/s
TILT, CROP = 2, 0.10  # degrees; the share cut off, half of it on each side
RIM = 8  # pixels: the widest that is drawn


def h264(frames: np.ndarray) -> np.ndarray:
    """There and back through a low-bitrate H.264 video."""
    if not shutil.which("ffmpeg"):
        return modelled_codec(frames)
    flat, repeat = frames.reshape(-1, SIZE, SIZE, 3), PLAYED // FRAMES_PER_SECOND
    size = lambda side: ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{side}x{side}", "-r", str(PLAYED)]
    coded = subprocess.run(["ffmpeg", "-v", "error", *size(SIZE), "-i", "-", "-vf", f"scale={FILMED}:{FILMED}:flags=bicubic",
                            "-c:v", "libx264", "-crf", CRF, "-pix_fmt", "yuv420p", "-g", "50", "-f", "matroska", "-"],
                           input=np.repeat(flat, repeat, 0).tobytes(), capture_output=True, check=True).stdout
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", "-", "-vf", f"scale={SIZE}:{SIZE}:flags=bilinear", "-f", "rawvideo",
                          "-pix_fmt", "rgb24", "-"], input=coded, capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, SIZE, SIZE, 3)[repeat // 2::repeat].reshape(frames.shape)


def modelled_codec(frames: np.ndarray) -> np.ndarray:
    lens = Lens.draw(len(frames), torch.Generator().manual_seed(0), "cpu")
    lens.quality, lens.residual = torch.full_like(lens.quality, 20), torch.ones_like(lens.residual)
    x = torch.from_numpy(np.array(frames)).float().permute(0, 1, 4, 2, 3)
    return compress(x, lens).permute(0, 1, 3, 4, 2).byte().numpy()


def each(frames: np.ndarray, change) -> np.ndarray:
    """`change` on every frame as a Pillow image."""
    flat = frames.reshape(-1, SIZE, SIZE, 3)
    return np.stack([np.asarray(change(Image.fromarray(f))) for f in flat]).reshape(frames.shape)


def tilted(frames: np.ndarray) -> np.ndarray:
    return each(frames, lambda image: image.rotate(TILT, Image.BICUBIC))


def cropped(frames: np.ndarray, edge: float = CROP / 2 * SIZE) -> np.ndarray:
    return each(frames, lambda image: image.resize((SIZE, SIZE), Image.BICUBIC, (edge, edge, SIZE - edge, SIZE - edge)))


def lit(frames: np.ndarray) -> np.ndarray:
    """Light from one corner, two and a half times as strong as in the other."""
    line = np.linspace(-1, 1, SIZE)
    light = 0.9 + 0.2 * line + 0.2 * line[:, None]
    return np.clip(frames * light[..., None], 0, 255).astype(np.uint8)


def rimless(frames: np.ndarray) -> np.ndarray:
    return cropped(frames, RIM)


CONDITIONS = {
    "clean": lambda frames: frames,
    "H.264 at low bitrate": h264,
    f"tilted by {TILT} degrees": tilted,
    f"cropped by {round(100 * CROP)} %": cropped,
    "uneven light": lit,
    "no rim": rimless,
    "all of these": lambda frames: h264(lit(cropped(tilted(frames)))),
}
