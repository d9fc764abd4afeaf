"""Kernel inception distance (KID): maximum mean discrepancy of two sets of frames in features of Inception."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motioncopy.errors import BatchError
from motioncopy.metrics.clip import Output
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.features import Rows, RowsMetric
from motioncopy.metrics.inception import POOL_SIZE, InceptionTF

#: Number of subsets, rows of each set in a subset, and the seed: torch-fidelity's.
SUBSETS, SUBSET_SIZE, SEED = 100, 1000, 2020


def squared_mmd(first: Tensor, second: Tensor) -> float:
    """Unbiased estimate of the squared maximum mean discrepancy (Gretton et al. 2012, equation 3).

    The kernel is (x·y / d + 1)³ (Bińkowski et al. 2018). The estimate may be negative.

    Args:
        first: ``(m, d)`` float64, m at least 2.
        second: ``(n, d)`` float64, n at least 2.

    >>> x = torch.eye(3, dtype=torch.float64)
    >>> round(squared_mmd(x, x), 4)  # unbiased, so that it may be negative
    -0.9136
    """
    within = sum(_kernel_mean_apart(rows) for rows in (first, second))
    return within - 2 * float(_kernel(first, second).mean())


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    base = torch.addmm(x.new_ones(()), x, y.T, alpha=1 / x.shape[1])
    return base * base * base


def _kernel_mean_apart(rows: Tensor) -> float:
    """Mean of the kernel over pairs of different rows."""
    kernel, n = _kernel(rows, rows), len(rows)
    return float((kernel.sum() - kernel.trace()) / (n * (n - 1)))


def subset_distances(
    generated: Rows, real: Rows, *, subsets: int = SUBSETS, size: int = SUBSET_SIZE, seed: int = SEED
) -> NDArray[np.float64]:
    """The squared discrepancy of random subsets of rows.

    Subsets are drawn of global indices, so that they do not depend on how rows came about; only one subset at a time
    is in memory.

    Args:
        generated: Rows of the generated frames.
        real: Rows of the real frames.
        subsets: How many to draw.
        size: Rows of each set in a subset, drawn without replacement.
        seed: Of the draws.

    Returns:
        ``(subsets,)``: KID is their mean; their standard deviation is what papers print after ±.

    Raises:
        BatchError: If a set has fewer rows than a subset.

    >>> from motioncopy.metrics.features import Part
    >>> rows = Rows((Part("walk", np.eye(4, dtype=np.float32)),))
    >>> subset_distances(rows, rows, subsets=2, size=4).shape
    (2,)
    """
    if min(len(generated), len(real)) < size:
        raise BatchError(
            "there are fewer features than a subset of KID takes",
            expected=f"at least {size} on both sides",
            found=f"{len(generated)} generated, {len(real)} real",
        )
    random = np.random.RandomState(seed)  # torch-fidelity's generator, so that the subsets are the same
    values = []
    for _ in range(subsets):
        chosen = [rows.take(random.choice(len(rows), size, replace=False)) for rows in (generated, real)]
        values.append(squared_mmd(*(torch.from_numpy(rows).double() for rows in chosen)))
    return np.array(values)


class KID(RowsMetric):
    """KID as torch-fidelity computes it; see :func:`subset_distances`.

    >>> metric = KID()
    >>> metric.add_features(torch.zeros(3, 2048))
    >>> metric.add_features(torch.zeros(3, 2048), real=True)
    >>> metric.compute()
    Traceback (most recent call last):
    ...
    motioncopy.errors.BatchError: there are fewer features than a subset of KID takes...
    """

    output = Output(InceptionTF, "pool")
    size = POOL_SIZE
    least = SUBSET_SIZE
    # A draw of the bootstrap would cost as much as the value: 300 kernels of 1000x1000.
    resamples = 0
    definition = Definition(
        key="kid/tf@1",
        title="KID",
        direction="lower",
        unit="",
        source="Bińkowski, Sutherland, Arbel, Gretton: Demystifying MMD GANs, ICLR 2018",
        text=(
            "Squared maximum mean discrepancy, by the unbiased estimate, with the kernel (x·y / 2048 + 1)³, float64, "
            "of the features of fid/tf@1; the mean over 100 subsets of 1000 generated and 1000 real frames, drawn "
            "without replacement by the global index (the place among all frames, clips sorted by name) with seed "
            "2020. Equals torch-fidelity's mean. At least 1000 frames on either side, one subset. No confidence "
            "interval: what papers print after ± is the deviation over subsets, which says how a subset varies and "
            "not how clips do."
        ),
        choice=(
            "The authors' code takes 50 subsets, torch-fidelity and torchmetrics 100, all of 1000; the estimate is "
            "unbiased, so that the number changes only its noise. Some papers print it times 100 or 1000; here it is "
            "as it is."
        ),
        caution=(
            "May be slightly negative, being unbiased: that means no difference was found. Few frames make it noisier "
            "and not larger, unlike FID; but it is as blind to the order of frames, and to who is shown doing what."
        ),
    )

    def distance(self, generated: Rows, real: Rows | None) -> float:
        """See :meth:`SetMetric.distance`."""
        assert real is not None
        return float(subset_distances(generated, real).mean())
