"""Flow between frames: known shifts, what stays in view, any chunks, any size, any number of threads."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import pytest
import torch
from torch import Tensor
from torchvision.models.optical_flow import raft_large

from motioncopy.errors import WeightsError
from motioncopy.metrics.clip import Extractor, Network
from motioncopy.metrics.tcm import FlowDIS, FlowRAFT, consistent, followed
from tests.motioncopy.metrics.scenes import moving


def dis(*outputs: str) -> FlowDIS:
    return FlowDIS(wanted=frozenset(outputs or FlowDIS.outputs))


@pytest.fixture(scope="module")
def raft() -> FlowRAFT:
    torch.manual_seed(0)
    state = raft_large().state_dict()

    def networks(name: str) -> Network:
        assert name == "raft-large"
        return Network(state, "random, seed 0")

    return FlowRAFT(networks, wanted=frozenset(FlowRAFT.outputs))


@pytest.fixture
def threads() -> Iterator[None]:
    before = cv2.getNumThreads()
    yield
    cv2.setNumThreads(before)


def seen(extractor: Extractor, video: Tensor, chunk: int) -> dict[str, Tensor]:
    stream = extractor.start()
    parts = [stream.update(part) for part in video.split(chunk)]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def test_images_are_followed_between_pixels() -> None:
    ramp = (10.0 * torch.arange(8.0)).expand(1, 2, 4, 8).contiguous()  # two channels: OpenCV would round to 1/32 pixel
    flow = torch.zeros(1, 2, 4, 8)
    flow[:, 0] = 0.02
    torch.testing.assert_close(followed(ramp, flow)[..., :-1], ramp[..., :-1] + 0.2, atol=1e-4, rtol=0)
    flow[:, 0] = -3
    found = followed(ramp, flow)
    torch.testing.assert_close(found[..., 3:], ramp[..., :-3], atol=1e-4, rtol=0)
    torch.testing.assert_close(found[..., :3], torch.zeros(1, 2, 4, 3), atol=1e-4, rtol=0)  # the border repeats


def test_flow_up_and_down_is_not_taken_for_left_and_right() -> None:
    image = torch.rand(1, 3, 5, 7)
    flow = torch.zeros(1, 2, 5, 7)
    flow[:, 1] = 1
    torch.testing.assert_close(followed(image, flow)[:, :, :-1], image[:, :, 1:], atol=1e-5, rtol=0)


def test_only_ways_that_lead_back_are_consistent() -> None:
    backward = torch.zeros(1, 2, 4, 6)
    backward[:, 0] = -1
    forward = -backward
    forward[0, 0, 2] = 3  # another thing passes there
    visible = consistent(forward, backward)[0, 0]
    assert not visible[:, 0].any()  # leads out of the frame
    assert visible[[0, 1, 3], 1:].all()
    assert not visible[2].any()


@pytest.mark.parametrize(("gap", "expected"), [(0.70, True), (0.72, False)])
def test_half_a_square_pixel_is_forgiven_where_nothing_moves(gap: float, expected: bool) -> None:
    forward = torch.zeros(1, 2, 3, 3)
    forward[:, 0] = gap  # gap² against 0.01 gap² + 0.5: equal at 0.7107
    assert consistent(forward, torch.zeros(1, 2, 3, 3)).all().item() is expected


@pytest.mark.parametrize(("gap", "expected"), [(1.55, True), (1.60, False)])
def test_a_hundredth_of_the_squared_lengths_is_forgiven(gap: float, expected: bool) -> None:
    backward, forward = torch.zeros(1, 2, 8, 40), torch.zeros(1, 2, 8, 40)
    backward[:, 0], forward[:, 0], forward[:, 1] = -10, 10, gap  # gap² against 0.01 (200 + gap²) + 0.5: equal at 1.589
    assert consistent(forward, backward)[..., 10:].all().item() is expected


def test_dis_finds_a_shift_and_sees_what_stays_in_view() -> None:
    found = dis().start().update(moving(4, 3.0))
    backward, visible = found["backward"], found["visible"]
    assert (backward.shape, backward.dtype) == ((4, 2, 96, 96), torch.float32)
    assert (visible.shape, visible.dtype) == ((4, 1, 96, 96), torch.bool)
    assert not backward[0].any()
    assert not visible[0].any()
    inner = backward[1:, :, 20:-20, 20:-20]
    assert inner[:, 0].mean().item() == pytest.approx(-3.0, abs=0.1)  # it was further to the left
    assert inner[:, 1].abs().mean().item() < 0.1
    assert visible[1:, :, 20:-20, 20:-20].float().mean() > 0.95
    assert not visible[1:, ..., 0].any()  # has just come into view


def test_only_what_is_wanted_is_given() -> None:
    assert set(dis("visible").start().update(moving(2))) == {"visible"}


@pytest.mark.parametrize("chunk", [1, 3, 8])
def test_chunks_do_not_change_dis(chunk: int) -> None:
    whole = seen(dis(), moving(), 9)
    for name, rows in seen(dis(), moving(), chunk).items():
        assert torch.equal(rows, whole[name])


def test_streams_of_one_extractor_do_not_disturb_each_other() -> None:
    extractor, other = dis(), moving(9, -2.0)[..., :80, :64].contiguous()
    one, two = extractor.start(), extractor.start()
    mixed = [(one.update(a), two.update(b)) for a, b in zip(moving().split(3), other.split(3), strict=True)]
    for name in FlowDIS.outputs:
        assert torch.equal(torch.cat([a[name] for a, _ in mixed]), seen(dis(), moving(), 9)[name])
        assert torch.equal(torch.cat([b[name] for _, b in mixed]), seen(dis(), other, 9)[name])


@pytest.mark.parametrize("count", [1, 2, 5])
def test_threads_do_not_change_dis(count: int, threads: None) -> None:
    cv2.setNumThreads(1)
    alone = seen(dis(), moving(3), 3)
    cv2.setNumThreads(count)
    assert torch.equal(seen(dis(), moving(3), 3)["backward"], alone["backward"])


@pytest.mark.parametrize(("height", "width"), [(1, 1), (8, 64), (15, 300), (64, 8), (16, 16)])
def test_frames_that_dis_does_not_survive_have_a_flow(height: int, width: int) -> None:
    video = torch.randint(0, 256, (2, 3, height, width), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    backward = dis().start().update(video)["backward"]
    assert backward.shape == (2, 2, height, width)
    assert backward.isfinite().all()


def test_no_frames_and_then_some() -> None:
    stream = dis().start()
    assert stream.update(moving(1)[:0])["backward"].shape == (0, 2, 96, 96)
    assert stream.update(moving(2))["visible"][1].any()


def test_raft_takes_its_network_from_the_provider(raft: FlowRAFT) -> None:
    assert raft.identities == {"raft-large": "random, seed 0"}
    found = raft.start().update(moving(2)[..., :40, :56])
    assert found["backward"].shape == (2, 2, 40, 56)
    assert found["backward"][1].isfinite().all()
    assert found["backward"][1].std() > 0
    assert found["visible"].dtype == torch.bool


def test_chunks_do_not_change_raft(raft: FlowRAFT) -> None:
    video = moving(3)[..., :40, :40]
    whole = seen(raft, video, 3)
    for name, rows in seen(raft, video, 2).items():
        assert torch.equal(rows, whole[name])


def test_weights_of_another_network_are_refused() -> None:
    def networks(name: str) -> Network:
        return Network({"a.weight": torch.zeros(1)}, "none")

    with pytest.raises(WeightsError, match="raft-large"):
        FlowRAFT(networks, wanted=frozenset(FlowRAFT.outputs))
