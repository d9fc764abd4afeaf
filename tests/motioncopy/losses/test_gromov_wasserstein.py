"""The Gromov-Wasserstein loss against POT, its gradients, its safety, its invariances and its errors."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import ot
import pytest
import torch
from torch import Tensor

from motioncopy.errors import BatchError, ConfigError
from motioncopy.losses.gromov_wasserstein import (
    _sinkhorn,
    _sinkhorn_log,
    entropic_gromov_wasserstein,
    entropic_wasserstein,
    gromov_wasserstein_loss,
    pairwise_l1,
)

MODULE = "motioncopy.losses.gromov_wasserstein"
FRAMES = 8


def costs(batch: int = 1, frames: int = FRAMES) -> tuple[Tensor, Tensor]:
    """Real and generated costs of mean about 1, (batch, frames, frames), float64."""
    matrices = pairwise_l1(torch.randn(2, batch, frames, 12, dtype=torch.float64))
    return matrices[0] / matrices[0].mean(), matrices[1] / matrices[0].mean()


def solve(
    real: Tensor, generated: Tensor, epsilon: float, *, outer: int = 20, sinkhorn: int = 200, gradient: str = "envelope"
) -> tuple[Tensor, Tensor]:
    return entropic_gromov_wasserstein(
        real, generated, epsilon=epsilon, outer_iterations=outer, sinkhorn_iterations=sinkhorn, gradient=gradient
    )


def pot(real: Tensor, generated: Tensor, epsilon: float, *, outer: int = 20, sinkhorn: int = 200) -> tuple[Tensor, ...]:
    """POT's loss and plan. It scales columns first, so the problem goes in and comes out transposed."""
    uniform = real.new_full((len(real),), 1 / len(real))
    loss, log = ot.gromov.entropic_gromov_wasserstein2(
        generated,
        real,
        uniform,
        uniform,
        "square_loss",
        epsilon=epsilon,
        symmetric=True,
        G0=torch.outer(uniform, uniform),
        max_iter=outer,
        tol=0,
        numItermax=sinkhorn,
        stopThr=0,
        warn=False,
        log=True,
    )
    return loss, log["T"].T


def literal(real: Tensor, generated: Tensor, strength: float, *, outer: int, sinkhorn: int) -> tuple[Tensor, Tensor]:
    """The papers' lines as they stand, with marginals of ones, one sample."""
    m = len(real)
    ones = torch.ones(m, 1, dtype=real.dtype)
    plan = torch.ones_like(real) / m
    for _ in range(outer):
        linear = real.square() @ ones @ ones.T + ones @ ones.T @ generated.square() - 2 * real @ plan @ generated.T
        kernel = (-linear / strength).exp()
        b = ones
        for _ in range(sinkhorn):
            a = 1 / (kernel @ b)
            b = 1 / (kernel.T @ a)
        plan = a * kernel * b.T
    return quadruple_sum(real, generated, plan), plan


def quadruple_sum(real: Tensor, generated: Tensor, plan: Tensor) -> Tensor:
    """The loss by its definition."""
    squares = (real[:, None, :, None] - generated[None, :, None, :]).square()
    return torch.einsum("ijkl,ij,kl->", squares, plan, plan)


