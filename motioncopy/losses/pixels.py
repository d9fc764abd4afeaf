"""Mean absolute errors of pixels that do not all count alike."""

from __future__ import annotations

from torch import Tensor

from motioncopy.training.processes import spread


def weighted_l1(found: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """L1 weighted place by place, as a mean over all places: what has no weight counts nothing."""
    return ((found - wanted).abs() * weight).mean()


def masked_l1(found: Tensor, wanted: Tensor, mask: Tensor) -> Tensor:
    """L1 as a mean over what the mask covers: ``(N, 3, H, W)`` and ``(N, 1, H, W)``."""
    pixels = spread(mask.sum(), len(mask))
    return ((found - wanted).abs() * mask).sum() / (found.shape[1] * pixels).clamp_min(1)
