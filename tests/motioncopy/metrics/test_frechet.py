"""The Fréchet distance and the moments behind it, against SciPy, exact cases and torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor
from torchmetrics.image.fid import _compute_fid

from motioncopy.errors import BatchError
from motioncopy.metrics.frechet import ROWS, Gaussian, frechet_distance, gaussian
from motioncopy.metrics.frechet import gaussian_of as of


def features(n: int, d: int, seed: int = 0, shift: float = 0.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, generator=generator, dtype=torch.float64)
    return torch.randn(n, d, generator=generator, dtype=torch.float64) @ mixing + shift


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


def test_too_few_features_and_unequal_sizes_are_refused() -> None:
    with pytest.raises(BatchError, match="two features"):
        of(torch.zeros(1, 4))
    with pytest.raises(BatchError, match="two features"):
        gaussian(torch.zeros(4), torch.zeros(4, 4), 0)
    with pytest.raises(BatchError, match="different sizes"):
        frechet_distance(of(features(9, 4)), of(features(9, 5)))
