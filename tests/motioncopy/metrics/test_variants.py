"""Variants of the pixel metrics against scikit-image, torchmetrics and plain loops; what must never score better."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as torchmetrics_ms_ssim

from motioncopy.errors import BatchError
from motioncopy.metrics.catalogue import METRICS
from motioncopy.metrics.evaluator import Evaluator
from motioncopy.metrics.masked import mask_psnr, zero_filled_psnr
from motioncopy.metrics.metric import FrameMetric
from motioncopy.metrics.ms_ssim import SMALLEST, WEIGHTS, ms_ssim
from motioncopy.metrics.psnr import CAP, psnr
from motioncopy.metrics.sharpness import (
    SCRIPT_CAP,
    script_psnr,
    script_sharpness_difference,
    sharpness_difference,
)
from motioncopy.metrics.ssim import uniform_ssim


def frames(count: int = 2, height: int = 180, width: int = 201, noise: float = 20.0) -> tuple[Tensor, Tensor]:
    """Pictures with fine and coarse structure, and noisy copies of them."""
    generator = torch.Generator().manual_seed(count + height)
    picture = torch.zeros(count, 3, height, width)
    for cells in (4, 16, 60):
        coarse = torch.rand(count, 3, cells, cells, generator=generator) * 85
        picture += torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    noisy = picture + noise * torch.randn(picture.shape, generator=generator)
    return noisy.clamp(0, 255).to(torch.uint8), picture.clamp(0, 255).to(torch.uint8)


# -- against references -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(7, 7), (33, 47), (97, 50)])
@pytest.mark.parametrize("noise", [0.6, 20, 80])
def test_uniform_ssim_is_scikit_image_s_default(height: int, width: int, noise: float) -> None:
    x, y = frames(3, height, width, noise)
    expected = [
        structural_similarity(a.double().numpy(), b.double().numpy(), data_range=255, channel_axis=0)
        for a, b in zip(x, y, strict=True)
    ]
    assert uniform_ssim(x, y).tolist() == pytest.approx(expected, rel=1e-5)


def test_lwgan_s_evaluator_is_scikit_image_on_its_range() -> None:
    x, y = frames(1, 64, 64)
    a, b = ((t[0].permute(1, 2, 0).numpy() / 127.5 - 1).astype(np.float32) for t in (x, y))
    expected = structural_similarity(a, b, data_range=2.0, channel_axis=2)
    assert uniform_ssim(x, y, centred=True).item() == pytest.approx(expected, rel=1e-5)
    assert uniform_ssim(x, y).item() != pytest.approx(expected, rel=1e-2)


def reference_ms_ssim(x: Tensor, y: Tensor) -> float:
    """Scale by scale with scikit-image; a huge K1 makes the luminance term 1 and leaves the other."""
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    values = []
    for a, b in zip(x.double().numpy(), y.double().numpy(), strict=True):
        product = 1.0
        for scale, weight in enumerate(WEIGHTS):
            if scale:
                h, w = (2 * (n // 2) for n in a.shape)
                a, b = (t[:h, :w].reshape(h // 2, 2, w // 2, 2).mean((1, 3)) for t in (a, b))
            last = scale == len(WEIGHTS) - 1
            product *= structural_similarity(a, b, K1=0.01 if last else 1e9, **window) ** weight
        values.append(product)
    return float(np.mean(values))


@pytest.mark.parametrize(("height", "width"), [(176, 176), (180, 201), (257, 190)])
def test_ms_ssim_equals_scikit_image_scale_by_scale(height: int, width: int) -> None:
    x, y = frames(1, height, width)
    assert ms_ssim(x, y).item() == pytest.approx(reference_ms_ssim(x[0], y[0]), rel=1e-5)


def test_ms_ssim_is_near_torchmetrics_which_takes_the_border_in() -> None:
    x, y = frames(2, 256, 256)
    theirs = torchmetrics_ms_ssim(x.float(), y.float(), data_range=255.0, reduction="none")
    assert ms_ssim(x, y).tolist() == pytest.approx(theirs.tolist(), abs=0.01)


def loops(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Both sharpness errors, pixel by pixel."""
    channels, height, width = x.shape
    x, y = x / 255, y / 255
    formula = script = 0.0
    for c in range(channels):
        for i in range(1, height):
            for j in range(1, width):
                rows = [abs(t[c, i, j] - t[c, i - 1, j]) for t in (x, y)]
                columns = [abs(t[c, i, j] - t[c, i, j - 1]) for t in (x, y)]
                formula += abs(rows[0] + columns[0] - rows[1] - columns[1])
                if i < height - 1 and j < width - 1:
                    script += abs(rows[0] - rows[1]) + abs(columns[0] - columns[1])
    return formula / (channels * (height - 1) * (width - 1)), script / (channels * height * width)


