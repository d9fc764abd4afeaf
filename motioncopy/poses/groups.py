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
