"""Variants of the pixel metrics: how they differ, what they share, and what they refuse."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from motioncopy.errors import BatchError
from motioncopy.metrics.catalogue import METRICS
from motioncopy.metrics.evaluator import Evaluator
from motioncopy.metrics.masked import mask_psnr, zero_filled_psnr
from motioncopy.metrics.metric import FrameMetric
from motioncopy.metrics.ms_ssim import SMALLEST, ms_ssim
from motioncopy.metrics.psnr import CAP, psnr
from motioncopy.metrics.sharpness import (
    SCRIPT_CAP,
    script_psnr,
)


def frames(count: int = 2, height: int = 180, width: int = 201, noise: float = 20.0) -> tuple[Tensor, Tensor]:
    """Pictures with fine and coarse structure, and noisy copies of them."""
    generator = torch.Generator().manual_seed(count + height)
    picture = torch.zeros(count, 3, height, width)
    for cells in (4, 16, 60):
        coarse = torch.rand(count, 3, cells, cells, generator=generator) * 85
        picture += torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    noisy = picture + noise * torch.randn(picture.shape, generator=generator)
    return noisy.clamp(0, 255).to(torch.uint8), picture.clamp(0, 255).to(torch.uint8)


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
PERFECT = {"psnr/script@1": SCRIPT_CAP, "sd/script@1": SCRIPT_CAP, "perceptual/hed_vgg@1": 0.0}


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
