"""Fabrics: patterns as functions of the place on the body, in metres, so that they move with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.puppets.bodies import Floats
from datamodules.puppets.chance import uniforms
from datamodules.puppets.figures import Cloth
from motioncopy.errors import DataError


@dataclass(frozen=True)
class Strip:
    """The coordinates of a part's texture, one value a texel.

    Attributes:
        along: ``(h, 1)`` metres along the part.
        around: ``(1, w)`` azimuth in radians, -pi to pi, 0 in front.
        girth: Metres around.
        seed: Makes the noise of each part its own.
    """

    along: Floats
    around: Floats
    girth: float
    seed: int

    @property
    def shape(self) -> tuple[int, int]:
        """(h, w)."""
        return self.along.shape[0], self.around.shape[1]


def noise(shape: tuple[int, int], cell: int | tuple[int, int], seed: int) -> Floats:
    """Smooth noise of unit deviation that wraps around in x.

    Args:
        shape: (h, w).
        cell: Pixels a grain, or (along, across).
        seed: Any integer.
    """
    rows, columns = cell if isinstance(cell, tuple) else (cell, cell)
    grid = 12**0.5 * (uniforms((max(2, shape[0] // rows + 2), max(2, round(shape[1] / columns))), seed) - 0.5)
    grid = np.concatenate([grid[:, -2:], grid, grid[:, :2]], axis=1)
    step = shape[1] / (grid.shape[1] - 4)
    x = (np.arange(shape[1], dtype=np.float32) + 0.5) / step + 1.5
    y = (np.arange(shape[0], dtype=np.float32) + 0.5) / rows
    maps = np.meshgrid(x.astype(np.float32), y)
    field = cv2.remap(grid.astype(np.float32), maps[0], maps[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(field, float)


def weave(cloth: Cloth, strip: Strip, *, front: bool = False) -> Floats:
    """Colours of a fabric wrapped around a tube.

    Args:
        cloth: The fabric.
        strip: The tube's.
        front: Whether the tube is the torso, the one place for a logo.

    Returns:
        ``(h, w, 3)`` RGB, 0 to 255.

    Raises:
        DataError: If there is no such pattern.
    """
    mix = np.broadcast_to(_mix(cloth, strip, front), strip.shape)[..., None].astype(float)
    rgb = (1 - mix) * np.array(cloth.colour, float) + mix * np.array(cloth.second, float)
    # Folds: soft, longer along the limb than across it.
    folds = 1 + 0.055 * noise(strip.shape, (44, 20), strip.seed + 7) + 0.025 * noise(strip.shape, 6, strip.seed + 8)
    return np.asarray(rgb * folds[..., None])


def _mix(cloth: Cloth, strip: Strip, front: bool) -> NDArray[Any]:
    """Share of the second colour, broadcastable to the strip."""
    along, around, girth = strip.along, strip.around, strip.girth
    repeats = max(1, round(girth / cloth.scale))  # a whole number, so that the pattern closes
    turn = around / (2 * np.pi) * repeats
    step = along / cloth.scale
    pattern = cloth.pattern
    if pattern == "plain":
        return np.zeros((1, 1))
    if pattern == "hoops":
        return (step % 1) < 0.5
    if pattern == "pinstripes":
        return (turn % 1) < 0.22
    if pattern == "checks":
        return 0.5 * ((step % 1) < 0.5) + 0.5 * ((turn % 1) < 0.5)
    if pattern == "zigzag":
        return ((step + 0.5 * np.abs((turn % 1) * 2 - 1)) % 1) < 0.5
    if pattern == "dots":
        row = np.floor(step)
        return ((step % 1 - 0.5) ** 2 + ((turn + 0.5 * (row % 2)) % 1 - 0.5) ** 2) < 0.075
    if pattern == "floral":
        row = np.floor(step)
        shifted = turn + 0.5 * (row % 2)
        y, x = step % 1 - 0.5, shifted % 1 - 0.5
        petals = np.hypot(x, y) < 0.28 + 0.10 * np.cos(5 * np.arctan2(y, x) + row)
        return np.asarray(petals & (np.hypot(x, y) > 0.09))
    if pattern == "camouflage":
        blots = noise(strip.shape, round(cloth.scale * 225), strip.seed)
        return np.where(blots > 0.35, 1.0, np.where(blots < -0.5, 0.45, 0.0))
    if pattern == "denim":
        return 0.10 + 0.16 * np.exp(-((around / 0.8) ** 2)) + 0.04 * np.sin(900 * (along + around * girth / 6.28))
    if pattern == "side_stripe":  # along the outer seam of a leg (on the left one; the right one is its mirror image)
        return np.abs(around - np.pi / 2) < 0.3
    if pattern == "block":  # one colour above, one below, a band between them
        return along > 0.19 if front else np.zeros((1, 1))
    if pattern == "logo":
        return _star(along, around * girth / (2 * np.pi), cloth.scale) if front else np.zeros((1, 1))
    raise DataError(f"unknown pattern {pattern!r}")


def _star(along: Floats, across: Floats, size: float) -> NDArray[np.bool_]:
    """A ring with a star in it, on the chest, and a bar across the back."""
    y, x = (along - 0.17) / (0.5 * size), across / (0.5 * size)
    radius, turn = np.hypot(x, y), np.arctan2(x, -y)
    ring = (radius < 1.0) & (radius > 0.84)
    star = radius < 0.30 + 0.38 * np.abs(np.cos(2.5 * turn)) ** 1.5
    bar = (np.abs(along - 0.14) < 0.03) & (np.abs(across) > 0.75 * np.abs(across).max())
    return np.asarray(ring | star | bar)
