"""TCM: hand-made flows, known shifts, and what shuffling, freezing, noise and blur do to it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, shift
from torch import Tensor

from motioncopy.metrics.catalogue import METRICS
from motioncopy.metrics.chunk import Chunk
from motioncopy.metrics.clip_metric import ClipMetric
from motioncopy.metrics.evaluator import Evaluator
from motioncopy.metrics.extractor import Found, Output, Seen
from motioncopy.metrics.flow_features import FlowDIS, FlowRAFT, consistent
from motioncopy.metrics.networks import Network
from motioncopy.metrics.tcm import TCM_METRICS, TCM_RATIOS, change

DIS = [key for key in METRICS if key.startswith("tcm") and "_dis@" in key]
CPU = torch.device("cpu")


def texture(side: int = 96) -> np.ndarray:
    random = np.random.default_rng(0)
    image = gaussian_filter(random.normal(size=(side, side, 3)), (2, 2, 0))
    return np.asarray(127 + 110 * image / np.abs(image).max())


def moving(frames: int = 9, speed: float = 1.5) -> Tensor:
    """A texture that moves to the right, with a little noise of the camera."""
    random = np.random.default_rng(1)
    images = [shift(texture(), (0, speed * t, 0), order=1, mode="nearest") for t in range(frames)]
    noisy = np.stack(images) + random.normal(0, 2, (frames, 96, 96, 3))
    return torch.from_numpy(np.clip(noisy, 0, 255).astype(np.uint8)).permute(0, 3, 1, 2).contiguous()


def values(generated: Tensor, truth: Tensor, keys: list[str], chunk: int = 4) -> dict[str, float | None]:
    clip = Evaluator(keys).clip("a")
    for g, t in zip(generated.split(chunk), truth.split(chunk), strict=True):
        clip.update(g, t, driving=t)
    return {key: score.value for key, score in clip.compute().scores.items()}


# -- the flow ---------------------------------------------------------------------------------------------------------


def test_dis_finds_a_shift_and_sees_what_stays_in_view() -> None:
    stream = FlowDIS(wanted=frozenset(FlowDIS.outputs), device=CPU).start("a")
    found = stream.update(moving(4, 3.0))
    backward, visible = found["backward"], found["visible"]
    assert backward.shape == (4, 2, 96, 96)
    assert not backward[0].any()
    assert not visible[0].any()
    inner = backward[1:, :, 20:-20, 20:-20]
    assert inner[:, 0].mean().item() == pytest.approx(-3.0, abs=0.1)  # it was further to the left
    assert inner[:, 1].abs().mean().item() < 0.1
    assert visible[1:, :, 20:-20, 20:-20].float().mean() > 0.95
    assert not visible[1:, ..., 0].any()  # has just come into view


@pytest.mark.parametrize("chunk", [1, 3, 8])
def test_flow_does_not_depend_on_chunks(chunk: int) -> None:
    whole = FlowDIS(wanted=frozenset(FlowDIS.outputs), device=CPU).start("a").update(moving())
    stream = FlowDIS(wanted=frozenset(FlowDIS.outputs), device=CPU).start("a")
    parts = [stream.update(part) for part in moving().split(chunk)]
    for name, expected in whole.items():
        assert torch.equal(torch.cat([part[name] for part in parts]), expected)


def test_only_ways_that_lead_back_are_consistent() -> None:
    backward = np.zeros((4, 6, 2), np.float32)
    backward[..., 0] = -1
    forward = -backward
    forward[2, :, 0] = 3  # another thing passes there
    seen = consistent(forward, backward)
    assert not seen[:, 0].any()  # leads out of the frame
    assert seen[[0, 1, 3], 1:].all()
    assert not seen[2].any()


def test_raft_runs_on_published_weights_through_the_provider() -> None:
    from torchvision.models.optical_flow import raft_large

    torch.manual_seed(0)
    state = raft_large().state_dict()
    asked = []

    def networks(name: str) -> Network:
        asked.append(name)
        return Network(state, "random, seed 0")

    extractor = FlowRAFT(networks, wanted=frozenset(FlowRAFT.outputs), device=CPU)
    assert (asked, extractor.identities) == (["raft-large"], {"raft-large": "random, seed 0"})
    found = extractor.start("a").update(moving(2)[..., :64, :64])
    assert found["backward"].shape == (2, 2, 64, 64)
    assert found["visible"].dtype == torch.bool


# -- the ratio --------------------------------------------------------------------------------------------------------


def test_change_is_the_mean_square_over_visible_pixels() -> None:
    now, before = torch.zeros(3, 2, 3, dtype=torch.uint8), torch.zeros(3, 2, 3, dtype=torch.uint8)
    now[:, 0, 2], before[:, 0, 1] = 51, 102
    flow, visible = torch.zeros(2, 2, 3), torch.ones(1, 2, 3, dtype=torch.bool)
    flow[0, 0, 2] = -1  # one pixel to the left in the frame before
    expected = ((0.4 - 0.2) ** 2 + 0.4**2) / 6  # at (0, 2) through the flow, at (0, 1) straight; four are 0
    assert change(now, before, flow, visible) == pytest.approx(expected)
    visible[0, 0, 2] = False
    assert change(now, before, flow, visible) == pytest.approx(0.4**2 / 5)
    assert math.isnan(change(now, before, flow, torch.zeros_like(visible)))


def test_a_flow_of_half_the_size_counts_double() -> None:
    now = torch.zeros(3, 8, 8, dtype=torch.uint8)
    before = torch.zeros(3, 8, 8, dtype=torch.uint8)
    now[:, 2:6, 4:8], before[:, 2:6, 2:6] = 200, 200
    flow = torch.zeros(2, 4, 4)
    flow[0] = -1  # two pixels of the larger frame
    visible = torch.ones(1, 4, 4, dtype=torch.bool)
    assert change(now, before, flow, visible) == pytest.approx(0, abs=1e-9)


def stubbed(metric: type[ClipMetric], chunk: Chunk) -> Tensor:
    n, _, h, w = chunk.generated.shape
    flows = {"backward": torch.zeros(n, 2, h, w), "visible": torch.ones(n, 1, h, w, dtype=torch.bool)}
    found: Found = {Seen(Output(s.output.extractor, s.output.name), s.video): flows[s.output.name] for s in metric.sees}
    return metric().values(chunk, found)


def test_the_value_is_the_bounded_ratio() -> None:
    truth = torch.zeros(3, 3, 4, 4, dtype=torch.uint8)
    truth[1] = 10
    generated = torch.zeros(3, 3, 4, 4, dtype=torch.uint8)
    generated[1] = 20
    first = Chunk(generated[:1], truth[:1], driving=truth[:1])
    chunk = Chunk(generated[1:], truth[1:], driving=truth[1:], previous=first)
    for metric in (*TCM_METRICS, *TCM_RATIOS):
        bounded = metric.definition.key.startswith("tcm/")
        expected = math.exp(-3) if bounded else 4.0  # changes of 20 against 10, squared
        assert stubbed(metric, chunk).tolist() == pytest.approx([expected] * 2), metric.definition.key


def test_still_frames_of_the_real_video_are_skipped() -> None:
    still = torch.full((3, 3, 4, 4), 99, dtype=torch.uint8)
    noise = torch.randint(0, 256, (3, 3, 4, 4), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    assert stubbed(TCM_METRICS[0], Chunk(noise, still)).isnan().all()


def test_one_frame_has_no_value() -> None:
    scores = values(moving(1), moving(1), DIS)
    assert set(scores.values()) == {None}


@pytest.mark.parametrize("chunk", [1, 3, 8])
def test_chunks_change_nothing(chunk: int) -> None:
    video, noisy = moving(), moving().float().add(20 * torch.randn(9, 3, 96, 96)).clamp(0, 255).to(torch.uint8)
    whole, parts = values(noisy, video, DIS, 9), values(noisy, video, DIS, chunk)
    for key in DIS:
        assert parts[key] == pytest.approx(whole[key], rel=1e-6)


def test_a_video_is_as_steady_as_itself() -> None:
    scores = values(moving(), moving(), DIS)
    assert len(scores) == len(DIS) == 8
    assert set(scores.values()) == {1.0}


def test_flicker_costs_and_more_costs_more() -> None:
    truth = moving()
    random = torch.Generator().manual_seed(0)
    noise = torch.randn(truth.shape, generator=random)
    found = [values((truth + a * noise).clamp(0, 255).to(torch.uint8), truth, DIS) for a in (2.0, 6.0, 20.0)]
    for key in DIS:
        series = [f[key] for f in found]
        assert None not in series
        direction = -1 if key.startswith("tcm/") else 1
        assert series == sorted(series, key=lambda v: direction * float(v or 0)), key


def test_shuffling_frames_costs() -> None:
    truth = moving()
    shuffled = truth[torch.tensor([4, 0, 7, 2, 8, 5, 1, 6, 3])]
    scores = values(shuffled, truth, ["tcm/truth_dis@1"])
    assert scores["tcm/truth_dis@1"] is not None
    assert scores["tcm/truth_dis@1"] < 0.5


def test_freezing_is_not_rewarded_and_cautioned_against() -> None:
    truth = moving()
    frozen = truth[:1].expand_as(truth).contiguous()
    scores = values(frozen, truth, DIS)
    for key in DIS:
        if key.startswith("tcm/"):
            assert (scores[key] or 0) < 0.4, key
    assert scores["tcm/own_truth_dis@1"] == pytest.approx(math.exp(-1))
    assert scores["tcm_ratio/own_truth_dis@1"] == pytest.approx(0)
    assert all("reez" in METRICS[key].definition.caution for key in DIS)


def test_a_driving_video_of_another_size_serves() -> None:
    video = moving()
    small = torch.nn.functional.avg_pool2d(video.float(), 2).to(torch.uint8)
    clip = Evaluator(DIS).clip("a")
    clip.update(video, driving=small)
    scores = clip.compute()
    assert set(scores.values) == {key for key in DIS if "driving" in key}
    assert scores.missing["tcm/truth_dis@1"] == "the clip has no true frames"
    assert (scores.scores["tcm/driving_dis@1"].value or 0) > 0.3
