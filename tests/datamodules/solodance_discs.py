"""SoloDance drawn: white discs whose joints, labels and place are known, in all trees of the layout."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.native import MINIATURE
from datamodules.solodance import SoloDance
from motioncopy.footage.clips import Clip
from motioncopy.skeletons import BODY25

FRAMES = 13
GREY = 90
WIDE, TALL = (90, 160), (128, 96)


@dataclass
class Disc:
    """A video of a white disc, with joints on its upright diameter, on a grey place."""

    phase: str
    name: str
    size: tuple[int, int] = TALL
    seen: tuple[int, int] | None = None  # (height, width) in whose pixels the joints are
    folder: str | None = None  # of the source's trees, below ``source``
    frames: int = FRAMES

    def centre(self, frame: int) -> NDArray[np.float64]:
        """x and y as shares of the frame."""
        return np.array((0.45 + 0.005 * frame, 0.55))

    def joints(self, frame: int) -> NDArray[np.float64]:
        """In pixels of :attr:`seen`."""
        height, width = self.seen or self.size
        joints = np.ones((len(BODY25), 3))
        joints[:, :2] = self.centre(frame) * (width, height) - 0.5
        joints[:, 1] += np.linspace(-0.15, 0.15, len(BODY25)) * height
        return joints


def write_discs(root: Path, *discs: Disc) -> Path:
    """All trees of these videos, marked as a miniature."""
    root.mkdir(parents=True, exist_ok=True)
    (root / MINIATURE).write_text(json.dumps({"data": "solodance"}))
    for disc in discs:
        height, width = disc.size
        rows, columns = np.mgrid[:height, :width]
        for i in range(disc.frames):
            x, y = disc.centre(i) * (width, height) - 0.5
            inside = (rows - y) ** 2 + (columns - x) ** 2 <= (0.2 * height) ** 2
            person = person_of(disc.joints(i))
            drawn: dict[str, Any] = {
                "img": np.where(inside, 255, GREY).astype(np.uint8),
                "fg": np.where(inside, 255, 0).astype(np.uint8),
                "parsing": np.where(inside, 5, 0).astype(np.uint8),
                "pose": {"version": 1.3, "people": [person]},
            }
            for tree, what in drawn.items():
                for side in ("source", "target") if i == 0 else ("source",):
                    below = disc.folder if disc.folder and side == "source" else f"{disc.name}/{side[0]}{tree}"
                    put(tree_of(root, disc.phase, tree, side) / below, f"{i:05d}", what)
        put(root / disc.phase / f"{disc.phase}_bg", disc.name, np.full(disc.size, GREY, np.uint8), ".jpg")
    return root


def tree_of(root: Path, phase: str, tree: str, side: str = "source") -> Path:
    return root / phase / f"{phase}_{tree}" / side


def person_of(joints: NDArray[np.float64]) -> dict[str, list[float]]:
    return {
        "pose_keypoints_2d": joints.ravel().tolist(),
        "face_keypoints_2d": joints[:1].repeat(70, axis=0).ravel().tolist(),
        "hand_left_keypoints_2d": joints[4:5].repeat(21, axis=0).ravel().tolist(),
        "hand_right_keypoints_2d": joints[7:8].repeat(21, axis=0).ravel().tolist(),
    }


def put(folder: Path, name: str, what: Any, suffix: str = ".png") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(what, dict):
        (folder / f"{name}_keypoints.json").write_text(json.dumps(what))
    else:
        cv2.imwrite(str(folder / f"{name}{suffix}"), what)


def data_of(root: Path, **options: Any) -> SoloDance:
    return SoloDance(str(root), prepared=str(root.parent / "prepared"), **options)


def prepared(root: Path, phase: str = "test", name: str = "video_2") -> Clip:
    return data_of(root).clip(f"{phase}-{name}")


def two(root: Path, **test: Any) -> Path:
    """A video to train and one to test on."""
    return write_discs(root, Disc("train", "video_1"), Disc("test", "video_2", **test))
