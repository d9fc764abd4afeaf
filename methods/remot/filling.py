"""Continuing what is cut out beyond its edges, so that there is a colour everywhere."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

_TINY = 1e-6


def fill(images: Tensor, masks: Tensor) -> Tensor:
    """Push-pull (Gortler et al., The Lumigraph, 1996): holes take the mean of what is known near by, coarse to fine.

    Args:
        images: ``(N, 3, H, W)``; only what the masks cover is looked at.
        masks: ``(N, 1, H, W)`` in [0, 1].

    Returns:
        ``(N, 3, H, W)``, equal to the images where the mask is 1; 0 where an image has no mask at all.
    """
    levels = [(images * masks, masks)]
    while max(levels[-1][1].shape[-2:]) > 1:
        # What lies beyond an odd edge is not there, rather than black: both are divided by the same count.
        known, weight = (functional.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False) for x in levels[-1])
        levels.append((known, weight))
    known, weight = levels.pop()
    filled = known / weight.clamp_min(_TINY)
    for known, weight in reversed(levels):
        coarse = functional.interpolate(filled, size=known.shape[-2:], mode="bilinear", align_corners=False)
        filled = known + (1 - weight) * coarse
    return filled
