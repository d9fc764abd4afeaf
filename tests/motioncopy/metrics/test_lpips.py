"""LPIPS on an AlexNet with random weights in torchvision's file format: no download is needed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import lpips as reference
import pytest
import torch
import torchvision
from torch import Tensor, nn

from motioncopy.errors import BatchError, WeightsError
from motioncopy.metrics.evaluator import Evaluator
from motioncopy.metrics.lpips import LPIPS, SMALLEST, load_network, lpips


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
    return load_network(backbone)


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


def test_the_evaluator_names_the_weights(backbone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("motioncopy.weights.find", lambda _: backbone)
    evaluator = Evaluator(["lpips/alex@1"])
    assert evaluator.networks == {"alexnet": hashlib.sha256(backbone.read_bytes()).hexdigest()}
    assert not evaluator.missing
    clip = evaluator.clip("a")
    clip.update(*frames())
    assert clip.compute().scores["lpips/alex@1"].frames == 3
    metric = LPIPS()
    metric.update(*frames())
    assert metric.compute().item() == pytest.approx(clip.compute().scores["lpips/alex@1"].value, rel=1e-9)


def test_frames_too_small_for_alexnet_are_refused(network: nn.Module) -> None:
    lpips(network, *frames(1, SMALLEST))
    with pytest.raises(BatchError, match="31x31"):
        lpips(network, *frames(1, SMALLEST - 1))


def test_loading_leaves_the_random_numbers_of_training_alone(backbone: Path) -> None:
    before = torch.get_rng_state()
    load_network(backbone)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_file_that_is_no_alexnet_is_refused(tmp_path: Path) -> None:
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"other\.pth is not a torchvision AlexNet"):
        load_network(tmp_path / "other.pth")
