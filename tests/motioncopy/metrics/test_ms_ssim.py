"""MS-SSIM's terms against torchmetrics and scikit-image; its GPU code, its range and its least size."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor
from torch.nn.functional import avg_pool2d
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as torchmetrics_ms_ssim
from torchmetrics.functional.image import structural_similarity_index_measure as torchmetrics_ssim

from motioncopy.errors import BatchError
from motioncopy.metrics import ms_ssim as module
from motioncopy.metrics.ms_ssim import SMALLEST, WEIGHTS, ms_ssim
from motioncopy.metrics.ssim import RADIUS, inner_mean, maps


def frames(count: int = 2, height: int = 192, width: int = 208, noise: float = 20.0) -> tuple[Tensor, Tensor]:
    """Pictures with fine and coarse structure, and noisy copies of them."""
    generator = torch.Generator().manual_seed(height + width)
    picture = torch.zeros(count, 3, height, width)
    for cells in (4, 16, 60):
        coarse = torch.rand(count, 3, cells, cells, generator=generator) * 85
        picture += torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    noisy = picture + noise * torch.randn(picture.shape, generator=generator)
    return noisy.clamp(0, 255).to(torch.uint8), picture.clamp(0, 255).to(torch.uint8)


def scales(frame: Tensor) -> list[Tensor]:
    """``(3, H, W)`` float64 at all five sizes."""
    found = [frame.double()]
    for _ in WEIGHTS[1:]:
        found.append(avg_pool2d(found[-1][None], 2)[0])
    return found


def contrast(x: Tensor, y: Tensor) -> list[float]:
    """Our mean contrast-and-structure term of every channel."""
    pairs = zip(x.float().numpy(), y.float().numpy(), strict=True)
    return [inner_mean(maps(a, b)[1], RADIUS) for a, b in pairs]


@pytest.mark.parametrize(("height", "width"), [(192, 208), (181, 203)])
def test_with_torchmetrics_averaging_its_terms_give_torchmetrics_value(height: int, width: int) -> None:
    """torchmetrics averages each scale over channels, and at the coarsest takes its own SSIM, which has a border."""
    x, y = frames(1, height, width)
    a, b = scales(x[0]), scales(y[0])
    means = [float(np.mean(contrast(p, q))) for p, q in zip(a[:-1], b[:-1], strict=True)]
    means.append(float(torch.as_tensor(torchmetrics_ssim(a[-1][None], b[-1][None], data_range=255.0))))
    expected = torchmetrics_ms_ssim(x.double(), y.double(), data_range=255.0).item()
    assert math.prod(m**w for m, w in zip(means, WEIGHTS, strict=True)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("noise", [1.0, 20.0, 120.0])
def test_it_equals_scikit_image_s_maps_at_any_noise(noise: float) -> None:
    """Channel by channel, as TensorFlow's ssim_multiscale; SSIM over its luminance factor is the other factor."""
    x, y = frames(1, noise=noise)
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    inner = (slice(RADIUS, -RADIUS),) * 2
    products = []
    for channel in range(3):
        product = 1.0
        for scale, pair in enumerate(zip(scales(x[0]), scales(y[0]), strict=True)):
            a, b = (frame[channel].numpy() for frame in pair)
            # K2 so large that contrast and structure are 1 leaves the luminance.
            luminance = structural_similarity(a, b, full=True, K2=1e9, **window)[1][inner]
            whole = structural_similarity(a, b, full=True, **window)[1][inner]
            product *= (whole if scale == len(WEIGHTS) - 1 else whole / luminance).mean() ** WEIGHTS[scale]
        products.append(product)
    assert ms_ssim(x, y).item() == pytest.approx(float(np.mean(products)), rel=1e-5)


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
