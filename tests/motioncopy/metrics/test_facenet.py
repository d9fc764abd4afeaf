"""FaceNet: the published network, layer for layer."""

from __future__ import annotations

import pytest
import torch

from motioncopy.errors import WeightsError
from motioncopy.metrics.facenet import SIDE, SIZE, load_network
from tests.motioncopy.metrics.facenet_reference import embed, published


def test_it_is_as_large_as_the_published_network() -> None:
    network = load_network(published())
    assert sum(p.numel() for p in network.parameters()) == 23_482_624  # 27.9 M with 8631 classes
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())


def test_embeddings_are_those_of_plain_functions() -> None:
    faces = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    found, expected = load_network(published())(faces), embed(published(), faces)
    assert found.shape == (2, SIZE)
    spread = (expected[0] - expected[1]).abs().max()
    assert (found - expected).abs().max() < 1e-4 * spread


@pytest.mark.parametrize("change", ["missing", "unknown", "shape"])
def test_other_weights_are_refused(change: str) -> None:
    state = dict(published())
    if change == "missing":
        del state["repeat_2.9.branch1.2.conv.weight"]
    elif change == "unknown":
        state["repeat_4.0.conv2d.bias"] = torch.zeros(1)
    else:
        state["last_linear.weight"] = torch.zeros(128, 1792)  # FaceNet's first embeddings had 128 numbers
    with pytest.raises(WeightsError, match="no weights of FaceNet"):
        load_network(state)


def test_loading_draws_nothing_and_changes_no_given_tensor() -> None:
    before, copy = torch.get_rng_state(), {name: value.clone() for name, value in published().items()}
    load_network(published())
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, copy[name]) for name, value in published().items())
