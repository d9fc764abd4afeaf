"""Small videos in every form that can be evaluated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from motioncopy.footage.video import VideoWriter

Frames = NDArray[np.uint8]


def moving(seed: int = 0, frames: int = 10, side: int = 64) -> Frames:
    """A texture that drifts to the right, with a camera's noise: without any, there is no change to compare."""
    random = np.random.default_rng(seed)
    image = gaussian_filter(random.normal(size=(side, side + 2 * frames, 3)), (2, 2, 0))
    image = 127 + 110 * image / np.abs(image).max()
    steps = [image[:, 2 * (frames - t) : 2 * (frames - t) + side] for t in range(frames)]
    return np.clip(np.stack(steps) + random.normal(0, 3, (frames, side, side, 3)), 0, 255).astype(np.uint8)


def mp4(path: Path, frames: Frames, fps: float = 25) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, fps, (frames.shape[1], frames.shape[2]), lossless=True) as writer:
        writer.write(frames)


def images(folder: Path, frames: Frames) -> None:
    folder.mkdir(parents=True)
    for t, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{t:04}.png")


def gif(path: Path, frames: Frames, milliseconds: int = 40) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *rest = [Image.fromarray(frame).quantize(256) for frame in frames]
    first.save(path, save_all=True, append_images=rest, duration=milliseconds, loop=0)


def array(path: Path, frames: Frames) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, frames)
