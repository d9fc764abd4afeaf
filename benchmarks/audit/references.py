"""Implementations that are not ours, one for each metric; where nobody has one, a second one in plain loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import scipy.linalg
import scipy.ndimage
import torch
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from benchmarks.audit.cases import Frames
from benchmarks.audit.networks import network
from motioncopy.metrics.lpips import WEIGHTS, Backbone
from motioncopy.metrics.ms_ssim import WEIGHTS as SCALES

Array = NDArray[np.float64]
OWN = "own second implementation"


@dataclass(frozen=True)
class Reference:
    """Where a value comes from that is not the metric's own.

    Attributes:
        name: The library and its version, or :data:`OWN`.
        values: From what the metric gets to what it should give.
        tolerance: Largest relative difference: 1e-5 for pixels, 1e-4 for networks.
    """

    name: str
    values: Callable[..., Any]
    tolerance: float = 1e-5


def _library(name: str) -> str:
    return f"{name} {version(name)}"


# -- frames against frames --------------------------------------------------------------------------------------------

_GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}


def _each(value: Callable[[Array, Array, Array], float]) -> Callable[[Frames], list[float]]:
    """Frame by frame, ``(3, H, W)`` float64 and a mask ``(H, W)`` of 0 and 1."""

    def values(case: Frames) -> list[float]:
        rows = zip(case.generated.double(), case.truth.double(), case.mask[:, 0] >= 128, strict=True)
        return [value(x.numpy(), y.numpy(), m.double().numpy()) for x, y, m in rows]

    return values


def _ssim(x: Array, y: Array, _: Array) -> float:
    return float(structural_similarity(x, y, channel_axis=0, **_GAUSSIAN))


def _psnr(x: Array, y: Array, _: Array) -> float:
    return min(100.0, float(peak_signal_noise_ratio(y, x, data_range=255)))


def _ms_ssim(x: Array, y: Array, _: Array) -> float:
    """Scale by scale; a huge K1 makes the luminance term 1 and leaves the other."""
    values = []
    for a, b in zip(x, y, strict=True):
        product = 1.0
        for scale, weight in enumerate(SCALES):
            if scale:
                h, w = (2 * (n // 2) for n in a.shape)
                a, b = (t[:h, :w].reshape(h // 2, 2, w // 2, 2).mean((1, 3)) for t in (a, b))
            last = scale == len(SCALES) - 1
            product *= max(0.0, structural_similarity(a, b, K1=0.01 if last else 1e9, **_GAUSSIAN)) ** weight
        values.append(product)
    return float(np.mean(values))


def _inside(x: Array, y: Array, m: Array) -> float:
    keep = m > 0
    return _psnr(x[:, keep], y[:, keep], m)


def _gradients(x: Array) -> tuple[Array, Array]:
    x = x / 255
    return np.abs(np.diff(x, axis=1))[:, :, 1:], np.abs(np.diff(x, axis=2))[:, 1:]


def _sd(x: Array, y: Array, _: Array) -> float:
    error = np.abs(sum(_gradients(x)) - sum(_gradients(y))).mean()
    return min(100.0, -10 * math.log10(error)) if error else 100.0


def _script(error: float) -> float:
    return 10 * math.log10(255**2 / max(128**2 * error, 1e-4))


def _script_sd(x: Array, y: Array, _: Array) -> float:
    pairs = zip(_gradients(x), _gradients(y), strict=True)
    return _script(sum(np.abs(a - b)[:, :-1, :-1].sum() for a, b in pairs) / x.size)


def _lpips(backbone: Backbone) -> Callable[[Frames], list[float]]:
    @cache
    def made() -> Any:
        import lpips

        with torch.random.fork_rng(devices=[]):
            theirs = lpips.LPIPS(net=backbone, pnet_rand=True, verbose=False)
        state = network(WEIGHTS[backbone]).state
        for part in theirs.net.children():
            for number, layer in part.named_children():
                layer.load_state_dict({n: state[f"features.{number}.{n}"] for n in layer.state_dict()})
        return theirs.double().eval()

    def values(case: Frames) -> list[float]:
        with torch.no_grad():
            x, y = (t.double() / 127.5 - 1 for t in (case.generated, case.truth))
            return [float(v) for v in made()(x, y).flatten()]

    return values


def _perceptual(case: Frames) -> list[float]:
    """Convolution by convolution, in float64 and in Keras' order: blue first, channels last."""
    state = network("hed-vgg").state

    def convolved(x: Tensor, block: int, layer: str) -> Tensor:
        kernel, bias = (state[f"block{block}/layers/{layer}/vars/{part}"].double() for part in (0, 1))
        rows = torch.nn.functional.unfold(x[None], 3, padding=1)[0]
        found = kernel.permute(3, 2, 0, 1).flatten(1) @ rows + bias[:, None]
        return found.clamp_min(0).view(-1, *x.shape[1:])

    def apart(x: Tensor, y: Tensor) -> float:
        units = [t / t.square().sum(0).sqrt().clamp_min(1e-12) for t in (x, y)]
        return float((units[0] - units[1]).square().sum(0).mean())

    values = []
    for pair in zip(case.generated.double(), case.truth.double(), strict=True):
        fine, coarse = [], []
        for frame in pair:
            centred = frame.flip(0) - torch.tensor([104.00699, 116.66877, 122.67892]).double().view(3, 1, 1)
            fine.append(convolved(centred, 1, "conv2d"))
            h, w = (n // 2 for n in frame.shape[1:])
            half = centred[:, : 2 * h, : 2 * w].reshape(3, h, 2, w, 2).mean((2, 4))
            block = convolved(convolved(half, 1, "conv2d"), 1, "conv2d_1")[:, : h // 2 * 2, : w // 2 * 2]
            coarse.append(convolved(block.reshape(-1, h // 2, 2, w // 2, 2).amax((2, 4)), 2, "conv2d"))
        values.append((apart(*fine) + apart(*coarse)) / 2)
    return values


# -- sets against sets ------------------------------------------------------------------------------------------------


def _frechet(x: Array, y: Array) -> float:
    """pytorch-fid's and StyleGAN-V's formula."""
    first, second = (np.cov(t, rowvar=False) for t in (x, y))
    root = scipy.linalg.sqrtm(first @ second)
    apart = np.square(x.mean(0) - y.mean(0)).sum()
    return float(apart + np.trace(first) + np.trace(second) - 2 * np.trace(np.real(root)))


def _kid(x: Array, y: Array) -> float:
    from torch_fidelity.metric_kid import kid_features_to_metric

    found = kid_features_to_metric(
        torch.from_numpy(x).float(), torch.from_numpy(y).float(), kid_subsets=100, kid_subset_size=1000, verbose=False
    )
    return float(found["kernel_inception_distance_mean"])


def _inception_score(x: Array, _: Array | None) -> float:
    from torch_fidelity.metric_isc import isc_features_to_metric

    found = isc_features_to_metric(torch.from_numpy(x), splits=10, shuffle=True, rng_seed=2020)
    return float(found["inception_score_mean"])


def _whole_score(x: Array, _: Array | None) -> float:
    """LWGAN's: softmax over the features, no splits."""
    p = np.exp(x - x.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    return float(np.exp((p * (np.log(p) - np.log(p.mean(0)))).sum(1).mean()))


# -- videos against videos --------------------------------------------------------------------------------------------


def change(now: Array, before: Array, backward: Array, visible: NDArray[np.bool_]) -> float:
    """Mean square of a frame and the one before it through the flow; ``(H, W, 3)`` in [0, 1], ``(H, W, 2)``."""
    rows, columns = np.indices(visible.shape)
    places = np.stack([rows + backward[..., 1], columns + backward[..., 0]])
    through = [scipy.ndimage.map_coordinates(before[..., c], places, order=1, mode="nearest") for c in range(3)]
    return float(np.square(np.stack(through, axis=-1) - now)[visible].mean()) if visible.any() else math.nan


def pose(found: Array, wanted: Array, size: tuple[int, int]) -> tuple[float, float]:
    """Error in percent and share of missing joints of one frame, joint by joint; ``(J, 3)``."""
    asked = [k for k, (x, y, c) in enumerate(wanted) if c > 0 and 0 <= x <= size[1] - 1 and 0 <= y <= size[0] - 1]
    if not asked:
        return math.nan, math.nan
    both = [k for k in asked if found[k, 2] >= 0.5]
    xs, ys = wanted[asked, 0], wanted[asked, 1]
    scale = math.hypot(xs.max() - xs.min(), ys.max() - ys.min())
    apart = [math.hypot(found[k, 0] - wanted[k, 0], found[k, 1] - wanted[k, 1]) for k in both]
    error = 100 * sum(apart) / len(both) / scale if both and scale else math.nan
    return error, 1 - len(both) / len(asked)


def face(frame: Array, head: Array, shape: tuple[float, float], side: int) -> Array | None:
    """The face of one frame, ``(3, side, side)`` in [0, 255], bin by bin; ``None`` where it is not seen.

    Args:
        frame: ``(3, H, W)``.
        head: ``(5, 3)`` x, y, confidence of nose, eyes and ears.
        shape: (height, width) of a face over the largest distance between two of them.
        side: Of the result.
    """
    span = max(math.dist(a[:2], b[:2]) for a in head for b in head)
    if (head[:, 2] < 0.5).any() or shape[0] * span < 20:
        return None
    (x, y), (height, width) = head[:, :2].mean(0), (s * span for s in shape)
    per = [max(1, math.ceil(length / side)) for length in (height, width)]
    rows = y - height / 2 + height * (np.arange(side * per[0]) + 0.5) / (side * per[0])
    columns = x - width / 2 + width * (np.arange(side * per[1]) + 0.5) / (side * per[1])
    places = np.stack(np.meshgrid(rows, columns, indexing="ij"))
    limits = np.array(frame.shape[1:])[:, None, None]
    outside = ((places < -1) | (places > limits)).any(0)
    found = [scipy.ndimage.map_coordinates(c, places, order=1, mode="nearest") * ~outside for c in frame]
    return np.stack([c.reshape(side, per[0], side, per[1]).mean((1, 3)) for c in found])


def references() -> dict[str, Reference]:
    """By metric key; video distance, TCM and pose errors are compared by :mod:`benchmarks.audit.checks` itself."""
    skimage = _library("scikit-image")
    fidelity, scipy_ = _library("torch-fidelity"), _library("scipy")
    package = _library("lpips")
    uniform = {"channel_axis": 0}
    return {
        "ssim/gaussian@1": Reference(skimage, _each(_ssim)),
        "ssim/uniform@1": Reference(
            skimage, _each(lambda x, y, _: float(structural_similarity(x, y, data_range=255, **uniform)))
        ),
        "ssim/lwgan@1": Reference(
            skimage,
            _each(lambda x, y, _: float(structural_similarity(x / 127.5 - 1, y / 127.5 - 1, data_range=2, **uniform))),
        ),
        "ms_ssim/gaussian@1": Reference(f"{skimage}, scale by scale", _each(_ms_ssim)),
        "psnr/frame@1": Reference(skimage, _each(_psnr)),
        "psnr/script@1": Reference(OWN, _each(lambda x, y, _: _script(float(np.square(x - y).mean()) / 255**2))),
        "mask_ssim/zero_filled@1": Reference(skimage, _each(lambda x, y, m: _ssim(x * m, y * m, m))),
        "mask_psnr/inside@1": Reference(skimage, _each(_inside)),
        "mask_psnr/zero_filled@1": Reference(skimage, _each(lambda x, y, m: _psnr(x * m, y * m, m))),
        "sd/formula@1": Reference(OWN, _each(_sd)),
        "sd/script@1": Reference(OWN, _each(_script_sd)),
        "perceptual/hed_vgg@1": Reference(OWN, _perceptual, 1e-4),
        "frechet/efficientnet_lite0@1": Reference(f"{scipy_}, sqrtm", _frechet, 1e-4),
        "lpips/alex@1": Reference(package, _lpips("alex"), 1e-4),
        "lpips/vgg@1": Reference(package, _lpips("vgg"), 1e-4),
        "fid/tf@1": Reference(f"{scipy_}, sqrtm", _frechet, 1e-4),
        "fid/torchvision@1": Reference(f"{scipy_}, sqrtm", _frechet, 1e-4),
        "kid/tf@1": Reference(fidelity, _kid, 1e-4),
        "is/logits@1": Reference(fidelity, _inception_score, 1e-4),
        "is/features@1": Reference(OWN, _whole_score, 1e-4),
        **{
            f"fvd/i3d_{length}{suffix}@1": Reference(f"{scipy_}, sqrtm", _frechet, 1e-4)
            for length in (16, 30)
            for suffix in ("", "_sliding")
        },
    }


def array(rows: Tensor) -> Array:
    """float64 in main memory."""
    return np.asarray(rows.double().numpy(force=True))
