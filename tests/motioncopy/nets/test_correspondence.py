"""REMOT's Texture Alignment Module (equations 12 and 13)."""

from __future__ import annotations

import torch
from torch.nn import functional

from motioncopy.nets.correspondence import TextureAlignment, affinity


def test_the_weights_of_source_places_sum_to_one() -> None:
    weights = affinity(torch.randn(2, 8, 12), torch.randn(2, 8, 20), 0.1)
    assert weights.shape == (2, 12, 20)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(2, 20))


def test_it_is_the_equations_place_by_place() -> None:
    source, target = torch.randn(1, 4, 2, 3), torch.randn(1, 4, 2, 3)
    h1, h2 = source.flatten(2)[0].T, target.flatten(2)[0].T
    gathered = []
    for there in h2:
        likeness = torch.stack([functional.cosine_similarity(here, there, dim=0) for here in h1])
        gathered.append((likeness.softmax(dim=0)[:, None] * h1).sum(dim=0) + there)
    found = TextureAlignment()(source, target)
    torch.testing.assert_close(found, torch.stack(gathered).T.reshape(1, 4, 2, 3), atol=1e-5, rtol=1e-5)


def test_a_low_temperature_finds_moved_features_again() -> None:
    generator = torch.Generator().manual_seed(0)
    source = torch.randn(1, 16, 4, 5, generator=generator)
    order = torch.randperm(20, generator=generator)
    target = source.flatten(2)[:, :, order].reshape(1, 16, 4, 5)
    found = TextureAlignment(temperature=0.01)(source, target)
    torch.testing.assert_close(found, 2 * target, atol=1e-4, rtol=1e-4)


def test_half_precision_does_not_reach_it() -> None:
    source, target = torch.randn(1, 16, 4, 5), torch.randn(1, 16, 4, 5)
    module = TextureAlignment(temperature=0.01)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(module(source, target), module(source, target).float())
        found = module(source, target)
    torch.testing.assert_close(found, module(source, target))
