"""PatchGAN discriminators of the pix2pixHD family.

All return, for each scale, a list of feature maps whose last element is the map of logits.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from motioncopy.errors import ConfigError
from motioncopy.nets.blocks import Norm, normalised


class PatchDiscriminator(nn.Module):
    """pix2pix's and pix2pixHD's PatchGAN: 4x4 convolutions, LeakyReLU 0.2. A logit sees 70x70 pixels by default.

    Args:
        in_channels: Channels of the input.
        n_layers: Layers of stride 2; one of stride 1 and the layer of logits follow.
        ndf: Channels of the first layer; they double up to 512.
        norm: Of all layers but the first and the last, see :data:`motioncopy.nets.blocks.Norm`; ``spectral`` of all.
        padding: Of every convolution: pix2pixHD's 2, or pix2pix's 1.

    Raises:
        ConfigError: If a number is below 1, or the norm is unknown.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        n_layers: int = 3,
        ndf: int = 64,
        norm: Norm = "instance",
        padding: Literal[1, 2] = 2,
    ) -> None:
        super().__init__()
        if min(in_channels, n_layers, ndf) < 1:
            raise ConfigError("a discriminator needs channels and layers", found=f"{in_channels=}, {n_layers=}, {ndf=}")
        widths = [in_channels, *(min(ndf * 2**k, 512) for k in range(n_layers + 1))]
        self.n_layers = n_layers
        # With a padding of 2 no map becomes smaller than 2x2; with 1, two layers at the end take a pixel each.
        self.smallest = 2 if padding == 2 else 4 * 2**n_layers
        self.layers = nn.ModuleList()
        at_the_ends: Norm = "spectral" if norm == "spectral" else "none"
        for k in range(n_layers + 1):
            layer = nn.Conv2d(widths[k], widths[k + 1], 4, stride=2 if k < n_layers else 1, padding=padding)
            self.layers.append(nn.Sequential(*normalised(layer, norm if k else at_the_ends), nn.LeakyReLU(0.2)))
        self.layers.append(nn.Sequential(*normalised(nn.Conv2d(widths[-1], 1, 4, padding=padding), at_the_ends)))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Scores patches.

        Args:
            x: ``(N, in_channels, H, W)``.

        Returns:
            n_layers + 2 feature maps, the logits ``(N, 1, h, w)`` last.

        Raises:
            ConfigError: If H or W is below ``smallest``: one value a channel has no deviation to normalise by.
        """
        if min(x.shape[-2:]) < self.smallest:
            raise ConfigError(
                "images are too small for a discriminator",
                expected=f"at least {self.smallest}x{self.smallest} pixels at each scale; a scale has half those of "
                "the one before, rounded up",
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
        padding: See :class:`PatchDiscriminator`.

    Raises:
        ConfigError: If a number is below 1, or the norm is unknown.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        num_scales: int = 2,
        n_layers: int = 3,
        ndf: int = 64,
        norm: Norm = "instance",
        padding: Literal[1, 2] = 2,
    ) -> None:
        super().__init__()
        if num_scales < 1:
            raise ConfigError("a discriminator needs at least one scale", found=num_scales)
        self.scales = nn.ModuleList(
            PatchDiscriminator(in_channels, n_layers=n_layers, ndf=ndf, norm=norm, padding=padding)
            for _ in range(num_scales)
        )

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        """Scores patches at each scale.

        Args:
            x: ``(N, in_channels, H, W)``.

        Returns:
            Feature maps of each scale, the finest first; see :class:`PatchDiscriminator`.

        Raises:
            ConfigError: If H or W is so small that the coarsest scale would see less than 2 pixels.
        """
        found = []
        for k, scale in enumerate(self.scales):
            if k > 0:
                x = functional.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
            found.append(scale(x))
        return found
