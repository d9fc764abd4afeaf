"""Bright worms on a dark ground whose 3-D joints are known, and something that sees them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import cv2
import h5py
import numpy as np
from numpy.typing import NDArray

from datamodules.animals import AnimalData
from datamodules.projection import Camera
from motioncopy.footage import Footage
from motioncopy.footage.perception.backends import Images, PoseEstimator, Poses
from motioncopy.footage.video import VideoWriter
from motioncopy.skeletons import FISH21, Skeleton

SIZE = (48, 64)
FRAMES = 40
#: Looks along -Z, and Y points up, as in the public pose texts.
CAMERA = Camera(-600.0, 600.0, 31.5, 23.5)


def chain(joints: int = 21, *, frames: int = FRAMES, seed: int = 0) -> NDArray[np.float64]:
    """``(frames, joints, 3)`` of a worm that swims about, head first, 840 units away."""
    random = np.random.default_rng(seed)
    t = np.arange(frames) / 10 + random.uniform(0, 6)
    place = np.stack([18 * np.sin(t), 10 * np.cos(1.3 * t)], axis=1)
    heading = np.arctan2(-13 * np.sin(1.3 * t), 18 * np.cos(t))
    along = np.linspace(10, -10, joints)
    points = np.empty((frames, joints, 3))
    points[..., :2] = place[:, None] + along[None, :, None] * np.stack([np.cos(heading), np.sin(heading)], 1)[:, None]
    points[..., 2] = -840 + 5 * np.sin(t)[:, None]
    return points


def film(points: NDArray[np.float64], camera: Camera = CAMERA) -> Images:
    """``(frames, *SIZE, 3)``."""
    images = np.full((len(points), *SIZE, 3), 30, np.uint8)
    for image, joints in zip(images, camera(points), strict=True):
        cv2.polylines(image, [np.round(joints * 16).astype(np.int32)], False, (220, 200, 90), 3, cv2.LINE_AA, 4)
    return images


def write_text(path: Path, points: NDArray[np.float64]) -> None:
    """As Lie-X's authors write poses: six digits, and a blank at the end of each line."""
    lines = ("".join(f"{value:g} " for value in row) for row in points.reshape(len(points), -1))
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def write_images(folder: Path, images: Images) -> None:
    """A file a frame."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, image in enumerate(images):
        cv2.imwrite(str(folder / f"{k:04d}.png"), image[..., ::-1])


def write_video(path: Path, images: Images) -> None:
    """Thirty frames a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, 30.0, images.shape[1:3]) as writer:
        writer.write(images)


def write_stack(path: Path, images: Images) -> None:
    """Grey frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["video"] = images[..., 0]


def write_camera(folder: Path, camera: Camera = CAMERA) -> None:
    """``camera.json``."""
    content = {"fx": camera.fx, "fy": camera.fy, "cx": camera.cx, "cy": camera.cy}
    (folder / "camera.json").write_text(json.dumps(content))


class Watcher:
    """Sees what is bright: its mask, and joints along its long axis, whose direction it does not know."""

    name, version, groups = "watcher", "1", ()
    skeleton = FISH21.name

    def start(self, footage: Footage) -> None:
        """Nothing to do."""

    def __call__(self, images: Images) -> Poses:
        """See :class:`motioncopy.footage.perception.backends.PoseEstimator`."""
        masks = (images[..., 0] > 110).astype(np.uint8) * 255
        joints = np.zeros((len(images), len(FISH21), 3), np.float32)
        for mask, found in zip(masks, joints, strict=True):
            points = np.argwhere(mask)[:, ::-1].astype(float)
            if len(points) > 5:
                middle = points.mean(axis=0)
                axis = np.linalg.svd(points - middle, full_matrices=False)[2][0]
                reach = (points - middle) @ axis
                ends = np.linspace(reach.max() - 1.5, reach.min() + 1.5, len(FISH21))
                found[:, :2], found[:, 2] = middle + ends[:, None] * axis, 1
        return Poses(joints, mask=masks)


class Worms(AnimalData):
    """Any animal, seen by :class:`Watcher`."""

    data_set: ClassVar[str] = "fish"
    origin: ClassVar[str] = "Drawn."
    skeleton: ClassVar[Skeleton] = FISH21
    tail_first: ClassVar[bool] = False

    @classmethod
    def perception(cls) -> PoseEstimator:
        """See :class:`Watcher`."""
        return Watcher()


def worms(root: Path, **options: Any) -> Worms:
    """The data of a root, prepared beside it."""
    return Worms(str(root), prepared=str(root.with_name("prepared")), **options)
