"""Prepared clips of drawn discs, whose masks, joints and other parts are known exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motioncopy.footage.clips import Clip, ClipWriter
from motioncopy.skeletons import BODY25

PLACE = 40  # grey value of the place


def write_discs(
    path: Path,
    centres: NDArray[np.float64],
    *,
    size: tuple[int, int],
    radius: float = 4,
    person: str = "ann",
    confidence: NDArray[np.float64] | None = None,
    every_part: bool = False,
) -> Clip:
    """A clip with a white disc at ``centres[t]`` (x, y); all joints lie there.

    The value of every frame's first pixel is its number, by which tests know it again.
    """
    frames = len(centres)
    rows, columns = np.mgrid[: size[0], : size[1]]
    apart = (columns[None] - centres[:, :1, None]) ** 2 + (rows[None] - centres[:, 1:, None]) ** 2
    masks = np.where(apart <= radius**2, 255, 0).astype(np.uint8)
    images = np.where(masks[..., None] > 0, 255, PLACE).astype(np.uint8).repeat(3, axis=-1)
    images[:, 0, 0] = np.arange(frames)[:, None]
    joints = np.ones((frames, len(BODY25), 3), np.float32)
    joints[..., :2] = centres[:, None]
    if confidence is not None:
        joints[..., 2] = confidence[:, None]
    joints[joints[..., 2] == 0] = 0
    moved = np.diff(centres, axis=0, prepend=centres[:1])
    parts: dict[str, Any] = {
        "parsing": np.where(masks > 0, 2, 0).astype(np.uint8),
        "flow": np.broadcast_to(-moved[:, None, None], (frames, *size, 2)).astype(np.float32),
        "hand_left": joints[:, :1].repeat(21, axis=1),
        "hand_right": joints[:, :1].repeat(21, axis=1),
        "face": joints[:, :1].repeat(70, axis=1),
    }
    with ClipWriter(
        path, clip_id=path.name, person=person, fps=25.0, size=size, skeleton="body25", source=None, backends={},
        parts=("mask", "parsing", "flow") if every_part else ("mask",),
    ) as writer:  # fmt: skip
        writer.append(images, joints, masks, **(parts if every_part else {}))
        writer.set_background(np.full((*size, 3), PLACE, np.uint8))
    return Clip.open(path)


def still(x: float, y: float, frames: int = 10) -> NDArray[np.float64]:
    """Centres of a disc that does not move."""
    return np.tile((x, y), (frames, 1)).astype(float)
