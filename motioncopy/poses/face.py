"""Which way a face looks: vectors between its points, as FakeMotion and FakeVideo search similar faces by."""

from __future__ import annotations

import torch
from torch import Tensor

from motioncopy.batch import Motion
from motioncopy.errors import ConfigError
from motioncopy.skeletons import skeleton

#: FakeMotion, equation 8: v1 to v5. Right and left are the person's.
FAKEMOTION_VECTORS = (
    ("right_eye", "left_eye"),
    ("left_eye", "left_mouth"),
    ("left_mouth", "right_mouth"),
    ("right_mouth", "right_eye"),
    ("eyes", "nose"),
)
#: FakeVideo, section 3 and figure 4: v1 to v6. (The figure's caption misnames v3 and v4; the text has these.)
FAKEVIDEO_VECTORS = (
    ("right_eye", "left_eye"),
    ("left_eye", "nose"),
    ("right_eye", "nose"),
    ("right_ear", "left_ear"),
    ("nose", "right_ear"),
    ("nose", "left_ear"),
)

# Mouth corners among OpenPose's 70 face points (iBUG numbering: 48 is left in the image of a face seen from the
# front, which is the person's right).
_RIGHT_MOUTH, _LEFT_MOUTH = 48, 54
# Average face: the mouth lies 1.6 times as far below the eyes' middle as the nose's tip does, and each corner 0.4
# of the eyes' distance from its middle.
_MOUTH_DEPTH, _MOUTH_HALF_WIDTH = 1.6, 0.4


def face_vectors(
    motion: Motion, scale: float, *, vectors: tuple[tuple[str, str], ...] = FAKEMOTION_VECTORS
) -> tuple[Tensor, Tensor]:
    """Vectors between face points, in units of ``scale``.

    The eyes' middle needs both eyes. The mouth's corners are face points 48 (the person's right) and 54; where a
    frame lacks one, because there is no face group or the point is missing, it is placed from eyes and nose: the
    mouth's middle 1.6 times as far from the eyes' middle as the nose is, each corner 0.4 of the vector between the
    eyes to its side. Such corners carry no more than the other vectors do, and are alike for every frame that
    lacks them.

    Args:
        motion: B samples of T frames.
        scale: What the vectors are divided by, in pixels: the face crop's side, say.
        vectors: Pairs (from, to) of ``nose``, ``left_eye``, ``right_eye``, ``left_ear``, ``right_ear``, ``eyes`` (their
            middle), ``left_mouth``, ``right_mouth``; V of them.

    Returns:
        Vectors ``(B, T, V, 2)``, zero where invalid, and validity ``(B, T, V)`` bool: both ends are there.

    Raises:
        ConfigError: If a vector names an unknown point.
        SkeletonError: If the skeleton has no face (fish and mice).

    Example:
        >>> import torch
        >>> from motioncopy.batch import Motion
        >>> from motioncopy.poses.face import face_vectors
        >>> motion = Motion(torch.rand(1, 4, 25, 3), "body25", (64, 48))
        >>> vectors, valid = face_vectors(motion, scale=32.0)
        >>> vectors.shape, valid.shape  # five vectors a frame
        (torch.Size([1, 4, 5, 2]), torch.Size([1, 4, 5]))
    """
    points = _face_points(motion)
    unknown = {name for pair in vectors for name in pair} - set(points)
    if unknown:
        raise ConfigError(f"unknown face points {', '.join(sorted(unknown))}", expected=f"some of {', '.join(points)}")
    starts = torch.stack([points[a] for a, _ in vectors], dim=-2)
    ends = torch.stack([points[b] for _, b in vectors], dim=-2)
    valid = (starts[..., 2] > 0) & (ends[..., 2] > 0)
    return torch.where(valid[..., None], (ends - starts)[..., :2] / scale, 0.0), valid


def _face_points(motion: Motion) -> dict[str, Tensor]:
    """Points (B, T, 3) by name."""
    body = skeleton(motion.skeleton)
    names = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
    points = {name: motion.joints[..., body.index(name), :] for name in names}
    left, right, nose = points["left_eye"], points["right_eye"], points["nose"]
    eyes = _point((left + right) / 2, left, right)
    middle = eyes + _MOUTH_DEPTH * (nose - eyes)
    aside = _MOUTH_HALF_WIDTH * (left - right)
    points["eyes"] = eyes
    points["left_mouth"] = _point(middle + aside, eyes, nose)
    points["right_mouth"] = _point(middle - aside, eyes, nose)
    if motion.face is not None:
        for name, number in (("left_mouth", _LEFT_MOUTH), ("right_mouth", _RIGHT_MOUTH)):
            measured = motion.face[..., number, :]
            points[name] = torch.where(measured[..., 2:] > 0, measured, points[name])
    return points


def _point(place: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """A point derived from two others, as sure as the less sure of them."""
    return torch.cat([place[..., :2], torch.minimum(a[..., 2:], b[..., 2:])], dim=-1)
