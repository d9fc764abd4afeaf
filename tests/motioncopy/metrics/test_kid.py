"""KID against torch-fidelity and torchmetrics on the same features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_kid import kid_features_to_metric
from torchmetrics.image.kid import poly_mmd

from benchmarks.audit.references import references
from motioncopy.errors import BatchError
from motioncopy.metrics.features import Part, Rows
from motioncopy.metrics.kid import KID, SUBSET_SIZE, SUBSETS, squared_mmd, subset_distances


class SmallKID(KID):
    size = 16


def features(n: int, seed: int = 0, shift: float = 0.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 16, generator=generator) + shift


def rows(x: Tensor, parts: int = 3) -> Rows:
    return Rows(tuple(Part(f"{k}", part.numpy()) for k, part in enumerate(x.tensor_split(parts))))


def test_the_estimate_agrees_with_torchmetrics() -> None:
    x, y = features(30).double(), features(30, 1, 0.2).double()
    assert squared_mmd(x, y) == pytest.approx(poly_mmd(x, y).item(), rel=1e-9)


def test_the_estimate_is_unbiased() -> None:
    """Over all pairs of two of three points, the mean of the estimate is that of the whole."""
    x, y = features(3).double(), features(3, 1).double()
    pairs = [[0, 1], [0, 2], [1, 2]]
    means = np.mean([squared_mmd(x[a], y[b]) for a in pairs for b in pairs])
    assert squared_mmd(x, y) == pytest.approx(means, rel=1e-12)


@pytest.mark.parametrize("parts", [1, 4])
def test_subsets_are_those_of_torch_fidelity(parts: int) -> None:
    x, y = features(70), features(90, 1, 0.2)
    values = subset_distances(rows(x, parts), rows(y, parts), subsets=12, size=40)
    found = kid_features_to_metric(x.double(), y.double(), kid_subsets=12, kid_subset_size=40, rng_seed=2020)
    assert values.mean() == pytest.approx(found["kernel_inception_distance_mean"], rel=1e-6)
    assert values.std() == pytest.approx(found["kernel_inception_distance_std"], rel=1e-6)


def test_the_metric_takes_torch_fidelity_s_defaults() -> None:
    assert (SUBSETS, SUBSET_SIZE) == (100, 1000)
    x, y = features(1100), features(1000, 1, 0.2)
    metric = SmallKID()
    metric.add_features(x, real=False)
    metric.add_features(y, real=True)
    expected = references()["kid/tf@1"].values(x.numpy(), y.numpy())
    assert metric.compute().item() == pytest.approx(expected, rel=1e-4)  # which computes in float32
    assert metric.distance(rows(x), rows(y)) == metric.compute().item()


def test_sets_of_one_kind_differ_by_about_nothing() -> None:
    alike = subset_distances(rows(features(400)), rows(features(400, 1)), subsets=10, size=200)
    apart = subset_distances(rows(features(400)), rows(features(400, 1, 0.5)), subsets=10, size=200)
    assert abs(alike.mean()) < 0.1 * apart.mean()
    assert subset_distances(rows(features(90)), rows(features(90)), subsets=3, size=90).max() < 0


def test_too_few_features_are_refused() -> None:
    with pytest.raises(BatchError, match=r"at least 1000 on both sides.*1000 generated, 999 real"):
        KID().distance(rows(features(1000)), rows(features(999)))
