"""SSIM, PSNR and their masked forms at their limits; the audit holds them against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.audit.cases import Frames
from benchmarks.audit.checks import parity
from benchmarks.audit.references import references
from motioncopy.errors import BatchError
from motioncopy.metrics import psnr as psnr_module
from motioncopy.metrics import ssim as ssim_module
from motioncopy.metrics.evaluator import Evaluator
from motioncopy.metrics.masked import MaskPSNR, MaskSSIM, mask_psnr, mask_ssim
from motioncopy.metrics.metric import FrameMetric
from motioncopy.metrics.psnr import CAP, psnr, squared_error
from motioncopy.metrics.ssim import LWGANSSIM, SSIM, UniformSSIM, ssim, uniform_ssim


def frames(batch: int = 2, height: int = 48, width: int = 64, noise: float = 20.0) -> tuple[Tensor, Tensor]:
    """Smooth pictures and noisy copies of them."""
    generator = torch.Generator().manual_seed(batch + height + width)
    coarse = torch.rand(batch, 3, 5, 5, generator=generator) * 255
    truth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=True)
    noisy = truth + noise * torch.randn(truth.shape, generator=generator)
    return noisy.clamp(0, 255).to(torch.uint8), truth.to(torch.uint8)


def half_mask(images: Tensor) -> Tensor:
    mask = torch.zeros(len(images), 1, *images.shape[2:], dtype=torch.uint8)
    mask[..., : images.shape[3] // 3] = 255
    return mask


@pytest.mark.parametrize(("low", "high"), [(0, 255), (254, 255), (0, 1), (120, 128)])
def test_ssim_keeps_its_precision_on_flat_frames(low: int, high: int) -> None:
    x = torch.full((1, 3, 32, 32), low, dtype=torch.uint8)
    y = torch.full((1, 3, 32, 32), high, dtype=torch.uint8)
    assert parity(SSIM(), Frames(x, y, half_mask(y))) < 1e-5


def test_ssim_on_a_gpu_computes_what_the_cpu_does() -> None:
    # The GPU's code runs on any device.
    x, y = frames(3, 41, 67)
    assert ssim_module._on_gpu(x, y).tolist() == pytest.approx(ssim(x, y).tolist(), rel=1e-6)
    expected = references()["ssim/gaussian@1"].values(Frames(x, y, half_mask(y)))
    assert ssim_module._on_gpu(x, y).tolist() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("centred", [False, True])
def test_uniform_ssim_on_a_gpu_computes_what_the_cpu_does(centred: bool) -> None:
    x, y = frames(3, 41, 67)
    on_gpu = ssim_module._on_gpu(x, y, ssim_module._UNIFORM_WINDOW, sample=ssim_module._SAMPLE, centred=centred)
    assert on_gpu.tolist() == pytest.approx(uniform_ssim(x, y, centred=centred).tolist(), rel=1e-6)
    expected = references()["ssim/lwgan@1" if centred else "ssim/uniform@1"].values(Frames(x, y, half_mask(y)))
    assert on_gpu.tolist() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("span", [30, 100, 255])
def test_uniform_ssim_keeps_its_precision_where_areas_are_far_apart(span: int) -> None:
    x, y = frames(1, 40, 40, noise=3.0)
    x, y = x // 64, y // 64
    x[..., :30] += 255 - 4 if span == 255 else span
    assert parity(UniformSSIM(), Frames(x, y, half_mask(y))) < 1e-5


def test_squared_errors_are_exact_sums() -> None:
    x = torch.zeros(1, 3, 512, 512, dtype=torch.uint8)
    assert squared_error(x, 255 - x).tolist() == [3 * 512 * 512 * 255.0**2]
    x, y = frames(2, 33, 31)
    inside = half_mask(x) > 0
    differences = (x.long() - y.long()).square()
    for function in (squared_error, psnr_module._on_gpu):  # the GPU's code runs on any device
        assert function(x, y).tolist() == differences.sum(dim=(1, 2, 3)).tolist()
        assert function(x, y, inside).tolist() == (differences * inside).sum(dim=(1, 2, 3)).tolist()


def test_equal_frames_have_ssim_one_and_psnr_at_the_cap() -> None:
    x, _ = frames()
    assert ssim(x, x).tolist() == [1.0, 1.0]
    assert psnr(x, x).tolist() == [CAP, CAP]


def test_the_cap_holds_for_nearly_equal_frames_too() -> None:
    x = torch.zeros(1, 3, 256, 256, dtype=torch.uint8)
    y = x.clone()
    y[0, 0, 0, 0] = 1  # 101.07 dB
    assert psnr(x, y).tolist() == [CAP]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_float_frames_give_the_values_of_uint8_frames(dtype: torch.dtype) -> None:
    x, y = frames()
    mask = half_mask(x)
    assert ssim(x.to(dtype), y.to(dtype)).tolist() == ssim(x, y).tolist()
    assert psnr(x.to(dtype), y.to(dtype)).tolist() == psnr(x, y).tolist()
    assert mask_ssim(x.to(dtype), y.to(dtype), mask).tolist() == mask_ssim(x, y, mask).tolist()


def test_a_frame_has_the_same_value_alone_and_in_a_batch() -> None:
    x, y = frames(8)
    for metric in (ssim, psnr):
        assert metric(x, y).tolist() == [metric(x[i : i + 1], y[i : i + 1]).item() for i in range(8)]


def test_frames_that_are_views_are_read_right() -> None:
    x, y = frames(4)
    flipped = (x.flip(3), y.flip(3))
    assert ssim(x[::2].mT, y[::2].mT).tolist() == pytest.approx(ssim(x, y)[::2].tolist(), rel=1e-6)
    assert psnr(x[::2].mT, y[::2].mT).tolist() == psnr(x, y)[::2].tolist()
    assert ssim(*flipped).tolist() == pytest.approx(ssim(x, y).tolist(), rel=1e-6)


def test_psnr_is_averaged_over_frames_and_not_over_errors() -> None:
    truth = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    generated = truth.clone()
    generated[0] += 1
    generated[1] += 100
    assert psnr(generated, truth).mean().item() == pytest.approx(20 * np.log10(255) - 20, rel=1e-9)


def test_mask_psnr_looks_at_the_inside_only() -> None:
    x, y = frames()
    mask = half_mask(x)
    columns = x.shape[3] // 3
    assert mask_psnr(x, y, mask).tolist() == pytest.approx(psnr(x[..., :columns], y[..., :columns]).tolist(), rel=1e-9)
    outside = torch.where(mask.bool(), x, 255 - x)
    assert mask_psnr(outside, y, mask).tolist() == mask_psnr(x, y, mask).tolist()


def test_the_mask_begins_at_128() -> None:
    x, y = frames(1)
    mask = torch.full((1, 1, 48, 64), 127, dtype=torch.uint8)
    mask[..., :20, :] = 128
    assert mask_psnr(x, y, mask).tolist() == mask_psnr(x, y, mask >= 128).tolist()
    assert mask_psnr(x, y, mask).item() == pytest.approx(psnr(x[:, :, :20], y[:, :, :20]).item(), rel=1e-9)


def test_frames_with_an_empty_mask_are_skipped_and_counted() -> None:
    x, y = frames(3)
    mask = half_mask(x)
    mask[1] = 0
    for values in (mask_ssim(x, y, mask), mask_psnr(x, y, mask)):
        assert values.isnan().tolist() == [False, True, False]
    metric = MaskPSNR()
    metric.update(x, y, mask)
    assert [value is None for value in metric.of("clip")] == [False, True, False]
    assert metric.compute().item() == pytest.approx(mask_psnr(x, y, mask)[[0, 2]].mean().item(), rel=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x[0], "wrong shape"),
        (lambda x: x[:, :1], "wrong shape"),
        (lambda x: x[..., 1:], "differ in shape"),
        (lambda x: x.int(), "wrong type"),
        (lambda x: torch.where(x > 100, torch.nan, x.float()), "out of range"),
        (lambda x: x.float() + 1, "out of range"),
        (lambda x: x / 127.5 - 1.1, "out of range"),
    ],
)
def test_wrong_frames_are_refused(change, message) -> None:  # type: ignore[no-untyped-def]
    x = torch.full((2, 3, 16, 16), 255, dtype=torch.uint8)
    x[0, 0, 0, 0] = 0
    for metric in (ssim, psnr):
        with pytest.raises(BatchError, match=message):
            metric(change(x), x)


def test_wrong_masks_are_refused() -> None:
    x, y = frames()
    for mask in (half_mask(x)[:, 0], half_mask(x)[:1], half_mask(x).float()):
        with pytest.raises(BatchError, match="mask"):
            mask_psnr(x, y, mask)
    with pytest.raises(BatchError, match="no mask"):
        MaskPSNR().frames(x, y)


def test_frames_smaller_than_the_window_are_refused() -> None:
    x = torch.zeros(1, 3, 10, 20, dtype=torch.uint8)
    with pytest.raises(BatchError, match="11x11"):
        ssim(x, x)
    with pytest.raises(BatchError, match="7x7"):
        uniform_ssim(x[..., :6], x[..., :6])


@pytest.mark.parametrize("kind", [SSIM, MaskSSIM, UniformSSIM, LWGANSSIM])
def test_the_evaluator_leaves_ssim_out_of_clips_below_its_window(kind: type[FrameMetric]) -> None:
    key, least = kind.definition.key, kind.least_side
    for side in (least - 1, least):
        clip = Evaluator([key, "psnr/frame@1"]).clip("a")
        x, y = frames(2, side, 20)
        clip.update(x, y, torch.full((2, 1, side, 20), 255, dtype=torch.uint8))
        scores = clip.compute()
        reason = {key: f"the frames are smaller than {least} pixels a side"}
        assert scores.missing == (reason if side < least else {})
        assert set(scores.values) == {"psnr/frame@1"} | ({key} if side >= least else set())


@pytest.mark.parametrize("level", [100, 180, 255])
def test_ssim_stays_exact_where_large_flat_areas_are_far_apart(level: int) -> None:
    x, y = frames(2, 64, 64, noise=1)
    x[..., :40] = 0
    y[..., :40] = level
    assert parity(SSIM(), Frames(x, y, half_mask(y))) < 1e-5
