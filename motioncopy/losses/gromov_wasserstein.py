"""Entropic Gromov-Wasserstein loss between frames, and the entropic Wasserstein distance that was released for it.

Real and generated frames need no shared feature space: only the distances within each set are compared (FakeMotion
and FakeVideo, "Gromov-Wasserstein loss"; Peyré, Cuturi and Solomon, 2016, for the iterations).
"""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from motioncopy.errors import BatchError, ConfigError
from motioncopy.training.precision import at_least_float32

_TILE_BYTES = 1 << 19  # of features that pairwise_l1 reads at once: what a core's cache holds


def gromov_wasserstein_loss(
    real_features: Tensor,
    generated_features: Tensor,
    *,
    epsilon: float,
    outer_iterations: int,
    sinkhorn_iterations: int,
    gradient: str = "envelope",
) -> Tensor:
    """Entropic Gromov-Wasserstein loss between two sets of features, under L1 distances.

    Both cost matrices are divided by the mean of the real one, which is held constant, so ``epsilon`` does not depend
    on the features' scale, and generated features cannot lower the loss by shrinking. It is computed in float32 or
    better, whatever autocast says. Real features get no gradient. One frame alone has no distances: its loss is 0.

    Args:
        real_features: (m, d), any floating type.
        generated_features: (m, d).
        epsilon: See `entropic_gromov_wasserstein`.
        outer_iterations: Likewise.
        sinkhorn_iterations: Likewise.
        gradient: Likewise.

    Returns:
        The loss, a scalar.

    Raises:
        BatchError: The shapes differ or are not (m, d), or a feature is not finite.
        ConfigError: See `entropic_gromov_wasserstein`.

    Example:
        >>> import torch
        >>> from motioncopy.losses.gromov_wasserstein import gromov_wasserstein_loss
        >>> real = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0]])  # three frames
        >>> options = {"epsilon": 0.01, "outer_iterations": 20, "sinkhorn_iterations": 50}
        >>> gromov_wasserstein_loss(real, real + 5, **options) < 1e-4  # the same distances
        tensor(True)
        >>> gromov_wasserstein_loss(real, real.flip(1) * 2, **options) > 0.1
        tensor(True)
    """
    _check_features(real_features, generated_features)
    with torch.autocast(generated_features.device.type, enabled=False):
        real = pairwise_l1(real_features.detach())
        generated = pairwise_l1(generated_features)
        scale = real.mean()
        scale = torch.where(scale > torch.finfo(scale.dtype).tiny, scale, 1.0)  # all real features are equal
        loss, _ = entropic_gromov_wasserstein(
            real / scale,
            generated / scale,
            epsilon=epsilon,
            outer_iterations=outer_iterations,
            sinkhorn_iterations=sinkhorn_iterations,
            gradient=gradient,
        )
    return loss


