"""A miniature of SoloDance: two puppets to train on and three to test on, in all trees of C2F-FWN's layout.

Frames are 640x360, or upright as 192x256 and 384x512. Joints are in pixels of the stored frames but for two of the
wide videos, which stand for ones that were made smaller after OpenPose had seen them at 1920x1080.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.puppets.rendering import Frame, Performance, background, render
from motioncopy.footage import Framing

_SEEN = (1080, 1920)
_FPS = 30.0


@dataclass(frozen=True)
class Take:
    """One video.

    Attributes:
        person: Who dances.
        motion: What.
        seed: Of the motion.
        size: (height, width) of the stored frames.
        shrunk: Whether OpenPose saw it at 1920x1080.
    """

    person: str
    motion: str
    seed: int
    size: tuple[int, int] = (360, 640)
    shrunk: bool = False


TAKES: Mapping[str, Sequence[Take]] = {
    "train": (Take("ana", "disco", 11, shrunk=True), Take("ben", "groove", 12, (256, 192))),
    "test": (
        Take("cleo", "disco", 13, shrunk=True),
        Take("liv", "side_steps", 14),
        Take("max", "kicks", 15, (512, 384)),
    ),
}


def write(out: Path, takes: Mapping[str, Sequence[Take]] = TAKES, *, frames: int = 60) -> None:
    """Writes it.

    Args:
        out: The root; an empty folder.
        takes: The videos of ``train`` and ``test``.
        frames: Of each video.
    """
    numbered = enumerate(((phase, take) for phase, some in takes.items() for take in some), start=1)
    for number, (phase, take) in numbered:
        performance = Performance(take.person, take.motion, take.seed, frames, _FPS, take.size)
        film = [render(performance, i) for i in range(frames)]
        for side, shown in (("target", film[:1]), ("source", film)):
            for i, frame in enumerate(shown, start=1):
                _write_frame(out / phase, phase, side, f"video_{number:03d}", f"{i:05d}", frame, take)
        place = out / phase / f"{phase}_bg" / f"video_{number:03d}.jpg"
        _write_image(place, background(take.person, take.size))


def _write_frame(folder: Path, phase: str, side: str, video: str, name: str, frame: Frame, take: Take) -> None:
    def path(tree: str, file: str) -> Path:
        return folder / f"{phase}_{tree}" / side / video / f"{side[0]}{tree}" / file

    _write_image(path("img", f"{name}.jpg"), frame.image)
    _write_image(path("fg", f"{name}.png"), np.where(frame.mask[..., None] > 0, frame.image, 0))
    _write_image(path("parsing", f"{name}.png"), frame.lip)
    pose = path("pose", f"{name}_keypoints.json")
    pose.parent.mkdir(parents=True, exist_ok=True)
    pose.write_text(json.dumps(openpose(frame, Framing(take.size, _SEEN, (0, 0), _SEEN) if take.shrunk else None)))


def openpose(frame: Frame, framing: Framing | None = None) -> dict[str, Any]:
    """What OpenPose would write of a frame; of a larger one, if there is a framing."""

    def flat(joints: NDArray[np.float32]) -> list[float]:
        seen = np.where(joints[:, 2:] > 0, joints, 0).astype(np.float32)
        moved = framing.joints(seen) if framing else seen
        return [round(float(value), 3) for value in moved.ravel()]

    person: dict[str, list[float]] = {
        "person_id": [-1],
        "pose_keypoints_2d": flat(frame.joints),
        "face_keypoints_2d": flat(frame.face),
        "hand_left_keypoints_2d": flat(frame.hand_left),
        "hand_right_keypoints_2d": flat(frame.hand_right),
    }
    person |= {f"{group}_keypoints_3d": [] for group in ("pose", "face", "hand_left", "hand_right")}
    return {"version": 1.3, "people": [person]}


def _write_image(path: Path, image: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    if not cv2.imwrite(str(path), bgr):
        raise OSError(f"{path} could not be written")
