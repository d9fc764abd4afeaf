"""SoloDance: solo dances from the web with joints, parsing, foregrounds and backgrounds (C2F-FWN's data set)."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from datamodules.native import NativeData, NativeRecording
from motioncopy.errors import DataError
from motioncopy.footage import Footage, Framed, Framing, ImageFolder
from motioncopy.footage.images import IMAGE_SUFFIXES
from motioncopy.footage.perception.backends import PersonSegmenter, PoseEstimator
from motioncopy.footage.perception.background import MedianBackground
from motioncopy.footage.perception.labels import LabelFolder, LabelMask
from motioncopy.footage.perception.masks import PoseMask
from motioncopy.footage.perception.mediapipe import MediaPipeMask, MediaPipePose
from motioncopy.footage.perception.openpose import OpenPoseFolder
from motioncopy.footage.perception.parsing import LimbParser
from motioncopy.footage.perception.precomputed import ForegroundFolder, GivenBackground
from motioncopy.footage.prepare import Backends

Phase = Literal["train", "test"]
PHASES: tuple[Phase, ...] = ("train", "test")
#: (height, width) that an image wider than high stands for.
WIDE = (1080, 1920)
#: (height, width) of all frames.
SIZE = (256, 192)

# 256 * 1920 / 1080 = 455, which C2F-FWN rounds to a multiple of 32.
_WIDE_RESIZED = (256, 448)
# Sizes of another aspect ratio than this much, relatively, are no matter of rounding.
_ASPECT = 0.02
# A joint this far beyond a frame, relative to its size, was not found in it.
_BEYOND = 1.02
_TREES = {"img": IMAGE_SUFFIXES, "fg": IMAGE_SUFFIXES, "parsing": IMAGE_SUFFIXES, "pose": frozenset({".json"})}
_MARKER = re.compile(rf"/[ts](?:{'|'.join(_TREES)})(?=$|/)")


class SoloDance(NativeData):
    """179 videos of 300 frames, 153 to train and 26 to test on, in the layout that C2F-FWN's loaders read.

    The root holds ``train`` and ``test``; with either of them as ``<phase>``::

        <phase>/<phase>_img/source/...      the videos; where the folder is absent, <phase>_fg takes its place
        <phase>/<phase>_fg/source/...       foregrounds: the person on black
        <phase>/<phase>_parsing/source/...  label images, LIP's 0 to 19
        <phase>/<phase>_pose/source/...     OpenPose's JSON: body, face and hands
        <phase>/<phase>_*/target/...        the same of the appearance, of which C2F-FWN shows the first frame
        <phase>/<phase>_bg/<video>.jpg      the place without the person

    No list names the videos: each folder with files is one, and the n-th of one tree, in the order of their paths,
    belongs to the n-th of any other. ``source`` is what moves and what is to come out, so it is the recordings; here
    their first frames take the target's part. ``<video>`` is the part of a folder's path from its last "video" to the
    last ``/timg``, or to the name of another tree's folder. Where a source path has no "video", its target's is asked.

    Frames become 256x192 (height x width): those wider than high stand for 1920x1080 and are resized to 448x256 (so
    C2F-FWN rounds 455), whose middle 192 columns stay; all others are stretched to 192x256 as a whole. Joints are in
    pixels of the stored frames, as C2F-FWN draws them. Where a wide video was stored smaller than it was annotated,
    which joints beyond its frames show, they are in pixels of 1920x1080.

    What came with the data is used: joints, parsing (whose person is the mask, as C2F-FWN and REMOT mask), else the
    mask that foregrounds show, and backgrounds. A tree that is not there is made up for: joints by MediaPipe, a mask
    by MediaPipe, parsing from joints, a background from the frames. Where foregrounds are the frames, the place is
    what they show, black, and not the background of the video.

    Neither the layout nor a file says which of the 143 people is in which video: every video counts as a person. Nor
    is a frame rate published; videos from the web mostly have 30 frames a second, which is taken.
    """

    data_set: ClassVar[str] = "solodance"
    origin: ClassVar[str] = "The authors of C2F-FWN give SoloDance out (the links are in github.com/wswdx/C2F-FWN)."
    #: Frames per second.
    fps: ClassVar[float] = 30.0

    @classmethod
    def layout(cls) -> str:
        """See :class:`datamodules.native.NativeData`."""
        return "train/train_img/source, test/test_img/source and, beside each, _fg, _parsing, _pose and _bg"

    def find(self) -> Iterable[NativeRecording]:
        """See :class:`datamodules.native.NativeData`."""
        for phase in PHASES:
            if any((self.root / f"{phase}_{tree}").is_dir() for tree in _TREES):
                raise DataError(
                    f"{self.root} is only the {phase} part of SoloDance",
                    expected=self.layout(),
                    remedy="give the folder that holds train and test",
                )
        for phase in PHASES:
            videos = find_videos(self.root / phase, phase)
            parts = Counter(video.name for video in videos)
            seen = Counter[str]()
            for video in videos:
                seen[video.name] += 1
                part = f"-{seen[video.name]}" if parts[video.name] > 1 else ""
                person = f"{phase}-{video.name.replace('/', '-')}"
                yield NativeRecording(person + part, person, phase, partial(video.open, self.fps), video.backends)


@dataclass(frozen=True)
class Video:
    """Where one recording's files lie.

    Attributes:
        name: ``<video>`` of :class:`SoloDance`; of a path without one, the path of its folder.
        frames: Its frames.
        filmed: Whether they show the place; else they are foregrounds.
        foreground: Foregrounds, or ``None``.
        parsing: Label images, or ``None``.
        pose: OpenPose's JSON, or ``None``.
        background: The place without the person, or ``None``.
    """

    name: str
    frames: Path
    filmed: bool
    foreground: Path | None
    parsing: Path | None
    pose: Path | None
    background: Path | None

    def open(self, fps: float) -> Footage:
        """The frames at :data:`SIZE`.

        Raises:
            DataError: If one is missing in the middle, or the first is damaged.
        """
        film = ImageFolder(self.frames, fps=fps)
        return Framed(film, framing(film.size))

    def backends(self) -> Backends:
        """Annotations where there are some, perception where there are none.

        Raises:
            DataError: If annotations do not fit the frames.
        """
        film = ImageFolder(self.frames)
        pose: PoseEstimator = MediaPipePose() if self.pose is None else _joints(film, self.pose)
        parsing = LabelFolder(self.parsing, framing=_framing_beside(film, self.parsing)) if self.parsing else None
        given = GivenBackground(self.background, framing(film.size)) if self.background and self.filmed else None
        return Backends(
            pose,
            self._mask(film, parsing),
            parser=parsing or LimbParser(),
            background=given or MedianBackground(),
        )

    def _mask(self, film: ImageFolder, parsing: LabelFolder | None) -> PersonSegmenter:
        if parsing is not None:
            return LabelMask(parsing)
        if self.foreground is not None:
            return ForegroundFolder(self.foreground, _framing_beside(film, self.foreground))
        return MediaPipeMask() if self.pose is not None else PoseMask()


def framing(size: tuple[int, int]) -> Framing:
    """How an image of this (height, width) becomes one of :data:`SIZE`; see :class:`SoloDance`."""
    height, width = size
    if width > height:
        return Framing(size, _WIDE_RESIZED, (0, (_WIDE_RESIZED[1] - SIZE[1]) // 2), SIZE)
    return Framing(size, SIZE, (0, 0), SIZE)


def video_name(folder: str) -> str:
    """``<video>`` of a folder's path below ``target`` or ``source``, or nothing; see :class:`SoloDance`."""
    start = folder.rfind("video")
    if start < 0:
        return ""
    markers = [marker.start() for marker in _MARKER.finditer(folder, start)]
    return folder[start : markers[-1] if markers else None]


