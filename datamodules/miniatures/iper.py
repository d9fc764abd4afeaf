"""A miniature of iPER's 256-pixel release: two puppets to train on and three to test on, each in two videos.

In the first video of each, they face the camera and turn round, in the second they move freely, as in iPER. Images of
the first hold PNG data under the name .jpg, as ``unzip_iPER.py`` leaves them, those of the second are JPEGs; one video
is not unpacked, only an MP4. ``kps.pkl`` holds the true joints, of hidden ones too, as a fitted body's would be;
``pose_shape.pkl`` arrays of the right shapes and a camera around the body. Its general trials are not iPER's, whose
frames it does not have, but those of :meth:`datamodules.native.NativeData.general_trials`, over the people of its own
val.txt.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.puppets.rendering import Frame, Performance, render
from motioncopy.footage.perception.smpl import SMPL_KPS
from motioncopy.footage.video import VideoWriter
from motioncopy.skeletons import BODY25

_FPS = 30.0
# A head's top lies this many times as far from the neck as the ears do.
_HEAD_TOP = 1.7


@dataclass(frozen=True)
class Take:
    """One video.

    Attributes:
        name: ``actor/outfit/action``.
        person: Who is in it.
        motion: What is done.
        seed: Of the motion.
        split: ``train`` or ``val``.
        frames: How many.
        form: As what the frames lie there: ``png`` or ``jpg`` data under the name .jpg, or an ``mp4``.
    """

    name: str
    person: str
    motion: str
    seed: int
    split: str
    frames: int = 56
    form: str = "png"


# With these seeds, a puppet that turns round begins by facing the camera.
TAKES: Sequence[Take] = (
    Take("002/1/1", "finn", "turn_round", 9, "train"),
    Take("002/1/2", "finn", "groove", 31, "train", form="jpg"),
    Take("003/2/1", "gita", "turn_round", 13, "train"),
    Take("003/2/2", "gita", "boxing", 32, "train", form="jpg"),
    Take("001/9/1", "jon", "turn_round", 22, "val"),
    Take("001/9/2", "jon", "kicks", 33, "val", form="jpg"),
    Take("004/1/1", "kim", "turn_round", 4, "val"),
    Take("004/1/2", "kim", "stretch", 34, "val", form="jpg"),
    Take("007/1/1", "nora", "turn_round", 65, "val"),
    Take("007/1/2", "nora", "disco", 35, "val", form="mp4"),
)


def write(out: Path, videos: Sequence[Take] = TAKES, *, size: int = 256) -> None:
    """Writes it.

    Args:
        out: The root; an empty folder.
        videos: What is in it.
        size: Height and width of the frames.
    """
    for take in videos:
        performance = Performance(take.person, take.motion, take.seed, take.frames, _FPS, (size, size))
        film = [render(performance, i) for i in range(take.frames)]
        _write_frames(out, take, np.stack([frame.image for frame in film]))
        _write_smpls(out / "smpls" / take.name, film)
    for split in ("train", "val"):
        names = (take.name for take in videos if take.split == split)
        (out / f"{split}.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def key_points(joints: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """SMPL's joints as ``kps.pkl`` holds them: what :func:`datamodules.iper.read_kps` reads, read backwards.

    Args:
        joints: ``(F, 25, 3)``, body25, in pixels of square frames; every place counts, whatever its confidence.
        size: Height and width of those.

    Returns:
        ``(F, 19, 2)``: a pixel of the 1024-pixel video, divided by 512, less 1.
    """
    large = (joints[..., :2] + 0.5) * (1024 / size) - 0.5
    places: Mapping[str, NDArray[np.float32]] = {name: large[:, i] for i, name in enumerate(BODY25.joints)}
    ears = (places["left_ear"] + places["right_ear"]) / 2
    top = places["neck"] + _HEAD_TOP * (ears - places["neck"])
    points = [top if name == "head_top" else places[name] for name in SMPL_KPS]
    return np.stack(points, axis=1).astype(np.float32) / np.float32(512) - 1


def _write_frames(out: Path, take: Take, images: NDArray[np.uint8]) -> None:
    if take.form == "mp4":
        path = out / "iPER_256_video_release" / f"{take.name.replace('/', '_')}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        with VideoWriter(path, _FPS, (images.shape[1], images.shape[2])) as video:
            video.write(images)
        return
    folder = out / "images" / take.name
    folder.mkdir(parents=True)
    digits = len(str(len(images)))
    for number, image in enumerate(images):
        done, data = cv2.imencode(f".{take.form}", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        assert done
        (folder / f"{number:0{digits}}.jpg").write_bytes(data.tobytes())


def _write_smpls(folder: Path, film: Sequence[Frame]) -> None:
    joints = np.stack([frame.joints for frame in film])
    kps = key_points(joints, film[0].image.shape[0])
    low, high = kps.min(axis=1), kps.max(axis=1)
    camera = np.column_stack([(high - low)[:, 1] / 2, (low + high) / 2])  # scale, and where the middle of the body lies
    pose = np.zeros((len(film), 72), np.float32)
    pose[:, 0] = np.pi  # SMPL stands on its head in the camera's coordinates
    contents: Mapping[str, Mapping[str, Any]] = {
        "kps": {"kps": kps},
        "pose_shape": {"cams": camera.astype(np.float32), "pose": pose, "shape": np.zeros((len(film), 10), np.float32)},
    }
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(content, protocol=2))
