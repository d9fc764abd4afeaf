"""The Fréchet distance and the moments behind it, against SciPy, exact cases and torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor
from torchmetrics.image.fid import _compute_fid

from motioncopy.errors import BatchError
from motioncopy.metrics.features import Part, Rows
from motioncopy.metrics.frechet import ROWS, Gaussian, Moments, frechet_distance, gaussian, moments


def features(n: int, d: int, seed: int = 0, shift: float = 0.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, generator=generator, dtype=torch.float64)
    return torch.randn(n, d, generator=generator, dtype=torch.float64) @ mixing + shift


def of(rows: Tensor) -> Gaussian:
    found = Moments(rows.shape[1])
    found.update(rows)
    return found.gaussian()


def by_scipy(first: Gaussian, second: Gaussian) -> float:
    root = np.asarray(sqrtm(first.covariance.numpy() @ second.covariance.numpy())).real
    spread = first.covariance.trace() + second.covariance.trace() - 2 * np.trace(root)
    return float((first.mean - second.mean).square().sum() + spread)


def by_rows(x: Tensor, y: Tensor) -> float:
    """Without a covariance: its root's trace is the sum of the singular values of the centred rows' products."""
    a, b = ((rows - rows.mean(dim=0)) / (len(rows) - 1) ** 0.5 for rows in (x, y))
    means = (x.mean(dim=0) - y.mean(dim=0)).square().sum()
    return float(means + a.square().sum() + b.square().sum() - 2 * torch.linalg.svdvals(a @ b.T).sum())


def test_full_rank_covariances_agree_with_scipy_and_torchmetrics() -> None:
    x, y = of(features(100, 12)), of(features(80, 12, 1, 0.3))
    value = frechet_distance(x, y)
    assert value == pytest.approx(by_scipy(x, y), rel=1e-9)
    assert value == pytest.approx(_compute_fid(x.mean, x.covariance, y.mean, y.covariance).item(), rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(5, 7), (2, 2), (5, 100), (100, 5), (30, 31)])
def test_singular_covariances_are_exact(n: int, m: int) -> None:
    x, y = features(n, 30), features(m, 30, 1, 2.0)
    assert frechet_distance(of(x), of(y)) == pytest.approx(by_rows(x, y), rel=1e-10)


@pytest.mark.filterwarnings("ignore:Matrix is singular")
def test_a_singular_case_agrees_with_scipy() -> None:
    x, y = (Gaussian(torch.zeros(3).double(), torch.diag(torch.tensor(v).double()), 9) for v in ([4, 0, 1], [1, 9, 0]))
    assert frechet_distance(x, y) == pytest.approx(5 + 10 - 2 * 2)
    assert frechet_distance(x, y) == pytest.approx(by_scipy(x, y))


@pytest.mark.parametrize("digits", [0, 4, 8, 12])
def test_tiny_eigenvalues_count(digits: int) -> None:
    """Covariances of the same eigenvectors, whose eigenvalues span many orders of magnitude, have a closed form."""
    generator = torch.Generator().manual_seed(digits)
    basis = torch.linalg.qr(torch.randn(60, 60, generator=generator, dtype=torch.float64)).Q
    values = [10 ** (-digits * torch.rand(60, generator=generator, dtype=torch.float64)) for _ in range(2)]
    x, y = (Gaussian(torch.zeros(60).double(), (basis * v) @ basis.T, 99) for v in values)
    expected = (values[0].sqrt() - values[1].sqrt()).square().sum().item()
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("n", [3, 30, 31, 500])
def test_a_set_has_no_distance_from_itself(n: int) -> None:
    x = of(features(n, 30, shift=5.0))
    assert frechet_distance(x, x) == pytest.approx(0.0, abs=1e-11 * x.covariance.trace().item())


def test_equal_features_have_the_distance_of_their_means() -> None:
    x, y = of(torch.zeros(4, 3)), of(torch.full((5, 3), 2.0))
    assert frechet_distance(x, y) == pytest.approx(12.0)


def test_mean_and_covariance_are_those_of_numpy() -> None:
    rows = features(ROWS + 30, 6, shift=3.0)
    found = of(rows)
    np.testing.assert_allclose(found.mean, rows.mean(dim=0), rtol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(rows.numpy(), rowvar=False), rtol=1e-9, atol=1e-11)
    assert found.count == len(rows)


@pytest.mark.parametrize("chunk", [1, 3, 100, ROWS, 2 * ROWS + 1])
def test_chunks_and_merging_change_nothing(chunk: int) -> None:
    rows = features(2 * ROWS + 5, 6)
    whole, parts = Moments(6), [Moments(6), Moments(6)]
    whole.update(rows)
    for number, part in enumerate(rows.split(chunk)):
        parts[number % 2].update(part)
    parts[0].merge(parts[1])
    assert parts[0].count == len(rows)
    for one, other in zip(parts[0].sums(), whole.sums(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-10)
    assert parts[0].distance(whole) == pytest.approx(0, abs=1e-10)


def test_moments_are_right_while_they_go_on() -> None:
    rows, found = features(20, 4), Moments(4)
    found.update(rows[:7])
    torch.testing.assert_close(found.gaussian().mean, rows[:7].mean(dim=0))
    found.update(rows[7:])
    torch.testing.assert_close(found.gaussian().mean, rows.mean(dim=0))


def test_stored_rows_have_the_moments_of_tensors() -> None:
    rows = features(40, 4).float()
    stored = Rows((Part("a", rows[:13].numpy()), Part("b", rows[:0].numpy()), Part("c", rows[13:].numpy())))
    whole = Moments(4)
    whole.update(rows)
    assert moments(stored).distance(whole) == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize(
    "wrong",
    [torch.zeros(4), torch.zeros(2, 5), torch.zeros(2, 4, dtype=torch.int64), torch.tensor([[0.0, torch.nan, 0, 0]])],
)
def test_wrong_features_are_refused_and_leave_the_sums_alone(wrong: Tensor) -> None:
    found = Moments(4)
    with pytest.raises(BatchError):
        found.update(wrong)
    assert found.count == 0


def test_too_few_features_and_unequal_sizes_are_refused() -> None:
    with pytest.raises(BatchError, match="two features"):
        of(torch.zeros(1, 4))
    with pytest.raises(BatchError, match="two features"):
        gaussian(torch.zeros(4), torch.zeros(4, 4), 0)
    with pytest.raises(BatchError, match="different sizes"):
        frechet_distance(of(features(9, 4)), of(features(9, 5)))
