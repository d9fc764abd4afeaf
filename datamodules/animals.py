"""What Fish and Mouse share: a folder an animal, 3-D poses in text files, perception for masks and missing poses."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from datamodules.native import NativeData, NativeRecording
from datamodules.projection import Camera, fit
from motioncopy.errors import DataError
from motioncopy.files.documents import read_text
from motioncopy.footage import Footage, open_footage
from motioncopy.footage.images import IMAGE_SUFFIXES
from motioncopy.footage.open import STACK_SUFFIXES, VIDEO_SUFFIXES
from motioncopy.footage.perception.backends import Images, PoseEstimator, Poses
from motioncopy.footage.perception.precomputed import KnownPoses
from motioncopy.footage.prepare import Backends
from motioncopy.footage.sequence import digest
from motioncopy.skeletons import Skeleton

_LOG = logging.getLogger(__name__)
_CAMERA = "camera.json"
#: A fitted camera is refused where half of the joints come to lie further from where they were seen, in body lengths.
WORST_FIT = 0.1
# Frames that a camera is fitted to, and how many are looked at at once.
_FIT_FRAMES, _FIT_CHUNK, _FIT_LEAST = 200, 16, 8


class AnimalData(NativeData):
    """Animals filmed from above; each is one "person".

    ``root/<animal>/`` holds a recording's frames as a video ``<name>.mp4`` (or another video), an HDF5 stack
    ``<name>.h5`` or a folder ``<name>/`` of images, and beside it, where there is one, ``<name>.txt``: its 3-D poses, a
    line a frame. Images that lie in ``root/<animal>/`` itself are its one recording; their poses are
    ``root/<animal>.txt``. ``camera.json``, of the animal or of the root, says how poses are projected
    (:class:`datamodules.projection.Camera`); without it, the camera is fitted to the body that perception sees. Images,
    and stacks that do not say, have 25 frames a second.

    Nobody has published a split. *Personal*: every animal has its own model. *General*: the animals whose ranks the
    protocol holds out, in the order of their names, are tested, all others trained on.
    """

    parts = ("mask",)
    #: The joints of the data set.
    skeleton: ClassVar[Skeleton]
    #: Whether the lines of the pose texts begin with the tail.
    tail_first: ClassVar[bool]

    @classmethod
    @abstractmethod
    def perception(cls) -> PoseEstimator:
        """What sees the animal's joints and mask."""

    @classmethod
    def layout(cls) -> str:
        """See :class:`datamodules.native.NativeData`."""
        return (
            "a folder for each animal, and in it for each recording a video NAME.mp4, an HDF5 stack NAME.h5 or a "
            f"folder NAME of images, with NAME.txt ({3 * len(cls.skeleton)} numbers a line) where there are poses"
        )

    def find(self) -> Iterable[NativeRecording]:
        """See :class:`datamodules.native.NativeData`."""
        animals = sorted(p for p in self.root.iterdir() if _is_folder(p))
        if not animals:
            raise DataError(f"{self.root} holds no animal", expected=self.layout())
        held_out = self._held_out(len(animals))
        for rank, animal in enumerate(animals):
            split: Literal["train", "test"] = "test" if rank in held_out else "train"
            for name, frames in _recordings(animal).items():
                yield NativeRecording(
                    name if frames == animal else f"{animal.name}-{name}",
                    animal.name,
                    split,
                    partial(open_footage, frames),
                    partial(self._backends, frames.with_name(f"{name}.txt"), self._camera(animal)),
                )

    def _held_out(self, animals: int) -> set[int]:
        if self.regime == "personal":
            return set(range(animals))
        ranks = {rank for rank in self.rules.held_out if rank < animals}
        if not ranks:
            raise DataError(
                f"{self.root} has too few animals to train on some and test on others",
                expected=f"at least {min(self.rules.held_out) + 1}",
                found=animals,
                remedy="use a personal method",
            )
        return ranks

    def _camera(self, animal: Path) -> Camera | None:
        for folder in (animal, self.root):
            if (folder / _CAMERA).is_file():
                return Camera.read(folder / _CAMERA)
        return None

    def _backends(self, text: Path, camera: Camera | None) -> Backends:
        seeing = self.perception()
        if not text.is_file():
            return Backends(seeing)
        return Backends(ProjectedPoses(text, camera, seeing, self.skeleton, tail_first=self.tail_first))