def find_videos(folder: Path, phase: Phase) -> list[Video]:
    """The recordings of a phase.

    Args:
        folder: Holds ``<phase>_img`` and so on.
        phase: Which.

    Raises:
        DataError: If there are no frames, or the trees do not belong to one another.
    """
    trees = {tree: _sequences(folder / f"{phase}_{tree}" / "source", tree) for tree in _TREES}
    film = "img" if trees["img"] is not None else "fg"
    frames = trees[film]
    if not frames:
        raise DataError(
            f"{folder} holds no videos",
            expected=f"folders of images in {phase}_img/source (or {phase}_fg/source)",
            found=f"nothing in {phase}_{film}/source" if folder.is_dir() else f"no folder {folder.name}",
            remedy="unpack or download the rest of SoloDance",
        )
    names = _names(folder, phase, film, frames)
    for tree, found in trees.items():
        _check_aligned(folder, f"{phase}_{tree}", found, names)
    return [
        Video(
            name,
            frames=frames[i].path,
            filmed=film == "img",
            foreground=_nth(trees["fg"], i),
            parsing=_nth(trees["parsing"], i),
            pose=_nth(trees["pose"], i),
            background=_background(folder / f"{phase}_bg", name),
        )
        for i, name in enumerate(names)
    ]


@dataclass(frozen=True)
class _Folder:
    """A folder with one video's files of one tree."""

    path: Path
    below: str  # its path below target or source

    @property
    def name(self) -> str:
        return video_name(self.below)


