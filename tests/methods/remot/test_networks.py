"""The three generators: sizes, the blend with the frame before, and what of the source is looked at once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from jsonargparse import ArgumentParser

from benchmarks.bench.config_stack import ConfigStack
from benchmarks.speed.full_size import cut_short
from methods.remot import REMOT
from methods.remot.networks import Blended, LayoutGenerator, WholeGenerator
from motioncopy.errors import BatchError
from motioncopy.method import Method
from motioncopy.nets.warp import warp
from tests.methods.tiny import tiny


def build(model: dict[str, Any]) -> REMOT:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(Method, "model")
    method = parser.instantiate_classes(parser.parse_object({"model": model})).model
    assert isinstance(method, REMOT)
    return method


def test_the_papers_networks_have_the_papers_sizes() -> None:
    """C2F-FWN's blocks, put together as in figure 2, have 116.5, 70.8 and 116.5 million parameters."""
    with torch.device("meta"):
        method = build(cut_short(ConfigStack("remot", "puppets", preset="full").resolve()["model"], 1))
    assert method.whole is not None
    counts = [sum(p.numel() for p in n.parameters()) / 1e6 for n in (method.layout, method.region, method.whole)]
    assert counts == pytest.approx([116.5, 70.8, 116.5], rel=0.05)


def test_sizes_that_the_stride_does_not_divide_are_refused_with_those_that_work() -> None:
    layout, region, *_ = build(tiny("remot", "paper"))._training
    with pytest.raises(BatchError, match=r"32 or 36 x 32 or 36.*34 x 33"):
        REMOT(layout=layout, region=region, image_size=(34, 33))


def test_a_frame_is_what_is_drawn_and_what_the_frame_before_shows_through_the_flow() -> None:
    raw, flow, weight, before = (
        torch.rand(1, 3, 6, 8),
        torch.randn(1, 2, 6, 8),
        torch.rand(1, 1, 6, 8),
        torch.rand(1, 3, 6, 8),
    )
    first = Blended.of(raw, flow, weight, None)
    assert first.final is raw
    assert first.warped is None
    later = Blended.of(raw, flow, weight, before)
    torch.testing.assert_close(later.final, weight * raw + (1 - weight) * warp(before, flow))


def test_layouts_are_probabilities() -> None:
    network = LayoutGenerator(width=4, downs=2, encoder_blocks=1, decoder_blocks=1)
    before = torch.rand(2, 2, 6, 16, 8).softmax(dim=2).flatten(1, 2)
    drawn = network(network.encode(torch.rand(2, 6, 16, 8)), torch.rand(2, 9, 16, 8), before, first=False)
    torch.testing.assert_close(drawn.final.sum(dim=1), torch.ones(2, 16, 8))
    assert drawn.final.min() >= 0


def test_a_residual_whole_that_changes_nothing_shows_the_regions_in_the_place() -> None:
    network = WholeGenerator(width=4, downs=2, encoder_blocks=1, decoder_blocks=1, residual=True)
    for head in (network.image, network.mask):
        for parameter in head.parameters():
            torch.nn.init.zeros_(parameter)
    layouts = torch.zeros(1, 3, 6, 16, 8)
    layouts[:, :, 0, :8], layouts[:, :, 2, 8:] = 1, 1
    guide = torch.cat((layouts.flatten(1, 2), torch.zeros(1, 9, 16, 8)), dim=1)
    regions, place = torch.full((1, 3, 16, 8), -1.0), torch.rand(1, 3, 16, 8) * 2 - 1
    regions[..., 8:, :] = 0.3
    found = network(regions, regions, torch.full((1, 6, 16, 8), -1.0), guide, place, first=True).image
    torch.testing.assert_close(found[..., :8, :], place[..., :8, :], atol=0.07, rtol=0)
    torch.testing.assert_close(found[..., 8:, :], regions[..., 8:, :], atol=0.07, rtol=0)
