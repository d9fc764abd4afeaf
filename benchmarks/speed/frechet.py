"""FID's statistics and final distance against torchmetrics and SciPy, in one run.

    OMP_NUM_THREADS=1 python -m benchmarks.speed.frechet [--size 2048]

Features are given ready made: a module that returns what it gets stands in for torchmetrics' network, so that only
sums and distances are timed. Rounds are taken in turn, so that a busy machine slows all alike; only ratios mean
anything.
"""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np
import torch
from scipy.linalg import sqrtm
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance, _compute_fid

from benchmarks.speed.timing import medians
from motioncopy.metrics.fid import FID
from motioncopy.metrics.frechet import Gaussian, frechet_distance, gaussian_of

OURS = "motioncopy"
#: Batch sizes of updates, and how many times as long torchmetrics should take.
UPDATE_GOALS = {1: 50, 8: 10, 64: 2}
#: How many times as long others should take for the final distance of regular covariances.
DISTANCE_GOALS = {"torchmetrics": 2, "scipy sqrtm": 5}


class Same(nn.Module):
    """A network whose features are its input."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.num_features = size

    def forward(self, features: Tensor) -> Tensor:
        """``(n, size)`` to itself."""
        return features


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


def updates(size: int, rounds: int) -> dict[int, dict[str, float]]:
    """Seconds a feature, by batch size and implementation.

    Ours multiplies once in 256 rows, and is timed on a multiple of them; torchmetrics multiplies at every update, and
    fewer rows tell as much.
    """
    sized: type[FID] = type("SizedFID", (FID,), {"size": size})
    rows, found = features(1024, size, 1), {}
    for batch in UPDATE_GOALS:
        few = rows[: 8 * batch]
        times = medians(
            {
                OURS: partial(feed, sized(), rows, batch),
                "torchmetrics": partial(feed, FrechetInceptionDistance(Same(size)), few, batch),
            },
            rounds,
        )
        found[batch] = {OURS: times[OURS] / len(rows), "torchmetrics": times["torchmetrics"] / len(few)}
    return found


def difference(size: int) -> float:
    """The relative difference of our value and that of torchmetrics on the same features."""
    sized: type[FID] = type("SizedFID", (FID,), {"size": size})
    ours, theirs = sized(), FrechetInceptionDistance(Same(size))
    for real in (False, True):
        for part in features(size + 500, size, 1 + real).split(64):
            ours.add_features(part, real=real)
            theirs.update(part, real=real)
    return abs(ours.compute().item() / theirs.compute().item() - 1)


def by_scipy(first: Gaussian, second: Gaussian) -> float:
    """The distance with SciPy's root of a matrix, as pytorch-fid computes it."""
    root = np.asarray(sqrtm(first.covariance.numpy() @ second.covariance.numpy())).real
    spread = first.covariance.trace() + second.covariance.trace() - 2 * np.trace(root)
    return float((first.mean - second.mean).square().sum() + spread)


def by_torchmetrics(first: Gaussian, second: Gaussian) -> float:
    """The distance as torchmetrics computes it."""
    return _compute_fid(first.mean, first.covariance, second.mean, second.covariance).item()


def distances(size: int, count: int, rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds and values of the final distance of two sets of so many features, by implementation."""
    sets = [gaussian_of(features(count, size, seed)) for seed in (1, 2)]
    ways = {OURS: frechet_distance, "torchmetrics": by_torchmetrics, "scipy sqrtm": by_scipy}
    times = medians({name: partial(way, *sets) for name, way in ways.items()}, rounds)
    return times, {name: way(*sets) for name, way in ways.items()}


def main() -> None:
    """Prints the comparison."""
    parser = argparse.ArgumentParser(description="Speed of FID's sums and distance against their references.")
    parser.add_argument("--size", type=int, default=2048, help="numbers a feature (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median is shown (default: %(default)s)")
    args = parser.parse_args()
    print(f"{args.size} numbers a feature, {torch.get_num_threads()} threads, CPU")
    for batch, times in updates(args.size, args.rounds).items():
        ratio = times["torchmetrics"] / times[OURS]
        print(f"update, batch {batch:2}: torchmetrics takes {ratio:6.1f} times as long (goal {UPDATE_GOALS[batch]})")
    print(f"values differ from torchmetrics' by {difference(args.size):.1e}")
    for count, kind in ((3 * args.size, "regular"), (args.size // 2, "singular")):
        times, values = distances(args.size, count, args.rounds)
        for name, goal in DISTANCE_GOALS.items():
            print(
                f"distance, {kind} covariances: {name} takes {times[name] / times[OURS]:5.1f} times as long "
                f"(goal {goal}), and differs by {abs(values[name] / values[OURS] - 1):.1e}"
            )


if __name__ == "__main__":
    main()
