"""Speed of the Gromov-Wasserstein loss, in one run: ``python -m benchmarks.speed.gromov_wasserstein``.

All rows are forward and backward, in float32, on one thread unless told otherwise. Goals, as ratios within a run: for
16 frames, a batch of 16, 20 x 50 iterations, at least 40 (envelope) and 10 (unrolled) times POT's
``entropic_gromov_wasserstein2`` with its torch backend, sample by sample, at the same iterations; at least twice POT's
``solve_gromov_batch`` (a proximal solver, so a peer in speed and not in value); the time of a sample does not grow
with the batch; and cost matrices at least 3 times as fast as ``torch.cdist``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial

import ot
import torch
from torch import Tensor

from benchmarks.speed.timing import medians
from motioncopy.losses.gromov_wasserstein import entropic_gromov_wasserstein, pairwise_l1

FRAMES, OUTER, SINKHORN = 16, 20, 50
BATCHES = (1, 4, 16, 64)

Loss = Callable[[Tensor, Tensor], Tensor]


def costs(batch: int) -> tuple[Tensor, Tensor]:
    """Real and generated cost matrices (batch, 16, 16) of mean 1: a random walk's, and the same with noise."""
    generator = torch.Generator().manual_seed(0)
    real = torch.randn(batch, FRAMES, 64, generator=generator).cumsum(1)
    generated = real + torch.randn(real.shape, generator=generator)
    matrices = pairwise_l1(real), pairwise_l1(generated)
    scale = matrices[0].mean((-1, -2), keepdim=True)
    return matrices[0] / scale, matrices[1] / scale


def ours(real: Tensor, generated: Tensor, *, epsilon: float, gradient: str) -> Tensor:
    """The loss under test, summed over the batch."""
    loss, _ = entropic_gromov_wasserstein(
        real, generated, epsilon=epsilon, outer_iterations=OUTER, sinkhorn_iterations=SINKHORN, gradient=gradient
    )
    return loss.sum()


def pot_loop(real: Tensor, generated: Tensor, *, epsilon: float) -> Tensor:
    """POT, one sample after the other, with stopping turned off."""
    uniform = real.new_full((FRAMES,), 1 / FRAMES)
    losses = [
        ot.gromov.entropic_gromov_wasserstein2(
            e,
            d,
            uniform,
            uniform,
            "square_loss",
            epsilon=epsilon,
            symmetric=True,
            max_iter=OUTER,
            tol=0,
            numItermax=SINKHORN,
            stopThr=0,
            warn=False,
        )
        for e, d in zip(real, generated, strict=True)
    ]
    return torch.stack(losses).sum()


def pot_batch(real: Tensor, generated: Tensor, *, epsilon: float, gradient: str) -> Tensor:
    """POT's batched solver, with stopping turned off; ``gradient`` is POT's name of ours."""
    result = ot.solve_gromov_batch(
        real,
        generated,
        reg=epsilon,
        symmetric=True,
        max_iter=OUTER,
        max_iter_inner=SINKHORN,
        tol=0,
        tol_inner=0,
        grad=gradient,
    )
    loss: Tensor = result.value.sum()
    return loss


def cdist_l1(features: Tensor) -> Tensor:
    """The plain way to the cost matrix."""
    return torch.cdist(features, features, p=1) / features.shape[-1]


def passes(losses: Mapping[str, Loss], real: Tensor, generated: Tensor) -> dict[str, Callable[[], None]]:
    """One forward and backward pass of each loss."""

    def once(loss: Loss) -> None:
        loss(real, generated.detach().requires_grad_()).backward()

    return {name: partial(once, loss) for name, loss in losses.items()}


def print_against_pot(epsilon: float, repeats: int) -> None:
    """Prints the comparison with POT at a batch of 16, with its batched solver at the like gradient."""
    losses: dict[str, Loss] = {
        "envelope": partial(ours, epsilon=epsilon, gradient="envelope"),
        "unrolled": partial(ours, epsilon=epsilon, gradient="unrolled"),
        "POT loop": partial(pot_loop, epsilon=epsilon),
        "POT batch, envelope": partial(pot_batch, epsilon=epsilon, gradient="envelope"),
        "POT batch, autodiff": partial(pot_batch, epsilon=epsilon, gradient="autodiff"),
    }
    times = medians(passes(losses, *costs(16)), repeats)
    print(f"batch 16, {FRAMES} frames, {OUTER} x {SINKHORN} iterations, epsilon {epsilon:g}")
    for name, time_taken in times.items():
        print(f"{name:<20} {1000 * time_taken:>8.1f} ms")
    for name, peer in (("envelope", "POT batch, envelope"), ("unrolled", "POT batch, autodiff")):
        loop, batch = times["POT loop"] / times[name], times[peer] / times[name]
        print(f"{name}: {loop:.1f}x POT loop, {batch:.1f}x {peer}")


def print_growth(epsilon: float, repeats: int) -> None:
    """Prints the time of a sample at growing batches."""
    print("\nms per sample" + "".join(f"{f'batch {batch}':>10}" for batch in BATCHES))
    for gradient in ("envelope", "unrolled"):
        loss = partial(ours, epsilon=epsilon, gradient=gradient)
        each = [medians(passes({gradient: loss}, *costs(batch)), repeats)[gradient] / batch for batch in BATCHES]
        print(f"{gradient:<13}" + "".join(f"{1000 * time_taken:>10.2f}" for time_taken in each))


def print_cost_matrices(dimensions: int, repeats: int) -> None:
    """Prints the comparison of cost matrices with ``torch.cdist``."""
    print(f"\n{f'L1 costs, d = {dimensions:,}':<26} {'ms':>8} {'cdist ms':>9} {'ratio':>7}")
    for frames in (8, FRAMES, 64):
        features = torch.randn(frames, dimensions, generator=torch.Generator().manual_seed(0))
        weights = torch.randn(frames, frames, generator=torch.Generator().manual_seed(1))
        losses: dict[str, Loss] = {
            "ours": lambda w, f: (pairwise_l1(f) * w).sum(),
            "cdist": lambda w, f: (cdist_l1(f) * w).sum(),
        }
        mine, plain = medians(passes(losses, weights, features), repeats).values()
        print(f"{f'{frames} frames':<26} {1000 * mine:>8.1f} {1000 * plain:>9.1f} {plain / mine:>6.1f}x")


def main(arguments: list[str] | None = None) -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epsilon", type=float, default=0.5, help="POT's loop fails where it is small")
    parser.add_argument("--repeats", type=int, default=5, help="runs, of which the medians count")
    parser.add_argument("--dimensions", type=int, default=1 << 19, help="of the features behind the cost matrices")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    print_against_pot(chosen.epsilon, chosen.repeats)
    print_growth(chosen.epsilon, chosen.repeats)
    print_cost_matrices(chosen.dimensions, chosen.repeats)


if __name__ == "__main__":
    main()
