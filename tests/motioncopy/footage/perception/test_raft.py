"""RAFT: what the network is shown, and what comes of what it says."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.models import optical_flow

from motioncopy.errors import PerceptionError, WeightsError
from motioncopy.footage.perception import raft
from motioncopy.footage.perception.raft import RAFTFlow
from tests.motioncopy.footage.perception.published import enter


class Fake:
    """Says where it stands, (x, y), plus a number for whichever of its two pictures is the brighter."""

    def __init__(self) -> None:
        self.calls: list[tuple[Tensor, Tensor]] = []

    def __call__(self, first: Tensor, second: Tensor) -> list[Tensor]:
        self.calls.append((first, second))
        n, _, height, width = first.shape
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        flow = torch.stack([x, y])[None].float() + 1000 * (first - second).mean((1, 2, 3), keepdim=True).sign()
        return [torch.zeros(n, 2, height, width), flow.expand(n, -1, -1, -1)]


@pytest.fixture
def faked() -> tuple[RAFTFlow, Fake]:
    flow, fake = RAFTFlow("small", device="cpu"), Fake()
    flow._network = fake
    return flow, fake


def frames(n: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("size", "shown"), [((20, 30), (128, 128)), ((128, 136), (128, 136)), ((129, 201), (136, 208))]
)
def test_frames_are_padded_below_and_right_and_the_flow_is_cut_back(
    faked: tuple[RAFTFlow, Fake], size: tuple[int, int], shown: tuple[int, int]
) -> None:
    flow, fake = faked
    now = frames(2, *size)
    out = flow(now, now)
    assert out.shape == (2, *size, 2)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out[0, 3, 7], [7, 3])  # the last refinement, x first, nothing moved by the padding
    height, width = size
    first = fake.calls[0][0]
    assert first.shape == (2, 3, *shown)
    torch.testing.assert_close(
        (first[0, :, :height, :width] + 1) * 127.5, torch.from_numpy(now[0]).movedim(-1, 0).float()
    )
    assert (first[0, :, height:, 5] == first[0, :, height - 1, None, 5]).all()
    assert (first[0, :, 5, width:] == first[0, :, 5, width - 1, None]).all()


def test_flow_runs_from_the_image_to_the_previous_one(faked: tuple[RAFTFlow, Fake]) -> None:
    flow, fake = faked
    bright, dark = np.full((1, 128, 128, 3), 255, np.uint8), np.zeros((1, 128, 128, 3), np.uint8)
    assert flow(bright, dark)[0, 0, 0, 0] == 1000
    assert fake.calls[0][0].max() == 1
    assert fake.calls[0][1].min() == -1


def test_pairs_are_seen_a_few_at_a_time(faked: tuple[RAFTFlow, Fake], monkeypatch: pytest.MonkeyPatch) -> None:
    flow, fake = faked
    monkeypatch.setattr(raft, "_CORRELATION_BYTES", 2 * 4 / 3 * 4 * (16 * 16) ** 2 + 1)
    now, before = frames(5, 128, 128), frames(5, 128, 128)[::-1].copy()
    out = flow(now, before)
    assert [len(first) for first, _ in fake.calls] == [2, 2, 1]
    np.testing.assert_array_equal(out[4], flow(now[4:], before[4:])[0])


def test_no_frames_give_no_flow(faked: tuple[RAFTFlow, Fake]) -> None:
    assert faked[0](frames(0, 64, 64), frames(0, 64, 64)).shape == (0, 64, 64, 2)


@pytest.mark.parametrize("model", ["small", "large"])
def test_the_real_networks_run_with_random_weights(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = {"small": optical_flow.raft_small, "large": optical_flow.raft_large}[model]()
    torch.save(network.state_dict(), tmp_path / "raft.pth")
    enter(f"raft-{model}", tmp_path / "raft.pth", monkeypatch)
    flow = RAFTFlow(model, device="cpu")  # type: ignore[arg-type]
    assert f"raft-{model}@sha256:" in flow.version
    now, before = frames(2, 40, 60), frames(3, 40, 60)[1:]
    out = flow(now, before)
    assert out.shape == (2, 40, 60, 2)
    assert np.isfinite(out).all()
    assert out.std() > 0
    np.testing.assert_array_equal(flow(now, before), out)
    np.testing.assert_allclose(flow(now[1:], before[1:])[0], out[1], atol=1e-2)


def test_weights_of_another_network_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(optical_flow.raft_small().state_dict(), tmp_path / "raft.pth")
    enter("raft-large", tmp_path / "raft.pth", monkeypatch)
    with pytest.raises(WeightsError, match="do not fit"):
        RAFTFlow(device="cpu")(frames(1, 32, 32), frames(1, 32, 32))


def test_without_weights_the_error_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("MOTIONCOPY_WEIGHTS", "HOME", "TORCH_HOME"):
        monkeypatch.setenv(folder, str(tmp_path))
    flow = RAFTFlow(device="cpu")
    with pytest.raises(WeightsError, match="weights fetch raft-large"):
        _ = flow.version
    with pytest.raises(WeightsError, match=r"raft_large_C_T_SKHT_V2-ff5fadd5\.pth.*weights add"):
        flow(frames(1, 32, 32), frames(1, 32, 32))


def test_an_unknown_network_is_named() -> None:
    with pytest.raises(PerceptionError, match="medium"):
        RAFTFlow("medium")  # type: ignore[arg-type]
