"""Fréchet distance between Gaussians, and the running moments that it is made from.

Moments are sums in float64: they add up over batches, clips and processes in any order, and take the same memory
however many features went in.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from motioncopy.errors import BatchError
from motioncopy.metrics.store import Rows

#: Rows that are gathered before they are multiplied: one product of many rows costs far less than many of one.
ROWS = 256
# The smallest diagonal entry of a Cholesky factor, relative to the largest: below it, the covariance may be a singular
# one that rounding made regular.
_REGULAR = 1e-7


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


def check_features(features: Tensor, size: int) -> None:
    """Refuses anything but finite ``(n, size)`` floating point features.

    Raises:
        BatchError: If the shape or the type is wrong, or a value is not finite.
    """
    if features.ndim != 2 or features.shape[1] != size:
        raise BatchError("features have the wrong shape", expected=f"(n, {size})", found=tuple(features.shape))
    if not features.is_floating_point():
        raise BatchError("features have the wrong type", expected="floating point", found=features.dtype)
    if not torch.isfinite(features).all():
        raise BatchError("features hold values that are not finite")


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
        self._rows = torch.empty(ROWS, size, dtype=torch.float64, device=device)
        self._waiting = 0
        self._count = 0

    def update(self, features: Tensor) -> None:
        """Adds features.

        Args:
            features: ``(n, d)`` floating point.

        Raises:
            BatchError: If the shape or the type is wrong, or a value is not finite.
        """
        check_features(features, self.size)
        start = 0
        while start < len(features):
            take = min(len(features) - start, ROWS - self._waiting)
            self._rows[self._waiting : self._waiting + take] = features[start : start + take]
            self._waiting, start = self._waiting + take, start + take
            if self._waiting == ROWS:
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

    def distance(self, other: Moments) -> float:
        """Fréchet distance of the two sets; see :func:`frechet_distance`.

        Raises:
            BatchError: If one of them has fewer than two features, or they differ in size.
        """
        return frechet_distance(self.gaussian(), other.gaussian())

    def _multiply(self) -> None:
        accumulate(self._sum, self._outer, self._rows[: self._waiting])
        self._waiting = 0


def accumulate(total: Tensor, outer: Tensor, rows: Tensor) -> None:
    """Adds rows ``(n, d)`` to their sum ``(d,)`` and to the sum of their outer products ``(d, d)``, all float64."""
    total += rows.sum(dim=0)
    outer.addmm_(rows.T, rows)


def moments(rows: Rows) -> Moments:
    """The moments of stored features; they are read block by block."""
    found = Moments(rows.size)
    for block in rows.blocks():
        found.update(torch.from_numpy(block.astype("float64")))
    return found


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

    |m1 - m2|² + tr C1 + tr C2 - 2 tr (C1 C2)^½. With C1 = L Lᵀ and C2 = M Mᵀ, the last trace is the sum of the
    singular values of Lᵀ M: no square root of a matrix is taken, nothing complex appears, and covariances of any rank
    are served. Of singular ones, eigenvalues below d times the machine's epsilon of the largest count as rounding.
    Where neither is singular, the singular values are the roots of the eigenvalues of Lᵀ C2 L, which takes a fraction
    of the time.

    Raises:
        BatchError: If the two differ in size.
    """
    if first.mean.shape != second.mean.shape:
        raise BatchError("two Gaussians of different sizes", expected=len(first.mean), found=len(second.mean))
    left, right = _cholesky(first.covariance), _cholesky(second.covariance)
    if left is not None and right is not None:
        half = left.T @ right
        roots = torch.linalg.eigvalsh(half @ half.T).clamp_min(0).sqrt().sum()
    else:
        left = _thin_factor(first.covariance) if left is None else left
        right = _thin_factor(second.covariance) if right is None else right
        roots = torch.linalg.svdvals(left.T @ right).sum()
    spread = first.covariance.trace() + second.covariance.trace() - 2 * roots
    # Rounding alone can take the distance of equal sets below nothing.
    return max(0.0, float((first.mean - second.mean).square().sum() + spread))


def _cholesky(covariance: Tensor) -> Tensor | None:
    """L with L Lᵀ = C, or ``None`` where C is singular to working precision."""
    lower: Tensor
    lower, failed = torch.linalg.cholesky_ex(covariance)
    diagonal = lower.diagonal()
    return lower if not failed and bool(diagonal.min() > _REGULAR * diagonal.max()) else None


def _thin_factor(covariance: Tensor) -> Tensor:
    """L with L Lᵀ = C and as many columns as the rank of C, by eigenvectors."""
    values, vectors = torch.linalg.eigh(covariance)
    # Smaller ones are zeros that were rounded, whose roots would add up to something.
    there = values > len(values) * torch.finfo(values.dtype).eps * values.max()
    factor: Tensor = vectors[:, there] * values[there].sqrt()
    return factor