class ProjectedPoses:
    """Poses from a text of 3-D joints, projected into the image; the mask is the one that perception sees.

    Args:
        text: See :func:`read_poses`.
        camera: Projects; by default fitted to what perception sees, and the residual is logged.
        perception: Gives the mask, and the joints to fit to.
        skeleton: Of the joints.
        tail_first: Whether a line begins with the chain's last joint.
    """

    groups: tuple[str, ...] = ()

    def __init__(
        self,
        text: Path,
        camera: Camera | None,
        perception: PoseEstimator,
        skeleton: Skeleton,
        *,
        tail_first: bool = False,
    ) -> None:
        self.text, self.camera, self.perception = text, camera, perception
        self.skeleton, self._joints, self._tail_first = skeleton.name, len(skeleton), tail_first
        self.name = f"lie-x-text+{perception.name}"
        self.version = f"1-{digest([text], camera)}+{perception.version}"
        self._known: KnownPoses | None = None

    def start(self, footage: Footage) -> None:
        """Reads and projects the poses.

        Raises:
            DataError: If the text is wrong, has not a line a frame, or no camera brings it onto the body.
        """
        points = read_poses(self.text, self._joints)
        if len(points) != len(footage):
            raise DataError(
                f"{self.text} does not belong to {footage.path}",
                expected=f"a line for each of {len(footage)} frames",
                found=f"{len(points)} lines",
                remedy="cut either to the other's length, frame by frame",
            )
        if self._tail_first:
            points = points[:, ::-1]
        camera = self.camera or self._fitted(points, footage)
        joints = np.ones(points.shape, np.float32)
        joints[..., :2] = camera(points)
        self._known = KnownPoses(joints, name=self.name, version=self.version, skeleton=self.skeleton)
        for backend in (self._known, self.perception):
            backend.start(footage)

    def __call__(self, images: Images) -> Poses:
        """See :class:`motioncopy.footage.perception.backends.PoseEstimator`."""
        assert self._known is not None, "started before it is called"
        return Poses(self._known(images).joints, mask=self.perception(images).mask)

    def _fitted(self, points: NDArray[np.float64], footage: Footage) -> Camera:
        wanted = np.unique(np.linspace(0, len(footage) - 1, min(len(footage), _FIT_FRAMES)).round().astype(int))
        self.perception.start(footage)
        chunks = [wanted[k : k + _FIT_CHUNK] for k in range(0, len(wanted), _FIT_CHUNK)]
        seen = np.concatenate([self.perception(footage.frames(chunk)).joints for chunk in chunks])
        whole = (seen[..., 2] > 0).all(axis=1)
        remedy = f"write {_CAMERA} into {self.text.parent}, or take the text away to have the poses seen"
        if whole.sum() < _FIT_LEAST:
            raise DataError(
                f"there is no {_CAMERA} for {self.text}, and the animal was seen too rarely to fit one",
                expected=f"at least {_FIT_LEAST} of {len(wanted)} frames",
                found=int(whole.sum()),
                remedy=remedy,
            )
        found = fit(points[wanted[whole]], seen[whole, :, :2].astype(np.float64))
        if found.share > WORST_FIT:
            raise DataError(
                f"there is no {_CAMERA} for {self.text}, and none brings its poses onto the animal in {footage.path}",
                expected=f"half of the joints within {WORST_FIT:.0%} of the body's length of where they are seen",
                found=f"{found.residual:.1f} pixels, {found.share:.0%} of it",
                remedy=remedy,
            )
        _LOG.warning(
            "%s: without a %s, the camera was fitted to the body: median residual %.1f pixels, %.1f%% of its length",
            self.text, _CAMERA, found.residual, 100 * found.share,
        )  # fmt: skip
        return found.camera


def read_poses(path: Path, joints: int) -> NDArray[np.float64]:
    """3-D poses as Lie-X's authors give them: a line a frame, X Y Z of each joint, separated by spaces.

    Returns:
        ``(F, joints, 3)``.

    Raises:
        DataError: If a line does not hold so many finite numbers; the message names it.
    """
    lines = read_text(path, error=DataError).rstrip().splitlines()
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = [float(word) for word in line.split()]
        except ValueError as error:
            raise DataError(f"line {number} of {path} is no pose", expected="numbers", found=error) from error
        if len(row) != 3 * joints:
            raise DataError(
                f"line {number} of {path} is no pose",
                expected=f"{3 * joints} numbers, X Y Z of {joints} joints",
                found=f"{len(row)}",
            )
        if not np.isfinite(row).all():
            raise DataError(f"line {number} of {path} holds numbers that are not finite")
        rows.append(row)
    if not rows:
        raise DataError(f"{path} is empty", expected="a line a frame")
    return np.array(rows).reshape(-1, joints, 3)


def _recordings(animal: Path) -> dict[str, Path]:
    """The recordings in an animal's folder: each name with its file or folder.

    Raises:
        DataError: If there is none, two have one name, or a pose text belongs to none.
    """
    entries = sorted(p for p in animal.iterdir() if not p.name.startswith("."))
    if any(p.suffix.lower() in IMAGE_SUFFIXES and p.is_file() for p in entries):
        texts, found = [], {animal.name: animal}
        further = [p for p in entries if _is_footage(p)]
        if further:
            raise DataError(
                f"{animal} holds images, which are one recording, and others beside them",
                found=", ".join(p.name for p in further),
                remedy="move the images into a folder of their own",
            )
    else:
        texts, found = [p for p in entries if p.suffix.lower() == ".txt"], {}
    for path in filter(_is_footage, entries):
        name = path.name if path.is_dir() else path.stem
        if name in found:
            raise DataError(f"{animal} holds two recordings of one name", found=f"{found[name].name}, {path.name}")
        found[name] = path
    if not found:
        raise DataError(f"{animal} holds no frames", expected="a video, an HDF5 stack, or images")
    for text in texts:
        if text.stem not in found:
            raise DataError(
                f"{text} has no recording beside it",
                expected=f"frames named {text.stem}",
                found=", ".join(found),
                remedy="name the poses like their frames",
            )
    return found


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".")


def _is_footage(path: Path) -> bool:
    return _is_folder(path) or path.suffix.lower() in VIDEO_SUFFIXES | STACK_SUFFIXES