@pytest.mark.parametrize("epsilon", [0.05, 0.2, 0.5, 5.0])
@pytest.mark.parametrize("sinkhorn", [1, 7, 500])
def test_plan_is_that_of_pot_converged_or_not(epsilon: float, sinkhorn: int) -> None:
    (real,), (generated,) = costs()
    _, plan = solve(real, generated, epsilon, sinkhorn=sinkhorn)
    _, expected = pot(real, generated, epsilon, sinkhorn=sinkhorn)
    torch.testing.assert_close(plan, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("epsilon", [0.2, 0.5, 5.0])
def test_loss_is_that_of_pot_where_it_converged(epsilon: float) -> None:
    (real,), (generated,) = costs()
    loss, plan = solve(real, generated, epsilon, sinkhorn=1000)
    expected, expected_plan = pot(real, generated, epsilon, sinkhorn=1000)
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(plan, expected_plan, rtol=1e-6, atol=1e-9)


def test_paper_with_marginals_of_ones_is_the_same_at_twice_its_strength_over_the_frames() -> None:
    (real,), (generated,) = costs()
    expected, expected_plan = literal(real, generated, 4.0, outer=10, sinkhorn=200)
    loss, plan = solve(real, generated, 2 * 4.0 / FRAMES, outer=10)
    torch.testing.assert_close(FRAMES * plan, expected_plan, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(FRAMES**2 * loss, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("sinkhorn", [2, 200])
def test_loss_is_the_quadruple_sum_at_the_plan(sinkhorn: int) -> None:
    (real,), (generated,) = costs()
    loss, plan = solve(real, generated, 0.05, sinkhorn=sinkhorn)
    torch.testing.assert_close(loss, quadruple_sum(real, generated, plan))


@pytest.mark.parametrize("epsilon", [0.5, 2.0])
def test_unrolled_gradient_is_that_of_pot(epsilon: float) -> None:
    (real,), (generated,) = costs()
    real.requires_grad_()
    generated.requires_grad_()
    loss, _ = solve(real, generated, epsilon, gradient="unrolled")
    expected, _ = pot(real, generated, epsilon)
    ours, theirs = (torch.autograd.grad(value, (real, generated)) for value in (loss, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("epsilon", [0.3, 0.1, 0.02])
@pytest.mark.parametrize("log_domain", [False, True])
def test_unrolled_gradient_of_loss_and_plan_is_that_of_finite_differences(
    epsilon: float, log_domain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if log_domain:
        monkeypatch.setattr(f"{MODULE}._sinkhorn", _sinkhorn_log)
    real, generated = (matrix.requires_grad_() for matrix in costs(batch=2, frames=4))
    assert torch.autograd.gradcheck(
        lambda r, g: solve(r, g, epsilon, outer=2, sinkhorn=3, gradient="unrolled"), (real, generated)
    )


@pytest.mark.parametrize("gradient", ["envelope", "unrolled"])
def test_envelope_gradient_holds_the_plan_and_unrolled_does_not(gradient: str) -> None:
    (real,), (generated,) = costs()
    generated.requires_grad_()
    loss, plan = solve(real, generated, 0.2, gradient=gradient)
    (found,) = torch.autograd.grad(loss, generated)
    (held,) = torch.autograd.grad(quadruple_sum(real, generated, plan.detach()), generated)
    assert torch.allclose(found, held) == (gradient == "envelope")


@pytest.mark.parametrize("epsilon", [0.01, 1e-3, 1e-6, 1e-12])
@pytest.mark.parametrize("scale", [1.0, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("gradient", ["envelope", "unrolled"])
def test_no_epsilon_is_too_small(epsilon: float, scale: float, dtype: torch.dtype, gradient: str) -> None:
    real, generated = (scale * matrix.to(dtype) for matrix in costs(batch=2))
    generated.requires_grad_()
    loss, plan = solve(real, generated, epsilon, outer=5, sinkhorn=30, gradient=gradient)
    (slope,) = torch.autograd.grad(loss.sum(), generated)
    assert torch.isfinite(loss).all()
    assert torch.isfinite(slope).all()
    torch.testing.assert_close(plan.sum(-2), torch.full_like(plan[..., 0], 1 / FRAMES))
    torch.testing.assert_close(plan.sum((-1, -2)), torch.ones_like(loss))


def test_both_marginals_hold_once_converged() -> None:
    _, plan = solve(*costs(batch=3), epsilon=0.2, sinkhorn=500)
    torch.testing.assert_close(plan.sum(-1), torch.full_like(plan[..., 0], 1 / FRAMES))
    torch.testing.assert_close(plan.sum(-2), torch.full_like(plan[..., 0], 1 / FRAMES))


@pytest.mark.parametrize("epsilon", [0.1, 0.01, 1e-3])
def test_kernel_form_and_log_domain_agree(epsilon: float, monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> tuple[Tensor, ...]:
        generated = matrices[1].clone().requires_grad_()
        loss, plan = solve(matrices[0], generated, epsilon, outer=4, sinkhorn=20, gradient="unrolled")
        return loss, plan, *torch.autograd.grad(loss.sum(), generated)

    matrices = costs(batch=2)
    with monkeypatch.context() as patch:
        patch.setattr(f"{MODULE}._sinkhorn_log", None)  # must not be needed
        kernel = run()
    monkeypatch.setattr(f"{MODULE}._sinkhorn", _sinkhorn_log)
    torch.testing.assert_close(run(), kernel, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("sinkhorn", [100, 3000])
def test_kernel_form_gives_way_to_the_log_domain_where_it_would_underflow(sinkhorn: int) -> None:
    # Two rows want the same column: one of them must give way, at exp(-900), which float64 does not hold.
    log_kernel = -900 * torch.tensor([[[0, 1, 1], [0, 1, 1], [1, 0, 0]]], dtype=torch.float64)
    plan = _sinkhorn(log_kernel.requires_grad_(), sinkhorn)
    expected = _sinkhorn_log(log_kernel, sinkhorn)
    torch.testing.assert_close(plan, expected, rtol=1e-9, atol=1e-15)
    slopes = [torch.autograd.grad(matrix.square().sum(), log_kernel)[0] for matrix in (plan, expected)]
    torch.testing.assert_close(*slopes, rtol=1e-9, atol=1e-15)
    if sinkhorn == 3000:
        torch.testing.assert_close(plan.sum(-1), torch.full((1, 3), 1 / 3, dtype=torch.float64))


def test_permuted_frames_permute_the_plan_and_keep_the_loss() -> None:
    (real,), (generated,) = costs()
    order = torch.randperm(FRAMES)
    loss, plan = solve(real, generated, 0.1)
    permuted_loss, permuted_plan = solve(real, generated[order][:, order], 0.1)
    torch.testing.assert_close(permuted_loss, loss)
    torch.testing.assert_close(permuted_plan, plan[:, order])


def test_small_epsilon_finds_the_permutation_of_equal_frames() -> None:
    points = torch.rand(6, 5, dtype=torch.float64)
    order = torch.randperm(6)
    real, generated = pairwise_l1(points), pairwise_l1(points[order])
    loss, plan = solve(real, generated, 1e-3 * real.mean().item() ** 2, outer=50)
    torch.testing.assert_close(plan, torch.eye(6, dtype=torch.float64)[order].T / 6, rtol=0, atol=1e-6)
    assert loss < 1e-8


def test_loss_sees_features_only_up_to_shift_sign_order_and_scale_of_both() -> None:
    def loss(real: Tensor, generated: Tensor) -> Tensor:
        return gromov_wasserstein_loss(real, generated, epsilon=0.1, outer_iterations=20, sinkhorn_iterations=50)

    real, generated = torch.randn(2, FRAMES, 12)
    isometry = generated[:, torch.randperm(12)] * torch.tensor([1.0, -1.0] * 6) + 3
    torch.testing.assert_close(loss(real, isometry), loss(real, generated), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(loss(100 * real, 100 * generated), loss(real, generated), rtol=1e-4, atol=1e-6)
    assert not torch.isclose(loss(real, 2 * generated), loss(real, generated), rtol=0.1)


@pytest.mark.parametrize("gradient", ["envelope", "unrolled"])
@pytest.mark.parametrize("epsilon", [0.1, 1e-3])
def test_batch_equals_loop(gradient: str, epsilon: float) -> None:
    real, generated = (matrix.reshape(2, 3, FRAMES, FRAMES) for matrix in costs(batch=6))
    generated.requires_grad_()
    loss, plan = solve(real, generated, epsilon, sinkhorn=20, gradient=gradient)
    (slope,) = torch.autograd.grad(loss.sum(), generated)
    assert loss.shape == (2, 3)
    assert plan.shape == generated.shape
    for at in np.ndindex(2, 3):
        one = generated[at].detach().requires_grad_()
        one_loss, one_plan = solve(real[at], one, epsilon, sinkhorn=20, gradient=gradient)
        torch.testing.assert_close(one_loss, loss[at])
        torch.testing.assert_close(one_plan, plan[at])
        torch.testing.assert_close(torch.autograd.grad(one_loss, one)[0], slope[at], rtol=1e-6, atol=1e-9)


def test_float32_costs_give_float32_close_to_float64() -> None:
    real, generated = costs(batch=2)
    wide, narrow = solve(real, generated, 0.1), solve(real.float(), generated.float(), 0.1)
    assert {tensor.dtype for tensor in narrow} == {torch.float32}
    torch.testing.assert_close(narrow, tuple(tensor.float() for tensor in wide), rtol=1e-4, atol=1e-6)


def test_nothing_is_recorded_without_gradients() -> None:
    real, generated = costs()
    with torch.no_grad():
        loss, plan = solve(real, generated.requires_grad_(), 0.5, gradient="unrolled")
    assert not loss.requires_grad
    assert not plan.requires_grad


@pytest.mark.parametrize(
    ("real", "generated"),
    [((4, 4), (5, 5)), ((4, 5), (4, 5)), ((2, 4, 4), (4, 4)), ((4,), (4,)), ((0, 0), (0, 0))],
)
def test_bad_shapes_are_refused(real: tuple[int, ...], generated: tuple[int, ...]) -> None:
    with pytest.raises(BatchError, match="do not fit each other"):
        solve(torch.rand(real), torch.rand(generated), 0.5)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("which", [0, 1])
def test_costs_that_are_not_finite_are_refused(value: float, which: int) -> None:
    matrices = costs()
    matrices[which][0, 1, 2] = value
    with pytest.raises(BatchError, match=("real", "generated")[which] + " cost is not finite"):
        solve(*matrices, epsilon=0.5)


def test_types_that_do_not_fit_are_refused() -> None:
    real, generated = costs()
    with pytest.raises(BatchError, match=r"type.*float64.*float32"):
        solve(real, generated.float(), 0.5)
    with pytest.raises(BatchError, match=r"type.*float16"):
        solve(real.half(), generated.half(), 0.5)


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.nan, math.inf])
def test_epsilon_out_of_range_is_refused(epsilon: float) -> None:
    with pytest.raises(ConfigError, match="epsilon"):
        solve(*costs(), epsilon=epsilon)
    with pytest.raises(ConfigError, match="epsilon"):
        entropic_wasserstein(torch.rand(2, 3), torch.rand(2, 3), epsilon=epsilon, iterations=1)


def test_other_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="gradient"):
        solve(*costs(), epsilon=0.5, gradient="implicit")
    with pytest.raises(ConfigError, match="outer_iterations"):
        solve(*costs(), epsilon=0.5, outer=0)
    with pytest.raises(ConfigError, match="sinkhorn_iterations"):
        solve(*costs(), epsilon=0.5, sinkhorn=0)


@pytest.mark.parametrize("shape", [(5, 40), (2, 3, 4, 7), (1, 3), (70, 9_001)])  # the last in several tiles
def test_pairwise_l1_is_the_mean_absolute_difference(shape: tuple[int, ...]) -> None:
    features = torch.randn(shape)
    expected = torch.cdist(features.double(), features.double(), p=1) / shape[-1]
    torch.testing.assert_close(pairwise_l1(features), expected.float())


def test_pairwise_l1_has_the_right_gradient_in_tiles_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{MODULE}._TILE_BYTES", 0)
    features = torch.randn(2, 3, 130, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 3, 3, dtype=torch.float64)
    (slope,) = torch.autograd.grad((pairwise_l1(features) * weights).sum(), features)
    (plain,) = torch.autograd.grad((torch.cdist(features, features, p=1) / 130 * weights).sum(), features)
    torch.testing.assert_close(slope, plain)


def test_pairwise_l1_refuses_nothing() -> None:
    with pytest.raises(BatchError, match="no features"):
        pairwise_l1(torch.rand(4, 0))


def test_loss_of_features_gives_a_gradient_to_the_generated_alone() -> None:
    real, generated = torch.randn(2, FRAMES, 20, requires_grad=True).unbind()
    real, generated = real.detach().requires_grad_(), generated.detach().requires_grad_()
    gromov_wasserstein_loss(real, generated, epsilon=0.5, outer_iterations=5, sinkhorn_iterations=20).backward()
    assert real.grad is None
    assert generated.grad is not None
    assert generated.grad.abs().sum() > 0


def test_loss_of_features_is_float32_within_autocast() -> None:
    real, generated = torch.randn(2, FRAMES, 20)
    settings: dict[str, Any] = {"outer_iterations": 5, "sinkhorn_iterations": 20}
    expected = gromov_wasserstein_loss(real, generated, epsilon=0.1, **settings)
    with torch.autocast("cpu", torch.bfloat16):
        loss = gromov_wasserstein_loss(real, generated, epsilon=0.1, **settings)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("gradient", ["envelope", "unrolled"])
def test_equal_features_give_a_finite_loss_and_gradient(gradient: str) -> None:
    settings: dict[str, Any] = {"epsilon": 0.5, "outer_iterations": 5, "sinkhorn_iterations": 20, "gradient": gradient}
    generated = torch.randn(FRAMES, 20, requires_grad=True)
    loss = gromov_wasserstein_loss(torch.ones(FRAMES, 20), generated, **settings)
    loss.backward()
    assert loss > 0
    assert generated.grad is not None
    assert torch.isfinite(generated.grad).all()
    assert gromov_wasserstein_loss(torch.ones(4, 3), torch.ones(4, 3), **settings) == 0


def test_loss_of_features_refuses_shapes_that_do_not_fit() -> None:
    for real, generated in (((4, 3), (4, 2)), ((4, 3, 2), (4, 3, 2))):
        with pytest.raises(BatchError, match="do not fit each other"):
            gromov_wasserstein_loss(
                torch.rand(real), torch.rand(generated), epsilon=0.5, outer_iterations=1, sinkhorn_iterations=1
            )


def test_wasserstein_of_one_vector_each_is_their_l1_distance() -> None:
    a, b = torch.randn(2, 1, 1000)
    distance = entropic_wasserstein(a, b.requires_grad_(), epsilon=100, iterations=10)
    torch.testing.assert_close(distance, (a - b).abs().sum())
    (slope,) = torch.autograd.grad(distance, b)
    torch.testing.assert_close(slope, (b - a).sign())


def test_wasserstein_is_that_of_pot() -> None:
    a, b = torch.randn(2, 5, 10, dtype=torch.float64)
    matrix = torch.cdist(a, b, p=1)
    uniform = torch.full((5,), 0.2, dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plan = ot.sinkhorn(uniform, uniform, matrix, 2.0, numItermax=500, stopThr=0)
    torch.testing.assert_close(entropic_wasserstein(a, b, epsilon=2.0, iterations=500), (plan * matrix).sum())


def test_wasserstein_far_above_epsilon_is_the_cheapest_pairing() -> None:
    a = 1e4 * torch.randn(4, 10)
    order = torch.randperm(4)
    b = a[order] + torch.randn(4, 10)
    expected = (a[order] - b).abs().sum(-1).mean()
    torch.testing.assert_close(entropic_wasserstein(a, b, epsilon=1.0, iterations=10), expected)


def test_wasserstein_has_the_right_gradient() -> None:
    a, b = torch.randn(2, 3, 4, dtype=torch.float64)
    b.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: entropic_wasserstein(a, x, epsilon=2.0, iterations=4), (b,))


def test_wasserstein_refuses_shapes_that_do_not_fit() -> None:
    with pytest.raises(BatchError, match="do not fit each other"):
        entropic_wasserstein(torch.rand(2, 3), torch.rand(3, 3), epsilon=1.0, iterations=1)
