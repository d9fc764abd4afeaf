"""FakeMotion's temporal discriminators: the paper's (three poses and frames), the released code's (two frames)."""

from __future__ import annotations

from abc import abstractmethod
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from motioncopy.nets.discriminators import TemporalDiscriminator


class TemporalCritic(nn.Module):
    """Judges a few consecutive foregrounds.

    Attributes:
        frames: How many it sees.
        generated: How many of them, at the end, are generated in the fake clip; those before are real.
    """

    frames: int
    generated: int

    @abstractmethod
    def forward(self, poses: Tensor, images: Tensor) -> list[list[Tensor]]:
        """Judges ``(B, frames, C, H, W)`` poses and ``(B, frames, 3, H, W)`` images.

        Returns:
            Feature maps of each scale, the logits last (as all discriminators of :mod:`motioncopy.nets`).
        """


class DilatedCritic(TemporalCritic):
    """The paper's D_t: three poses and frames through parallel dilated convolutions (section 2.2, equation 14).

    Args:
        pose_channels: Channels of one drawn pose.
        branch_width: Channels of each of the four dilations (1, 2, 4, 8).
        width: Channels behind them.
        layers: Strided layers.
    """

    frames, generated = 3, 3

    def __init__(self, pose_channels: int = 3, branch_width: int = 32, width: int = 64, layers: int = 3) -> None:
        super().__init__()
        channels = self.frames * (pose_channels + 3)
        self.network = TemporalDiscriminator(channels, branch_width=branch_width, ndf=width, n_layers=layers)

    def forward(self, poses: Tensor, images: Tensor) -> list[list[Tensor]]:
        """Poses first, then frames, as equation 14 writes them."""
        judged: list[list[Tensor]] = self.network(torch.cat((poses.flatten(1, 2), images.flatten(1, 2)), dim=1))
        return judged


class _Down(nn.Module):
    """A residual block of BigGAN's discriminator: two spectrally normalised convolutions, then an average."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.first = spectral_norm(nn.Conv2d(channels, out, 3, padding=1))
        self.second = spectral_norm(nn.Conv2d(out, out, 3, padding=1))
        self.skip = spectral_norm(nn.Conv2d(channels, out, 1))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(torch.relu(self.first(torch.relu(x))))
        skipped: Tensor = self.skip(nn.functional.avg_pool2d(x, 2))
        return nn.functional.avg_pool2d(y, 2) + skipped


class PairCritic(TemporalCritic):
    """The released code's D_t: two frames, no pose, no dilation; the previous frame is real in either clip.

    There it is given the class real/fake as a label, which tells it the answer, and squashes its output twice; both
    are left out here.

    Args:
        width: Channels of the first block; they double up to 16 times that, five blocks (released: 8 to 128, 0.6 M).
    """

    frames, generated = 2, 1

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        widths = [6, *(width * 2**k for k in range(5))]
        self.blocks = nn.Sequential(*(_Down(a, b) for a, b in pairwise(widths)))
        self.head = spectral_norm(nn.Linear(widths[-1], 1))

    def forward(self, poses: Tensor, images: Tensor) -> list[list[Tensor]]:
        """One logit a clip; the poses are not looked at."""
        features = torch.relu(self.blocks(images.flatten(1, 2)))
        return [[self.head(features.sum(dim=(2, 3)))]]
