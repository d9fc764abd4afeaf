"""What tests of annotations share: footage that is only counted, and files one a frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from motioncopy.footage import ImageFolder


def footage(folder: Path, frames: int, size: tuple[int, int]) -> ImageFolder:
    """Black frames of that (height, width)."""
    save(folder, [np.zeros((*size, 3), np.uint8)] * frames)
    return ImageFolder(folder)


def save(folder: Path, images: Sequence[NDArray[np.uint8] | NDArray[np.bool_]]) -> Path:
    folder.mkdir(exist_ok=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i:03d}.png")
    return folder


def blank(frames: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """What a backend is called with."""
    return np.zeros((frames, *size, 3), np.uint8)
