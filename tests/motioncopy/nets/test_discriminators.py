"""Discriminators: their sizes, what they return, what they see."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from motioncopy.errors import ConfigError
from motioncopy.nets.blocks import Norm
from motioncopy.nets.discriminators import MultiScaleDiscriminator, PatchDiscriminator


def millions(module: nn.Module) -> float:
    return sum(p.numel() for p in module.parameters()) / 1e6


def shapes(maps: list[Tensor]) -> list[tuple[int, ...]]:
    return [tuple(x.shape[1:]) for x in maps]


def test_the_published_sizes_have_the_published_number_of_parameters() -> None:
    assert millions(MultiScaleDiscriminator(68)) == pytest.approx(5.66, abs=0.005)
    assert millions(MultiScaleDiscriminator(3, num_scales=1, norm="batch")) == pytest.approx(2.76, abs=0.01)


def test_it_returns_every_layer_of_every_scale_with_the_logits_last() -> None:
    fine, coarse = MultiScaleDiscriminator(5, ndf=8)(torch.randn(2, 5, 64, 48))
    assert shapes(fine) == [(8, 33, 25), (16, 17, 13), (32, 9, 7), (64, 10, 8), (1, 11, 9)]
    assert shapes(coarse) == [(8, 17, 13), (16, 9, 7), (32, 5, 4), (64, 6, 5), (1, 7, 6)]


def test_layers_double_their_channels_up_to_512() -> None:
    maps = PatchDiscriminator(3, n_layers=5, ndf=64)(torch.randn(1, 3, 64, 64))
    assert [x.shape[1] for x in maps] == [64, 128, 256, 512, 512, 512, 1]


def test_coarse_scales_see_the_image_halved() -> None:
    network = MultiScaleDiscriminator(3, num_scales=3, ndf=4)
    image = torch.randn(1, 3, 64, 64)
    half = functional.avg_pool2d(image, 3, stride=2, padding=1, count_include_pad=False)
    torch.testing.assert_close(network(image)[1], network.scales[1](half))
    assert [len(scale) for scale in network(image)] == [5, 5, 5]


def test_a_logit_sees_seventy_pixels() -> None:
    network = PatchDiscriminator(1, ndf=4, norm="none")
    image = torch.randn(1, 1, 200, 200, requires_grad=True)
    logits = network(image)[-1]
    logits[0, 0, 13, 13].backward()
    assert image.grad is not None
    touched = image.grad[0, 0].abs().sum(0).nonzero()
    assert int(touched[-1] - touched[0]) + 1 == 70


def test_instance_norm_is_that_of_torch() -> None:
    network = PatchDiscriminator(3, n_layers=2, ndf=4)
    x = torch.randn(2, 3, 20, 20)
    found = network(x)
    for layer, channels in ((network.layers[1], 8), (network.layers[2], 16)):
        assert isinstance(layer, nn.Sequential)
        layer[1] = nn.InstanceNorm2d(channels)
    torch.testing.assert_close(network(x), found, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("norm", "kind", "count"), [("instance", nn.GroupNorm, 3), ("batch", nn.BatchNorm2d, 3), ("none", nn.GroupNorm, 0)]
)
def test_norms_are_on_all_layers_but_the_first_and_the_last(norm: Norm, kind: type[nn.Module], count: int) -> None:
    network = PatchDiscriminator(3, ndf=4, norm=norm)
    assert sum(isinstance(m, kind) for m in network.modules()) == count
    assert not any(isinstance(m, kind) for end in (0, -1) for m in network.layers[end].modules())


def test_spectral_norm_bounds_every_layer() -> None:
    network = PatchDiscriminator(3, n_layers=2, ndf=4, norm="spectral").train()
    for _ in range(50):  # power iterations
        network(torch.randn(1, 3, 16, 16))
    network.eval()
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 4
    for convolution in convolutions:
        assert torch.linalg.matrix_norm(convolution.weight.flatten(1), 2).item() == pytest.approx(1, rel=1e-2)


def test_small_crops_can_be_judged() -> None:
    assert MultiScaleDiscriminator(3, ndf=4)(torch.randn(1, 3, 16, 16))[-1][-1].shape == (1, 1, 4, 4)
    crop = torch.randn(2, 3, 16, 16)
    network = MultiScaleDiscriminator(3, n_layers=2, ndf=4).train()
    assert all(x.std() > 0 for scale in network(crop) for x in scale)


@pytest.mark.parametrize("norm", ["instance", "batch", "none", "spectral"])
def test_three_pixels_are_enough_for_two_scales_and_two_are_refused(norm: Norm) -> None:
    network = MultiScaleDiscriminator(3, ndf=4, norm=norm).train()
    assert [len(scale) for scale in network(torch.randn(1, 3, 3, 3))] == [5, 5]
    with pytest.raises(ConfigError, match=r"at least 2x2 pixels at each scale.*\(1, 1\)"):
        network(torch.randn(4, 3, 2, 2))  # a batch of several would be normalised to zeros in silence


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown normalisation"):
        PatchDiscriminator(3, norm="group")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="at least one scale"):
        MultiScaleDiscriminator(3, num_scales=0)
    with pytest.raises(ConfigError, match="channels and layers"):
        PatchDiscriminator(3, n_layers=0)
    with pytest.raises(ConfigError, match="channels and layers"):
        PatchDiscriminator(3, ndf=0)
