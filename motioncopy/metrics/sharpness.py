"""Sharpness difference (SD), by its formula and as an often copied script computes it; and that script's PSNR.

The script (compute_ssim_psnr_sharpness.lua, as SelectionGAN has it) was written for images in [-1, 1] and loads images
in [0, 1]: it scales errors by 128² and compares them with 255², which adds 20 log10(255 / 128) = 5.99 dB to both. (Its
SSIM does not spoil the others: it scales a luma copy, not the images.)
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from torch import Tensor

from motioncopy.errors import BatchError
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.metric import FrameMetric, check_images
from motioncopy.metrics.psnr import CAP, squared_error
from motioncopy.metrics.ssim import Values, over_planes

#: What the script gives equal frames: errors below 0.0001 count as that.
SCRIPT_CAP = 10 * math.log10(255**2 / 1e-4)


def sharpness_difference(generated: Tensor, truth: Tensor) -> Tensor:
    """SD of every frame (Mathieu et al. 2016, equation 11). Computed on the CPU, in integers for uint8: exact sums.

    Args:
        generated: ``(n, 3, H, W)``, uint8 or floating point in [0, 255]; H and W at least 2.
        truth: The same.

    Returns:
        ``(n,)`` float64, dB, at most :data:`motioncopy.metrics.psnr.CAP`.

    Raises:
        BatchError: If shapes, types or ranges are wrong, or the images have no inner pixels.

    >>> import torch
    >>> flat, edge = (torch.zeros(1, 3, 5, 5, dtype=torch.uint8) for _ in range(2))
    >>> edge[..., 2:] = 51  # a fifth of the range, at 4 of the 16 pixels that have neighbours above and before
    >>> sharpness_difference(edge, flat)
    tensor([13.0103], dtype=torch.float64)
    """
    _check(generated, truth, SD.least_side)
    return (-10 * over_planes(generated, truth, _formula_error).log10()).clamp(max=CAP)


def script_sharpness_difference(generated: Tensor, truth: Tensor) -> Tensor:
    """SD of every frame as the script computes it: ``(n,)`` float64, dB, at most :data:`SCRIPT_CAP`.

    The arguments and errors are those of :func:`sharpness_difference`, H and W at least 3.

    >>> import torch
    >>> flat, edge = (torch.zeros(1, 3, 5, 5, dtype=torch.uint8) for _ in range(2))
    >>> edge[..., 2:] = 51
    >>> script_sharpness_difference(edge, flat)
    tensor([22.1845], dtype=torch.float64)
    """
    _check(generated, truth, ScriptSD.least_side)
    return _script_decibels(over_planes(generated, truth, _script_error))


def _check(generated: Tensor, truth: Tensor, least_side: int) -> None:
    check_images(generated, truth)
    if min(generated.shape[2:]) < least_side:
        raise BatchError(
            "images are too small for gradients",
            expected=f"at least {least_side}x{least_side} pixels",
            found=tuple(generated.shape[2:]),
        )


def _gradients(plane: Values) -> tuple[Values, Values]:
    """Absolute differences to the row above and to the column before, of all pixels but the first row and column."""
    here = plane[1:, 1:]
    return cv2.absdiff(here, plane[:-1, 1:]), cv2.absdiff(here, plane[1:, :-1])


def _formula_error(x: Values, y: Values) -> float:
    wide = cv2.CV_16S if x.dtype == np.uint8 else cv2.CV_32F
    sharp, true_sharp = (cv2.add(*_gradients(plane), dtype=wide) for plane in (x, y))
    total: float = cv2.norm(sharp, true_sharp, cv2.NORM_L1)
    return total / (255 * x[1:, 1:].size)


def _script_error(x: Values, y: Values) -> float:
    # The script leaves out the last row and column too, and divides by the number of all pixels.
    inner = [[gradient[:-1, :-1] for gradient in _gradients(plane)] for plane in (x, y)]
    total: float = sum(cv2.norm(a, b, cv2.NORM_L1) for a, b in zip(*inner, strict=True))
    return total / (255 * x.size)


def script_psnr(generated: Tensor, truth: Tensor) -> Tensor:
    """PSNR of every frame as the script computes it: ``(n,)`` float64, dB, at most :data:`SCRIPT_CAP`.

    The arguments and errors are those of :func:`motioncopy.metrics.psnr.psnr`.

    >>> import torch
    >>> grey = torch.full((1, 3, 8, 8), 100, dtype=torch.uint8)
    >>> script_psnr(grey + 10, grey)  # 5.99 dB more than the PSNR
    tensor([34.1174], dtype=torch.float64)
    """
    check_images(generated, truth)
    return _script_decibels(squared_error(generated, truth) / (255**2 * generated.shape[1:].numel()))


def _script_decibels(error: Tensor) -> Tensor:
    return -10 * ((128**2 * error).clamp_min(1e-4) / 255**2).log10()


_SCRIPT = "compute_ssim_psnr_sharpness.lua of Ha0Tang/SelectionGAN"


class SD(FrameMetric):
    """Sharpness difference, averaged over frames; see :func:`sharpness_difference`.

    >>> import torch
    >>> grey = torch.full((1, 3, 8, 8), 100, dtype=torch.uint8)
    >>> SD()(grey + 10, grey)  # equally sharp
    tensor(100., dtype=torch.float64)
    """

    least_side = 2
    function = staticmethod(sharpness_difference)
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


class ScriptSD(FrameMetric):
    """The script's sharpness difference, averaged over frames; see :func:`script_sharpness_difference`.

    >>> import torch
    >>> grey = torch.full((1, 3, 8, 8), 100, dtype=torch.uint8)
    >>> ScriptSD()(grey + 10, grey)
    tensor(88.1308, dtype=torch.float64)
    """

    least_side = 3
    function = staticmethod(script_sharpness_difference)
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
        choice=(
            "For comparison with papers that used the script. It differs from sd/formula@1 in three ways: the two "
            "gradients are compared each for itself, which makes e larger; the border is left out of the sum but not "
            "of the count; and 255² / 128² adds 5.99 dB."
        ),
        caution="Like sd/formula@1 no measure of likeness; and 5.99 dB of it are a mistaken range of the images.",
    )


class ScriptPSNR(FrameMetric):
    """The script's PSNR, averaged over frames; see :func:`script_psnr`.

    >>> import torch
    >>> grey = torch.full((1, 3, 8, 8), 100, dtype=torch.uint8)
    >>> ScriptPSNR()(grey + 10, grey)
    tensor(34.1174, dtype=torch.float64)
    """

    function = staticmethod(script_psnr)
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
        caution="5.99 dB more than psnr/frame@1: its factor was meant for images in [-1, 1]. Rewards blur too.",
    )
