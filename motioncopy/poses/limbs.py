"""Limb maps: a channel a limb, as soft ellipses or as FakeMotion's released one-hot label."""

from __future__ import annotations

import torch
from torch import Tensor

from motioncopy.batch import Motion
from motioncopy.poses.raster import Backend, Size, Strokes, check_joints, labels, masks
from motioncopy.skeletons import HAND21, Skeleton, skeleton


def draw_limbs(joints: Tensor, source: Skeleton, size: Size, *, backend: Backend = "auto") -> Tensor:
    """Draws each limb into a channel of its own, as a filled ellipse with the limb as its long axis.

    A limb is drawn where both its joints are there. Half its width is 4 pixels at a longer side of 512 (FakeMotion's
    released code), in proportion.

    On a CPU OpenCV draws, elsewhere torch does, batched on the device. The two differ by anti-aliasing alone: at
    128x128 and more, mean absolute difference below 0.002, fewer than 0.5% of the values by more than 0.25. No
    gradient flows.

    Args:
        joints: ``(..., J, 3)``, x, y in pixels of ``size``, and confidence.
        source: Their skeleton, which gives the L limbs.
        size: (height, width).
        backend: For tests and benchmarks: forces one of the two.

    Returns:
        ``(..., L, H, W)`` float32 in [0, 1], on the device of ``joints``.

    Raises:
        BatchError: If the joints do not fit the skeleton.
        ConfigError: If the backend is unknown.

    Example:
        >>> import torch
        >>> from motioncopy.poses.limbs import draw_limbs
        >>> from motioncopy.skeletons import BODY25
        >>> draw_limbs(torch.rand(2, 25, 3), BODY25, (64, 48)).shape  # a channel for each of 24 limbs
        torch.Size([2, 24, 64, 48])
    """
    check_joints(joints, source)
    strokes = Strokes.between(joints.reshape(-1, len(source), 3), source.limbs, _released(4, size), ellipse=True)
    return masks(strokes, size, backend=backend).reshape(*joints.shape[:-2], len(source.limbs), *size)


def onehot_channels(source: Skeleton) -> int:
    """Channels of :func:`draw_onehot`: background, limbs, and two hands of 20 for skeletons that have wrists.

    Example:
        >>> from motioncopy.poses.limbs import onehot_channels
        >>> from motioncopy.skeletons import BODY25, FISH21
        >>> onehot_channels(BODY25), onehot_channels(FISH21)
        (65, 21)
    """
    hands = 2 * len(HAND21.limbs) if source.has("left_wrist", "right_wrist") else 0
    return 1 + len(source.limbs) + hands


def draw_onehot(motion: Motion, *, backend: Backend = "auto") -> Tensor:
    """Draws FakeMotion's released label: each pixel belongs to the background, to one limb or to one finger bone.

    65 channels for body25: 0 background, 1 to 24 the limbs as filled ellipses (see :func:`draw_limbs`), 25 to 44 the
    left hand, 45 to 64 the right, as lines half as wide. Later channels lie on top. Absent hands leave their channels
    empty. The released code has a missing joint copy the previous frame's: apply
    :func:`motioncopy.poses.smooth.fill_missing` first for that. The order among the 24 limbs is ours (the skeleton's),
    and edges are exact where the released code rounds joints to whole pixels.

    OpenCV and torch disagree on fewer than 1% of the pixels at 128x128 and more.

    Args:
        motion: B samples of T frames.
        backend: For tests and benchmarks: forces one of the two.

    Returns:
        ``(B, T, onehot_channels, H, W)`` float32, 0 or 1.

    Example:
        >>> import torch
        >>> from motioncopy.batch import Motion
        >>> from motioncopy.poses.limbs import draw_onehot
        >>> motion = Motion(torch.rand(1, 4, 25, 3), "body25", (64, 48))
        >>> label = draw_onehot(motion)
        >>> label.shape
        torch.Size([1, 4, 65, 64, 48])
        >>> bool((label.sum(dim=2) == 1).all())
        True
    """
    size, body = motion.size, skeleton(motion.skeleton)
    strokes = Strokes.between(motion.joints.flatten(0, 1), body.limbs, _released(4, size), ellipse=True)
    label = labels(strokes, size, backend=backend)
    if onehot_channels(body) > 1 + len(body.limbs):
        first = len(body.limbs)
        for hand in (motion.hand_left, motion.hand_right):
            if hand is not None:
                strokes = Strokes.between(hand.flatten(0, 1), HAND21.limbs, _released(2, size) / 2)
                fingers = labels(strokes, size, backend=backend)
                label = torch.where(fingers > 0, fingers + first, label)
            first += len(HAND21.limbs)
    batch, frames = motion.joints.shape[:2]
    onehot = torch.zeros(batch * frames, onehot_channels(body), *size, device=label.device)
    return onehot.scatter_(1, label[:, None], 1.0).reshape(batch, frames, -1, *size)


def _released(pixels_at_512: float, size: Size) -> float:
    return pixels_at_512 * max(size) / 512
