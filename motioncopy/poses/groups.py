"""One change to all joint groups of a motion: body, hands and face."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from motioncopy.batch import Motion


def each_group(motion: Motion, change: Callable[[Tensor], Tensor]) -> Motion:
    """The motion with ``change`` applied to the joints of every group that is there.

    Args:
        motion: B samples of T frames.
        change: Takes ``(B, T, K, 3)``, K being 25, 21, 70 or alike, and returns the same shape.

    Example:
        >>> import torch
        >>> from motioncopy.batch import Motion
        >>> from motioncopy.poses.groups import each_group
        >>> motion = Motion(torch.ones(1, 4, 25, 3), "body25", (64, 48), face=torch.ones(1, 4, 70, 3))
        >>> half = each_group(motion, lambda joints: joints * torch.tensor([0.5, 0.5, 1.0]))
        >>> half.face[0, 0, 0]
        tensor([0.5000, 0.5000, 1.0000])
    """

    def changed(group: Tensor | None) -> Tensor | None:
        return None if group is None else change(group)

    return replace(
        motion,
        joints=change(motion.joints),
        hand_left=changed(motion.hand_left),
        hand_right=changed(motion.hand_right),
        face=changed(motion.face),
    )
