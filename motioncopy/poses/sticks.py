"""Coloured stick figures: one colour a limb, the drawing that most motion copy networks take."""

from __future__ import annotations

import colorsys
from functools import cache
from typing import Literal

import torch
from torch import Tensor

from motioncopy.batch import Motion
from motioncopy.errors import ConfigError
from motioncopy.poses.raster import Backend, Size, Strokes, check_joints, default_width, paint
from motioncopy.skeletons import FACE70, HAND21, Skeleton, skeleton, view

Background = Literal["black", "white"]


@cache
def limb_colours(count: int, *, saturation: float = 1.0, value: float = 1.0) -> tuple[tuple[int, int, int], ...]:
    """``count`` RGB colours in [0, 255]; steps of the golden ratio keep the hues of left and right limbs apart.

    Example:
        >>> from motioncopy.poses.sticks import limb_colours
        >>> limb_colours(2)
        ((255, 0, 0), (0, 74, 255))
    """
    return tuple(_rgb(0.618034 * i % 1, saturation, value) for i in range(count))


def body_colours(body: Skeleton) -> tuple[tuple[int, int, int], ...]:
    """A colour for each limb: :func:`limb_colours`; along a chain (fish, mouse) the hue runs from red to violet.

    A chain's limbs are few pixels long: hues that leap from one to the next would blur, and not say where the head is.

    Example:
        >>> from motioncopy.poses.sticks import body_colours
        >>> from motioncopy.skeletons import BODY25
        >>> len(body_colours(BODY25))
        24
    """
    count = len(body.limbs)
    if body.limbs != tuple((i, i + 1) for i in range(len(body) - 1)):
        return limb_colours(count)
    return tuple(_rgb(0.8 * i / max(1, count - 1), 1.0, 1.0) for i in range(count))


def _rgb(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def draw_sticks(
    joints: Tensor,
    source: Skeleton,
    size: Size,
    *,
    show_as: Skeleton | None = None,
    width: float | None = None,
    background: Background = "black",
    backend: Backend = "auto",
) -> Tensor:
    """Draws each limb as a line with round ends in its own colour, in the order of the skeleton's limbs.

    A skeleton without limbs (face points) is drawn as dots.

    A limb is drawn where both its joints are there; what lies outside the image is cut off.
    On a CPU OpenCV draws, elsewhere torch does, batched on the device. The two differ by anti-aliasing alone: at
    128x128 and more, mean absolute difference below 0.01, fewer than 1% of the values by more than 0.25. No gradient
    flows.

    Args:
        joints: ``(..., J, 3)``, x, y in pixels of ``size``, and confidence.
        source: Their skeleton.
        size: (height, width) of the drawing.
        show_as: Draws them as a view of another skeleton, e.g. ``COCO18`` for the papers' 18 joints.
        width: Pixels; by default 3 at a longer side of 256, in proportion; less than 2 is drawn
            as 2.
        background: Behind the figure.
        backend: For tests and benchmarks: forces one of the two.

    Returns:
        ``(..., 3, H, W)`` float32 in [-1, 1], RGB, on the device of ``joints``.

    Raises:
        BatchError: If the joints do not fit the skeleton.
        SkeletonError: If they cannot be shown as ``show_as``.
        ConfigError: If a name is unknown.

    Example:
        >>> import torch
        >>> from motioncopy.poses.sticks import draw_sticks
        >>> from motioncopy.skeletons import BODY25, COCO18
        >>> draw_sticks(torch.rand(2, 25, 3), BODY25, (64, 48), show_as=COCO18).shape
        torch.Size([2, 3, 64, 48])
    """
    check_joints(joints, source)
    if show_as is not None:
        joints, source = view(joints, source, show_as), show_as
    half = (default_width(size) if width is None else width) / 2
    limbs = source.limbs or _dots(len(source))
    strokes = Strokes.between(joints.reshape(-1, len(source), 3), limbs, half)
    colours = torch.tensor(body_colours(source) if source.limbs else limb_colours(len(limbs)), dtype=torch.uint8)
    drawing = paint(strokes, colours, size, background=_grey(background), backend=backend)
    return drawing.reshape(*joints.shape[:-2], 3, *size)


def draw_motion_sticks(
    motion: Motion,
    *,
    show_as: Skeleton | None = None,
    width: float | None = None,
    background: Background = "black",
    backend: Backend = "auto",
) -> Tensor:
    """Draws the body, and where the motion has them, the hands' sticks and the face's points.

    Fingers and face points are half as wide as limbs; left fingers are pale, right ones dark, face points white on
    black or black on white. All else is as in :func:`draw_sticks`.

    Args:
        motion: B samples of T frames.
        show_as: See :func:`draw_sticks`; hands and face are drawn all the same.
        width: Of a limb, in pixels; by default :func:`draw_sticks`'s.
        background: See :func:`draw_sticks`.
        backend: See :func:`draw_sticks`.

    Returns:
        ``(B, T, 3, H, W)`` float32 in [-1, 1].

    Example:
        >>> import torch
        >>> from motioncopy.batch import Motion
        >>> from motioncopy.poses.sticks import draw_motion_sticks
        >>> motion = Motion(torch.rand(1, 4, 25, 3), "body25", (64, 48))
        >>> draw_motion_sticks(motion).shape
        torch.Size([1, 4, 3, 64, 48])
    """
    size, body, joints = motion.size, skeleton(motion.skeleton), motion.joints
    if show_as is not None:
        joints, body = view(joints, body, show_as), show_as
    half = (default_width(size) if width is None else width) / 2
    points = _dots(len(FACE70))
    ink = (255 - _grey(background),) * 3
    groups = (
        (joints, body.limbs, half, body_colours(body)),
        (motion.hand_left, HAND21.limbs, half / 2, limb_colours(len(HAND21.limbs), saturation=0.5)),
        (motion.hand_right, HAND21.limbs, half / 2, limb_colours(len(HAND21.limbs), value=0.6)),
        (motion.face, points, half / 2, (ink,) * len(points)),
    )
    present = [(g.flatten(0, 1), limbs, h, c) for g, limbs, h, c in groups if g is not None]
    strokes = Strokes.join([Strokes.between(g, limbs, h) for g, limbs, h, _ in present])
    colours = torch.tensor([colour for *_, c in present for colour in c], dtype=torch.uint8)
    drawing = paint(strokes, colours, size, background=_grey(background), backend=backend)
    return drawing.reshape(*joints.shape[:2], 3, *size)


def _dots(count: int) -> tuple[tuple[int, int], ...]:
    return tuple((i, i) for i in range(count))


def _grey(background: Background) -> int:
    if background not in ("black", "white"):
        raise ConfigError(f"unknown background {background!r}", expected="black or white")
    return 255 if background == "white" else 0
