"""LPIPS on an AlexNet with random weights in torchvision's file format: no download is needed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import lpips as reference
import pytest
import torch
import torchvision
from torch import Tensor, nn

from benchmarks.audit.cases import Frames
from benchmarks.audit.checks import parity
from benchmarks.audit.networks import network as network_of
from motioncopy import weights
from motioncopy.errors import BatchError, WeightsError
from motioncopy.metrics.evaluator import Evaluator
from motioncopy.metrics.lpips import LPIPS, SMALLEST, VGGLPIPS, load_network, lpips


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("weights") / "alexnet.pth"
    torch.manual_seed(0)
    state = torchvision.models.alexnet().state_dict()
    # As large as the real file, the classifier would only slow the test.
    torch.save({name: value for name, value in state.items() if name.startswith("features.")}, path)
    return path


@pytest.fixture(scope="module")
def network(backbone: Path) -> nn.Module:
    return load_network(torch.load(backbone, weights_only=True))


def frames(count: int = 3, size: int = 64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(size)
    x, y = (torch.randint(0, 256, (count, 3, size, size), generator=generator).to(torch.uint8) for _ in range(2))
    return x, y


def test_the_value_follows_the_paper(backbone: Path, network: nn.Module) -> None:
    """Equation 1, written out over torchvision's own layers and the heads' own file."""
    features = torchvision.models.alexnet().features
    state = torch.load(backbone, weights_only=True)
    features.load_state_dict({name.removeprefix("features."): value for name, value in state.items()})
    heads = torch.load(Path(reference.__file__).parent / "weights/v0.1/alex.pth", "cpu", weights_only=True)
    x, y = ((t.float() / 127.5 - 1) for t in frames())
    shift = torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).view(3, 1, 1)
    x, y = (x - shift) / scale, (y - shift) / scale
    total = torch.zeros(len(x))
    ends = [1, 4, 7, 9, 11]  # the five ReLUs
    with torch.no_grad():
        for number, layer in enumerate(features):
            x, y = layer(x), layer(y)
            if number in ends:
                units = [t / (t.square().sum(1, keepdim=True).sqrt() + 1e-10) for t in (x, y)]
                head = heads[f"lin{ends.index(number)}.model.1.weight"]
                total += ((units[0] - units[1]).square() * head).sum(1).mean((1, 2))
    assert lpips(network, *frames()).tolist() == pytest.approx(total.tolist(), rel=1e-5)


def test_equal_frames_have_no_distance_and_different_ones_do(network: nn.Module) -> None:
    x, y = frames()
    assert lpips(network, x, x).tolist() == [0.0, 0.0, 0.0]
    assert (lpips(network, x, y) > 0).all()


def test_chunks_and_float_frames_change_nothing(network: nn.Module) -> None:
    x, y = frames()
    together = lpips(network, x, y)
    alone = torch.cat([lpips(network, x[i : i + 1], y[i : i + 1]) for i in range(3)])
    assert together.tolist() == pytest.approx(alone.tolist(), rel=1e-5)
    assert lpips(network, x.double(), y.double()).tolist() == together.tolist()


def test_long_chunks_are_taken_apart_in_order(network: nn.Module) -> None:
    x, y = frames(11, 40)
    alone = torch.cat([lpips(network, x[i : i + 1], y[i : i + 1]) for i in range(11)])
    assert lpips(network, x, y).tolist() == pytest.approx(alone.tolist(), rel=1e-5)
    assert lpips(network, x[:0], y[:0]).shape == (0,)


def test_autocast_around_it_changes_nothing(network: nn.Module) -> None:
    x, y = frames()
    with torch.autocast("cpu", torch.bfloat16):
        inside = lpips(network, x, y)
    assert inside.tolist() == lpips(network, x, y).tolist()


@pytest.mark.parametrize("wrong", [torch.nan, 256.0])
def test_values_out_of_range_and_other_shapes_are_refused(network: nn.Module, wrong: float) -> None:
    x, y = frames(1)
    spoilt = x.float()
    spoilt[0, 1, 2, 3] = wrong
    with pytest.raises(BatchError, match="out of range"):
        lpips(network, spoilt, y)
    with pytest.raises(BatchError, match="shape"):
        lpips(network, x[..., 1:], y)


def test_the_evaluator_names_the_weights(backbone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = hashlib.sha256(backbone.read_bytes()).hexdigest()
    entry = replace(weights.WEIGHTS["alexnet"], sha256=digest, file=backbone.name)
    monkeypatch.setitem(weights.WEIGHTS, "alexnet", entry)
    monkeypatch.setenv("MOTIONCOPY_WEIGHTS", str(backbone.parent))
    evaluator = Evaluator(["lpips/alex@1"])
    assert evaluator.networks == {"alexnet": digest}
    assert not evaluator.missing
    clip = evaluator.clip("a")
    clip.update(*frames())
    assert clip.compute().scores["lpips/alex@1"].frames == 3
    metric = LPIPS()
    metric.update(*frames())
    assert metric.compute().item() == pytest.approx(clip.compute().scores["lpips/alex@1"].value, rel=1e-9)


def test_frames_too_small_for_alexnet_are_refused(network: nn.Module) -> None:
    lpips(network, *frames(1, SMALLEST["alex"]))
    with pytest.raises(BatchError, match="31x31"):
        lpips(network, *frames(1, SMALLEST["alex"] - 1))


def test_loading_leaves_the_random_numbers_of_training_alone(backbone: Path) -> None:
    before = torch.get_rng_state()
    load_network(torch.load(backbone, weights_only=True))
    assert torch.equal(torch.get_rng_state(), before)


def test_other_weights_are_refused() -> None:
    with pytest.raises(WeightsError, match="no weights of torchvision's alexnet"):
        load_network({"features.0.weight": torch.zeros(1)})


def test_on_vgg_it_equals_the_package() -> None:
    metric = VGGLPIPS(networks=network_of)
    x, y = frames(2, 48)
    assert parity(metric, Frames(x, y, y[:, :1])) < 1e-5
    assert metric.networks == {"vgg16": network_of("vgg16").identity}
    assert metric.frames(*frames(1, metric.least_side)).item() > 0
    with pytest.raises(BatchError, match="16x16"):
        metric.frames(*frames(1, metric.least_side - 1))
