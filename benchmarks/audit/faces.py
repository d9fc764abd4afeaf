"""Face similarity once more: FaceNet in plain functions of its state dict, faces cut sample by sample, float64."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from torch import Tensor
from torch.nn import functional

Array = NDArray[np.float64]


def embed(state: Mapping[str, Tensor], faces: Tensor) -> Tensor:
    """Embeddings ``(n, 512)`` of ``(n, 3, 160, 160)``, by the names of facenet-pytorch."""
    get = {name: value.double() for name, value in state.items()}

    def norm(name: str, x: Tensor) -> Tensor:
        mean, var, weight, bias = (get[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
        shape = (1, -1, *[1] * (x.ndim - 2))
        return (x - mean.view(shape)) / (var + 1e-3).sqrt().view(shape) * weight.view(shape) + bias.view(shape)

    def unit(name: str, x: Tensor, stride: int = 1, same: bool = True) -> Tensor:
        kernel = get[f"{name}.conv.weight"]
        pads = [k // 2 if same else 0 for k in kernel.shape[2:]]
        return norm(f"{name}.bn", functional.conv2d(x, kernel, stride=stride, padding=pads)).clamp(min=0)

    def chain(name: str, x: Tensor, count: int, stride: int = 1) -> Tensor:
        for k in range(count):
            last = k == count - 1
            part = name if count == 1 else f"{name}.{k}"
            x = unit(part, x, stride if last else 1, same=not (last and stride == 2))
        return x

    def residual(name: str, x: Tensor, lengths: tuple[int, ...], scale: float) -> Tensor:
        seen = torch.cat([chain(f"{name}.branch{k}", x, count) for k, count in enumerate(lengths)], 1)
        return x + scale * functional.conv2d(seen, get[f"{name}.conv2d.weight"], get[f"{name}.conv2d.bias"])

    def reduction(name: str, x: Tensor, lengths: tuple[int, ...]) -> Tensor:
        seen = [chain(f"{name}.branch{k}", x, count, 2) for k, count in enumerate(lengths)]
        return torch.cat([*seen, functional.max_pool2d(x, 3, 2)], 1)

    x = unit("conv2d_1a", faces.double(), 2, same=False)
    x = unit("conv2d_2b", unit("conv2d_2a", x, same=False))
    x = unit("conv2d_3b", functional.max_pool2d(x, 3, 2))
    x = unit("conv2d_4b", unit("conv2d_4a", x, same=False), 2, same=False)
    for k in range(5):
        x = residual(f"repeat_1.{k}", x, (1, 2, 3), 0.17).clamp(min=0)
    x = reduction("mixed_6a", x, (1, 3))
    for k in range(10):
        x = residual(f"repeat_2.{k}", x, (1, 3), 0.1).clamp(min=0)
    x = reduction("mixed_7a", x, (2, 2, 3))
    for k in range(5):
        x = residual(f"repeat_3.{k}", x, (1, 3), 0.2).clamp(min=0)
    x = residual("block8", x, (1, 3), 1.0)
    return norm("last_bn", x.flatten(2).mean(2) @ get["last_linear.weight"].T)


def box(joints: Array) -> tuple[float, float, float, float] | None:
    """Left, top, width and height of the face of ``(25, 3)`` joints, in pixels; ``None`` where it is not scored."""
    head = [joints[k] for k in (0, 15, 16, 17, 18)]  # OpenPose's nose, eyes and ears
    if min(c for _, _, c in head) < 0.5:
        return None
    span = max(math.hypot(a[0] - b[0], a[1] - b[1]) for a in head for b in head)
    width, height = 1.2 * span, 1.6 * span
    x, y = (sum(float(joint[k]) for joint in head) / 5 for k in (0, 1))
    return (x - width / 2, y - height / 2, width, height) if height >= 20 else None


def cut(image: Array, place: tuple[float, float, float, float]) -> Array:
    """``(3, 160, 160)``, (value - 127.5) / 128, of an image ``(3, H, W)``; black outside of it."""
    left, top, width, height = place
    rows, columns = _samples(top, height), _samples(left, width)
    y, x = np.meshgrid(rows, columns, indexing="ij")
    outside = (y < -1) | (x < -1) | (y > image.shape[1]) | (x > image.shape[2])
    planes = [np.where(outside, 0, map_coordinates(plane, [y, x], order=1, mode="nearest")) for plane in image]
    faces = np.stack(planes).reshape(3, 160, len(rows) // 160, 160, len(columns) // 160).mean((2, 4))
    return np.asarray((faces - 127.5) / 128)


def _samples(start: float, length: float) -> Array:
    """As many points a pixel of the face as it has pixels of the image, at least one."""
    each = math.ceil(length / 160)
    return start + (np.arange(160 * each) + 0.5) * length / (160 * each)


def similarity(state: Mapping[str, Tensor], generated: Array, truth: Array, joints: Array) -> float:
    """Cosine of one frame, NaN where no face is scored; ``(3, H, W)`` twice and ``(25, 3)``."""
    place = box(joints)
    if place is None:
        return math.nan
    a, b = embed(state, torch.from_numpy(np.stack([cut(image, place) for image in (generated, truth)])))
    return float(a @ b / (a.norm() * b.norm()))
