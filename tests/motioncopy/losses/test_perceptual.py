"""Distances in features: their value, where their gradient goes, their errors."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch.nn import functional

from motioncopy.errors import BatchError, ConfigError
from motioncopy.losses.perceptual import ContentAndStyle, FeatureLoss, gram
from motioncopy.nets.features import FeatureNetwork


@pytest.fixture(scope="module")
def network() -> FeatureNetwork:
    return FeatureNetwork("random_vgg", ["relu1_1", "relu2_1", "conv3_1"], width=4)


@pytest.mark.parametrize("distance", ["l1", "mse"])
def test_it_is_the_weighted_sum_of_the_layers_distances(
    network: FeatureNetwork, distance: Literal["l1", "mse"]
) -> None:
    generated, real = torch.rand(2, 2, 3, 16, 16) * 2 - 1
    measure = functional.l1_loss if distance == "l1" else functional.mse_loss
    a, b = network(generated), network(real)
    expected = 0.25 * measure(a["relu1_1"], b["relu1_1"]) + 3 * measure(a["conv3_1"], b["conv3_1"])
    loss = FeatureLoss(network, {"relu1_1": 0.25, "conv3_1": 3}, distance)
    torch.testing.assert_close(loss(generated, real), expected)
    assert loss(real, real) == 0


def test_the_gradient_goes_to_the_generated_image_alone(network: FeatureNetwork) -> None:
    generated, real = (torch.rand(1, 3, 16, 16, requires_grad=True) for _ in range(2))
    FeatureLoss(network, {"relu2_1": 1.0})(generated, real).backward()
    assert generated.grad is not None
    assert generated.grad.abs().sum() > 0
    assert real.grad is None
    assert all(p.grad is None for p in network.parameters())


def test_what_cannot_be_measured_is_refused(network: FeatureNetwork) -> None:
    with pytest.raises(ConfigError, match="relu5_1"):
        FeatureLoss(network, {"relu1_1": 1.0, "relu5_1": 1.0})
    with pytest.raises(ConfigError, match="none"):
        FeatureLoss(network, {})
    with pytest.raises(ConfigError, match="l1 or mse"):
        FeatureLoss(network, {"relu1_1": 1.0}, "l2")  # type: ignore[arg-type]
    with pytest.raises(BatchError, match="do not pair"):
        FeatureLoss(network, {"relu1_1": 1.0})(torch.rand(1, 3, 8, 8), torch.rand(2, 3, 8, 8))


def test_gram_is_the_mean_product_of_channels() -> None:
    features = torch.randn(2, 3, 4, 5)
    found = gram(features)
    for i in range(3):
        for j in range(3):
            expected = (features[1, i] * features[1, j]).sum() / (3 * 4 * 5)
            torch.testing.assert_close(found[1, i, j], expected)


def test_content_and_style_vanish_for_equal_images_only_and_train_the_generated_alone() -> None:
    features = FeatureNetwork(network="random_vgg", layers=["relu1_1", "relu2_1"], width=4)
    loss = ContentAndStyle(features, {"relu1_1": 1.0, "relu2_1": 0.5})
    real, generated = torch.rand(1, 3, 16, 16, requires_grad=True), torch.rand(1, 3, 16, 16, requires_grad=True)
    assert loss(real, real).item() == 0
    value = loss(generated, real)
    assert value.item() > 0
    value.backward()
    assert generated.grad is not None
    assert real.grad is None
    with pytest.raises(ConfigError, match="relu9_9"):
        ContentAndStyle(features, {"relu9_9": 1.0})
