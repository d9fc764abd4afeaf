"""Peak signal-to-noise ratio (PSNR)."""

from __future__ import annotations

import cv2
import torch
from torch import Tensor

from motioncopy.metrics.definition import Definition
from motioncopy.metrics.metric import FrameMetric, as_arrays, check_images

#: No frame counts more than this, in dB. Equal frames would be infinite, and one of them would make any mean so.
#: (A single level of difference in one value of a 256x256 frame is 101 dB.)
CAP = 100.0


def psnr(generated: Tensor, truth: Tensor) -> Tensor:
    """PSNR of every frame: 10 log10(255² / mean squared error), at most :data:`CAP`.

    Args:
        generated: ``(n, 3, H, W)``, uint8 or floating point in [0, 255].
        truth: The same.

    Returns:
        ``(n,)`` float64, dB, on the device of the images.

    Raises:
        BatchError: If shapes, types or ranges are wrong.

    >>> grey = torch.full((2, 3, 16, 16), 100, dtype=torch.uint8)
    >>> psnr(grey + 10, grey)
    tensor([28.1308, 28.1308], dtype=torch.float64)
    """
    check_images(generated, truth)
    return decibels(squared_error(generated, truth) / generated.shape[1:].numel())


def squared_error(generated: Tensor, truth: Tensor, inside: Tensor | None = None) -> Tensor:
    """Squared differences summed over every frame; exact for uint8.

    Args:
        generated: ``(n, 3, H, W)``.
        truth: The same.
        inside: ``(n, 1, H, W)`` bool: sums over these pixels only.

    Returns:
        ``(n,)`` float64.

    >>> grey = torch.full((2, 3, 16, 16), 100, dtype=torch.uint8)
    >>> squared_error(grey + 10, grey)  # 100 of each of 3 x 16 x 16 values
    tensor([76800., 76800.], dtype=torch.float64)
    """
    if generated.is_cuda:
        return _on_gpu(generated, truth, inside)
    # One pass over the bytes, without the float copies and buffers that PyTorch would fill.
    masks = [None] * len(truth) if inside is None else list(inside[:, 0].to(torch.uint8).numpy())
    sums = [
        sum(cv2.norm(a, b, cv2.NORM_L2SQR, mask) for a, b in zip(x, y, strict=True))
        for x, y, mask in zip(as_arrays(generated), as_arrays(truth), masks, strict=True)
    ]
    return torch.tensor(sums, dtype=torch.float64)


def _on_gpu(generated: Tensor, truth: Tensor, inside: Tensor | None = None) -> Tensor:
    error = (generated.float() - truth.float()).square_()
    if inside is not None:
        error *= inside
    return error.sum(dim=(1, 2, 3), dtype=torch.float64)


def decibels(mean_squared_error: Tensor) -> Tensor:
    """PSNR of mean squared errors of values in [0, 255]; NaN stays NaN.

    >>> decibels(torch.tensor([0.0, 255.0**2]))
    tensor([100.,   0.])
    """
    return (10 * torch.log10(255.0**2 / mean_squared_error)).clamp(max=CAP)


class PSNR(FrameMetric):
    """PSNR, averaged over frames; see :func:`psnr`.

    >>> grey = torch.full((2, 3, 16, 16), 100, dtype=torch.uint8)
    >>> metric = PSNR()
    >>> metric.update(grey + 10, grey)
    >>> metric.compute()
    tensor(28.1308, dtype=torch.float64)
    """

    function = staticmethod(psnr)
    definition = Definition(
        key="psnr/frame@1",
        title="PSNR",
        direction="higher",
        unit="dB",
        source="scikit-image's peak_signal_noise_ratio, frame by frame",
        text=(
            "10 log10(255² / mean squared error over all pixels and channels) of every 8-bit RGB frame, at most "
            f"{CAP:g} dB (which is what equal frames get), then the mean over frames; not the PSNR of the pooled error."
        ),
        choice=(
            "The mean over frames, as the papers' codes take it, is not the PSNR of the error of all frames together. "
            "Copies of SelectionGAN's script add 5.99 dB (psnr/script@1). LWGAN's evaluator leaves the range of frames "
            "in [-1, 1] to scikit-image, which takes 2, as here, unless a true frame has nothing below middle grey: "
            "then it takes 1, which is 6.02 dB less."
        ),
        caution="Rewards blur: the mean of all plausible frames has a better PSNR than any one of them.",
    )
