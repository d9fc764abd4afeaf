"""iPER: people in many outfits before still cameras, turning round and moving freely."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from datamodules.native import NativeData, NativeRecording
from motioncopy.errors import DataError
from motioncopy.files.documents import read_text
from motioncopy.files.pickles import load
from motioncopy.footage import Footage, Framing, ImageFolder, open_footage
from motioncopy.footage.images import IMAGE_SUFFIXES
from motioncopy.footage.perception.backends import Joints
from motioncopy.footage.perception.mediapipe import MediaPipeMask
from motioncopy.footage.perception.precomputed import KnownPoses
from motioncopy.footage.perception.smpl import body25
from motioncopy.footage.prepare import Backends
from motioncopy.skeletons import BODY25

_LOG = logging.getLogger(__name__)
Split = Literal["train", "test"]
#: Which videos are in which split.
LISTS: Mapping[Split, str] = {"train": "train.txt", "test": "val.txt"}
#: Where frames lie: of the 256-pixel release unpacked and as it comes, and of the HD release.
IMAGES, VIDEOS, IMAGES_HD = "images", "iPER_256_video_release", "images_HD"
#: Height and width of the frames of which ``kps.pkl`` speaks.
KPS_SIZE = (1024, 1024)
#: Frames per second of images.
FPS = 30.0

# actor/outfit/action; nothing else, as it becomes a path.
_VIDEO = re.compile(r"\d{3}/\d{1,3}/\d{1,2}", re.ASCII)
_SHOWN = 5
_FARTHEST = 1e6  # pixels


class IPER(NativeData):
    """206 videos (241,564 frames) of 30 people in 103 outfits; 164 to train and 42 to test on.

    The root holds, with ``001/9/1`` for actor, outfit and action (1: turning in an A-pose, 2: free motion)::

        train.txt, val.txt                               one 001/9/1 a line; val.txt is the test split
        images/001/9/1/000.jpg ...                       frames from 0, padded to the digits of their count
        iPER_256_video_release/001_9_1.mp4               the same as a video
        smpls/001/9/1/{kps,pose_shape}.pkl               SMPL's joints; its parameters, which nothing here reads
        images_HD/001/9/1/...                            the HD release, 1024x1024
        primitives/001/9/1/processed/vid_info.pkl        what iPERCore's preprocessing leaves

    This is what svip-lab/impersonator at b041dd415157 (``doc/train.md``, ``tools/unzip_iPER.py``) and
    iPERDance/iPERCore at fcf9a18ffd66 (``docs/manually_download_datasets.md``) read and write.

    *Frames.* ``images``, and for a video that is not unpacked there its MP4. A root with neither folder is taken for
    the HD release. PNG data under the name .jpg, which ``unzip_iPER.py`` writes, is met with and read. Of HD frames,
    whose names are not documented, the order counts. Images have 30 frames a second, at which impersonator's demos
    play them; the rate that iPER was filmed at is not published.

    *Joints.* ``kps.pkl``, else the OpenPose joints in ``vid_info.pkl``, else MediaPipe's; a clip's manifest says which.
    SMPL's joints have no feet, and none of them is hidden. *Masks* are MediaPipe's throughout, parsing comes from mask
    and joints (without feet it has no shoes: they count as what is above them), the background from the frames.

    A person is an actor in an outfit, ``001_9``; a recording is ``001_9_1``. *Personal*: a model sees the first part of
    both videos, and imitates free motion. *General*: trained on the 164, tested by the authors' 84 trials
    (:mod:`datamodules.iper_protocol`), at the whole frame unless the request's crop says otherwise.

    All 206 clips take 79 GB when prepared at 256 pixels, and four times as much at 512.
    """

    data_set: ClassVar[str] = "iper"
    origin: ClassVar[str] = (
        "The authors of iPER give it out: doc/train.md of github.com/svip-lab/impersonator (256 pixels) and "
        "docs/manually_download_datasets.md of github.com/iPERDance/iPERCore (HD) have the links."
    )

    @classmethod
    def layout(cls) -> str:
        """See :class:`datamodules.native.NativeData`."""
        return f"train.txt, val.txt, smpls and one of {IMAGES}, {VIDEOS} and {IMAGES_HD}"

    def find(self) -> Iterable[NativeRecording]:
        """See :class:`datamodules.native.NativeData`."""
        lists = {split: read_list(self.root / name) for split, name in LISTS.items()}
        _check_apart(lists)
        if not self.miniature:
            self._check_official(lists["test"])
        hd = not any((self.root / tree).is_dir() for tree in (IMAGES, VIDEOS))
        videos = {split: [Video(self.root, name, hd) for name in names] for split, names in lists.items()}
        both = [*videos["train"], *videos["test"]]
        if missing := [video.name for video in both if video.frames is None]:
            raise DataError(
                f"{self.root} lacks the frames of {len(missing)} of {len(both)} videos",
                expected=f"folders {IMAGES_HD}/001/9/1" if hd else f"{IMAGES}/001/9/1 or {VIDEOS}/001_9_1.mp4",
                found=f"none of {_some(missing)}",
                remedy="unpack or download the rest",
            )
        if bare := [video.name for video in both if not video.annotated]:
            _LOG.warning(
                "%d of %d videos have no kps.pkl: their joints will be MediaPipe's (%s)",
                len(bare), len(both), _some(bare),
            )  # fmt: skip
        for split, some in videos.items():
            for video in some:
                yield NativeRecording(video.id, video.person, split, video.open, video.backends)

    def driving(self, person: str) -> str:
        """The free motion of a test person: the last of the recordings."""
        return self._people("test")[person][-1]

    def _check_official(self, names: Sequence[str]) -> None:
        official = {trial.recording.replace("_", "/") for trial in self.rules.trials}
        lacking, besides = sorted(official - set(names)), sorted(set(names) - official)
        if lacking or besides:
            raise DataError(
                f"{self.root / LISTS['test']} does not list the videos of the authors' test protocol",
                expected=f"its {len(official)} videos",
                found="; ".join(
                    f"{what} {_some(some)}" for what, some in (("lacks", lacking), ("has besides", besides)) if some
                ),
                remedy="download train.txt and val.txt again; other videos can be used as DATA=folder",
            )


@dataclass(frozen=True)
class Video:
    """Where one recording's files lie.

    Attributes:
        root: The data set's folder.
        name: ``001/9/1``.
        hd: Of which release the frames are.
    """

    root: Path
    name: str
    hd: bool

    @property
    def id(self) -> str:
        """``001_9_1``."""
        return self.name.replace("/", "_")

    @property
    def person(self) -> str:
        """``001_9``."""
        return self.id.rpartition("_")[0]

    @property
    def frames(self) -> Path | None:
        """A folder of images or an MP4, whichever there is."""
        folder = self.root / (IMAGES_HD if self.hd else IMAGES) / self.name
        if folder.is_dir() and any(p.suffix.lower() in IMAGE_SUFFIXES for p in folder.iterdir()):
            return folder
        video = self.root / VIDEOS / f"{self.id}.mp4"
        return video if video.is_file() and not self.hd else None

    @property
    def kps(self) -> Path:
        """SMPL's joints."""
        return self.root / "smpls" / self.name / "kps.pkl"

    @property
    def vid_info(self) -> Path:
        """What iPERCore's preprocessing leaves."""
        return self.root / "primitives" / self.name / "processed" / "vid_info.pkl"

    @property
    def annotated(self) -> bool:
        """Whether joints came with it."""
        return self.kps.is_file() or self.vid_info.is_file()

    def open(self) -> Footage:
        """The frames.

        Raises:
            DataError: If one is missing, or the first is damaged.
            VideoError: If the MP4 is.
        """
        path = self.frames
        if path is None:
            raise DataError(f"there are no frames of {self.name}", remedy="unpack or download the rest of the data set")
        if path.is_file():
            return open_footage(path)
        film = ImageFolder(path, fps=FPS)
        if not self.hd:
            check_names(film.files)
        return film

    def backends(self) -> Backends:
        """The joints that came with it, perception for the rest.

        Raises:
            DataError: If they are damaged, or do not fit the frames.
        """
        with self.open() as footage:
            size, count = footage.size, len(footage)
        joints: Joints | None = None
        if self.kps.is_file():
            joints, maker = read_kps(self.kps, size), "iper-kps"
        elif self.vid_info.is_file():
            joints, maker = read_vid_info(self.vid_info, size, count), "iper-openpose"
        if joints is None:
            return Backends.default()
        return Backends(KnownPoses(joints, name=maker, version="1", skeleton=BODY25.name), MediaPipeMask())


