"""Refiners of body parts: how much a residual counts."""

from __future__ import annotations

import pytest

from motioncopy.nets.parts import radial_weight


def test_radial_weight_is_that_of_the_released_code() -> None:
    weight = radial_weight(48)
    assert weight.shape == (48, 48)
    assert weight[24, 24] == 1
    assert weight[24, 24 + 19] == 1
    assert weight[24, 24 - 20] == pytest.approx(0.3), "20 pixels off is outside"
    assert weight[0, 0] == weight[47, 47] == pytest.approx(0.3)
