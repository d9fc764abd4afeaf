"""MS-SSIM: its GPU code, its range and its least size; the audit holds it against scikit-image."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from motioncopy.errors import BatchError
from motioncopy.metrics import ms_ssim as module
from motioncopy.metrics.ms_ssim import SMALLEST, WEIGHTS, ms_ssim


def frames(count: int = 2, height: int = 192, width: int = 208, noise: float = 20.0) -> tuple[Tensor, Tensor]:
    """Pictures with fine and coarse structure, and noisy copies of them."""
    generator = torch.Generator().manual_seed(height + width)
    picture = torch.zeros(count, 3, height, width)
    for cells in (4, 16, 60):
        coarse = torch.rand(count, 3, cells, cells, generator=generator) * 85
        picture += torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    noisy = picture + noise * torch.randn(picture.shape, generator=generator)
    return noisy.clamp(0, 255).to(torch.uint8), picture.clamp(0, 255).to(torch.uint8)


@pytest.mark.parametrize(("height", "width"), [(176, 176), (181, 203)])
def test_on_a_gpu_it_computes_what_the_cpu_does(height: int, width: int) -> None:
    # The GPU's code runs on any device.
    x, y = frames(3, height, width)
    assert module._on_gpu(x, y).tolist() == pytest.approx(ms_ssim(x, y).tolist(), rel=1e-6)


def test_opposite_frames_score_nought() -> None:
    # Their structure is negative, which no fractional power has a value for.
    x, _ = frames(1)
    assert ms_ssim(x, 255 - x).tolist() == [0.0]
    assert module._on_gpu(x, 255 - x).tolist() == [0.0]


def test_equal_frames_score_one_and_flat_ones_too() -> None:
    x, _ = frames()
    flat = torch.full_like(x, 7)
    assert ms_ssim(x, x).tolist() == ms_ssim(flat, flat).tolist() == [1.0, 1.0]


def test_it_keeps_its_precision_where_areas_are_far_apart() -> None:
    x, y = frames(1, noise=2.0)
    x, y = x // 64, y // 64
    x[..., :100] += 240
    assert ms_ssim(x, y).tolist() == pytest.approx(module._on_gpu(x, y).tolist(), rel=1e-6)


def test_brightness_counts_at_the_coarsest_scale_alone() -> None:
    x = torch.full((1, 3, SMALLEST, SMALLEST), 100, dtype=torch.uint8)
    luminance = (2 * 100 * 150 + 2.55**2) / (100**2 + 150**2 + 2.55**2)
    assert ms_ssim(x, x + 50).item() == pytest.approx(luminance ** WEIGHTS[-1], rel=1e-6)


def test_frames_whose_fifth_scale_is_below_the_window_are_refused() -> None:
    x, y = frames(1, SMALLEST, SMALLEST)
    assert 0 < ms_ssim(x, y).item() < 1
    with pytest.raises(BatchError, match="176x176"):
        ms_ssim(x[..., 1:], y[..., 1:])
