"""IS against torch-fidelity, and over features against the formula of Liquid Warping GAN's evaluator."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_isc import isc_features_to_metric

from benchmarks.audit.references import array, references
from motioncopy.errors import BatchError
from motioncopy.metrics.features import Part, Rows
from motioncopy.metrics.inception_score import InceptionScore, InceptionScoreFeatures, split_scores


def logits(n: int, d: int = 20, scale: float = 2.0) -> Tensor:
    return scale * torch.randn(n, d, generator=torch.Generator().manual_seed(n))


def rows(x: Tensor, parts: int = 3) -> Rows:
    return Rows(tuple(Part(f"{k}", part.numpy()) for k, part in enumerate(x.tensor_split(parts))))


@pytest.mark.parametrize("parts", [1, 5])
@pytest.mark.parametrize(("n", "splits"), [(100, 10), (97, 10), (11, 10), (50, 1)])
def test_splits_are_those_of_torch_fidelity(n: int, splits: int, parts: int) -> None:
    x = logits(n)
    scores = split_scores(rows(x, parts), splits=splits)
    found = isc_features_to_metric(x, splits=splits)
    assert scores.mean() == pytest.approx(found["inception_score_mean"], rel=1e-9)
    assert scores.std() == pytest.approx(found["inception_score_std"], rel=1e-6, abs=1e-12)


def test_over_features_it_is_the_evaluator_s_formula() -> None:
    x = logits(60, 64, 0.5)
    expected = references()["is/features@1"].values(array(x), None)
    assert InceptionScoreFeatures().distance(rows(x), None) == pytest.approx(expected, rel=1e-9)


def test_sure_and_varied_answers_score_their_number_and_equal_ones_score_1() -> None:
    sure = 1e4 * torch.eye(4).repeat(25, 1)
    assert split_scores(rows(sure), splits=1)[0] == pytest.approx(4)
    assert split_scores(rows(torch.ones(100, 4)), splits=1)[0] == pytest.approx(1)


class SmallScore(InceptionScore):
    size = 20


def test_the_metric_looks_at_generated_features_only() -> None:
    x, metric = logits(200), SmallScore()
    for part in x.split(33):
        metric.add_features(part, real=False)
        metric.add_features(part + 1, real=True)
    assert metric.compute().item() == pytest.approx(isc_features_to_metric(x)["inception_score_mean"], rel=1e-9)
    assert metric.distance(rows(x), None) == metric.compute().item()


@pytest.mark.parametrize(("n", "splits"), [(9, 10), (1, 1), (0, 1)])
def test_too_few_features_are_refused(n: int, splits: int) -> None:
    with pytest.raises(BatchError, match="too few"):
        split_scores(rows(logits(n), 1), splits=splits)
