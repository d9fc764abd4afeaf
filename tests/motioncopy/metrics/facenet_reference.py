"""FaceNet once more, in plain functions of the published state dict, and state dicts in its format."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from motioncopy.metrics.facenet import FaceNet


@cache
def published() -> dict[str, Tensor]:
    """Random weights in the format of ``20180402-114759-vggface2.pt``, its classifier included."""
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        state = FaceNet().state_dict()
    for name, value in state.items():
        if value.ndim > 1:
            value.copy_(torch.randn(value.shape, generator=generator) * (2 / value[0].numel()) ** 0.5)
        elif name.endswith(("running_var", "weight")):
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
        elif value.is_floating_point():
            value.copy_(torch.randn(value.shape, generator=generator) * 0.1)
    return {**state, "logits.weight": torch.zeros(8631, 512), "logits.bias": torch.zeros(8631)}


def embed(state: Mapping[str, Tensor], faces: Tensor) -> Tensor:
    """Embeddings ``(n, 512)`` of ``(n, 3, 160, 160)``, by the names of facenet-pytorch, in float64."""
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
