"""A standing person and variations of it, for the tests of poses."""

from __future__ import annotations

import torch
from torch import Tensor

from motioncopy.batch import Motion
from motioncopy.skeletons import BODY25

SIZE = (128, 128)

_PLACES = {
    "nose": (64, 20), "neck": (64, 34),
    "right_shoulder": (52, 35), "right_elbow": (44, 50), "right_wrist": (38, 64),
    "left_shoulder": (76, 35), "left_elbow": (84, 50), "left_wrist": (96, 40),
    "mid_hip": (64, 66), "right_hip": (57, 66), "right_knee": (55, 90), "right_ankle": (54, 112),
    "left_hip": (71, 66), "left_knee": (75, 88), "left_ankle": (78, 110),
    "right_eye": (61, 17), "left_eye": (67, 17), "right_ear": (57, 19), "left_ear": (71, 19),
    "left_big_toe": (83, 116), "left_small_toe": (86, 114), "left_heel": (77, 114),
    "right_big_toe": (50, 118), "right_small_toe": (47, 116), "right_heel": (55, 116),
}  # fmt: skip


def person() -> Tensor:
    """One upright person in a 128x128 image, (25, 3)."""
    return torch.tensor([[*map(float, _PLACES[name]), 1.0] for name in BODY25.joints])


def moving(frames: int, *, seed: int = 0) -> Tensor:
    """A person who waves arms and head, its feet still, (T, 25, 3)."""
    joints = person().repeat(frames, 1, 1)
    shift = torch.randn(frames, len(BODY25), 2, generator=torch.Generator().manual_seed(seed))
    still = [i for i, name in enumerate(BODY25.joints) if name.endswith(("ankle", "toe", "heel"))]
    shift[:, still] = 0
    joints[..., :2] += 2 * shift
    return joints


def placed(joints: Tensor, scale: float | Tensor, x: float | Tensor, y: float | Tensor) -> Tensor:
    """Joints (T, J, 3) scaled about the origin, then moved; numbers, or one a frame."""
    factor, offset_x, offset_y = (
        torch.as_tensor(v, dtype=joints.dtype).reshape(-1, 1).expand(len(joints), 1) for v in (scale, x, y)
    )
    moved = joints.clone()
    moved[..., 0] = factor * joints[..., 0] + offset_x
    moved[..., 1] = factor * joints[..., 1] + offset_y
    return moved


def hide(joints: Tensor, *names: str) -> Tensor:
    """The same joints without the named ones, whose places are then nonsense."""
    hidden = joints.clone()
    for name in names:
        hidden[..., BODY25.index(name), :] = torch.tensor([-999.0, 7777.0, 0.0])
    return hidden


def hand(x: float, y: float) -> Tensor:
    """Five straight fingers from a wrist at (x, y), (21, 3)."""
    points = [(x, y)] + [(x + 2 * f - 4, y - 2 * k) for f in range(5) for k in range(1, 5)]
    return torch.tensor([[*p, 1.0] for p in points])


def face() -> Tensor:
    """Face points on an oval about the nose, the mouth's corners below it, (70, 3)."""
    angle = torch.linspace(0, 6.2, 70)
    points = torch.stack([64 + 7 * angle.cos(), 20 + 9 * angle.sin(), torch.ones(70)], dim=-1)
    points[48, :2], points[54, :2] = torch.tensor([61.0, 25.0]), torch.tensor([67.0, 25.0])
    return points


def motion(frames: int = 3, *, groups: bool = True) -> Motion:
    """A B = 1 motion at 128x128, with hands and face or without."""
    extra = {"hand_left": hand(96, 38), "hand_right": hand(38, 66), "face": face()} if groups else {}
    return Motion(
        moving(frames)[None],
        "body25",
        SIZE,
        **{name: group.expand(1, frames, -1, -1).clone() for name, group in extra.items()},
    )
