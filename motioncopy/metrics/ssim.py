"""Structural similarity (SSIM) with a Gaussian window."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from motioncopy.errors import BatchError
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.frame_metric import FrameMetric, as_arrays, check_images

#: Half the window: the border of this many pixels, where the window would leave the image, is not averaged.
RADIUS = 5
_SIGMA = 1.5
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2
_WINDOW = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / _SIGMA) ** 2)
_WINDOW /= _WINDOW.sum()

Plane = npt.NDArray[np.float32]


def ssim(generated: Tensor, truth: Tensor) -> Tensor:
    """SSIM of every frame (Wang et al. 2004, equation 13).

    With s = x + y and d = x - y, weighted means m and variances v, the two factors of SSIM are
    1 - m_d² / ((m_s² + m_d²) / 2 + C1) and 1 - v_d / ((v_s + v_d) / 2 + C2): four filterings instead of five, and
    exactly 1 for equal images. OpenCV filters float32 planes on a CPU; a GPU convolves in float64, which TF32
    cannot touch. The two agree to 1e-6.

    Args:
        generated: ``(n, 3, H, W)``, uint8 or floating point in [0, 255]; H and W at least 11.
        truth: The same.

    Returns:
        ``(n,)`` float64 in [-1, 1], on the device of the images.

    Raises:
        BatchError: If shapes, types or ranges are wrong, or the images are smaller than the window.
    """
    check_images(generated, truth)
    if min(generated.shape[2:]) <= 2 * RADIUS:
        raise BatchError(
            "images are smaller than the window of SSIM",
            expected=f"at least {2 * RADIUS + 1}x{2 * RADIUS + 1} pixels",
            found=tuple(generated.shape[2:]),
        )
    return _on_gpu(generated, truth) if generated.is_cuda else _on_cpu(generated, truth)


def _on_cpu(generated: Tensor, truth: Tensor) -> Tensor:
    pairs = zip(as_arrays(generated), as_arrays(truth), strict=True)
    values = [np.mean([_plane(a, b) for a, b in zip(x, y, strict=True)]) for x, y in pairs]
    return torch.tensor(np.array(values, dtype=np.float64))


def _plane(x: npt.NDArray[np.generic], y: npt.NDArray[np.generic]) -> float:
    """SSIM of one channel. Works in place: fresh buffers would cost as much as the arithmetic."""
    s: Plane = cv2.add(x, y, dtype=cv2.CV_32F)
    d: Plane = cv2.subtract(x, y, dtype=cv2.CV_32F)
    s -= np.float32(255)  # variances stay, squares shrink: float32 keeps more of them
    mean_s, mean_d = _blur(s), _blur(d)
    s *= s
    d *= d
    sum_v, var_d = _blur(s), _blur(d)

    mean_d *= mean_d
    var_d -= mean_d
    sum_v -= np.multiply(mean_s, mean_s, out=s)
    sum_v += var_d
    sum_v *= np.float32(0.5)
    sum_v += np.float32(_C2)
    structure = np.subtract(np.float32(1), np.divide(var_d, sum_v, out=var_d), out=var_d)

    mean_s += np.float32(255)
    mean_s *= mean_s
    mean_s += mean_d
    mean_s *= np.float32(0.5)
    mean_s += np.float32(_C1)
    luminance = np.subtract(np.float32(1), np.divide(mean_d, mean_s, out=mean_d), out=mean_d)

    structure *= luminance
    return float(cv2.mean(structure[RADIUS:-RADIUS, RADIUS:-RADIUS])[0])


def _blur(plane: Plane) -> Plane:
    blurred: Plane = cv2.sepFilter2D(plane, cv2.CV_32F, _WINDOW, _WINDOW)
    return blurred


def _on_gpu(generated: Tensor, truth: Tensor) -> Tensor:
    x, y = (t.double().flatten(0, 1).unsqueeze(1) for t in (generated, truth))
    window = torch.as_tensor(_WINDOW, device=x.device)

    def blur(planes: Tensor) -> Tensor:
        return conv2d(conv2d(planes, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))

    s, d = x + y, x - y
    mean_s, mean_d = blur(s).square(), blur(d).square()
    var_s, var_d = blur(s.square()) - mean_s, blur(d.square()) - mean_d
    luminance = 1 - mean_d / ((mean_s + mean_d) / 2 + _C1)
    structure = 1 - var_d / ((var_s + var_d) / 2 + _C2)
    return (luminance * structure).mean(dim=(1, 2, 3)).view(generated.shape[:2]).mean(dim=1)


class SSIM(FrameMetric):
    """SSIM, averaged over frames; see :func:`ssim`."""

    definition = Definition(
        key="ssim/gaussian@1",
        title="SSIM",
        direction="higher",
        unit="",
        source="Wang, Bovik, Sheikh, Simoncelli: Image quality assessment, IEEE TIP 2004",
        text=(
            "Structural similarity of 8-bit RGB frames with an 11x11 Gaussian window of sigma 1.5, population "
            "covariance, K1 = 0.01, K2 = 0.03 and range 255, averaged over the pixels at least 5 from the border, the "
            "three channels, and the frames. Equals scikit-image's structural_similarity(gaussian_weights=True, "
            "sigma=1.5, use_sample_covariance=False); torchmetrics averages the border as well, and differs by up to "
            "0.01."
        ),
    )

    def frames(self, generated: Tensor, truth: Tensor, mask: Tensor | None = None) -> Tensor:
        """SSIM of every frame, ``(n,)`` float64; the mask is not looked at."""
        return ssim(generated, truth)