def entropic_gromov_wasserstein(
    real_costs: Tensor,
    generated_costs: Tensor,
    *,
    epsilon: float,
    outer_iterations: int,
    sinkhorn_iterations: int,
    gradient: str = "envelope",
) -> tuple[Tensor, Tensor]:
    """Entropic Gromov-Wasserstein distance with squared loss and uniform marginals, by the papers' iterations.

    From π = 1/m², each outer iteration linearises the loss at π and solves the entropic transport problem that results
    by Sinkhorn steps, rows first. The loss is Σ (E_ik - D_jl)² π_ij π_kl at the last plan π, with E the real and D the
    generated costs.

    ``epsilon`` is that of ``ot.gromov.entropic_gromov_wasserstein`` with marginals 1/m. The papers' λ leaves out a
    factor of the linearised loss: epsilon = 2 λ. Read literally, with marginals of ones, their plan is m π and their
    loss m² times this one, at epsilon = 2 λ / m.

    ``gradient`` says what is differentiated. "envelope" holds the plan constant: cheap, and no memory for iterations.
    "unrolled" differentiates through all iterations: the exact gradient of the value returned. They agree where the
    plan does not move with the costs, being uniform (large ``epsilon``) or a permutation (small), and part between;
    where, depends on the costs. At costs of mean 1 between 16 frames, the mean cosine of the two fell below 0.99 only
    around epsilon 0.05 for unrelated features (to 0.7), and from 0.02 to 0.5 for slowly changing ones (to 0.7).

    The iterations run in float64 (in float32 where the device has no other), in kernel form while that loses nothing
    to overflow and underflow, else in the log domain, so no ``epsilon`` is too small.

    Args:
        real_costs: (..., m, m), symmetric, finite, float32 or float64.
        generated_costs: Of the same shape and type.
        epsilon: Strength of the entropy, above 0, in units of squared costs.
        outer_iterations: Linearisations, at least 1.
        sinkhorn_iterations: Sinkhorn steps in each, at least 1. Rows sum to 1/m once they suffice, columns always.
        gradient: "envelope" or "unrolled".

    Returns:
        The loss, of shape (...), and the plan, (..., m, m), rows real, columns generated, both in the costs' type.

    Raises:
        BatchError: The shapes or types do not fit, or a cost is not finite.
        ConfigError: ``epsilon``, a number of iterations or ``gradient`` is out of range.

    Example:
        >>> import torch
        >>> from motioncopy.losses.gromov_wasserstein import entropic_gromov_wasserstein, pairwise_l1
        >>> costs = pairwise_l1(torch.tensor([[0.0], [1.0], [3.0]]))
        >>> order = [2, 0, 1]
        >>> loss, plan = entropic_gromov_wasserstein(
        ...     costs, costs[order][:, order], epsilon=0.01, outer_iterations=20, sinkhorn_iterations=50
        ... )
        >>> plan.argmax(dim=-1)  # which generated frame each real one is laid on
        tensor([1, 2, 0])
    """
    _check_numbers(epsilon, outer_iterations=outer_iterations, sinkhorn_iterations=sinkhorn_iterations)
    if gradient not in ("envelope", "unrolled"):
        raise ConfigError("unknown gradient of the plan", expected="envelope or unrolled", found=repr(gradient))
    _check_costs(real_costs, generated_costs)
    batch, m = real_costs.shape[:-2], real_costs.shape[-1]
    wide = torch.float32 if real_costs.device.type == "mps" else torch.float64
    real, generated = (costs.to(wide).reshape(-1, m, m) for costs in (real_costs, generated_costs))

    with torch.autocast(real.device.type, enabled=False):
        with torch.set_grad_enabled(gradient == "unrolled" and torch.is_grad_enabled()):
            plan = _plan(real, generated, epsilon, outer_iterations, sinkhorn_iterations)
        rows, columns = plan.sum(-1, keepdim=True), plan.sum(-2, keepdim=True)
        squares = rows.mT @ real.square() @ rows + columns @ generated.square() @ columns.mT
        loss = squares.flatten() - 2 * (real @ plan @ generated.mT * plan).sum((-1, -2))
    return loss.reshape(batch).to(real_costs.dtype), plan.reshape(real_costs.shape).to(real_costs.dtype)


def entropic_wasserstein(features_a: Tensor, features_b: Tensor, *, epsilon: float, iterations: int) -> Tensor:
    """Entropic Wasserstein distance <π, C> under the L1 ground cost: what the authors' code runs in place of GW.

    There ``epsilon`` is 100 and ``iterations`` 10, on the 1000 logits of a ResNet-18. With one vector in each set it is
    exactly the L1 distance of the two, and where costs are far above ``epsilon``, that of the cheapest pairing.
    The gradient, through the iterations, reaches both sets; a loss needs that of ``features_b`` alone: detach the real
    ``features_a``.

    Args:
        features_a: (n, d).
        features_b: (n, d).
        epsilon: Strength of the entropy, above 0, in units of the L1 distance, which is summed over d.
        iterations: Sinkhorn steps, at least 1.

    Returns:
        The distance, a scalar, float32 or better.

    Raises:
        BatchError: The shapes differ or are not (n, d).
        ConfigError: ``epsilon`` or ``iterations`` is out of range.

    Example:
        >>> import torch
        >>> from motioncopy.losses.gromov_wasserstein import entropic_wasserstein
        >>> a, b = torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 3.0]])
        >>> entropic_wasserstein(a, b, epsilon=100.0, iterations=10)
        tensor(4.)
    """
    _check_numbers(epsilon, iterations=iterations)
    _check_features(features_a, features_b)
    with torch.autocast(features_b.device.type, enabled=False):
        costs = torch.cdist(at_least_float32(features_a), at_least_float32(features_b), p=1)
        return (_sinkhorn_log(-costs / epsilon, iterations) * costs).sum()