def read_list(path: Path) -> list[str]:
    """The videos of a split, ``001/9/1`` each, in the file's order.

    Raises:
        DataError: If there is no such file, or a line is something else or comes twice; the message names the line.
    """
    remedy = "download train.txt and val.txt; they lie beside iPER"
    if not path.is_file():
        raise DataError(f"there is no {path}", remedy=remedy)
    names: dict[str, int] = {}
    for number, line in enumerate(read_text(path, error=DataError, remedy=remedy).splitlines(), 1):
        name = line.strip()
        if not name:
            continue
        if not _VIDEO.fullmatch(name):
            raise DataError(
                f"{path}, line {number} names no video",
                expected="actor/outfit/action, as in 001/9/1",
                found=repr(name[:80]),
            )
        if name in names:
            raise DataError(f"{path}, line {number} names {name} a second time")
        names[name] = number
    if not names:
        raise DataError(f"{path} is empty", expected="actor/outfit/action, as in 001/9/1, on each line")
    return list(names)


def check_names(files: Sequence[Path]) -> None:
    """Holds the images of a video to their names: from 0 on, padded to the digits of their count.

    Names with more digits than that show that the last images are missing.

    Raises:
        DataError: If one has another name.
    """
    digits = len(str(len(files)))
    for number, file in enumerate(files):
        if file.stem != f"{number:0{digits}}":
            raise DataError(
                f"{file} is not the name of frame {number} of {len(files)}",
                expected=f"{number:0{digits}}.jpg: numbers from 0, padded to the {digits} digits of their count",
                found=file.name,
                remedy="unpack the video again, whole, as tools/unzip_iPER.py of svip-lab/impersonator does",
            )


