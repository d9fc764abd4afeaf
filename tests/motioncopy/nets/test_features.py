"""Feature networks against torchvision's, on random weights in torchvision's file format."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torchvision
from torch import Tensor, nn

from motioncopy.errors import BatchError, ConfigError, WeightsError
from motioncopy.nets.features import FeatureNetwork
from motioncopy.weights import WEIGHTS

_VGG_ENDS = {"vgg16": "relu5_3", "vgg19": "relu5_4"}


def images(size: int = 32) -> Tensor:
    return torch.rand(2, 3, size, size) * 2 - 1


def smooth_images(number: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    blobs = torch.rand(number, 3, 6, 6, generator=generator) * 2 - 1
    return nn.functional.interpolate(blobs, size=96, mode="bicubic").clamp(-1, 1)


def normalised(x: Tensor) -> Tensor:
    """What torchvision's own preset of these networks does to an image in [0, 1]."""
    preset = torchvision.models.VGG19_Weights.IMAGENET1K_V1.transforms()
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (preset.mean, preset.std))
    return ((x + 1) / 2 - mean) / std


def publish(name: str, network: nn.Module, monkeypatch: pytest.MonkeyPatch, folder: Path) -> str:
    """Saves a network as the file of the weights ``name``, and gives its hash."""
    state = {key: value for key, value in network.state_dict().items() if not key.startswith("classifier")}
    if name.startswith("vgg"):
        state["classifier.0.weight"] = torch.zeros(2, 2)  # there, but not in its half gigabyte
    path = folder / WEIGHTS[name].file
    torch.save(state, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(WEIGHTS, name, replace(WEIGHTS[name], sha256=digest))
    monkeypatch.setenv("MOTIONCOPY_WEIGHTS", str(folder))
    return digest


@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_vgg_is_torchvisions_at_every_layer(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with torch.device("meta"):
        reference = torchvision.models.get_model(name).features
    reference = reference.to_empty(device="cpu")
    for parameter in reference.parameters():
        nn.init.kaiming_uniform_(parameter) if parameter.ndim > 1 else nn.init.uniform_(parameter)
    digest = publish(name, nn.ModuleDict({"features": reference}), monkeypatch, tmp_path)

    layers = ["relu1_1", "conv1_2", "pool2", "relu3_3", "conv4_1", "conv5_3", _VGG_ENDS[name]]
    network = FeatureNetwork(name, layers)  # type: ignore[arg-type]
    assert network.identity() == f"{name}@sha256:{digest}"
    x = images()
    found = network(x)
    assert list(found) == layers

    block, number, expected = 1, 0, {}
    y = normalised(x)
    with torch.no_grad():
        for layer in reference:
            layer.inplace = False
            y = layer(y)
            number += isinstance(layer, nn.Conv2d)
            kind = {nn.Conv2d: "conv", nn.ReLU: "relu", nn.MaxPool2d: "pool"}[type(layer)]
            expected[f"pool{block}" if kind == "pool" else f"{kind}{block}_{number}"] = y
            if kind == "pool":
                block, number = block + 1, 0
    for layer in layers:
        torch.testing.assert_close(found[layer], expected[layer])


def test_resnet18_gives_torchvisions_logits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    reference = torchvision.models.resnet18()
    reference(torch.randn(4, 3, 32, 32))  # moves the running statistics
    digest = publish("resnet18", reference.eval(), monkeypatch, tmp_path)
    network = FeatureNetwork("resnet18_logits", ["logits"])
    assert network.identity() == f"resnet18@sha256:{digest}"
    x = images()
    torch.testing.assert_close(network(x)["logits"], reference(normalised(x)))
    assert network(x)["logits"].shape == (2, 1000)


def test_missing_weights_are_an_error_and_no_other_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("MOTIONCOPY_WEIGHTS", "HOME", "TORCH_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    with pytest.raises(WeightsError, match="motioncopy weights fetch vgg19"):
        FeatureNetwork("vgg19")


def test_it_goes_no_deeper_than_asked() -> None:
    network = FeatureNetwork("random_vgg", ["relu2_1", "conv1_2"], width=4)
    assert [name for name, _ in network.body.named_children()] == [
        *("conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1", "conv2_1", "relu2_1")
    ]
    found = network(images())
    assert {name: tuple(x.shape) for name, x in found.items()} == {"conv1_2": (2, 4, 32, 32), "relu2_1": (2, 8, 16, 16)}


def test_conv_is_relu_before_its_relu() -> None:
    found = FeatureNetwork("random_vgg", ["conv5_4", "relu5_4"], width=4)(images())
    assert (found["conv5_4"] < 0).any()
    torch.testing.assert_close(found["conv5_4"].relu(), found["relu5_4"])


def test_random_logits_are_a_linear_map_of_the_last_layers_mean() -> None:
    network = FeatureNetwork("random_vgg", ["relu5_4", "logits"], width=4)
    found = network(images())
    assert found["logits"].shape == (2, 1000)
    mean, weight = found["relu5_4"].mean((2, 3)), network.state_dict()["body.logits.2.weight"]
    torch.testing.assert_close(found["logits"], mean @ weight.T)


@pytest.mark.parametrize("width", [8, 16])
def test_distances_of_random_logits_are_of_the_size_that_the_transport_loss_expects(width: int) -> None:
    # Far below ε, which is 100, the plan is uniform, and all generated images are drawn to the average real one.
    logits = FeatureNetwork("random_vgg", ["logits"], width=width)(smooth_images(8))["logits"]
    distances = torch.pdist(logits, p=1)
    assert 50 < distances.mean() < 2000


def test_random_weights_are_the_same_on_every_machine() -> None:
    def digest(layer: str = "relu5_4", **settings: int) -> str:
        weights = FeatureNetwork("random_vgg", [layer], **settings).state_dict()
        return hashlib.sha256(b"".join(w.numpy().tobytes() for w in weights.values())).hexdigest()[:16]

    assert digest(width=2, seed=0) == "98da69a9a3f866f2"
    assert digest("logits", width=2, seed=0) == "c2a51387f09b656a"
    assert len({digest(width=2, seed=0), digest(width=2, seed=1), digest(width=3, seed=0)}) == 3


def test_random_weights_of_fewer_layers_are_the_same_ones() -> None:
    deep = FeatureNetwork("random_vgg", ["relu1_2", "relu5_4"], width=4)
    x = images()
    torch.testing.assert_close(FeatureNetwork("random_vgg", ["relu1_2"], width=4)(x)["relu1_2"], deep(x)["relu1_2"])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("width", [8, 16])
def test_random_features_neither_vanish_nor_explode(width: int, seed: int) -> None:
    layers = [
        f"relu{block}_{number}" for block, count in enumerate((2, 2, 4, 4, 4), 1) for number in range(1, count + 1)
    ]
    network = FeatureNetwork("random_vgg", layers, width=width, seed=seed)
    for features in network(smooth_images(4)).values():
        assert 0.2 < features.std() < 5
        assert (features.flatten(1).std(0).mean() / features.std()) > 0.05  # images still differ


def test_random_identity_names_width_and_seed() -> None:
    assert FeatureNetwork("random_vgg", width=4, seed=3).identity() == "random_vgg(width=4, seed=3)"


def test_it_is_frozen_and_the_gradient_goes_to_the_images() -> None:
    network = FeatureNetwork("random_vgg", ["relu3_1"], width=4)
    assert not network.train().training
    assert not any(module.training for module in network.modules())
    assert not any(p.requires_grad for p in network.parameters())
    x = images().requires_grad_()
    network(x)["relu3_1"].sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_building_it_leaves_the_random_numbers_of_training_alone() -> None:
    before = torch.get_rng_state()
    FeatureNetwork("random_vgg", width=4, seed=5)
    assert torch.equal(torch.get_rng_state(), before)


def test_images_that_do_not_fit_are_refused() -> None:
    network = FeatureNetwork("random_vgg", ["conv5_4"], width=2)
    network(images(16))
    for wrong in (images(15), images()[0], images()[:, :2], images().mul(100).to(torch.uint8)):
        with pytest.raises(BatchError, match=r"conv5_4 of random_vgg.*at least 16"):
            network(wrong)


def test_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="relu5_3"):
        FeatureNetwork("vgg16", ["relu5_4"])
    with pytest.raises(ConfigError, match="none"):
        FeatureNetwork("random_vgg", [])
    with pytest.raises(ConfigError, match="vgg19, vgg16"):
        FeatureNetwork("vgg11")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="width"):
        FeatureNetwork("random_vgg", width=0)
