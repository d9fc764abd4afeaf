"""FakeMotion's own networks: the released code's generator, and the temporal discriminators.

The paper's generator is :class:`motioncopy.nets.blocks.DenseUNet`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from motioncopy.nets.blocks import GlobalGenerator, Norm, convolution, init_weights, to_image
from motioncopy.nets.discriminators import PatchDiscriminator


class ReleasedGenerator(GlobalGenerator):
    """The generator of the authors' public code: pix2pixHD's global generator with dense skips.

    At every down-sampled level but the first, the sum of the level's own encoder map and of all shallower down-sampled
    ones (each through a convolution whose kernel is its stride: no overlap) is concatenated with the decoder's map,
    and a 3x3 convolution with batch norm (batch norm even where the rest is instance norm) and ReLU brings it back to
    the level's width. The full-resolution stem takes no part.

    261.8 M parameters with the default sizes and 130 input channels (current and previous one-hot label map),
    220.6 M without dense skips.

    Args:
        in_channels: See :class:`motioncopy.nets.blocks.GlobalGenerator`.
        out_channels: Likewise (the released code: 3).
        width: Likewise.
        downs: Likewise.
        blocks: Likewise.
        norm: Likewise.
        dense_skips: False leaves pix2pixHD's generator, which has no skips at all.
    """

    def __init__(
        self,
        in_channels: int = 130,
        out_channels: int = 3,
        *,
        width: int = 64,
        downs: int = 4,
        blocks: int = 11,
        norm: Norm = "instance",
        dense_skips: bool = True,
    ) -> None:
        super().__init__(in_channels, out_channels, width=width, downs=downs, blocks=blocks, norm=norm)
        widths = [width * 2**level for level in range(downs + 1)]
        # Of the levels from the second down-sampled one on: the first has none.
        self.skips = nn.ModuleList(
            _DenseSkip(widths[1:level], widths[level]) for level in range(2, downs + 1) if dense_skips
        )
        self.skips.apply(init_weights)

    def forward(self, x: Tensor) -> Tensor:
        """See :class:`motioncopy.nets.blocks.GlobalGenerator`."""
        _, *levels, x = self.encoder.features(x)
        for level, up in zip(reversed(range(len(levels))), self.decoder.ups, strict=True):
            if level > 0 and len(self.skips):
                x = self.skips[level - 1](x, levels[: level + 1])
            x = up(x)
        return to_image(self.output(x))


class _DenseSkip(nn.Module):
    """One decoder level: its own encoder level plus all shallower ones, joined with x."""

    def __init__(self, shallower: Sequence[int], channels: int) -> None:
        super().__init__()
        steps = [2 ** (len(shallower) - j) for j in range(len(shallower))]
        self.project = nn.ModuleList(
            nn.Conv2d(c, channels, step, stride=step) for c, step in zip(shallower, steps, strict=True)
        )
        self.join = convolution(2 * channels, channels, 3, "batch")

    def forward(self, x: Tensor, levels: Sequence[Tensor]) -> Tensor:
        own = levels[-1]
        for project, level in zip(self.project, levels[:-1], strict=True):
            own = own + project(level)
        joined: Tensor = self.join(torch.cat((own, x), dim=1))
        return joined


class TemporalDiscriminator(nn.Module):
    """Sees a few consecutive foregrounds, laid over one another along the channels.

    Attributes:
        frames: How many it sees.
        generated: How many of them, at the end, are generated in the fake clip; those before are real.
        conditional: Whether it sees the frames' poses, before the frames.
    """

    frames: int
    generated: int
    conditional: bool

    @abstractmethod
    def forward(self, x: Tensor) -> list[list[Tensor]]:
        """Scores ``(N, frames * channels, H, W)``.

        Returns:
            Feature maps of each scale, the logits last (as all discriminators of :mod:`motioncopy.nets`).
        """


class DilatedDiscriminator(TemporalDiscriminator):
    """The paper's D_t: poses and frames through parallel dilated convolutions, then a PatchGAN (section 2.2).

    Over three frames a dilation in time has nothing to skip, so the dilations of 1, 2, 4 and 8 are taken in space.

    Args:
        pose_channels: Channels of one drawn pose.
        branch_width: Channels of each dilation.
        ndf: See :class:`motioncopy.nets.discriminators.PatchDiscriminator`.
        n_layers: Likewise.
        norm: Likewise.
    """

    DILATIONS = (1, 2, 4, 8)
    frames, generated, conditional = 3, 3, True

    def __init__(
        self,
        pose_channels: int = 3,
        *,
        branch_width: int = 32,
        ndf: int = 64,
        n_layers: int = 3,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        channels = self.frames * (pose_channels + 3)
        self.branches = nn.ModuleList(
            nn.Conv2d(channels, branch_width, 3, padding=d, dilation=d) for d in self.DILATIONS
        )
        self.patches = PatchDiscriminator(branch_width * len(self.DILATIONS), n_layers=n_layers, ndf=ndf, norm=norm)

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        """Patches of ``(N, 3 * (pose_channels + 3), H, W)``: the poses first, as equation 14 writes them."""
        seen = functional.leaky_relu(torch.cat([branch(x) for branch in self.branches], dim=1), 0.2)
        return [self.patches(seen)]


class PairDiscriminator(TemporalDiscriminator):
    """The released code's D_t: two frames, no pose, no dilation; the previous frame is real in either clip.

    There it is given the class real/fake as a label, which tells it the answer, and squashes its output twice; both
    are left out here.

    Args:
        width: Channels of the first block; they double up to 16 times that, five blocks (released: 8 to 128, 0.6 M).
    """

    frames, generated, conditional = 2, 1, False

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        widths = [6, *(width * 2**k for k in range(5))]
        self.blocks = nn.Sequential(*(_Down(a, b) for a, b in pairwise(widths)))
        self.head = spectral_norm(nn.Linear(widths[-1], 1))

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        """One logit a clip ``(N, 6, H, W)``."""
        return [[self.head(torch.relu(self.blocks(x)).sum(dim=(2, 3)))]]


class _Down(nn.Module):
    """A residual block of BigGAN's discriminator: two spectrally normalised convolutions, then an average."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.first = spectral_norm(nn.Conv2d(channels, out, 3, padding=1))
        self.second = spectral_norm(nn.Conv2d(out, out, 3, padding=1))
        self.skip = spectral_norm(nn.Conv2d(channels, out, 1))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(torch.relu(self.first(torch.relu(x))))
        skipped: Tensor = self.skip(functional.avg_pool2d(x, 2))
        return functional.avg_pool2d(y, 2) + skipped
