"""Speed of the Gromov-Wasserstein loss, in one run: ``python -m benchmarks.speed.gromov_wasserstein``.

All rows are forward and backward, in float32, on one thread unless told otherwise. Goals, as ratios within a run: for
16 frames, a batch of 16, 20 x 50 iterations, at least 40 (envelope) and 10 (unrolled) times POT's
``entropic_gromov_wasserstein2`` with its torch backend, sample by sample, at the same iterations; at least twice POT's
``solve_gromov_batch`` (a proximal solver, so a peer in speed and not in value); the time of a sample does not grow
with the batch; and cost matrices at least 3 times as fast as ``torch.cdist``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import ot
import torch
from torch import Tensor

from benchmarks.speed.harness import Calls, compare, options, set_threads
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


def passes(losses: Mapping[str, Loss], real: Tensor, generated: Tensor) -> Calls:
    """One forward and backward pass of each loss."""

    def once(loss: Loss) -> None:
        loss(real, generated.detach().requires_grad_()).backward()

    return {name: partial(once, loss) for name, loss in losses.items()}


def main() -> None:
    """Prints both gradients beside POT's, the time of a sample at growing batches, and cost matrices."""
    parser = options(__doc__, rounds=5, threads=1)
    parser.add_argument("--epsilon", type=float, default=0.5, help="POT's loop fails where it is small")
    parser.add_argument("--dimensions", type=int, default=1 << 19, help="of the features behind the cost matrices")
    arguments = parser.parse_args()
    set_threads(arguments.threads)
    epsilon, rounds = arguments.epsilon, arguments.rounds
    own = {name: partial(ours, epsilon=epsilon, gradient=name) for name in ("envelope", "unrolled")}
    for name, peer in (("envelope", "envelope"), ("unrolled", "autodiff")):
        losses: dict[str, Loss] = {
            name: own[name],
            "POT loop": partial(pot_loop, epsilon=epsilon),
            f"POT batch, {peer}": partial(pot_batch, epsilon=epsilon, gradient=peer),
        }
        compare("batch 16", passes(losses, *costs(16)), rounds, per=16)
    for batch in BATCHES:
        compare(f"batch {batch}", passes(own, *costs(batch)), rounds, per=batch)
    for frames in (8, FRAMES, 64):
        features = torch.randn(frames, arguments.dimensions, generator=torch.Generator().manual_seed(0))
        weights = torch.randn(frames, frames, generator=torch.Generator().manual_seed(1))
        matrices: dict[str, Loss] = {
            "ours": lambda w, f: (pairwise_l1(f) * w).sum(),
            "cdist": lambda w, f: (torch.cdist(f, f, p=1) / f.shape[-1] * w).sum(),
        }
        compare(f"costs of {frames} frames", passes(matrices, weights, features), rounds)


if __name__ == "__main__":
    main()
