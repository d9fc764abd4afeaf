from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from methods.fakemotion.parts import ResNetRefiner, UNetRefiner, radial_weight
from motioncopy.errors import ConfigError


def small_unet() -> UNetRefiner:
    return UNetRefiner(levels=3, width=8, max_width=32, skip_width=4, convs=1)


def small_resnet() -> ResNetRefiner:
    return ResNetRefiner(width=8, blocks=1)


@pytest.mark.parametrize(("build", "millions"), [(ResNetRefiner, 7.85), (UNetRefiner, 7.57)])
def test_number_of_parameters(build: Callable[[], nn.Module], millions: float) -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in build().parameters()) == pytest.approx(millions * 1e6, rel=0.01)


@pytest.mark.parametrize("small", [small_unet, small_resnet])
def test_starts_without_a_residual_and_learns_one(small: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    refiner, crops = small(), torch.rand(2, 3, 16, 16) * 2 - 1
    wanted = torch.rand(2, 3, 1, 1).expand_as(crops) - 0.5
    assert refiner(crops).abs().max() == 0
    assert refiner(crops).shape == crops.shape
    optimizer = torch.optim.Adam(refiner.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        loss = (refiner(crops) - wanted).abs().mean()
        loss.backward()
        optimizer.step()
    assert loss < 0.6 * wanted.abs().mean()


def test_residual_of_the_unet_spans_the_difference_of_two_images() -> None:
    refiner = small_unet()
    assert refiner.network.head.bias is not None
    nn.init.constant_(refiner.network.head.bias, 10.0)
    assert refiner(torch.zeros(1, 3, 16, 16)).max().item() == pytest.approx(2.0, abs=1e-4)


def test_a_crop_that_does_not_divide_is_refused() -> None:
    with pytest.raises(ConfigError, match="multiples of 4"):
        small_unet()(torch.zeros(1, 3, 18, 18))


def test_radial_weight_is_that_of_the_released_code() -> None:
    weight = radial_weight(48)
    assert weight.shape == (48, 48)
    assert weight[24, 24] == 1
    assert weight[24, 24 + 19] == 1
    assert weight[24, 24 - 20] == pytest.approx(0.3), "20 pixels off is outside"
    assert weight[0, 0] == weight[47, 47] == pytest.approx(0.3)
