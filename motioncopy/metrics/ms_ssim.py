"""Multi-scale structural similarity (MS-SSIM)."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from motioncopy.errors import BatchError
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.metric import FrameMetric, check_images
from motioncopy.metrics.ssim import RADIUS, Values, far_apart, gpu_maps, inner_mean, maps, over_planes, planes

#: Exponents of the five scales, the finest first (Wang et al. 2003, section 3.2).
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
#: At the coarsest scale, the window of 11 must still fit.
SMALLEST = (2 * RADIUS + 1) * 2 ** (len(WEIGHTS) - 1)


def ms_ssim(generated: Tensor, truth: Tensor) -> Tensor:
    """MS-SSIM of every frame (Wang, Simoncelli, Bovik 2003, equation 7).

    Computed as by :func:`motioncopy.metrics.ssim.uniform_ssim`, which has another window.

    Args:
        generated: ``(n, 3, H, W)``, uint8 or floating point in [0, 255]; H and W at least :data:`SMALLEST`.
        truth: The same.

    Returns:
        ``(n,)`` float64 in [0, 1], on the device of the images.

    Raises:
        BatchError: If shapes, types or ranges are wrong, or the images are too small.

    >>> frames = torch.full((1, 3, SMALLEST, SMALLEST), 100, dtype=torch.uint8)
    >>> ms_ssim(frames + 50, frames)  # brightness counts at the coarsest scale alone
    tensor([0.9894], dtype=torch.float64)
    """
    check_images(generated, truth)
    if min(generated.shape[2:]) < SMALLEST:
        raise BatchError(
            "images are smaller than the window of MS-SSIM at its fifth scale",
            expected=f"at least {SMALLEST}x{SMALLEST} pixels",
            found=tuple(generated.shape[2:]),
        )
    return _on_gpu(generated, truth) if generated.is_cuda else over_planes(generated, truth, _plane)


def _plane(x: Values, y: Values) -> float:
    product = 1.0
    for scale, weight in enumerate(WEIGHTS):
        if scale:
            x, y = _half(x), _half(y)
        luminance, structure = maps(x, y, double=far_apart(x, y))
        if scale == len(WEIGHTS) - 1:
            structure *= luminance
        product *= max(0.0, inner_mean(structure, RADIUS)) ** weight
    return product


def _half(plane: Values) -> Values:
    """Means of 2x2 pixels; an odd last row or column is left out."""
    height, width = (length // 2 for length in plane.shape)
    even = plane[: 2 * height, : 2 * width].astype(np.float32, copy=False)
    halved: Values = cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA)
    return halved


def _on_gpu(generated: Tensor, truth: Tensor) -> Tensor:
    x, y = planes(generated), planes(truth)
    product = torch.ones(len(x), dtype=torch.float64, device=x.device)
    for scale, weight in enumerate(WEIGHTS):
        if scale:
            x, y = avg_pool2d(x, 2), avg_pool2d(y, 2)
        luminance, structure = gpu_maps(x, y)
        if scale == len(WEIGHTS) - 1:
            structure = structure * luminance
        product *= structure.mean(dim=(1, 2, 3)).clamp_min(0) ** weight
    return product.view(generated.shape[:2]).mean(dim=1)


class MSSSIM(FrameMetric):
    """MS-SSIM, averaged over frames; see :func:`ms_ssim`.

    >>> frames = torch.full((1, 3, SMALLEST, SMALLEST), 100, dtype=torch.uint8)
    >>> MSSSIM()(frames, frames)
    tensor(1., dtype=torch.float64)
    """

    least_side = SMALLEST
    function = staticmethod(ms_ssim)
    definition = Definition(
        key="ms_ssim/gaussian@1",
        title="MS-SSIM",
        direction="higher",
        unit="",
        source="Wang, Simoncelli, Bovik: Multi-scale structural similarity for image quality assessment, Asilomar 2003",
        text=(
            "Product over five scales of the mean contrast-and-structure term of ssim/gaussian@1, at the coarsest "
            "scale of the whole SSIM, to the powers 0.0448, 0.2856, 0.3001, 0.2363, 0.1333; negative means count as "
            "0. Each scale has half the pixels a side of the one before, by means of 2x2; an odd last row or column is "
            "left out. Of each channel of the 8-bit RGB frames, then the mean over channels and frames. Frames of "
            f"fewer than {SMALLEST} pixels a side have no value."
        ),
        choice=(
            "TensorFlow's ssim_multiscale and pytorch-msssim multiply the scales of each channel and average the "
            "channels afterwards, as here, and equal this at sizes that halve evenly four times. They differ at "
            "others, where TensorFlow repeats the last row and pytorch-msssim puts zeros in front, so that both take "
            "frames from 161 pixels on. torchmetrics averages channels before it multiplies, and takes the border in "
            "at the coarsest scale. The original looks at grey images. Nothing is made up at the border here, and "
            "channels are treated as in ssim/gaussian@1."
        ),
        caution="Forgives fine detail: the finest scale has an exponent of 0.04.",
    )
