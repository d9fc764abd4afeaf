"""I3D: its shapes, its padding, and the two published formats."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from motioncopy.errors import BatchError, WeightsError
from motioncopy.metrics.i3d import CLASSES, I3D, state_dict_of
from tests.motioncopy.metrics.i3d_formats import network, published


def test_it_is_as_large_as_the_published_network() -> None:
    assert sum(p.numel() for p in network().parameters()) == 12_697_264  # 12.7 M with 400 classes


@pytest.mark.parametrize("style", ["piergiaj", "hassony2"])
def test_both_published_formats_give_the_same_network(style: str) -> None:
    state = state_dict_of(published(style))
    loaded = I3D()
    loaded.load_state_dict(state)
    for name, value in network().state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(loaded.state_dict()[name], value), name


@pytest.mark.parametrize("change", ["missing", "unknown", "shape"])
def test_other_weights_are_refused(change: str) -> None:
    state = published()
    if change == "missing":
        del state["Mixed_4b.b2b.bn.bias"]
    elif change == "unknown":
        state["Mixed_9z.b0.conv3d.weight"] = torch.zeros(1)
    else:
        state["logits.conv3d.weight"] = torch.zeros(157, 1024, 1, 1, 1)  # Charades has 157 classes
    with pytest.raises(WeightsError, match="no weights of I3D"):
        state_dict_of(state)


@pytest.mark.parametrize("shape", [(1, 3, 8, 224, 224), (1, 3, 16, 112, 112), (3, 16, 224, 224), (1, 1, 16, 224, 224)])
def test_clips_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(BatchError, match="I3D takes other clips"):
        network()(torch.zeros(shape))


def test_it_pads_like_tensorflow() -> None:
    """SAME padding puts the odd row behind: a 7x7x7 kernel of stride 2 on 224 pads 2 before and 3 behind."""
    ours = network().conv_1a
    clip = torch.rand(1, 3, 9, 32, 32, generator=torch.Generator().manual_seed(0))
    padded = nn.functional.pad(clip, (2, 3, 2, 3, 3, 3))  # 9 frames: 3 before and 3 behind
    expected = nn.functional.conv3d(padded, ours.conv.weight, stride=2)
    statistics = ours.norm
    expected = nn.functional.batch_norm(
        expected, statistics.running_mean, statistics.running_var, statistics.weight, statistics.bias, eps=1e-3
    ).relu()
    with torch.no_grad():
        torch.testing.assert_close(ours(clip), expected.detach())


def test_scores_are_a_row_a_clip() -> None:
    clips = torch.rand(2, 3, 9, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        scores = network()(clips)
        assert scores.shape == (2, CLASSES)
        torch.testing.assert_close(network()(clips[1:]), scores[1:], rtol=1e-4, atol=1e-4)
