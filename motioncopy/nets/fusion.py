"""Laying a person over a place: by a mask, or by a network that paints the frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def lay_over(foreground: Tensor, mask: Tensor, background: Tensor) -> Tensor:
    """M ⊙ F + (1 - M) ⊙ B (FakeMotion, equation 12).

    Args:
        foreground: ``(N, 3, H, W)`` in [-1, 1].
        mask: ``(N, 1, H, W)`` in [0, 1], 1 on the person.
        background: ``(N, 3, H, W)`` in [-1, 1].
    """
    return mask * foreground + (1 - mask) * background


class LearnedFusion(nn.Module):
    """A network of its own sees pose, background and foreground, and paints the frame (FakeMotion's released code).

    Args:
        network: From the channels of a drawn pose, and 3 + 3 more, to 3.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pose: Tensor, background: Tensor, foreground: Tensor) -> Tensor:
        """Frames ``(N, 3, H, W)`` of a drawn pose ``(N, C, H, W)`` and images ``(N, 3, H, W)``."""
        frame: Tensor = self.network(torch.cat((pose, background, foreground), dim=1))
        return frame
