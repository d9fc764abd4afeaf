"""The three generators: sizes, the blend with the frame before, and what of the source is looked at once."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from jsonargparse import ArgumentParser
from torch.nn import functional

from benchmarks.bench.config_stack import ConfigStack
from benchmarks.speed.full_size import cut_short
from methods.remot import REMOT
from methods.remot.layout import negative_log_likelihood
from methods.remot.networks import CompositionGenerator, LayoutGenerator
from motioncopy.errors import ConfigError
from motioncopy.method import Method
from motioncopy.nets.warp import Blended, warp
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
    assert method.composition is not None
    counts = [sum(p.numel() for p in n.parameters()) / 1e6 for n in (method.layout, method.region, method.composition)]
    assert counts == pytest.approx([116.5, 70.8, 116.5], rel=0.05)


def test_sizes_that_the_stride_does_not_divide_are_refused_with_those_that_work() -> None:
    layout, region, _ = build(tiny("remot", "paper"))._gans
    with pytest.raises(ConfigError, match=r"REMOT cannot work.*34x33.*use 32x32 or 36x36"):
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
    later = Blended.of(raw, flow, weight, before)
    torch.testing.assert_close(later.final, weight * raw + (1 - weight) * warp(before, flow))


def test_likelihood_is_that_of_the_true_classes() -> None:
    layout = torch.full((1, 6, 2, 2), 0.1)
    layout[:, 3] = 0.5
    wanted = functional.one_hot(torch.full((1, 2, 2), 3), 6).movedim(-1, 1).float()
    assert negative_log_likelihood(layout, wanted).item() == pytest.approx(-math.log(0.5))
    assert math.isfinite(negative_log_likelihood(torch.zeros(1, 6, 2, 2), wanted).item())


def test_layouts_are_probabilities() -> None:
    network = LayoutGenerator(width=4, downs=2, encoder_blocks=1, decoder_blocks=1)
    before = torch.rand(2, 2, 6, 16, 8).softmax(dim=2).flatten(1, 2)
    drawn = network(network.encode(torch.rand(2, 6, 16, 8)), torch.rand(2, 9, 16, 8), before, first=False)
    torch.testing.assert_close(drawn.final.sum(dim=1), torch.ones(2, 16, 8))
    assert drawn.final.min() >= 0


def test_a_residual_whole_that_changes_nothing_shows_the_regions_in_the_place() -> None:
    network = CompositionGenerator(width=4, downs=2, encoder_blocks=1, decoder_blocks=1, residual=True)
    for head in (network.image, network.mask):
        for parameter in head.parameters():
            torch.nn.init.zeros_(parameter)
    layouts = torch.zeros(1, 3, 6, 16, 8)
    layouts[:, :, 0, :8], layouts[:, :, 2, 8:] = 1, 1
    guidance = torch.cat((layouts.flatten(1, 2), torch.zeros(1, 9, 16, 8)), dim=1)
    regions, place = torch.full((1, 3, 16, 8), -1.0), torch.rand(1, 3, 16, 8) * 2 - 1
    regions[..., 8:, :] = 0.3
    found = network(regions, regions, torch.full((1, 6, 16, 8), -1.0), guidance, place, first=True).image
    torch.testing.assert_close(found[..., :8, :], place[..., :8, :], atol=0.07, rtol=0)
    torch.testing.assert_close(found[..., 8:, :], regions[..., 8:, :], atol=0.07, rtol=0)
