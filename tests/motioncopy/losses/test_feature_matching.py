"""Feature matching: its weights, what it leaves out, where its gradient goes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from motioncopy.errors import BatchError
from motioncopy.losses.feature_matching import feature_matching
from motioncopy.nets.discriminators import MultiScaleDiscriminator


def test_scales_and_layers_are_weighted_as_by_pix2pixhd() -> None:
    real = [[torch.zeros(2, 3), torch.zeros(5), torch.zeros(1)], [torch.zeros(2), torch.zeros(4), torch.zeros(1)]]
    fake = [[x + k for k, x in enumerate(scale, 1)] for scale in real]
    # Two scales of n_layers = 1: weight 1/2 a scale, 4/2 a layer; distances 1 and 2; the logits' 3 is not counted.
    assert feature_matching(real, fake) == 2 * (1 / 2 * 4 / 2 * (1 + 2))


def test_a_real_discriminators_features_match_themselves_and_no_others() -> None:
    network = MultiScaleDiscriminator(3, ndf=4)
    a, b = torch.randn(2, 1, 3, 32, 32)
    assert feature_matching(network(a), network(a)) == 0
    assert feature_matching(network(a), network(b)) > 0


def test_the_gradient_goes_to_the_generated_alone() -> None:
    real, fake = ([[torch.randn(3, requires_grad=True), torch.randn(1, requires_grad=True)]] for _ in range(2))
    feature_matching(real, fake).backward()
    assert fake[0][0].grad is not None
    assert [x.grad for x in (*real[0], fake[0][1])] == [None, None, None]


@pytest.mark.parametrize(
    ("real", "fake", "match"),
    [
        ([[(2,), (1,)]], [[(2,), (1,)], [(2,), (1,)]], "do not pair"),
        ([[(2,), (1,)]], [[(2,), (2,), (1,)]], "do not pair"),
        ([[(2,), (1,)]], [[(3,), (1,)]], "do not pair"),
        ([], [], "no features"),
        ([[(1,)]], [[(1,)]], "no features"),
    ],
)
def test_what_does_not_pair_is_refused(
    real: list[list[tuple[int, ...]]], fake: list[list[tuple[int, ...]]], match: str
) -> None:
    def maps(shapes: list[list[tuple[int, ...]]]) -> list[list[Tensor]]:
        return [[torch.zeros(shape) for shape in scale] for scale in shapes]

    with pytest.raises(BatchError, match=match):
        feature_matching(maps(real), maps(fake))
