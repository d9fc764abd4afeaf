"""One frame of an animal and its truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motioncopy.errors import DataError

Floats = NDArray[np.float64]

#: Millimetres between the camera and the floor, as in Lie-X's mouse videos.
CAMERA_HEIGHT = 850.0


@dataclass(frozen=True)
class AnimalFrame:
    """Coordinates are pixels, the centre of the top left pixel is (0, 0).

    Attributes:
        image: ``(H, W, 3)`` uint8 RGB, anti-aliased.
        mask: ``(H, W)`` uint8, 255 where at least half of the pixel shows the animal, its tail and fins included.
        joints: ``(J, 3)`` float32, of fish21 or mouse5; confidence 1, or 0 outside the image.
        joints_3d: ``(J, 3)`` float64 in millimetres as the camera sees them: x to the right, y up, z negative.
        height: ``(H, W)`` float32 millimetres above the floor, of mice; ``None`` for fish.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    joints: NDArray[np.float32]
    joints_3d: NDArray[np.float64]
    height: NDArray[np.float32] | None = None


def focal_length(pixels_a_millimetre: float) -> float:
    """In pixels, of the camera that shows the floor at this scale."""
    return pixels_a_millimetre * CAMERA_HEIGHT


def lift(points: Floats, above: Floats, focal: float, size: tuple[int, int]) -> Floats:
    """Where points of the image are in space.

    The camera projects (x, y, z) to (cx - f x / z, cy + f y / z) with cx = (W - 1) / 2, cy = (H - 1) / 2.

    Args:
        points: ``(J, 2)`` pixels.
        above: ``(J,)`` millimetres above the floor.
        focal: In pixels.
        size: (height, width) of the image.
    """
    depth = above - CAMERA_HEIGHT
    middle = np.array([size[1] - 1, size[0] - 1]) / 2
    flat = (points - middle) * depth[:, None] / (np.array([-1.0, 1.0]) * focal)
    lifted: Floats = np.concatenate([flat, depth[:, None]], axis=1)
    return lifted


def check_clip(seed: int, frames: int, fps: float, size: tuple[int, int]) -> None:
    """Refuses a clip that cannot be rendered.

    Raises:
        DataError: If a value is out of its range.
    """
    if seed < 0 or frames < 1 or fps <= 0 or not 32 <= min(size) <= max(size) <= 2048:
        raise DataError(
            "an animal cannot be rendered so",
            expected="seed >= 0, frames >= 1, fps > 0 and 32 to 2048 pixels a side",
            found=f"seed {seed}, {frames} frames, {fps} fps, {size}",
        )
