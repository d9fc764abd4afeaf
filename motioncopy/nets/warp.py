"""Warping images by optical flow, and blending what is drawn with the frame before."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from motioncopy.errors import BatchError
from motioncopy.training.precision import at_least_float32


def warp(images: Tensor, flow: Tensor) -> Tensor:
    """Images as another frame sees them: at p stands what they show at p + flow(p), bilinearly; the border repeats.

    With :attr:`motioncopy.batch.MotionBatch.flow`, ``warp(images[:, t - 1], flow[:, t])`` resembles ``images[:, t]``.

    Args:
        images: ``(N, C, H, W)`` floating point.
        flow: ``(N, 2, H, W)`` in pixels (x, y).

    Raises:
        BatchError: If the two do not fit.
    """
    n, _, height, width = images.shape
    if tuple(flow.shape) != (n, 2, height, width):
        raise BatchError("flow does not fit the images", expected=(n, 2, height, width), found=tuple(flow.shape))
    # In float32 or better whatever autocast says: half precision knows a place to half a pixel only.
    with torch.autocast(images.device.type, enabled=False):
        wide = at_least_float32(images)
        offsets = flow.to(wide.dtype).movedim(1, -1) * _scale(height, width, images.device)
        grid = _grid(height, width, images.device) + offsets
        sampled = functional.grid_sample(wide, grid, padding_mode="border", align_corners=False)
    return sampled.to(images.dtype)


class Blended(NamedTuple):
    """What a generator draws, and what it keeps of the frame before (vid2vid).

    Attributes:
        raw: ``(N, C, H, W)``, drawn anew.
        flow: ``(N, 2, H, W)`` in pixels, from this frame to the one before.
        weight: ``(N, 1, H, W)`` in [0, 1], of ``raw``.
        final: ``weight * raw + (1 - weight) * before``, with the frame before as seen through ``flow`` (REMOT, equation
            2c); ``raw`` in the first frame.
    """

    raw: Tensor
    flow: Tensor
    weight: Tensor
    final: Tensor

    @classmethod
    def of(cls, raw: Tensor, flow: Tensor, weight: Tensor, before: Tensor | None) -> Blended:
        """Blends; ``before`` is the frame before, ``None`` in the first one."""
        if before is None:
            return cls(raw, flow, weight, raw)
        return cls(raw, flow, weight, weight * raw + (1 - weight) * warp(before, flow))


# What is kept must serve training, too, which tensors that were made in inference mode refuse.
@lru_cache(maxsize=16)
@torch.inference_mode(False)
def _grid(height: int, width: int, device: torch.device) -> Tensor:
    """``(1, H, W, 2)``: where each pixel's centre lies in [-1, 1], which is from edge to edge."""
    y = (2 * torch.arange(height, device=device) + 1) / height - 1
    x = (2 * torch.arange(width, device=device) + 1) / width - 1
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)[None]


@lru_cache(maxsize=16)
@torch.inference_mode(False)
def _scale(height: int, width: int, device: torch.device) -> Tensor:
    return torch.tensor([2 / width, 2 / height], device=device)
