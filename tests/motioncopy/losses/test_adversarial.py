"""Adversarial losses: their values, their gradients' directions, their scales."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from motioncopy.errors import BatchError, ConfigError
from motioncopy.losses.adversarial import AdversarialLoss, Hinge, LeastSquares, NonSaturating

FORMS = (NonSaturating, LeastSquares, Hinge)


def logits(seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [3 * torch.randn(2, 1, n, n, generator=generator) for n in (9, 5)]


def test_non_saturating_is_binary_cross_entropy() -> None:
    real, fake = logits(0), logits(1)
    entropy = functional.binary_cross_entropy_with_logits
    parts = [
        (entropy(r, torch.ones_like(r)) + entropy(f, torch.zeros_like(f))) / 2 for r, f in zip(real, fake, strict=True)
    ]
    torch.testing.assert_close(NonSaturating().discriminator(real, fake), torch.stack(parts).mean())
    fooled = [entropy(f, torch.ones_like(f)) for f in fake]
    torch.testing.assert_close(NonSaturating().generator(fake), torch.stack(fooled).mean())


def test_least_squares_is_the_squared_error_to_one_and_zero() -> None:
    real, fake = [torch.tensor([1.0, 3.0])], [torch.tensor([0.0, 2.0])]
    assert LeastSquares().discriminator(real, fake) == (4 / 2 + 4 / 2) / 2
    assert LeastSquares().generator(fake) == 1


def test_noisy_targets_are_uniform_around_one_and_zero_and_the_discriminators_alone() -> None:
    # At the target t, the slope of (x - t)² is 2 (x - t): it tells each logit's own target.
    noisy, x = LeastSquares(noise=0.1), torch.full((10_000,), 0.3, requires_grad=True)
    for target, loss in ((1, noisy._real), (0, noisy._fake)):
        (slope,) = torch.autograd.grad(loss(x).sum(), x)
        drawn = x.detach() - slope / 2
        assert target - 0.1 <= drawn.min() < target - 0.099
        assert target + 0.099 < drawn.max() <= target + 0.1
        assert drawn.mean().item() == pytest.approx(target, abs=0.005)
    assert noisy.generator([x]) == LeastSquares().generator([x])


def test_targets_without_noise_leave_the_random_numbers_of_training_alone() -> None:
    before = torch.get_rng_state()
    LeastSquares().discriminator(logits(0), logits(1))
    assert torch.equal(torch.get_rng_state(), before)


def test_hinge_is_the_distance_to_the_margins() -> None:
    real, fake = [torch.tensor([2.0, -1.0])], [torch.tensor([-2.0, 1.0])]
    assert Hinge().discriminator(real, fake) == (2 / 2 + 2 / 2) / 2
    assert Hinge().generator(fake) == 0.5


@pytest.mark.parametrize("form", FORMS)
def test_descent_raises_real_lowers_fake_and_fools(form: type[AdversarialLoss]) -> None:
    real, fake = (torch.full((3,), 0.5, requires_grad=True) for _ in range(2))
    slopes = torch.autograd.grad(form().discriminator([real], [fake]), (real, fake))
    assert (slopes[0] < 0).all()
    assert (slopes[1] > 0).all()
    assert (torch.autograd.grad(form().generator([fake]), fake)[0] < 0).all()


@pytest.mark.parametrize("form", FORMS)
def test_scales_count_alike_whatever_their_size(form: type[AdversarialLoss]) -> None:
    real, fake = logits(0), logits(1)
    each = [form().discriminator([r], [f]) for r, f in zip(real, fake, strict=True)]
    torch.testing.assert_close(form().discriminator(real, fake), (each[0] + each[1]) / 2)
    torch.testing.assert_close(form("sum").discriminator(real, fake), each[0] + each[1])
    torch.testing.assert_close(form("sum").generator(fake), 2 * form().generator(fake))


@pytest.mark.parametrize("form", FORMS)
def test_large_and_half_precision_logits_stay_finite(form: type[AdversarialLoss]) -> None:
    real, fake = [torch.tensor([-3e4], dtype=torch.float16)], [torch.tensor([3e4], dtype=torch.float16)]
    for loss in (form().discriminator(real, fake), form().generator(fake)):
        assert loss.dtype == torch.float32
        assert torch.isfinite(loss)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(BatchError, match="no logits"):
        Hinge().generator([])
    with pytest.raises(BatchError, match="differ in scales"):
        Hinge().discriminator(logits(), logits()[:1])
    with pytest.raises(ConfigError, match="mean or sum"):
        Hinge("max")  # type: ignore[arg-type]
    for noise in (-0.1, 0.5, float("nan")):
        with pytest.raises(ConfigError, match="noise"):
            LeastSquares(noise=noise)
