"""What a perception backend is: five small protocols, and what a pose estimator returns.

A backend is first told what it will see (``start``), then given the frames in order, some at a time. Most need only
the frames; one that reads annotations from files counts them, and one that subtracts a background looks through the
footage first. Only ``start`` may read the footage: while frames are given, another thread decodes it. Each backend is
asked by one thread at a time, but not always by the one that called ``start``.

Throughout: n frames are ``(n, H, W, 3)`` uint8 RGB, masks ``(n, H, W)`` uint8 in [0, 255], joints ``(n, J, 3)``
float32 (x, y in pixels of those frames, confidence in [0, 1], 0 where a joint was not found).

``name`` and ``version`` go into the manifest of every clip that the backend helped to make. A backend whose output
changes gets a new version, and clips made with the old one are then stale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from motioncopy.footage import Footage
from motioncopy.skeletons import FACE70, HAND21

#: Groups of joints beside the body's, in OpenPose's order, and how many each has.
GROUPS = {"hand_left": len(HAND21), "hand_right": len(HAND21), "face": len(FACE70)}

Images = NDArray[np.uint8]
Masks = NDArray[np.uint8]
Joints = NDArray[np.float32]


@dataclass(frozen=True)
class Poses:
    """What a pose estimator saw in n frames.

    Attributes:
        joints: ``(n, J, 3)``; a frame in which nobody was found has confidence 0 throughout.
        mask: ``(n, H, W)``, where the same run also gave the person's mask; as it came, not cleaned.
        hand_left: ``(n, 21, 3)`` in OpenPose's order, or ``None`` where the backend does not look for hands.
        hand_right: Likewise.
        face: ``(n, 70, 3)`` in OpenPose's order, or ``None``.
    """

    joints: Joints
    mask: Masks | None = None
    hand_left: Joints | None = None
    hand_right: Joints | None = None
    face: Joints | None = None

    @property
    def found(self) -> NDArray[np.bool_]:
        """``(n,)``: whether anybody was found in the frame."""
        return np.asarray(self.joints[..., 2].max(axis=1) > 0)

    def scaled(self, x: float, y: float) -> Poses:
        """The same joints in frames that are ``x`` times as wide and ``y`` times as high; the mask is left out.

        Pixel centres are kept: pixel 0 of the smaller frame covers several pixels of the larger one.
        """
        scale = np.array([x, y], np.float32)

        def change(joints: Joints) -> Joints:
            moved = joints.copy()
            moved[..., :2] = np.where(joints[..., 2:] > 0, (joints[..., :2] + 0.5) * scale - 0.5, 0)
            return moved

        groups: dict[str, Any] = {
            name: change(group) for name in ("joints", *GROUPS) if (group := getattr(self, name)) is not None
        }
        return Poses(**groups)


class Backend(Protocol):
    """What every backend has."""

    @property
    def name(self) -> str:
        """What made the part."""

    @property
    def version(self) -> str:
        """Changes whenever the part may."""

    def start(self, footage: Footage) -> None:
        """The next frames are this footage's, from its first on; they may come at another size than it has.

        Raises:
            MotionCopyError: If the backend cannot serve this footage.
        """


class PoseEstimator(Backend, Protocol):
    """Finds one person's joints. It may remember earlier frames of the same video."""

    @property
    def skeleton(self) -> str:
        """Name of the :class:`motioncopy.skeletons.Skeleton` of the joints."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Which of ``hand_left``, ``hand_right`` and ``face`` come with the joints."""

    def __call__(self, images: Images) -> Poses:
        """Sees the next n frames of a video.

        Raises:
            PerceptionError: If the backend cannot run.
        """


class PersonSegmenter(Backend, Protocol):
    """Finds the person's mask."""

    def __call__(self, images: Images, poses: Poses) -> Masks:
        """The mask of the person whose ``poses`` those are.

        Raises:
            PerceptionError: If the backend cannot run, or the poses lack what it needs.
        """


class Parser(Backend, Protocol):
    """Says to which of :data:`motioncopy.batch.PARSING_CLASSES` each pixel belongs.

    One that needs the joints of a certain skeleton names it as its attribute ``skeleton``.
    """

    def __call__(self, images: Images, masks: Masks, joints: Joints) -> Masks:
        """``(n, H, W)`` uint8 labels."""


class BackgroundModel(Backend, Protocol):
    """Finds what a still camera would see without the person."""

    def __call__(self, images: Images, masks: Masks) -> tuple[Images, float]:
        """One ``(H, W, 3)`` image, and the fraction of its pixels in [0, 1] that no frame showed."""


class FlowEstimator(Backend, Protocol):
    """Finds where pixels came from."""

    def __call__(self, images: Images, previous: Images) -> NDArray[np.float32]:
        """``(n, H, W, 2)`` pixels (x, y): ``images[i]`` at p shows what ``previous[i]`` showed at p + flow."""
