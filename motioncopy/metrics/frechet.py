"""Fréchet distance between Gaussians, and the metrics that are one.

Their states are sums in float64: they add up over batches, clips and processes in any order, and take the same memory
however many features went in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from motioncopy.errors import BatchError
from motioncopy.metrics.features import SIDES, Rows, SetMetric, Side

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

    >>> Gaussian(torch.zeros(2), torch.eye(2), 9).count
    9
    """

    mean: Tensor
    covariance: Tensor
    count: int


def gaussian(total: Tensor, outer: Tensor, count: int) -> Gaussian:
    """Mean and covariance from sums.

    Args:
        total: ``(d,)`` float64, the sum of all features.
        outer: ``(d, d)`` float64, the sum of their outer products.
        count: How many there were.

    Raises:
        BatchError: If there were fewer than two.

    >>> rows = torch.tensor([[0.0, 0.0], [2.0, 4.0]], dtype=torch.float64)
    >>> found = gaussian(rows.sum(0), rows.T @ rows, len(rows))
    >>> found.mean.tolist(), found.covariance.tolist()
    ([1.0, 2.0], [[2.0, 4.0], [4.0, 8.0]])
    """
    if count < 2:
        raise BatchError("a covariance needs at least two features", found=count)
    mean = total / count
    return Gaussian(mean, (outer - count * torch.outer(mean, mean)) / (count - 1), count)


def gaussian_of(features: Tensor) -> Gaussian:
    """Mean and covariance of features ``(n, d)``; see :func:`gaussian`.

    >>> gaussian_of(torch.tensor([[0.0, 0.0], [2.0, 4.0]])).covariance.tolist()
    [[2.0, 4.0], [4.0, 8.0]]
    """
    rows = features.double()
    return gaussian(rows.sum(dim=0), rows.T @ rows, len(rows))


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """Squared Fréchet (2-Wasserstein) distance of two Gaussians (Dowson and Landau 1982).

    |m1 - m2|² + tr C1 + tr C2 - 2 tr (C1 C2)^½. With C1 = L Lᵀ and C2 = M Mᵀ, the last trace is the sum of the
    singular values of Lᵀ M: no square root of a matrix is taken, nothing complex appears, and covariances of any rank
    are served. Of singular ones, eigenvalues below d times the machine's epsilon of the largest count as rounding.
    Where neither is singular, the singular values are the roots of the eigenvalues of Lᵀ C2 L, which takes a fraction
    of the time.

    Raises:
        BatchError: If the two differ in size.

    >>> unit = torch.eye(3, dtype=torch.float64)
    >>> frechet_distance(Gaussian(torch.zeros(3), unit, 9), Gaussian(torch.ones(3), 4 * unit, 9))
    6.0
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


class FrechetMetric(SetMetric):
    """Fréchet distance of two sets of features, kept as sums: its memory does not grow with the features.

    >>> from motioncopy.metrics.fvd import FVD16
    >>> metric = FVD16()
    >>> for k in range(3):
    ...     metric.add_features(torch.zeros(1, 400))
    ...     metric.add_features(torch.full((1, 400), 2.0), real=True)
    >>> metric.compute()
    tensor(1600., dtype=torch.float64)
    """

    generated_waiting: list[Tensor]
    real_waiting: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for side in SIDES:
            self.add_state(f"{side}_sum", torch.zeros(self.size, dtype=torch.float64), dist_reduce_fx="sum")
            self.add_state(f"{side}_outer", torch.zeros(self.size, self.size).double(), dist_reduce_fx="sum")
            self.add_state(f"{side}_count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
            # Rows that are not in the sums yet: few at a time would cost as much as many.
            self.add_state(f"{side}_waiting", [], dist_reduce_fx="cat")

    def keep(self, features: Tensor, side: Side) -> None:
        """See :meth:`SetMetric.keep`."""
        waiting = self._state(side, "waiting")
        waiting.append(features.to(self.device, torch.float64, copy=True))
        if sum(map(Tensor.numel, waiting)) >= ROWS * self.size:
            self._multiply(side)

    def compute(self) -> Tensor:
        """The distance, a float64 scalar.

        Raises:
            BatchError: If one of the sets has fewer than two features.
        """
        return torch.tensor(self._distance(), dtype=torch.float64)

    def distance(self, generated: Rows, real: Rows | None) -> float:
        """See :meth:`SetMetric.distance`."""
        assert real is not None
        self.reset()
        for side, rows in zip(SIDES, (generated, real), strict=True):
            for block in rows.blocks():
                self.keep(torch.from_numpy(block.astype("float64")), side)
        return self._distance()

    def sync(self, *args: Any, **kwargs: Any) -> None:
        """Adds up the sums of all processes; see torchmetrics."""
        for side in SIDES:
            self._multiply(side)
        super().sync(*args, **kwargs)

    def _distance(self) -> float:
        sets = []
        for side in SIDES:
            self._multiply(side)
            total, outer, count = (self._state(side, part) for part in ("sum", "outer", "count"))
            sets.append(gaussian(total, outer, int(count)))
        return frechet_distance(*sets)

    def _state(self, side: Side, part: str) -> Any:
        return getattr(self, f"{side}_{part}")

    def _empty(self) -> dict[str, Tensor]:
        return {f"{side}_waiting": torch.empty(0, self.size, dtype=torch.float64) for side in SIDES}

    def _multiply(self, side: Side) -> None:
        waiting = self._state(side, "waiting")
        if len(waiting):
            rows = torch.cat(waiting)
            total, outer, count = (self._state(side, part) for part in ("sum", "outer", "count"))
            total += rows.sum(dim=0)
            outer.addmm_(rows.T, rows)
            count += len(rows)
            waiting.clear()
