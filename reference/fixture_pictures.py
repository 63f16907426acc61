"""Random test pictures: smooth colour waves that drift from frame to frame, plus noise."""

from __future__ import annotations

import numpy as np


def random_frames(seed: int, count: int, height: int, width: int) -> np.ndarray:
    """uint8 [count, height, width, 3]; consecutive frames resemble each other."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / 28.0
    waves = rng.normal(0, 1.2, size=(3, 4, 2))  # [channel, wave, (y, x)] cycles a 28-pixel token
    phase = rng.uniform(0, 2 * np.pi, size=(3, 4))
    drift = rng.normal(0, 0.6, size=(3, 4))  # radians a frame
    base = rng.uniform(70, 190, size=3)
    frames = np.empty((count, height, width, 3))
    for i in range(count):
        for channel in range(3):
            level = np.full((height, width), base[channel])
            for wave in range(4):
                angle = 2 * np.pi * (waves[channel, wave, 0] * y + waves[channel, wave, 1] * x)
                level += 28 * np.sin(angle + phase[channel, wave] + i * drift[channel, wave])
            frames[i, :, :, channel] = level
    frames += rng.normal(0, 18, size=frames.shape)
    return np.clip(np.rint(frames), 0, 255).astype(np.uint8)
