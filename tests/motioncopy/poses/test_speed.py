from __future__ import annotations

import torch

from benchmarks.speed import poses
from motioncopy.poses.heatmaps import draw_heatmaps
from motioncopy.poses.limbs import draw_limbs
from motioncopy.poses.sticks import draw_sticks
from motioncopy.skeletons import BODY25


def test_the_plain_drawings_are_the_same_drawings() -> None:
    """What the benchmark compares with does the same work."""
    size = (64, 64)
    joints = poses.figures(2, size)
    assert (poses.plain_sticks(joints, size) - draw_sticks(joints, BODY25, size)).abs().mean() < 0.05
    assert (poses.plain_limbs(joints, size) - draw_limbs(joints, BODY25, size)).abs().mean() < 0.01
    torch.testing.assert_close(
        torch.from_numpy(poses.plain_heatmaps(joints, size)), draw_heatmaps(joints, size), atol=1e-5, rtol=0
    )
