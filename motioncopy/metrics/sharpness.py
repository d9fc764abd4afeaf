"""Sharpness difference (SD), by its formula and as an often copied script computes it; and that script's PSNR.

The script (compute_ssim_psnr_sharpness.lua of SelectionGAN and of several others before it) was written for images in
[-1, 1] and is called on images in [0, 1]: it scales errors by 128² and compares them with 255², which adds
20 log10(255 / 128) = 5.99 dB to both.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from motioncopy.metrics.definition import Definition
from motioncopy.metrics.frame_metric import FrameMetric, check_images
from motioncopy.metrics.psnr import CAP, squared_error

#: What the script gives equal frames: errors below 0.0001 count as that.
SCRIPT_CAP = 10 * math.log10(255**2 / 1e-4)


def _gradients(images: Tensor) -> tuple[Tensor, Tensor]:
    """Absolute backward differences by rows and by columns, in [0, 1], of all pixels but the first row and column."""
    x = images.double() / 255
    here = x[..., 1:, 1:]
    return (here - x[..., :-1, 1:]).abs(), (here - x[..., 1:, :-1]).abs()


def sharpness_difference(generated: Tensor, truth: Tensor) -> Tensor:
    """SD of every frame (Mathieu et al. 2016, equation 11).

    Args:
        generated: ``(n, 3, H, W)``, uint8 or floating point in [0, 255]; H and W at least 2.
        truth: The same.

    Returns:
        ``(n,)`` float64, dB, at most :data:`motioncopy.metrics.psnr.CAP`.

    Raises:
        BatchError: If shapes, types or ranges are wrong.
    """
    check_images(generated, truth)
    (by_row, by_column), (true_row, true_column) = _gradients(generated), _gradients(truth)
    error = (by_row + by_column - true_row - true_column).abs().mean(dim=(1, 2, 3))
    return (-10 * torch.log10(error)).clamp(max=CAP)


def script_sharpness_difference(generated: Tensor, truth: Tensor) -> Tensor:
    """SD of every frame as the script computes it; see the module and :func:`sharpness_difference`."""
    check_images(generated, truth)
    # It leaves out the last row and column too, and divides by the number of all pixels.
    pairs = zip(_gradients(generated), _gradients(truth), strict=True)
    total = sum((a - b).abs()[..., :-1, :-1].sum(dim=(1, 2, 3)) for a, b in pairs)
    return _script_decibels(torch.as_tensor(total) / generated[0].numel())


def script_psnr(generated: Tensor, truth: Tensor) -> Tensor:
    """PSNR of every frame as the script computes it: ``(n,)`` float64, dB."""
    check_images(generated, truth)
    return _script_decibels(squared_error(generated, truth) / (255**2 * generated.shape[1:].numel()))


def _script_decibels(error: Tensor) -> Tensor:
    return 10 * torch.log10(255**2 / (128**2 * error).clamp_min(1e-4))


_SCRIPT = "compute_ssim_psnr_sharpness.lua of Ha0Tang/SelectionGAN"


class SD(FrameMetric):
    """Sharpness difference, averaged over frames; see :func:`sharpness_difference`."""

    least_side = 2
    definition = Definition(
        key="sd/formula@1",
        title="SD",
        direction="higher",
        unit="dB",
        source="Mathieu, Couprie, LeCun: Deep multi-scale video prediction beyond mean square error, ICLR 2016",
        text=(
            "10 log10(1 / e) of every frame, e being the mean over channels and pixels of the absolute difference of "
            "|∇i| + |∇j| between the generated and the true 8-bit RGB frame, scaled to [0, 1]; ∇ are differences to "
            "the row above and the column before, and the first row and column are left out. At most "
            f"{CAP:g} dB a frame, which is what equal frames get; then the mean over frames."
        ),
        choice=(
            "CoCosNet-based V2V describes SD in words only; its scale cannot be told. The formula's max² / e mixes "
            "squares with absolute values, so that the value depends on the range of the images: [0, 1] here, with "
            "max = 1. The often copied script gives other values (sd/script@1). The formula is the default because it "
            "is written down."
        ),
        caution="Two frames can be equally sharp and show different things: it is no measure of likeness.",
    )

    def frames(self, generated: Tensor, truth: Tensor, mask: Tensor | None = None) -> Tensor:
        """SD of every frame, ``(n,)`` float64, dB; the mask is not looked at."""
        return sharpness_difference(generated, truth)


class ScriptSD(FrameMetric):
    """The script's sharpness difference, averaged over frames; see :func:`script_sharpness_difference`."""

    least_side = 3
    definition = Definition(
        key="sd/script@1",
        title="SD (script)",
        direction="higher",
        unit="dB",
        source=_SCRIPT,
        text=(
            "10 log10(255² / (128² e)) of every frame, e being the sum over channels and inner pixels of the absolute "
            "differences of |∇i| and of |∇j|, each for itself, between the generated and the true RGB frame in "
            "[0, 1], divided by the number of all pixels and channels; 128² e is at least 0.0001, so that equal "
            f"frames get {SCRIPT_CAP:.2f} dB. Then the mean over frames."
        ),
        choice="For comparison with papers that used the script; see sd/formula@1.",
        caution="Its factors were meant for images in [-1, 1]: it is 5.99 dB higher than the same formula would be.",
    )

    def frames(self, generated: Tensor, truth: Tensor, mask: Tensor | None = None) -> Tensor:
        """SD of every frame, ``(n,)`` float64, dB; the mask is not looked at."""
        return script_sharpness_difference(generated, truth)


class ScriptPSNR(FrameMetric):
    """The script's PSNR, averaged over frames; see :func:`script_psnr`."""

    definition = Definition(
        key="psnr/script@1",
        title="PSNR (script)",
        direction="higher",
        unit="dB",
        source=_SCRIPT,
        text=(
            "10 log10(255² / (128² mean squared error)) of every RGB frame in [0, 1]; 128² times the error is at least "
            f"0.0001, so that equal frames get {SCRIPT_CAP:.2f} dB. Then the mean over frames."
        ),
        choice="For comparison with papers that used the script; psnr/frame@1 is the default.",
        caution="Its factors were meant for images in [-1, 1]: it is 5.99 dB higher than PSNR.",
    )

    def frames(self, generated: Tensor, truth: Tensor, mask: Tensor | None = None) -> Tensor:
        """The script's PSNR of every frame, ``(n,)`` float64, dB; the mask is not looked at."""
        return script_psnr(generated, truth)