def _sequences(root: Path, tree: str) -> list[_Folder] | None:
    """The folders with files of a tree, in the order of their paths; ``None`` where there is no such tree."""
    if not root.is_dir():
        return None
    found: list[Path] = []
    seen: dict[Path, str] = {}
    for folder, _, files in os.walk(root, followlinks=True):
        if (first := seen.setdefault(Path(folder).resolve(), folder)) != folder:
            raise DataError(  # links in a circle have no end
                f"{folder} is {first} once more", remedy="remove the link: each folder with files is one video"
            )
        if any(Path(f).suffix.lower() in _TREES[tree] and not f.startswith(".") for f in files):
            found.append(Path(folder))
    return [_Folder(path, path.relative_to(root).as_posix()) for path in sorted(found, key=str)]


def _names(folder: Path, phase: Phase, film: str, frames: list[_Folder]) -> list[str]:
    names = [video.name for video in frames]
    if not all(names):
        targets = _sequences(folder / f"{phase}_{film}" / "target", film) or []
        if len(targets) == len(frames):
            names = [name or target.name for name, target in zip(names, targets, strict=True)]
    return [name or video.below for name, video in zip(names, frames, strict=True)]


def _check_aligned(folder: Path, tree: str, found: list[_Folder] | None, names: list[str]) -> None:
    if found is None:
        return
    if len(found) != len(names):
        raise DataError(
            f"{folder / tree} has not as many videos as there are frames of",
            expected=f"{len(names)} folders with files in source",
            found=len(found),
            remedy="unpack or download the rest of SoloDance, or take that folder away altogether",
        )
    for video, name in zip(found, names, strict=True):
        if video.name and "video" in name and video.name != name:
            raise DataError(
                f"{folder / tree} is not in step with the frames",
                expected=f"the files of {name}",
                found=video.path.relative_to(folder),
                remedy="unpack or download it again",
            )


def _nth(folders: list[_Folder] | None, index: int) -> Path | None:
    return folders[index].path if folders is not None else None


def _background(folder: Path, name: str) -> Path | None:
    path = folder / f"{name}.jpg"
    return path if path.is_file() else None


def _framing_beside(film: ImageFolder, annotations: Path) -> Framing:
    """The framing of images that can be of another resolution than the frames, but not of another shape."""
    size = ImageFolder(annotations).size
    if abs(size[1] / size[0] / (film.size[1] / film.size[0]) - 1) > _ASPECT:
        raise DataError(
            f"{annotations} is of another shape than the frames",
            expected=f"{film.size[1]}x{film.size[0]}, or as wide for its height",
            found=f"{size[1]}x{size[0]}",
            remedy="unpack or download it again",
        )
    return framing(size)


def _joints(film: ImageFolder, pose: Path) -> OpenPoseFolder:
    """OpenPose's joints, from pixels of the frames, or of the larger ones that those were made from."""
    reader = OpenPoseFolder(pose)
    reader.start(film)
    nothing = np.broadcast_to(np.uint8(0), (len(film), *film.size, 3))  # reading takes no more of images than the size
    right, bottom = reader(nothing).joints[..., :2].max(axis=(0, 1))
    for size in (film.size, WIDE) if film.size[1] > film.size[0] else (film.size,):
        if right < _BEYOND * size[1] and bottom < _BEYOND * size[0]:
            return OpenPoseFolder(pose, framing=framing(size))
    raise DataError(
        f"joints of {pose} lie beyond the frames",
        expected=f"at most {film.size[1]}x{film.size[0]}, the size of the frames",
        found=f"up to x {right:.0f}, y {bottom:.0f}",
        remedy="give the frames that OpenPose saw",
    )