def pairwise_l1(features: Tensor) -> Tensor:
    """Mean absolute difference between every two feature vectors of a set.

    Time grows as m² d, memory as m d: tiles of d are read while they are in the cache. Differentiable once.

    Args:
        features: (..., m, d), any floating type; less than float32 is widened.

    Returns:
        (..., m, m), symmetric, zero on the diagonal, float32 or better.

    Raises:
        BatchError: There are fewer than two dimensions, or one of them is empty.

    Example:
        >>> import torch
        >>> from motioncopy.losses.gromov_wasserstein import pairwise_l1
        >>> pairwise_l1(torch.tensor([[0.0, 0.0], [1.0, 3.0]]))
        tensor([[0., 2.],
                [2., 0.]])
    """
    if features.ndim < 2 or not features.numel():
        raise BatchError("no features", expected="(..., m, d), none of them 0", found=tuple(features.shape))
    m, d = features.shape[-2:]
    vectors = at_least_float32(features).reshape(-1, m, d)
    tile = max(_TILE_BYTES // (m * vectors.element_size()), 64)
    sums = [torch.stack([functional.pdist(part, p=1) for part in one.split(tile, -1)]).sum(0) for one in vectors]
    upper = vectors.new_zeros(len(vectors), m, m)
    rows, columns = torch.triu_indices(m, m, 1, device=features.device)
    upper[:, rows, columns] = torch.stack(sums) / d
    return (upper + upper.mT).reshape(*features.shape[:-1], m)


def _plan(real: Tensor, generated: Tensor, epsilon: float, outer_iterations: int, sinkhorn_iterations: int) -> Tensor:
    """The plans (n, m, m) after so many linearisations of the loss between costs (n, m, m)."""
    m = real.shape[-1]
    # The real costs' constant, E² 1/m 1ᵀ, is the same along each row: the first half step takes it out. That of the
    # generated ones matters only before Sinkhorn's steps have converged, for they start from equal columns.
    constant = (generated.square() / m).sum(-1).unsqueeze(-2)
    plan = torch.full_like(real, 1 / m**2)
    for _ in range(outer_iterations):
        gradient = 2 * constant - 4 * (real @ plan @ generated.mT)
        plan = _sinkhorn(-gradient / epsilon, sinkhorn_iterations)
    return plan


def _sinkhorn(log_kernel: Tensor, iterations: int) -> Tensor:
    """Scales exp(log_kernel) (n, m, m) towards rows and columns that sum to 1/m, by the fastest form that is safe.

    The kernel form takes each row's and then each column's maximum out first, which leaves the plan as it was. What
    still underflows, of the kernel or of its products with scalings, is wrong by less than the smallest normal number,
    and so a row's sum (K right)_i = 1 / (m left_i) by a share of at most m² left_i max(right, 1) of it; columns
    likewise. That share is checked to be below the rounding error. Where something overflows the check fails, too.
    """
    with torch.no_grad():
        by_row = log_kernel - log_kernel.amax(-1, keepdim=True)
        by_column = by_row.amax(-2, keepdim=True)
        kernel = (by_row - by_column).exp()
        start = (by_column - by_column.amax(-1, keepdim=True)).exp().mT  # equal columns, before theirs was taken out
        lefts, rights = _scalings(kernel, start, iterations)
        number = torch.finfo(kernel.dtype)
        bound = kernel.shape[-1] ** 2 * lefts.amax().clamp(min=1) * rights.amax()  # rights start with a 1
        safe = bound < number.eps / number.tiny
    if not safe:
        return _sinkhorn_log(log_kernel, iterations)
    return cast(Tensor, _ScaledKernel.apply(log_kernel, kernel, lefts, rights))  # type: ignore[no-untyped-call]


def _scalings(kernel: Tensor, start: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """All left (s, n, m, 1) and right scalings (s + 1, n, m, 1) of Sinkhorn's steps in kernel form."""
    kernel = kernel * kernel.shape[-1]  # brings in the marginals, 1/m
    transposed = kernel.mT.contiguous()
    lefts = kernel.new_empty(iterations, *start.shape)
    rights = kernel.new_empty(iterations + 1, *start.shape)
    rights[0] = start
    for left, right, following in zip(lefts, rights[:-1], rights[1:], strict=True):
        torch.bmm(kernel, right, out=left).reciprocal_()
        torch.bmm(transposed, left, out=following).reciprocal_()
    return lefts, rights


def _sinkhorn_log(log_kernel: Tensor, iterations: int) -> Tensor:
    """Scales exp(log_kernel) (..., m, m) towards rows and columns that sum to 1/m, in the log domain."""
    right = torch.zeros_like(log_kernel[..., :1, :])
    for _ in range(iterations):  # both up to the logarithm of m, which the last line makes good
        left = -(log_kernel + right).logsumexp(-1, keepdim=True)
        right = -(log_kernel + left).logsumexp(-2, keepdim=True)
    return (log_kernel + left).softmax(-2) / log_kernel.shape[-1]  # the last right scaling, free of rounding


class _ScaledKernel(torch.autograd.Function):
    """The plan of the last scalings, with the gradient through all of them: two bmm a step, and no matrix of it kept.

    With W_ij = left_i K_ij right_j, the step right = 1 / (m Kᵀ left) has d log right_j = -m Σ_i W_ij (d log K_ij +
    d log left_i), and the other likewise.
    """

    @staticmethod
    def forward(ctx: Any, log_kernel: Tensor, kernel: Tensor, lefts: Tensor, rights: Tensor) -> Tensor:  # noqa: ARG004
        """The plan; ``kernel`` is exp(log_kernel) up to a factor for each row and each column."""
        plan = lefts[-1] * rights[-1].mT * kernel
        ctx.save_for_backward(kernel, lefts, rights, plan)
        return plan

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_plan: Tensor) -> tuple[Tensor, None, None, None]:
        """The gradient with respect to log_kernel, by the steps in reverse."""
        kernel, lefts, rights, plan = ctx.saved_tensors
        grad_log_plan = grad_plan * plan
        negated = -kernel.shape[-1] * kernel
        transposed = negated.mT.contiguous()
        of_lefts, of_rights = torch.empty_like(lefts), torch.empty_like(lefts)  # left · d/d log left, and of right
        grad_left = grad_log_plan.sum(-1, keepdim=True)  # the last left scaling acts on the plan itself, too
        grad_right = grad_log_plan.sum(-2, keepdim=True).mT
        zero = torch.zeros_like(grad_left)
        steps = list(zip(lefts, rights[:-1], rights[1:], of_lefts, of_rights, strict=True))
        for left, previous, right, of_left, of_right in reversed(steps):
            torch.mul(right, grad_right, out=of_right)
            grad_left = torch.addcmul(grad_left, left, torch.bmm(negated, of_right))
            torch.mul(left, grad_left, out=of_left)
            grad_right = torch.bmm(transposed, of_left).mul_(previous)
            grad_left = zero
        outer = "snax,snbx->nab"  # the sum over steps of their outer products
        products = torch.einsum(outer, lefts, of_rights) + torch.einsum(outer, of_lefts, rights[:-1])
        return grad_log_plan + negated * products, None, None, None


def _check_numbers(epsilon: float, **iterations: int) -> None:
    if not (epsilon > 0 and math.isfinite(epsilon)):
        raise ConfigError("epsilon is out of range", expected="a finite number above 0", found=epsilon)
    for name, number in iterations.items():
        if number < 1:
            raise ConfigError(f"{name} is out of range", expected="at least 1", found=number)


def _check_costs(real: Tensor, generated: Tensor) -> None:
    square = real.ndim >= 2 and real.shape[-1] == real.shape[-2] and real.numel()
    alike = real.shape == generated.shape and real.dtype == generated.dtype
    if not (square and alike and real.dtype in (torch.float32, torch.float64)):
        raise BatchError(
            "the cost matrices do not fit each other",
            expected="two of the same shape (..., m, m) and type, float32 or float64",
            found=" and ".join(f"{tuple(costs.shape)} {costs.dtype}" for costs in (real, generated)),
        )
    for name, costs in (("real", real), ("generated", generated)):
        if not torch.isfinite(costs).all():
            raise BatchError(
                f"a {name} cost is not finite",
                expected="finite numbers",
                found="infinite ones or NaN",
                remedy="look for a training that diverged, or for features that overflow their type",
            )


def _check_features(a: Tensor, b: Tensor) -> None:
    if a.ndim != 2 or a.shape != b.shape or not a.numel():
        raise BatchError(
            "the features do not fit each other",
            expected="two of the same shape (frames, d)",
            found=f"{tuple(a.shape)} and {tuple(b.shape)}",
            remedy="flatten the feature of each frame",
        )