def read_kps(path: Path, size: tuple[int, int]) -> Joints:
    """SMPL's joints from ``kps.pkl``.

    Args:
        path: A pickle of ``{"kps": (F, 19, 2)}``: ``(kps + 1) / 2 * 1024`` are pixels of the 1024-pixel video.
        size: (height, width) of the frames they are wanted for: the same picture at another resolution.

    Returns:
        ``(F, 25, 3)``, body25, in pixels of frames of that size.

    Raises:
        DataError: If the file is damaged or asks for code to be run, or the frames are not square.
    """
    if size[0] != size[1]:
        raise DataError(f"{path} speaks of square frames", found=f"frames of {size[1]}x{size[0]}")
    content = load(path)
    kps = content.get("kps") if isinstance(content, dict) else None
    if not isinstance(kps, np.ndarray):
        raise DataError(f"{path} holds no joints", expected='a dict with an array "kps"', found=type(content).__name__)
    try:
        joints = body25(kps, KPS_SIZE[0])
    except DataError as error:
        raise DataError(f"{path}: {error.what}", expected=error.expected, found=error.found) from error
    return Framing(KPS_SIZE, size, (0, 0), size).joints(joints)


def read_vid_info(path: Path, size: tuple[int, int], count: int) -> Joints | None:
    """OpenPose's joints from ``vid_info.pkl``.

    iPERCore keeps them for the frames in which somebody was found; ``crop_ids`` says which those are.

    Args:
        path: The pickle.
        size: (height, width) of the frames they are wanted for.
        count: Number of frames.

    Returns:
        ``(count, 25, 3)``, body25, zeros where nobody was found; ``None`` if it was made without OpenPose.

    Raises:
        DataError: If the file is damaged, asks for code to be run, or speaks of other frames.
    """
    info = load(path)
    try:
        poses, ids = info["processed_pose2d"]["keypoints"], info["valid_img_info"]["crop_ids"]
        if len(poses) == 0:
            return None
        native = (int(info["orig_shape"][0]), int(info["orig_shape"][1]))
        numbers = np.asarray(ids, np.int64)
        if numbers.ndim != 1:
            raise ValueError("crop_ids is no list")
        found = np.stack([np.asarray(pose["pose_keypoints_2d"], np.float32) for pose in poses])
    except Exception as error:  # a stranger's values: what NumPy and int raise is not to be foreseen
        raise DataError(
            f"{path} does not hold what iPERCore writes",
            expected="orig_shape, processed_pose2d.keypoints and valid_img_info.crop_ids",
            found=repr(error)[:200],
            remedy="run iPERCore's preprocessing again, or move the file away: MediaPipe then sees the joints",
        ) from error
    upto = f" up to {numbers.max()}" if numbers.size else ""
    outside = numbers.size > 0 and not 0 <= numbers.min() <= numbers.max() < count
    if outside or min(native) < 1 or found.shape != (len(numbers), len(BODY25), 3):
        raise DataError(
            f"{path} does not belong to its video",
            expected=f"body25 of frames 0 to {count - 1}",
            found=f"joints {found.shape} of {len(numbers)} frames{upto}",
            remedy="run iPERCore's preprocessing again, or move the file away: MediaPipe then sees the joints",
        )
    if not (np.abs(found) <= _FARTHEST).all():  # false for NaN
        raise DataError(f"{path} holds joints that are not finite, or far beyond the frame")
    joints = np.zeros((count, len(BODY25), 3), np.float32)
    joints[numbers] = found
    return Framing(native, size, (0, 0), size).joints(joints)


def _check_apart(lists: Mapping[Split, Sequence[str]]) -> None:
    people = {split: {name.rpartition("/")[0] for name in names} for split, names in lists.items()}
    if both := sorted(people["train"] & people["test"]):
        raise DataError(
            "train.txt and val.txt share people",
            expected="each actor and outfit in one of them: general models are tested on whom they never saw",
            found=_some(both),
            remedy="download both lists again",
        )


def _some(names: Sequence[Any]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(str, names[:_SHOWN])) + more
