"""Fréchet distance between Gaussians, and the running moments that it is made from.

Moments are sums in float64: they add up over batches, clips and processes in any order, and take the same memory
however many features went in.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from motioncopy.errors import BatchError

#: Rows that are gathered before they are multiplied: one product of many rows costs far less than many of one.
_ROWS = 256


@dataclass(frozen=True)
class Gaussian:
    """Mean and covariance of a set of features.

    Attributes:
        mean: ``(d,)`` float64.
        covariance: ``(d, d)`` float64, with n - 1 in the denominator.
        count: How many features it was made from.
    """

    mean: Tensor
    covariance: Tensor
    count: int


class Moments:
    """Sums over feature vectors.

    Args:
        size: Their length d.
        device: Where the sums are kept.
    """

    def __init__(self, size: int, device: torch.device | str = "cpu") -> None:
        self.size = size
        self._sum = torch.zeros(size, dtype=torch.float64, device=device)
        self._outer = torch.zeros(size, size, dtype=torch.float64, device=device)
        self._rows = torch.empty(_ROWS, size, dtype=torch.float64, device=device)
        self._waiting = 0
        self._count = 0

    def update(self, features: Tensor) -> None:
        """Adds features.

        Args:
            features: ``(n, d)`` floating point.

        Raises:
            BatchError: If the shape is wrong, or a value is not finite.
        """
        if features.ndim != 2 or features.shape[1] != self.size:
            raise BatchError("features have the wrong shape", expected=f"(n, {self.size})", found=tuple(features.shape))
        if not torch.isfinite(features).all():
            raise BatchError("features hold values that are not finite")
        start = 0
        while start < len(features):
            take = min(len(features) - start, _ROWS - self._waiting)
            self._rows[self._waiting : self._waiting + take] = features[start : start + take]
            self._waiting, start = self._waiting + take, start + take
            if self._waiting == _ROWS:
                self._multiply()
        self._count += len(features)

    def merge(self, other: Moments) -> None:
        """Adds the features of another set: a clip's to all clips', or another process's."""
        self._multiply()
        other._multiply()
        self._sum += other._sum
        self._outer += other._outer
        self._count += other._count

    def sums(self) -> tuple[Tensor, Tensor, int]:
        """Sum ``(d,)``, sum of outer products ``(d, d)``, count."""
        self._multiply()
        return self._sum, self._outer, self._count

    @property
    def count(self) -> int:
        """How many features were added."""
        return self._count

    def gaussian(self) -> Gaussian:
        """Mean and covariance.

        Raises:
            BatchError: If there are fewer than two features.
        """
        return gaussian(*self.sums())

    def _multiply(self) -> None:
        rows = self._rows[: self._waiting]
        self._sum += rows.sum(dim=0)
        self._outer.addmm_(rows.T, rows)
        self._waiting = 0


def gaussian(total: Tensor, outer: Tensor, count: int) -> Gaussian:
    """Mean and covariance from sums.

    Args:
        total: ``(d,)`` float64, the sum of all features.
        outer: ``(d, d)`` float64, the sum of their outer products.
        count: How many there were.

    Raises:
        BatchError: If there were fewer than two.
    """
    if count < 2:
        raise BatchError("a covariance needs at least two features", found=count)
    mean = total / count
    return Gaussian(mean, (outer - count * torch.outer(mean, mean)) / (count - 1), count)


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """Squared Fréchet (2-Wasserstein) distance of two Gaussians (Dowson and Landau 1982).

    |m1 - m2|² + tr C1 + tr C2 - 2 tr (C1 C2)^½. With C1 = L Lᵀ, the eigenvalues of C1 C2 are those of the symmetric
    Lᵀ C2 L, whose roots are summed: no square root of a matrix is taken, nothing complex appears, and covariances of
    any rank are served.

    Raises:
        BatchError: If the two differ in size.
    """
    if first.mean.shape != second.mean.shape:
        raise BatchError("two Gaussians of different sizes", expected=len(first.mean), found=len(second.mean))
    factor = _factor(first.covariance)
    inner = factor.T @ second.covariance @ factor
    roots = torch.linalg.eigvalsh((inner + inner.T) / 2).clamp_min(0).sqrt().sum()
    spread = first.covariance.trace() + second.covariance.trace() - 2 * roots
    # Rounding alone can take the distance of equal sets below nothing.
    return max(0.0, float((first.mean - second.mean).square().sum() + spread))


def _factor(covariance: Tensor) -> Tensor:
    """L with L Lᵀ = C: Cholesky where it exists, else by eigenvectors, with negative rounding set to 0."""
    lower: Tensor
    lower, failed = torch.linalg.cholesky_ex(covariance)
    if not failed and bool((lower.diagonal() > 1e-8 * lower.diagonal().max()).all()):
        return lower
    values, vectors = torch.linalg.eigh(covariance)
    factor: Tensor = vectors * values.clamp_min(0).sqrt()
    return factor
