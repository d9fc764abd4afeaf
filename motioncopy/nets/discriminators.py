"""Discriminators of the pix2pixHD family, and one that sees several frames through parallel dilated convolutions.

All return, for each scale, a list of feature maps whose last element is the map of logits.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from motioncopy.errors import ConfigError

Norm = Literal["instance", "batch", "none", "spectral"]


class PatchDiscriminator(nn.Module):
    """pix2pixHD's PatchGAN: 4x4 convolutions, padded by 2, LeakyReLU 0.2. A logit judges 70x70 pixels by default.

    Args:
        in_channels: Channels of the input.
        n_layers: Layers of stride 2; one of stride 1 and the layer of logits follow.
        ndf: Channels of the first layer; they double up to 512.
        norm: Of all layers but the first and the last: ``instance`` or ``batch`` norm, or ``none``. ``spectral``
            normalises the weights of all layers instead.

    Raises:
        ConfigError: If a number is below 1, or the norm is unknown.
    """

    def __init__(self, in_channels: int, *, n_layers: int = 3, ndf: int = 64, norm: Norm = "instance") -> None:
        super().__init__()
        if min(in_channels, n_layers, ndf) < 1:
            raise ConfigError("a discriminator needs channels and layers", found=f"{in_channels=}, {n_layers=}, {ndf=}")
        widths = [in_channels, *(min(ndf * 2**k, 512) for k in range(n_layers + 1))]
        self.n_layers = n_layers
        self.layers = nn.ModuleList()
        for k in range(n_layers + 1):
            convolution = nn.Conv2d(widths[k], widths[k + 1], 4, stride=2 if k < n_layers else 1, padding=2)
            parts: list[nn.Module] = [spectral_norm(convolution) if norm == "spectral" else convolution]
            if k > 0:
                parts.append(_norm(norm, widths[k + 1]))
            self.layers.append(nn.Sequential(*parts, nn.LeakyReLU(0.2)))
        last = nn.Conv2d(widths[-1], 1, 4, padding=2)
        self.layers.append(spectral_norm(last) if norm == "spectral" else last)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Judges patches.

        Args:
            x: ``(N, in_channels, H, W)``.

        Returns:
            n_layers + 2 feature maps, the logits ``(N, 1, h, w)`` last.

        Raises:
            ConfigError: If H or W is below 2: one value a channel has no deviation to normalise by.
        """
        if min(x.shape[-2:]) < 2:
            raise ConfigError(
                "images are too small for a discriminator",
                expected="at least 2x2 pixels at each scale; a scale has half those of the one before, rounded up",
                found=tuple(x.shape[-2:]),
                remedy="take larger images or fewer scales",
            )
        features = []
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        return features


class MultiScaleDiscriminator(nn.Module):
    """Several PatchGANs on an image pyramid (pix2pixHD, section 3.2); 5.66 M parameters at 68 input channels.

    Args:
        in_channels: Channels of the input.
        num_scales: Discriminators; each sees the image half as large as the one before.
        n_layers: See :class:`PatchDiscriminator`.
        ndf: See :class:`PatchDiscriminator`.
        norm: See :class:`PatchDiscriminator`.

    Raises:
        ConfigError: If a number is below 1, or the norm is unknown.
    """

    def __init__(
        self, in_channels: int, *, num_scales: int = 2, n_layers: int = 3, ndf: int = 64, norm: Norm = "instance"
    ) -> None:
        super().__init__()
        if num_scales < 1:
            raise ConfigError("a discriminator needs at least one scale", found=num_scales)
        self.scales = nn.ModuleList(
            PatchDiscriminator(in_channels, n_layers=n_layers, ndf=ndf, norm=norm) for _ in range(num_scales)
        )

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        """Judges patches at each scale.

        Args:
            x: ``(N, in_channels, H, W)``.

        Returns:
            Feature maps of each scale, the finest first; see :class:`PatchDiscriminator`.

        Raises:
            ConfigError: If H or W is so small that the coarsest scale would see less than 2 pixels.
        """
        judged = []
        for k, scale in enumerate(self.scales):
            if k > 0:
                x = functional.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
            judged.append(scale(x))
        return judged


class TemporalDiscriminator(nn.Module):
    """Sees a few frames at once, through 3x3 convolutions at dilations 1, 2, 4 and 8 side by side, then a PatchGAN.

    FakeMotion, section 2.2: "a set of parallel dilated convolutions". Over three frames a dilation in time has
    nothing to skip, so it is taken in space.

    Args:
        in_channels: Channels of all frames together; three poses and three frames in RGB have 18.
        branch_width: Channels of each dilation.
        ndf: See :class:`PatchDiscriminator`.
        n_layers: See :class:`PatchDiscriminator`.
        norm: See :class:`PatchDiscriminator`.

    Raises:
        ConfigError: If a number is below 1, or the norm is unknown.
    """

    DILATIONS = (1, 2, 4, 8)

    def __init__(
        self,
        in_channels: int = 18,
        *,
        branch_width: int = 32,
        ndf: int = 64,
        n_layers: int = 3,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Conv2d(in_channels, branch_width, 3, padding=d, dilation=d) for d in self.DILATIONS
        )
        self.patches = PatchDiscriminator(branch_width * len(self.DILATIONS), n_layers=n_layers, ndf=ndf, norm=norm)

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        """Judges patches of a few frames.

        Args:
            x: ``(N, in_channels, H, W)``.

        Returns:
            Feature maps of the one scale there is; see :class:`PatchDiscriminator`.

        Raises:
            ConfigError: If H or W is below 2.
        """
        seen = functional.leaky_relu(torch.cat([branch(x) for branch in self.branches], dim=1), 0.2)
        return [self.patches(seen)]


def _norm(norm: Norm, channels: int) -> nn.Module:
    if norm == "instance":  # a group of one channel each: the same function, up to twice as fast on a CPU
        return nn.GroupNorm(channels, channels, affine=False)
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm in ("none", "spectral"):
        return nn.Identity()
    raise ConfigError("unknown normalisation", expected="instance, batch, none, spectral", found=norm)
