"""Features of one image brought to the places of another that they resemble."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from motioncopy.training.precision import at_least_float32


class TextureAlignment(nn.Module):
    """REMOT's equations 12 and 13.

    The paper does not say over which of the two positions the softmax runs. ``H1 · A`` gathers from the source for
    each target only if the columns of A, which are the weights of source positions, sum to 1: it runs over those.

    Args:
        temperature: The cosine similarities are divided by it before the softmax. The paper has none, which is 1: at
            768 positions the weights are then nearly uniform, and what is gathered is nearly the mean of the source.
    """

    def __init__(self, temperature: float = 1.0) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """The target's features plus those of the source that resemble them.

        Args:
            source: ``(N, C, h, w)``, H1 of the paper.
            target: ``(N, C, h, w)``, H2.

        Returns:
            ``(N, C, h, w)``.
        """
        # In float32 whatever autocast says: half precision errs by a tenth at low temperatures.
        with torch.autocast(source.device.type, enabled=False):
            h1, h2 = (at_least_float32(features).flatten(2) for features in (source, target))
            weights = affinity(h1, h2, self.temperature)
            return (h1 @ weights + h2).view_as(target).to(target.dtype)


def affinity(source: Tensor, target: Tensor, temperature: float) -> Tensor:
    """REMOT's equation 12: the softmax of cosine similarities over the source's positions.

    Args:
        source: ``(N, C, I)`` features of I positions.
        target: ``(N, C, J)`` features of J positions.
        temperature: See :class:`TextureAlignment`.

    Returns:
        ``(N, I, J)``, columns that sum to 1.
    """
    source, target = functional.normalize(source, dim=1), functional.normalize(target, dim=1)
    return torch.softmax(source.transpose(1, 2) @ target / temperature, dim=1)


class Addition(nn.Module):
    """REMOT's ablation "w/o TAM": features are added place by place, whatever they show."""

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """See :class:`TextureAlignment`."""
        return source + target
