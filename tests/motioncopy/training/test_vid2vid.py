"""What vid2vid adds to a GAN of sequences, each against a plain computation."""

from __future__ import annotations

import pytest
import torch

from motioncopy.nets.warp import Blended, warp
from motioncopy.training.vid2vid import (
    TemporalDiscriminators,
    compose_flows,
    flow_confidence,
    flow_confidences,
    flow_terms,
)


def test_a_flow_has_confidence_where_it_explains_the_frame() -> None:
    before = torch.rand(1, 3, 8, 8) * 2 - 1
    flow = torch.zeros(1, 2, 8, 8)
    flow[:, 0] = 1.0
    now = warp(before, flow)
    now[..., 4, 4] = -now[..., 4, 4].sign()
    found = flow_confidence(now, before, flow)
    assert found[0, 0, 4, 4] == 0
    assert found.sum() == 63
    sequence = flow_confidences(torch.stack((before, now), dim=1), torch.stack((0 * flow, flow), dim=1))
    assert [c.sum().item() for c in sequence] == [0, 63]


def test_two_steps_of_one_pixel_are_a_flow_of_two() -> None:
    step = torch.zeros(1, 2, 6, 9)
    step[:, 0] = 1.0
    torch.testing.assert_close(compose_flows(step, step), 2 * step)


def test_temporal_discriminators_see_the_frames_at_their_distance() -> None:
    discriminators = TemporalDiscriminators(1, skips=[1, 2], num_scales=1, n_layers=1, ndf=4)
    frames = [torch.full((1, 1, 4, 4), float(t)) for t in range(6)]
    flows = [torch.zeros(1, 2, 4, 4) for _ in range(6)]
    near, far = discriminators.comparisons(frames, [f + 10 for f in frames], flows, range(3, 6))
    assert near.real[:, :3, 0, 0].tolist() == [[1, 2, 3], [2, 3, 4], [3, 4, 5]]
    assert far.real[:, :3, 0, 0].tolist() == [[0, 2, 4], [1, 3, 5]]
    torch.testing.assert_close(near.generated[:, :3], near.real[:, :3] + 10)
    assert discriminators.comparisons(frames[:2], frames[:2], flows[:2], range(2)) == []
    # What comes behind is not known to what is generated.
    (near,) = discriminators.comparisons(frames, frames[:4], flows, range(1, 4))
    assert near.real[:, 2, 0, 0].tolist() == [2, 3]


def test_flow_terms_vanish_for_the_true_flow_and_start_at_the_second_frame() -> None:
    flow = torch.zeros(1, 2, 8, 8)
    flow[:, 0] = 1.0
    first = torch.rand(1, 3, 8, 8)
    real = [first, warp(first, flow)]
    drawn = [Blended.of(image, flow, torch.zeros(1, 1, 8, 8), None) for image in real]
    sure = [torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)]
    terms = flow_terms(drawn, real, [0 * flow, flow], sure, range(2))
    assert {name: value().item() for name, value in terms.items()} == {
        "flow": 0, "warp": pytest.approx(0, abs=1e-6), "consistency": pytest.approx(0, abs=1e-6), "weight": 0,
    }  # fmt: skip
    still = [drawn[0], Blended.of(first, flow, torch.zeros(1, 1, 8, 8), None)]
    assert flow_terms(still, real, [0 * flow, flow], sure, range(2))["consistency"]() > 0.05
    assert not flow_terms(drawn, real, [0 * flow, flow], sure, range(1))
    wrong = [Blended.of(image, 0 * flow, torch.ones(1, 1, 8, 8), None) for image in real]
    terms = flow_terms(wrong, real, [0 * flow, flow], sure, range(2))
    assert terms["flow"]().item() == pytest.approx(0.5)  # 1 pixel in x, 0 in y
    assert terms["weight"]().item() == 1
