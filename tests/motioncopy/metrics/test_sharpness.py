"""SD and PSNR of the often copied script: worked by hand, at their limits, and with bad input."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from motioncopy.errors import BatchError
from motioncopy.metrics.psnr import CAP
from motioncopy.metrics.sharpness import (
    SCRIPT_CAP,
    script_psnr,
    script_sharpness_difference,
    sharpness_difference,
)


def pair(count: int = 2, height: int = 37, width: int = 53) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(count)
    x, y = (torch.randint(0, 256, (count, 3, height, width), generator=generator).to(torch.uint8) for _ in range(2))
    return x, y


def test_a_single_step_worked_by_hand() -> None:
    """An edge of 51 levels (0.2) between two columns of a 5x5 frame, against a flat one."""
    y = torch.zeros(1, 3, 5, 5, dtype=torch.uint8)
    x = y.clone()
    x[..., 2:] = 51
    # Of the 4x4 pixels that have a pixel above and one before, 4 have the edge before them: e = 0.2 * 4 / 16.
    assert sharpness_difference(x, y).item() == pytest.approx(-10 * math.log10(0.05), rel=1e-12)
    # The script sums over the inner 3x3, 3 of which have the edge, and divides by 25.
    error = 128**2 * 0.2 * 3 / 25
    assert script_sharpness_difference(x, y).item() == pytest.approx(10 * math.log10(255**2 / error), rel=1e-12)


def test_sharpness_alone_counts_and_no_likeness() -> None:
    x, _ = pair()
    assert sharpness_difference(255 - x, x).tolist() == [CAP, CAP]  # as sharp, and nothing alike
    assert script_sharpness_difference(255 - x, x).tolist() == pytest.approx([SCRIPT_CAP] * 2)


def test_the_script_s_floor_holds_for_nearly_equal_frames_too() -> None:
    x = torch.zeros(1, 3, 256, 256, dtype=torch.uint8)
    y = x.clone()
    y[0, 0, 100, 100] = 1  # 128² (1/255)² / 196608 is below the script's 0.0001
    assert script_psnr(x, y).item() == script_psnr(x, x).item() == pytest.approx(SCRIPT_CAP, rel=1e-12)
    assert pytest.approx(88.13, abs=0.005) == SCRIPT_CAP


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_float_frames_give_the_values_of_uint8_frames(dtype: torch.dtype) -> None:
    x, y = pair()
    for value in (sharpness_difference, script_sharpness_difference, script_psnr):
        assert value(x.to(dtype), y.to(dtype)).tolist() == value(x, y).tolist()


def test_frames_that_are_views_are_read_right() -> None:
    x, y = pair(4)
    for value in (sharpness_difference, script_sharpness_difference):
        assert value(x[::2].mT, y[::2].mT).tolist() == pytest.approx(value(x, y)[::2].tolist(), rel=1e-12)
        assert value(x.flip(0), y.flip(0)).tolist() == value(x, y).flip(0).tolist()


def test_frames_without_inner_pixels_are_refused() -> None:
    x, y = pair(1, 2, 9)
    assert sharpness_difference(x, y).isfinite().all()
    with pytest.raises(BatchError, match="3x3"):
        script_sharpness_difference(x, y)
    with pytest.raises(BatchError, match="2x2"):
        sharpness_difference(x[:, :, :1], y[:, :, :1])
