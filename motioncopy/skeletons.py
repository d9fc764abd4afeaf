"""Joint sets: names, limbs, left/right pairs, and views of one set as another.

Joints are arrays of shape ``(..., J, 3)``: x and y in pixels of the stored frame (the centre of the
top left pixel is (0, 0)) and a confidence in [0, 1]. Confidence 0 means "not there".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from motioncopy.errors import SkeletonError

Array = TypeVar("Array", np.ndarray, torch.Tensor)


@dataclass(frozen=True)
class Skeleton:
    """A named joint set.

    Attributes:
        name: How configs and manifests call it.
        joints: Joint names, in storage order.
        limbs: Pairs of joint indices that are drawn as one limb.
        pairs: (left, right) joint indices that a mirror image swaps.
    """

    name: str
    joints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    pairs: tuple[tuple[int, int], ...] = ()

    def __len__(self) -> int:
        """Number of joints."""
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Index of a joint by name.

        Raises:
            SkeletonError: If the skeleton has no such joint.
        """
        try:
            return self.joints.index(joint)
        except ValueError:
            raise SkeletonError(
                f"skeleton {self.name} has no joint {joint!r}", expected=f"one of {', '.join(self.joints)}"
            ) from None

    def has(self, *joints: str) -> bool:
        """Whether all the named joints are in this skeleton."""
        return all(j in self.joints for j in joints)

    @property
    def mirror(self) -> tuple[int, ...]:
        """For each joint, the index of the joint that takes its place in a mirror image."""
        order = list(range(len(self)))
        for left, right in self.pairs:
            order[left], order[right] = right, left
        return tuple(order)


def _pairs(joints: Sequence[str]) -> tuple[tuple[int, int], ...]:
    return tuple((i, joints.index("right" + name[4:])) for i, name in enumerate(joints) if name.startswith("left_"))


_BODY25 = (
    "nose", "neck",
    "right_shoulder", "right_elbow", "right_wrist",
    "left_shoulder", "left_elbow", "left_wrist",
    "mid_hip", "right_hip", "right_knee", "right_ankle",
    "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
    "left_big_toe", "left_small_toe", "left_heel",
    "right_big_toe", "right_small_toe", "right_heel",
)  # fmt: skip
_COCO18 = (
    "nose", "neck",
    "right_shoulder", "right_elbow", "right_wrist",
    "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle",
    "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip
_MOUSE5 = ("nose", "head", "spine_front", "spine_back", "tail_base")


def _chain(count: int) -> tuple[tuple[int, int], ...]:
    return tuple((i, i + 1) for i in range(count - 1))


#: OpenPose BODY_25: the order in which every human clip stores its joints.
BODY25 = Skeleton(
    "body25",
    _BODY25,
    (
        (1, 8), (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7),
        (8, 9), (9, 10), (10, 11), (8, 12), (12, 13), (13, 14),
        (1, 0), (0, 15), (15, 17), (0, 16), (16, 18),
        (14, 19), (19, 20), (14, 21), (11, 22), (22, 23), (11, 24),
    ),
    _pairs(_BODY25),
)  # fmt: skip
#: OpenPose COCO-18: the papers' "18 human joints"; a view of body25.
COCO18 = Skeleton(
    "coco18",
    _COCO18,
    (
        (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7),
        (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13),
        (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
    ),
    _pairs(_COCO18),
)  # fmt: skip
#: Lie-X fish: 21 joints along the body, head first.
FISH21 = Skeleton("fish21", tuple(f"spine_{i}" for i in range(21)), _chain(21))
#: Lie-X mouse: 5 joints in one chain, nose first.
MOUSE5 = Skeleton("mouse5", _MOUSE5, _chain(5))
#: OpenPose's 21 hand joints: wrist, then four a finger from the thumb on.
HAND21 = Skeleton(
    "hand21",
    ("wrist", *(f"{f}_{k}" for f in ("thumb", "index", "middle", "ring", "little") for k in range(1, 5))),
    tuple((0 if k == 0 else 4 * f + k, 4 * f + k + 1) for f in range(5) for k in range(4)),
)
#: OpenPose's 70 face points (68 of iBUG and the two pupils).
FACE70 = Skeleton("face70", tuple(f"face_{i}" for i in range(70)), ())

SKELETONS = {s.name: s for s in (BODY25, COCO18, FISH21, MOUSE5, HAND21, FACE70)}

# A view takes joints by name; where a name is absent, these joints' mean stands in.
_SUBSTITUTES: dict[str, tuple[str, ...]] = {
    "mid_hip": ("left_hip", "right_hip"),
    "neck": ("left_shoulder", "right_shoulder"),
}


def skeleton(name: str) -> Skeleton:
    """The skeleton of this name.

    Raises:
        SkeletonError: If there is none; the message lists the known ones.
    """
    if name not in SKELETONS:
        raise SkeletonError(f"unknown skeleton {name!r}", expected=f"one of {', '.join(sorted(SKELETONS))}")
    return SKELETONS[name]


def view(joints: Array, source: Skeleton, target: Skeleton) -> Array:
    """Shows joints of one skeleton as another.

    Joints are matched by name. A joint that the source lacks is the mean of its two parents where it
    has such (neck, mid_hip), with the lower confidence of the two; otherwise it is missing.

    Args:
        joints: ``(..., J_source, 3)`` array or tensor.
        source: The skeleton of ``joints``.
        target: The skeleton to show them as.

    Returns:
        ``(..., J_target, 3)``, a copy.

    Raises:
        SkeletonError: If the shape does not fit, or the skeletons share fewer than two joints.
    """
    if joints.shape[-2:] != (len(source), 3):
        raise SkeletonError(
            f"joints do not fit skeleton {source.name}",
            expected=f"(..., {len(source)}, 3)",
            found=tuple(joints.shape),
        )
    if source.name == target.name:
        return joints.clone() if isinstance(joints, torch.Tensor) else joints.copy()
    # One shared name proves nothing: mice have noses too.
    if len(set(source.joints) & set(target.joints)) < 2:
        raise SkeletonError(
            f"skeleton {source.name} cannot be shown as {target.name}: they share fewer than two joints",
            remedy="use a motion and an appearance of the same kind of body",
        )
    columns = []
    for name in target.joints:
        parents = _SUBSTITUTES.get(name, ())
        if name in source.joints:
            columns.append(joints[..., source.joints.index(name), :])
        elif parents and source.has(*parents):
            a, b = (joints[..., source.joints.index(p), :] for p in parents)
            if isinstance(a, torch.Tensor):
                middle = (a + b) / 2
                middle[..., 2] = torch.minimum(a[..., 2], b[..., 2])
                columns.append(middle)
            else:
                middle = (a + b) / 2
                middle[..., 2] = np.minimum(a[..., 2], b[..., 2])
                columns.append(middle)
        else:
            columns.append(joints[..., 0, :] * 0)
    if isinstance(joints, torch.Tensor):
        return torch.stack(columns, dim=-2)
    return np.stack(columns, axis=-2)