def test_sharpness_follows_formula_and_script() -> None:
    x, y = frames(2, 12, 9)
    for k in range(2):
        formula, script = loops(x[k].double().numpy(), y[k].double().numpy())
        assert sharpness_difference(x, y)[k].item() == pytest.approx(-10 * math.log10(formula), rel=1e-9)
        expected = 10 * math.log10(255**2 / (128**2 * script))
        assert script_sharpness_difference(x, y)[k].item() == pytest.approx(expected, rel=1e-9)


def test_the_script_adds_six_decibels_to_psnr() -> None:
    x, y = frames()
    assert (script_psnr(x, y) - psnr(x, y)).tolist() == pytest.approx([20 * math.log10(255 / 128)] * 2)


def test_zero_filling_differs_by_the_person_s_share() -> None:
    x, y = frames()
    mask = torch.zeros(2, 1, 180, 201, dtype=torch.uint8)
    mask[:, :, 20:110, 30:97] = 255
    share = 90 * 67 / (180 * 201)
    expected = mask_psnr(x, y, mask) - 10 * math.log10(share)
    assert zero_filled_psnr(x, y, mask).tolist() == pytest.approx(expected.tolist())
    assert zero_filled_psnr(x, y, mask).tolist() == pytest.approx(psnr(x * (mask > 0), y * (mask > 0)).tolist())
    assert zero_filled_psnr(x, y, mask * 0).isnan().all()


# -- what all full-reference pixel metrics have in common -------------------------------------------------------------

PIXELS = {key: kind for key, kind in METRICS.items() if issubclass(kind, FrameMetric) and not key.startswith("lpips/")}
PERFECT = {"psnr/script@1": SCRIPT_CAP, "sd/script@1": SCRIPT_CAP}


def scored(key: str, x: Tensor, y: Tensor) -> Tensor:
    mask = torch.zeros(len(y), 1, *y.shape[2:], dtype=torch.uint8)
    mask[..., 40:150, 50:120] = 255
    return PIXELS[key]().frames(x, y, mask)


@pytest.mark.parametrize("key", PIXELS)
def test_equal_frames_score_perfectly(key: str) -> None:
    _, y = frames()
    perfect = PERFECT.get(key, CAP if PIXELS[key].definition.unit == "dB" else 1.0)
    assert scored(key, y, y).tolist() == pytest.approx([perfect] * 2, rel=1e-12)


@pytest.mark.parametrize("key", PIXELS)
@pytest.mark.parametrize("damage", ["blur", "noise", "shift"])
def test_more_damage_never_scores_better(key: str, damage: str) -> None:
    _, y = frames(1)
    noise = torch.randn(y.shape, generator=torch.Generator().manual_seed(0))
    ways: dict[str, Callable[[float], Tensor]] = {
        "blur": lambda s: torch.from_numpy(
            cv2.GaussianBlur(y[0].permute(1, 2, 0).numpy(), (0, 0), s).transpose(2, 0, 1).copy()
        )[None],
        "noise": lambda s: (y + 10 * s * noise).clamp(0, 255).to(torch.uint8),
        "shift": lambda s: torch.nn.functional.pad(y.float(), (int(s), 0, 0, 0), mode="replicate")[
            ..., : y.shape[3]
        ].to(torch.uint8),
    }
    series = [scored(key, y, y).item(), *(scored(key, ways[damage](s), y).item() for s in (0.5, 1, 2, 4))]
    assert all(PIXELS[key].definition.direction == "higher" for key in PIXELS)
    assert series == sorted(series, reverse=True), (key, series)


@pytest.mark.parametrize("key", PIXELS)
def test_batches_and_types_change_nothing(key: str) -> None:
    x, y = frames(3)
    whole = scored(key, x, y)
    assert whole.dtype == torch.float64
    alone = torch.cat([scored(key, x[i : i + 1], y[i : i + 1]) for i in range(3)])
    assert alone.tolist() == pytest.approx(whole.tolist(), rel=1e-12)
    assert scored(key, x.float(), y.float()).tolist() == pytest.approx(whole.tolist(), rel=1e-9)


@pytest.mark.parametrize("key", PIXELS)
def test_nan_and_other_shapes_are_refused(key: str) -> None:
    x, y = frames(1)
    wrong = x.float()
    wrong[0, 0, 0, 0] = torch.nan
    with pytest.raises(BatchError, match="out of range"):
        scored(key, wrong, y)
    with pytest.raises(BatchError, match="shape"):
        scored(key, x[..., 1:], y)


def test_frames_too_small_for_a_metric_leave_it_out_and_the_others_in() -> None:
    x, y = frames(2, 64, 48)
    clip = Evaluator(["ms_ssim/gaussian@1", "ssim/uniform@1", "sd/formula@1"]).clip("a")
    clip.update(x, y)
    scores = clip.compute()
    assert set(scores.values) == {"ssim/uniform@1", "sd/formula@1"}
    assert scores.missing == {"ms_ssim/gaussian@1": f"the frames are smaller than {SMALLEST} pixels a side"}
    with pytest.raises(BatchError, match="176x176"):
        ms_ssim(x, y)
