"""Refiners of body parts: how much a residual counts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from motioncopy.batch import Motion
from motioncopy.nets.parts import LocalRefiners, radial_weight
from motioncopy.skeletons import BODY25


def test_radial_weight_is_that_of_the_released_code() -> None:
    weight = radial_weight(48)
    assert weight.shape == (48, 48)
    assert weight[24, 24] == 1
    assert weight[24, 24 + 19] == 1
    assert weight[24, 24 - 20] == pytest.approx(0.3), "20 pixels off is outside"
    assert weight[0, 0] == weight[47, 47] == pytest.approx(0.3)


class Brighter(nn.Module):
    """A residual that is the same everywhere."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, crops: Tensor) -> Tensor:
        return torch.full_like(crops, self.by)


def test_overlapping_parts_do_not_overwrite_one_another() -> None:
    joints = torch.zeros(1, 1, 25, 3)
    for name, x in (("left_ankle", 14.0), ("right_ankle", 18.0)):
        joints[0, 0, BODY25.index(name)] = torch.tensor([x, 16.0, 1.0])
    refiners = LocalRefiners(nn.Identity(), size=8, parts=("left_foot", "right_foot"))
    refiners.refiners = nn.ModuleList([Brighter(0.2), Brighter(0.6)])
    refined = refiners(torch.zeros(1, 3, 32, 32), Motion(joints, "body25", (32, 32)))[0, 0]
    assert refined.unique().tolist() == pytest.approx([0.0, 0.2, 0.4, 0.6]), "one, the other, and both in the middle"
    assert refined[16, 16] == pytest.approx(0.4)
