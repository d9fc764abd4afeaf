"""FID's statistics and final distance against torchmetrics and SciPy, in one run.

    OMP_NUM_THREADS=1 python -m benchmarks.speed.frechet [--size 2048]

Features are given ready made: a module that returns what it gets stands in for torchmetrics' network, so that only
sums and distances are timed. Goals are how many times as long the others should take, the final ones of regular
covariances; only ratios mean anything.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from scipy.linalg import sqrtm
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance, _compute_fid

from benchmarks.speed.harness import compare, options
from motioncopy.metrics.fid import FID
from motioncopy.metrics.frechet import Gaussian, frechet_distance, gaussian_of

OURS = "motioncopy"
#: Batch sizes of updates, and how many times as long torchmetrics should take.
UPDATE_GOALS = {1: 50, 8: 10, 64: 2}


def same(size: int) -> nn.Module:
    """A network whose features are its input."""
    network = nn.Identity()
    network.num_features = size  # type: ignore[assignment]
    return network


def features(count: int, size: int, seed: int) -> Tensor:
    """Positive, correlated features with a few strong directions, ``(count, size)`` float32, as Inception's are."""
    strength = torch.logspace(0, -2, size)
    mixing = torch.randn(size, size, generator=torch.Generator().manual_seed(0)) * strength / size**0.5
    rows = torch.randn(count, size, generator=torch.Generator().manual_seed(seed))
    correlated: Tensor = rows @ mixing.T
    return correlated + 0.4 + 0.01 * seed


def feed(metric: FID | FrechetInceptionDistance, rows: Tensor, batch: int) -> None:
    """Updates with these rows, batch by batch."""
    update = metric.add_features if isinstance(metric, FID) else metric.update
    for part in rows.split(batch):
        update(part, real=True)


def by_scipy(first: Gaussian, second: Gaussian) -> float:
    """The distance with SciPy's root of a matrix, as pytorch-fid computes it."""
    root = np.asarray(sqrtm(first.covariance.numpy() @ second.covariance.numpy())).real
    spread = first.covariance.trace() + second.covariance.trace() - 2 * np.trace(root)
    return float((first.mean - second.mean).square().sum() + spread)


def by_torchmetrics(first: Gaussian, second: Gaussian) -> float:
    """The distance as torchmetrics computes it."""
    return _compute_fid(first.mean, first.covariance, second.mean, second.covariance).item()


def main() -> None:
    """Prints the comparison, and how far the values are apart."""
    arguments = options(__doc__, size=2048, rounds=3).parse_args()
    size, rounds = arguments.size, arguments.rounds
    sized: type[FID] = type("SizedFID", (FID,), {"size": size})
    rows = features(256, size, 1)  # ours multiplies once in as many rows, torchmetrics at every update
    for batch, goal in UPDATE_GOALS.items():
        ways = {
            OURS: partial(feed, sized(), rows, batch),
            f"torchmetrics (goal {goal})": partial(feed, FrechetInceptionDistance(same(size)), rows, batch),
        }
        compare(f"update, batch {batch}", ways, rounds, per=len(rows))
    for count, kind in ((3 * size, "regular"), (size // 2, "singular")):
        sets = [gaussian_of(features(count, size, seed)) for seed in (1, 2)]
        finals = {
            OURS: partial(frechet_distance, *sets),
            "torchmetrics (goal 2)": partial(by_torchmetrics, *sets),
            "scipy sqrtm (goal 5)": partial(by_scipy, *sets),
        }
        compare(f"distance, {kind}", finals, rounds)
        print("values:", ", ".join(f"{name.partition(' (')[0]} {way():.9g}" for name, way in finals.items()))


if __name__ == "__main__":
    main()
