"""Structural similarity (SSIM), with a Gaussian window and with a uniform one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from motioncopy.errors import BatchError
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.metric import FrameMetric, as_arrays, check_images

#: Half the window: the border of this many pixels, where the window would leave the image, is not averaged.
RADIUS = 5
_SIGMA = 1.5
#: Mean squared error of a plane from which on float32 is too coarse.
_FAR = 300.0
#: Half of the uniform window.
UNIFORM_RADIUS = 3
_SIDE = 2 * UNIFORM_RADIUS + 1
#: Variances of a sample of the window's pixels, over those of the pixels themselves.
_SAMPLE = _SIDE**2 / (_SIDE**2 - 1)
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2
_WINDOW = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / _SIGMA) ** 2)
_WINDOW /= _WINDOW.sum()
_UNIFORM_WINDOW = np.full(_SIDE, 1 / _SIDE)

Values = npt.NDArray[np.generic]
Plane = npt.NDArray[np.floating]
Window = npt.NDArray[np.float64]


def ssim(generated: Tensor, truth: Tensor) -> Tensor:
    """SSIM of every frame (Wang et al. 2004, equation 13).

    With s = x + y and d = x - y, weighted means m and variances v, the two factors of SSIM are
    1 - m_d² / ((m_s² + m_d²) / 2 + C1) and 1 - v_d / ((v_s + v_d) / 2 + C2): four filterings instead of five, and
    exactly 1 for equal images. OpenCV filters float32 planes on a CPU, float64 ones where they are
    :func:`far_apart`; a GPU convolves in float64, which TF32 cannot touch. The two agree to 1e-6.

    Args:
        generated: ``(n, 3, H, W)``, uint8 or floating point in [0, 255]; H and W at least 11.
        truth: The same.

    Returns:
        ``(n,)`` float64 in [-1, 1], on the device of the images.

    Raises:
        BatchError: If shapes, types or ranges are wrong, or the images are smaller than the window.

    >>> ramp = torch.arange(16, dtype=torch.uint8).mul(8).expand(1, 3, 16, 16).contiguous()
    >>> ssim(ramp, ramp), ssim(ramp.flip(3), ramp) < 0
    (tensor([1.], dtype=torch.float64), tensor([True]))
    """
    _check(generated, truth, RADIUS)
    return _on_gpu(generated, truth) if generated.is_cuda else over_planes(generated, truth, _gaussian)


def uniform_ssim(generated: Tensor, truth: Tensor, *, centred: bool = False) -> Tensor:
    """SSIM of every frame with a 7x7 window of equal weights: scikit-image's default.

    Computed as by :func:`ssim`.

    Args:
        generated: ``(n, 3, H, W)``, uint8 or floating point in [0, 255]; H and W at least 7.
        truth: The same.
        centred: Whether grey is 0, as in frames scaled to [-1, 1]: the luminance term then has other means.

    Returns:
        ``(n,)`` float64 in [-1, 1], on the device of the images.

    Raises:
        BatchError: If shapes, types or ranges are wrong, or the images are smaller than the window.

    >>> ramp = torch.arange(16, dtype=torch.uint8).mul(8).expand(1, 3, 16, 16).contiguous()
    >>> uniform_ssim(ramp, ramp), uniform_ssim(ramp.flip(3), ramp) < 0
    (tensor([1.], dtype=torch.float64), tensor([True]))
    """
    _check(generated, truth, UNIFORM_RADIUS)
    if generated.is_cuda:
        return _on_gpu(generated, truth, _UNIFORM_WINDOW, sample=_SAMPLE, centred=centred)
    return over_planes(generated, truth, partial(_uniform, centred=centred))


def _check(generated: Tensor, truth: Tensor, radius: int) -> None:
    check_images(generated, truth)
    if min(generated.shape[2:]) <= 2 * radius:
        raise BatchError(
            "images are smaller than the window of SSIM",
            expected=f"at least {2 * radius + 1}x{2 * radius + 1} pixels",
            found=tuple(generated.shape[2:]),
        )


def over_planes(generated: Tensor, truth: Tensor, value: Callable[[Values, Values], float]) -> Tensor:
    """The mean over channels of what a function says of each, ``(n,)`` float64 on the device of the images.

    >>> ramp = torch.arange(16, dtype=torch.uint8).mul(8).expand(1, 3, 16, 16).contiguous()
    >>> over_planes(ramp, ramp + 1, lambda x, y: float(y.max()) - float(x.max()))
    tensor([1.], dtype=torch.float64)
    """
    pairs = zip(as_arrays(generated), as_arrays(truth), strict=True)
    values = [np.mean([value(a, b) for a, b in zip(x, y, strict=True)]) for x, y in pairs]
    return torch.tensor(np.array(values, dtype=np.float64), device=generated.device)


def _gaussian(x: Values, y: Values) -> float:
    luminance, structure = maps(x, y, double=far_apart(x, y))
    structure *= luminance
    return inner_mean(structure, RADIUS)


def _uniform(x: Values, y: Values, *, centred: bool) -> float:
    luminance, structure = maps(x, y, _box, sample=_SAMPLE, centred=centred, double=far_apart(x, y))
    structure *= luminance
    return inner_mean(structure, UNIFORM_RADIUS)


def far_apart(x: Values, y: Values) -> bool:
    """Whether two planes differ so much that float32 could miss SSIM by more than 1e-5.

    Where neighbourhoods differ by d on average, a variance is the small rest of two numbers near d².

    >>> black = np.zeros((8, 8), np.uint8)
    >>> far_apart(black, black + 10), far_apart(black, black + 20)
    (False, True)
    """
    return cv2.norm(x, y, cv2.NORM_L2SQR) > _FAR * x.size


def inner_mean(plane: Plane, radius: int) -> float:
    """The mean over all pixels but those so near the border that the window would leave the image.

    >>> plane = np.zeros((5, 5))
    >>> plane[2, 2] = 3
    >>> inner_mean(plane, 2)
    3.0
    """
    return float(cv2.mean(plane[radius:-radius, radius:-radius])[0])


def _blur(plane: Plane) -> Plane:
    blurred: Plane = cv2.sepFilter2D(plane, -1, _WINDOW, _WINDOW)
    return blurred


def _box(plane: Plane) -> Plane:
    blurred: Plane = cv2.blur(plane, (_SIDE, _SIDE))
    return blurred


def maps(
    x: Values,
    y: Values,
    blur: Callable[[Plane], Plane] = _blur,
    *,
    sample: float = 1.0,
    centred: bool = False,
    double: bool = False,
) -> tuple[Plane, Plane]:
    """The two factors of SSIM at every pixel of one channel: luminance, and contrast with structure.

    Works in place: fresh buffers would cost as much as the arithmetic.

    Args:
        x: ``(H, W)`` in [0, 255].
        y: The same.
        blur: The window's weighted mean around every pixel.
        sample: Factor of the variances: n / (n - 1) for a sample of n pixels, 1 for a population.
        centred: Whether the middle of the range is 0, instead of its lower end.
        double: Whether to compute in float64, for planes that are :func:`far_apart`.

    >>> black = np.zeros((16, 16), np.uint8)
    >>> luminance, structure = maps(black, black)
    >>> luminance.shape, float(structure.min())
    ((16, 16), 1.0)
    """
    depth = cv2.CV_64F if double else cv2.CV_32F
    s: Plane = cv2.add(x, y, dtype=depth)
    d: Plane = cv2.subtract(x, y, dtype=depth)
    s -= 255  # variances stay, squares shrink: float32 keeps more of them
    mean_s, mean_d = blur(s), blur(d)
    s *= s
    d *= d
    sum_v, var_d = blur(s), blur(d)

    mean_d *= mean_d
    var_d -= mean_d
    sum_v -= np.multiply(mean_s, mean_s, out=s)
    if sample != 1:
        var_d *= sample
        sum_v *= sample
    sum_v += var_d
    sum_v *= 0.5
    sum_v += _C2
    structure = np.subtract(1, np.divide(var_d, sum_v, out=var_d), out=var_d)

    if not centred:
        mean_s += 255
    mean_s *= mean_s
    mean_s += mean_d
    mean_s *= 0.5
    mean_s += _C1
    luminance = np.subtract(1, np.divide(mean_d, mean_s, out=mean_d), out=mean_d)
    return luminance, structure


def gpu_maps(
    x: Tensor, y: Tensor, window: Window = _WINDOW, *, sample: float = 1.0, centred: bool = False
) -> tuple[Tensor, Tensor]:
    """What :func:`maps` gives, of many planes at once, and only where the window stays inside the image.

    Args:
        x: ``(planes, 1, H, W)`` float64 in [0, 255].
        y: The same.
        window: Weights of the window along one axis; they sum to 1.
        sample: See :func:`maps`.
        centred: See :func:`maps`.

    >>> black = torch.zeros(3, 1, 16, 16, dtype=torch.float64)
    >>> luminance, structure = gpu_maps(black, black)
    >>> luminance.shape, structure.min()
    (torch.Size([3, 1, 6, 6]), tensor(1., dtype=torch.float64))
    """
    weights = torch.as_tensor(window, device=x.device)

    def blur(planes: Tensor) -> Tensor:
        return conv2d(conv2d(planes, weights.view(1, 1, -1, 1)), weights.view(1, 1, 1, -1))

    s, d = x + y - 255, x - y
    mean_s, mean_d = blur(s), blur(d)
    var_s, var_d = (sample * (blur(t.square()) - mean.square()) for t, mean in ((s, mean_s), (d, mean_d)))
    square_s, square_d = (mean_s if centred else mean_s + 255).square(), mean_d.square()
    luminance = 1 - square_d / ((square_s + square_d) / 2 + _C1)
    structure = 1 - var_d / ((var_s + var_d) / 2 + _C2)
    return luminance, structure


def planes(images: Tensor) -> Tensor:
    """The channels of ``(n, 3, H, W)`` images as :func:`gpu_maps` takes them, ``(3 n, 1, H, W)`` float64.

    >>> planes(torch.zeros(2, 3, 8, 6, dtype=torch.uint8)).shape
    torch.Size([6, 1, 8, 6])
    """
    return images.double().flatten(0, 1).unsqueeze(1)


def _on_gpu(
    generated: Tensor, truth: Tensor, window: Window = _WINDOW, *, sample: float = 1.0, centred: bool = False
) -> Tensor:
    luminance, structure = gpu_maps(planes(generated), planes(truth), window, sample=sample, centred=centred)
    return (luminance * structure).mean(dim=(1, 2, 3)).view(generated.shape[:2]).mean(dim=1)


class SSIM(FrameMetric):
    """SSIM, averaged over frames; see :func:`ssim`.

    >>> ramp = torch.arange(16, dtype=torch.uint8).mul(8).expand(1, 3, 16, 16).contiguous()
    >>> SSIM()(ramp, ramp)
    tensor(1., dtype=torch.float64)
    """

    least_side = 2 * RADIUS + 1
    function = staticmethod(ssim)
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
        choice=(
            "The original's window and constants, of every channel; the original looked at grey images, and "
            "SelectionGAN's script looks at luma, with black around the image. LWGAN's evaluator takes scikit-image's "
            "default, a uniform window, on [-1, 1] (ssim/lwgan@1), others torchmetrics or kornia, which average the "
            "border too. The Gaussian window is the default because the paper that defines SSIM has it."
        ),
        caution="Sees structure of a few pixels: a shift by two costs more than a blur that a viewer would mind more.",
    )


class UniformSSIM(FrameMetric):
    """SSIM with a uniform window, averaged over frames; see :func:`uniform_ssim`.

    >>> ramp = torch.arange(16, dtype=torch.uint8).mul(8).expand(1, 3, 16, 16).contiguous()
    >>> UniformSSIM()(ramp, ramp)
    tensor(1., dtype=torch.float64)
    """

    least_side = _SIDE
    function = staticmethod(uniform_ssim)
    definition = Definition(
        key="ssim/uniform@1",
        title="SSIM (uniform window)",
        direction="higher",
        unit="",
        source="scikit-image's structural_similarity with its defaults",
        text=(
            "Structural similarity of 8-bit RGB frames with a 7x7 window of equal weights, sample covariance, K1 = "
            "0.01, K2 = 0.03 and range 255, averaged over the pixels at least 3 from the border, the three channels, "
            "and the frames."
        ),
        choice=(
            "What a call without options gives for 8-bit frames. LWGAN's evaluator makes that call on frames in "
            "[-1, 1], which changes the value (ssim/lwgan@1); ssim/gaussian@1, the paper's own form, is the default."
        ),
        caution=SSIM.definition.caution,
    )


class LWGANSSIM(FrameMetric):
    """SSIM as LWGAN's evaluator computes it, averaged over frames; see :func:`uniform_ssim`.

    >>> ramp = torch.arange(16, dtype=torch.uint8).mul(8).expand(1, 3, 16, 16).contiguous()
    >>> LWGANSSIM()(ramp, ramp)
    tensor(1., dtype=torch.float64)
    """

    least_side = _SIDE
    function = staticmethod(partial(uniform_ssim, centred=True))
    definition = Definition(
        key="ssim/lwgan@1",
        title="SSIM (LWGAN)",
        direction="higher",
        unit="",
        source="thirdparty/his_evaluators of svip-lab/impersonator (Liu et al.: Liquid Warping GAN, ICCV 2019)",
        text=(
            "ssim/uniform@1 of frames scaled to [-1, 1] with range 2, which is what scikit-image 0.16's "
            "structural_similarity(multichannel=True) takes for floats: the window's means, and with them the "
            "luminance term, are then taken from the middle grey and not from black."
        ),
        choice=(
            "For comparison with that evaluator's numbers. It resizes all frames to 512x512 before, and averages "
            "batches of 16 frames of which the last may be smaller; here frames are taken as they are, and count "
            "alike. SSIM is defined on intensities, which begin at 0: ssim/gaussian@1 is the default."
        ),
        caution="Grey areas have means near 0, where the luminance term depends on noise alone.",
    )
