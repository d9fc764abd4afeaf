"""What the miniatures of Fish and Mouse share: a take, and the ways in which recordings lie on disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import h5py
import numpy as np
from numpy.typing import NDArray

from datamodules.puppets.animals import AnimalFrame, Performance, background, render
from motioncopy.footage.video import VideoWriter


@dataclass(frozen=True)
class Take:
    """One recording.

    Attributes:
        animal: Which of the cast.
        name: The recording's; of a folder of images, the animal's name says that they lie in the animal's own folder.
        kind: How the frames lie there.
        seed: Of the motion.
        poses: Whether there is a pose text.
        camera: Whether there is a ``camera.json``.
        empty: Frames before the animal comes in.
    """

    animal: str
    name: str
    kind: Literal["video", "images", "stack"]
    seed: int
    poses: bool = False
    camera: bool = False
    empty: int = 0


def write_take(
    root: Path, take: Take, performance: Performance, *, dataset: str, heights: bool = False, tail_first: bool = False
) -> None:
    """Writes a recording.

    Args:
        root: The miniature's.
        take: How.
        performance: What is filmed.
        dataset: What the frames of a stack are called.
        heights: Whether a stack holds millimetres above the floor, not the picture's grey.
        tail_first: Whether lines of the pose text begin with the tail.
    """
    folder = root / take.animal
    film = [render(performance, i) for i in range(performance.frames)]
    images = np.stack([*[background(performance)] * take.empty, *(frame.image for frame in film)])
    path = folder if take.name == take.animal else folder / take.name
    folder.mkdir(parents=True, exist_ok=True)
    if take.kind == "video":
        with VideoWriter(path.with_suffix(".mp4"), performance.fps, performance.size) as video:
            video.write(images)
    elif take.kind == "images":
        path.mkdir(exist_ok=True)
        for number, image in enumerate(images, start=1):
            if not cv2.imwrite(str(path / f"{number:05d}.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
                raise OSError(f"a frame could not be written to {path}")
    else:
        with h5py.File(path.with_suffix(".h5"), "w") as file:
            stack = _heights(film, take.empty) if heights else images.mean(axis=3).round().astype(np.uint8)
            file.create_dataset(dataset, data=stack, compression="gzip").attrs["fps"] = performance.fps
    points = np.stack([frame.joints_3d for frame in film])
    if take.poses:
        rows = (points[:, ::-1] if tail_first else points).reshape(len(points), -1)
        lines = ("".join(f"{value:g} " for value in row) for row in rows)
        path.with_suffix(".txt").write_text("\n".join(lines) + "\n", encoding="ascii")
    if take.camera:
        seen = np.stack([frame.joints[:, :2] for frame in film])
        middle = (np.array(performance.size[::-1]) - 1) / 2
        focal = float(np.abs(seen - middle).sum() / np.abs(points[..., :2] / points[..., 2:]).sum())
        # The puppets' camera looks along -Z, and Y points up.
        content = dict(zip(("fx", "fy", "cx", "cy"), (-round(focal, 3), round(focal, 3), *middle), strict=True))
        (folder / "camera.json").write_text(json.dumps(content) + "\n", encoding="utf-8")


def _heights(film: Sequence[AnimalFrame], empty: int) -> NDArray[np.uint8]:
    found = [frame.height for frame in film if frame.height is not None]
    stack: NDArray[np.uint8] = np.stack([*[np.zeros_like(found[0])] * empty, *found]).round().clip(0, 255)
    return stack.astype(np.uint8)
