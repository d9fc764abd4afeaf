"""Joints, masks and backgrounds that are known already."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from motioncopy.errors import DataError
from motioncopy.footage import Footage, Framing
from motioncopy.footage.images import read_rgb, read_values
from motioncopy.footage.perception.annotations import (
    MaskImages,
    at_size,
    framing_for,
    single_channel,
)
from motioncopy.footage.perception.backends import GROUPS, Images, Joints, Masks, Poses
from motioncopy.footage.sequence import digest
from motioncopy.skeletons import skeleton as skeleton_of

# Lossy compression moves black about this far; hair and shoes are brighter in all but the darkest videos.
_BLACK = 16
# Shapes that differ by more are no matter of rounding.
_ASPECT = 0.02


class KnownPoses:
    """A pose estimator that knows the joints of every frame beforehand.

    Args:
        joints: ``(F, J, 3)``, x and y in pixels of the footage's frames, confidence in [0, 1].
        name: What they were made by.
        version: Of that; the joints' digest is put behind it.
        skeleton: Name of their skeleton.
        groups: ``hand_left``, ``hand_right`` and ``face``, those that there are: ``(F, 21, 3)`` or ``(F, 70, 3)``.

    Raises:
        DataError: If a shape does not fit, or a joint is not a finite number.
        SkeletonError: If there is no such skeleton.
    """

    def __init__(
        self,
        joints: Joints,
        *,
        name: str,
        version: str,
        skeleton: str,
        groups: Mapping[str, Joints] | None = None,
    ) -> None:
        groups = dict(groups or {})
        if set(groups) - set(GROUPS):
            raise DataError(f"unknown joint groups of {name}", expected=", ".join(GROUPS), found=", ".join(groups))
        self.name, self.skeleton, self.groups = name, skeleton, tuple(g for g in GROUPS if g in groups)
        counts = {"joints": len(skeleton_of(skeleton)), **GROUPS}
        self._poses = {
            group: _checked(f"{name} ({group})", values, len(joints), counts[group])
            for group, values in {"joints": joints, **groups}.items()
        }
        self._version = version
        self._next, self._size = 0, (1, 1)

    @cached_property
    def version(self) -> str:
        """Changes with the joints."""
        content = hashlib.sha256()
        for group in sorted(self._poses):
            content.update(group.encode() + self._poses[group].tobytes())
        return f"{self._version}+{content.hexdigest()[:8]}"

    def start(self, footage: Footage) -> None:
        """The next joints are those of this footage's first frames.

        Raises:
            DataError: If it has more or fewer frames than the joints.
        """
        if len(footage) != len(self._poses["joints"]):
            raise DataError(
                f"the joints of {self.name} do not belong to {footage.path}",
                expected=f"joints of {len(footage)} frames",
                found=len(self._poses["joints"]),
            )
        self._next, self._size = 0, footage.size

    def __call__(self, images: Images) -> Poses:
        """See :class:`~motioncopy.footage.perception.backends.PoseEstimator`; only number and size of images matter."""
        part = slice(self._next, self._next + len(images))
        self._next += len(images)
        known: dict[str, Any] = {group: values[part].copy() for group, values in self._poses.items()}
        return at_size(Poses(**known), self._size, images)


def _checked(what: str, joints: Joints, frames: int, count: int) -> Joints:
    joints = np.array(joints, np.float32)
    if joints.shape != (frames, count, 3):
        raise DataError(f"the joints of {what} do not fit", expected=(frames, count, 3), found=joints.shape)
    joints[..., 2] = joints[..., 2].clip(0, 1)
    if not np.isfinite(joints).all():
        raise DataError(f"the joints of {what} are not finite", remedy="give zeros to what is unknown")
    joints[joints[..., 2] == 0] = 0
    return joints


class MaskFolder(MaskImages):
    """A person segmenter that reads mask images.

    Grey values are soft masks as they are; an image that holds 0 and 1 only (palette images often do) is 0 and 255.
    """

    name = "given-mask"

    def read(self, file: Path) -> Masks:
        """One image's mask."""
        values = single_channel(read_values(file), file)
        return values * 255 if values.max() <= 1 else values


class ForegroundFolder(MaskImages):
    """A person segmenter that reads foregrounds: the person as filmed, on black.

    The person is where any channel is brighter than 16 of 255, below which lossy compression keeps black; specks of a
    pixel or two go with a 3x3 median.
    """

    name = "given-foreground"

    def read(self, file: Path) -> Masks:
        """One image's mask."""
        mask: Masks = cv2.medianBlur((read_rgb(file).max(axis=2) > _BLACK).astype(np.uint8) * 255, 3)
        return mask


class GivenBackground:
    """A background model that reads the background from an image; nothing of it is made up.

    Args:
        path: The image. It is stretched to the size of the annotated frames if it is of another resolution.
        framing: From those frames to the footage's; ``None`` where they are the same.

    Raises:
        DataError: If there is no such file.
    """

    def __init__(self, path: str | Path, framing: Framing | None = None) -> None:
        self.name, self.path, self._given = "given-background", Path(path), framing
        if not self.path.is_file():
            raise DataError(f"there is no background {path}", remedy="unpack or download the rest of the data set")
        self._image: Images | None = None

    @cached_property
    def version(self) -> str:
        """Changes with the image."""
        return f"1+{digest([self.path], self._given)}"

    def start(self, footage: Footage) -> None:
        """The next frames are this footage's.

        Raises:
            DataError: If the image is damaged or of another shape than the frames.
        """
        framing = framing_for(footage, self._given)
        image = read_rgb(self.path)
        height, width = framing.native
        if abs(image.shape[1] / image.shape[0] / (width / height) - 1) > _ASPECT:
            raise DataError(
                f"{self.path} is of another shape than the frames",
                expected=f"{width}x{height}, or as wide for its height",
                found=f"{image.shape[1]}x{image.shape[0]}",
            )
        self._image = framing.images(_resized(image, framing.native)[None])[0]

    def __call__(self, images: Images, masks: Masks) -> tuple[Images, float]:
        """See :class:`~motioncopy.footage.perception.backends.BackgroundModel`; only the size of images matters."""
        assert self._image is not None, "start() comes first"
        return _resized(self._image, images.shape[1:3]), 0.0


def _resized(image: Images, size: tuple[int, ...]) -> Images:
    way = cv2.INTER_AREA if size[0] < image.shape[0] else cv2.INTER_LINEAR
    return image if image.shape[:2] == size else cv2.resize(image, (size[1], size[0]), interpolation=way)
