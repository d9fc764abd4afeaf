"""SSIM and PSNR of the person alone.

Papers differ in what they do outside the mask. REMOT's Table 2 gives C2F-FWN a PSNR above its Mask-PSNR, which two
whole-image means over zero-filled images could not do: Mask-PSNR averages over the mask's pixels. Mask-SSIM needs
neighbourhoods, so it keeps the zero-filled image of PG2 and later code.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from motioncopy.metrics.clip import Input
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.metric import FrameMetric, check_images, check_mask
from motioncopy.metrics.psnr import CAP, decibels, squared_error
from motioncopy.metrics.ssim import SSIM, ssim


def mask_ssim(generated: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """SSIM of every frame after both images are set to 0 outside the mask.

    Args:
        generated: ``(n, 3, H, W)``, uint8 or floating point in [0, 255].
        truth: The same.
        mask: ``(n, 1, H, W)``: uint8, of which 128 and more is inside, or bool.

    Returns:
        ``(n,)`` float64 in [-1, 1]; NaN where the mask is empty.

    Raises:
        BatchError: If shapes, types or ranges are wrong.

    >>> grey = torch.full((1, 3, 16, 16), 100, dtype=torch.uint8)
    >>> mask = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    >>> mask[..., :8] = True
    >>> mask_ssim(torch.where(mask, grey, 0), grey, mask)
    tensor([1.], dtype=torch.float64)
    """
    inside = _inside(generated, truth, mask)
    values = ssim(generated * inside, truth * inside)
    return values.masked_fill(~inside.flatten(1).any(dim=1), torch.nan)


def mask_psnr(generated: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """PSNR of every frame, the squared error averaged over the mask's pixels and the three channels only.

    Args:
        generated: ``(n, 3, H, W)``, uint8 or floating point in [0, 255].
        truth: The same.
        mask: ``(n, 1, H, W)``: uint8, of which 128 and more is inside, or bool.

    Returns:
        ``(n,)`` float64, dB, at most :data:`motioncopy.metrics.psnr.CAP`; NaN where the mask is empty.

    Raises:
        BatchError: If shapes, types or ranges are wrong.

    >>> grey = torch.full((1, 3, 16, 16), 100, dtype=torch.uint8)
    >>> mask = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    >>> mask[..., :8] = True
    >>> mask_psnr(grey + 10, grey, mask), mask_psnr(grey, grey, ~mask & mask)
    (tensor([28.1308], dtype=torch.float64), tensor([nan], dtype=torch.float64))
    """
    inside = _inside(generated, truth, mask)
    values = 3 * inside.sum(dim=(1, 2, 3))
    return decibels(squared_error(generated, truth, inside) / values)  # 0 / 0 is the NaN of an empty mask


def zero_filled_psnr(generated: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """PSNR of every frame after both images are set to 0 outside the mask, over all pixels.

    Args:
        generated: ``(n, 3, H, W)``, uint8 or floating point in [0, 255].
        truth: The same.
        mask: ``(n, 1, H, W)``: uint8, of which 128 and more is inside, or bool.

    Returns:
        ``(n,)`` float64, dB, at most :data:`motioncopy.metrics.psnr.CAP`; NaN where the mask is empty.

    Raises:
        BatchError: If shapes, types or ranges are wrong.

    >>> grey = torch.full((1, 3, 16, 16), 100, dtype=torch.uint8)
    >>> mask = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    >>> mask[..., :8] = True
    >>> zero_filled_psnr(grey + 10, grey, mask)  # half the pixels are equal
    tensor([31.1411], dtype=torch.float64)
    """
    inside = _inside(generated, truth, mask)
    values = decibels(squared_error(generated, truth, inside) / generated.shape[1:].numel())
    return values.masked_fill(~inside.flatten(1).any(dim=1), torch.nan)


def _inside(generated: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    check_images(generated, truth)
    check_mask(mask, truth)
    return mask if mask.dtype == torch.bool else mask >= 128


_CAUTION = "Limbs and clothes painted outside the true person cost nothing."


class _MaskMetric(FrameMetric):
    inputs: ClassVar[frozenset[Input]] = frozenset({"truth", "mask"})


class MaskSSIM(_MaskMetric):
    """Mask-SSIM, averaged over frames; see :func:`mask_ssim`.

    >>> grey = torch.full((1, 3, 16, 16), 100, dtype=torch.uint8)
    >>> mask = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    >>> mask[..., :8] = True
    >>> MaskSSIM()(grey, grey, mask)
    tensor(1., dtype=torch.float64)
    """

    least_side = SSIM.least_side
    function = staticmethod(mask_ssim)
    definition = Definition(
        key="mask_ssim/zero_filled@1",
        title="Mask-SSIM",
        direction="higher",
        unit="",
        source="Ma et al.: Pose guided person image generation, NeurIPS 2017",
        text=(
            "ssim/gaussian@1 of the two 8-bit frames after both are set to 0 outside the person's mask in the true "
            "frame (128 and more of 255 is inside). Frames with an empty mask are skipped and counted as such."
        ),
        choice=(
            "The codes of PG2 and of intrinsic flow multiply both images by the mask and take the ordinary SSIM, as "
            "here; SSIM needs neighbours, so that there is no mean over the inside alone that all would agree on."
        ),
        caution=f"Everything outside counts as equal, so that small persons score high. {_CAUTION}",
    )


class MaskPSNR(_MaskMetric):
    """Mask-PSNR, averaged over frames; see :func:`mask_psnr`.

    >>> grey = torch.full((1, 3, 16, 16), 100, dtype=torch.uint8)
    >>> mask = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    >>> mask[..., :8] = True
    >>> MaskPSNR()(grey + 10, grey, mask)
    tensor(28.1308, dtype=torch.float64)
    """

    function = staticmethod(mask_psnr)
    definition = Definition(
        key="mask_psnr/inside@1",
        title="Mask-PSNR",
        direction="higher",
        unit="dB",
        source="Figures of REMOT's Table 2, which fit no other reading",
        text=(
            "psnr/frame@1 with the squared error averaged over the pixels inside the person's mask in the true frame "
            f"(128 and more of 255 is inside) and the three channels only, at most {CAP:g} dB a frame. Frames with an "
            "empty mask are skipped and counted as such."
        ),
        choice=(
            "The other reading averages over the whole zero-filled image (mask_psnr/zero_filled@1). It can never be "
            "below the whole frame's PSNR, which REMOT's Table 2 has for C2F-FWN (26.65 whole, 24.94 masked): so the "
            "papers average inside the mask, and this is the default."
        ),
        caution=_CAUTION,
    )


class ZeroFilledMaskPSNR(_MaskMetric):
    """PSNR of zero-filled images, averaged over frames; see :func:`zero_filled_psnr`.

    >>> grey = torch.full((1, 3, 16, 16), 100, dtype=torch.uint8)
    >>> mask = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    >>> mask[..., :8] = True
    >>> ZeroFilledMaskPSNR()(grey + 10, grey, mask)
    tensor(31.1411, dtype=torch.float64)
    """

    function = staticmethod(zero_filled_psnr)
    definition = Definition(
        key="mask_psnr/zero_filled@1",
        title="Mask-PSNR (zero-filled)",
        direction="higher",
        unit="dB",
        source="Ma et al.: Pose guided person image generation, NeurIPS 2017, whose masked SSIM is formed like this",
        text=(
            "psnr/frame@1 of the two 8-bit frames after both are set to 0 outside the person's mask in the true frame "
            "(128 and more of 255 is inside). Frames with an empty mask are skipped and counted as such."
        ),
        choice="The other reading of Mask-PSNR; see mask_psnr/inside@1.",
        caution=f"The smaller the person, the higher: compare within one data set and crop only. {_CAUTION}",
    )
