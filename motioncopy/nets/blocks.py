"""Blocks that image-to-image networks are built of: norms, residual block, encoder, decoder, whole generators, refiner.

Generators take images ``(N, in_channels, H, W)``, whatever they show (poses, one-hot labels, layers to be fused), and
return ``(N, out_channels, H, W)`` of the same size: an RGB image in [-1, 1] (tanh), and logits behind it (a person's
mask, say), which are left as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from motioncopy.errors import ConfigError

#: ``instance``: each channel by itself, which forgets how bright it is and with it colours; without parameters, as in
#: pix2pixHD. ``affine_instance``: the same with a learned scale and shift. ``layer``: over all channels of a sample
#: together, which remembers, with scale and shift. ``batch``: batch norm. ``spectral``: the convolution's weights are
#: normalised instead of its output. ``none``.
Norm = Literal["instance", "affine_instance", "layer", "batch", "spectral", "none"]


def norm_layer(norm: Norm, channels: int) -> nn.Module:
    """A normalisation of so many channels, by name.

    Instance norm is written as a group norm of one channel a group, the same function in half the time on a CPU.

    Raises:
        ConfigError: If there is no such normalisation.
    """
    if norm in ("instance", "affine_instance"):
        return nn.GroupNorm(channels, channels, affine=norm == "affine_instance")
    if norm == "layer":
        return nn.GroupNorm(1, channels)
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm in ("spectral", "none"):
        return nn.Identity()
    raise ConfigError(
        "unknown normalisation", expected="instance, affine_instance, layer, batch, spectral, none", found=repr(norm)
    )


def normalised(convolution: nn.Conv2d | nn.ConvTranspose2d, norm: Norm) -> list[nn.Module]:
    """A convolution and what normalises it."""
    normalisation = norm_layer(norm, convolution.out_channels)
    if isinstance(normalisation, nn.Identity):
        return [spectral_norm(convolution) if norm == "spectral" else convolution]
    return [convolution, normalisation]


def convolution(
    in_channels: int,
    out_channels: int,
    kernel: int,
    norm: Norm,
    *,
    stride: int = 1,
    padding: Literal["zeros", "reflect"] = "zeros",
    bias: bool = True,
) -> nn.Sequential:
    """A convolution that keeps the size (or divides it by its stride), its normalisation, and a ReLU."""
    layer = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=bias, padding_mode=padding)
    return nn.Sequential(*normalised(layer, norm), nn.ReLU(inplace=True))


def init_weights(module: nn.Module) -> None:
    """pix2pix's and pix2pixHD's start, for ``network.apply``: convolutions N(0, 0.02), scales of norms N(1, 0.02)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm) and module.affine:
        nn.init.normal_(module.weight, 1.0, 0.02)


def output_layer(in_channels: int, out_channels: int) -> nn.Conv2d:
    """The last layer of pix2pixHD's generators: a 7x7 convolution with a reflected border, without norm and ReLU."""
    return nn.Conv2d(in_channels, out_channels, 7, padding=3, padding_mode="reflect")


def to_image(x: Tensor) -> Tensor:
    """Squashes the first three channels of ``(N, C, H, W)`` to [-1, 1], and leaves the logits behind them."""
    return x.tanh() if x.shape[1] == 3 else torch.cat((x[:, :3].tanh(), x[:, 3:]), dim=1)


def check_size(owner: str, size: Sequence[int], stride: int, *, cells: int = 2) -> None:
    """Refuses an image size that a network cannot divide as often as it has to.

    Args:
        owner: The network, for the message.
        size: (height, width) in pixels.
        stride: By how much the network shrinks images.
        cells: So many of its deepest cells must fit each way. A single one has no variance to normalise by.

    Raises:
        ConfigError: If they do not fit; the message names the nearest sizes that do.
    """
    if all(n % stride == 0 and n >= cells * stride for n in size):
        return
    below = tuple(max(n // stride, cells) * stride for n in size)
    above = tuple(max(-(-n // stride), cells) * stride for n in size)
    nearest = " or ".join(f"{h}x{w}" for h, w in dict.fromkeys((below, above)))
    raise ConfigError(
        f"{owner} cannot work at this image size",
        expected=f"height and width to be multiples of {stride}, at least {cells * stride}",
        found="x".join(map(str, size)),
        remedy=f"use {nearest}, or a network that halves the size less often",
    )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions whose result is added to the input; the border is reflected.

    Args:
        channels: Of the input and of the output.
        norm: See :data:`Norm`.
    """

    def __init__(self, channels: int, norm: Norm = "instance") -> None:
        super().__init__()
        self.body = nn.Sequential(
            convolution(channels, channels, 3, norm, padding="reflect"),
            *normalised(nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect"), norm),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(N, channels, H, W)`` to the same."""
        residual: Tensor = self.body(x)
        return x + residual


class Encoder(nn.Module):
    """7x7 convolution, 3x3 convolutions of stride 2 that double the channels, residual blocks (pix2pixHD, section 3.1).

    Args:
        in_channels: Channels of the input.
        width: Channels of the first layer.
        downs: Layers of stride 2.
        blocks: Residual blocks behind them.
        norm: See :data:`Norm`.

    Attributes:
        out_channels: ``width * 2 ** downs``.
        stride: ``2 ** downs``, which must divide height and width.
    """

    def __init__(
        self, in_channels: int, *, width: int = 64, downs: int = 3, blocks: int = 5, norm: Norm = "instance"
    ) -> None:
        super().__init__()
        self.out_channels, self.stride = width * 2**downs, 2**downs
        self.stem = convolution(in_channels, width, 7, norm, padding="reflect")
        self.downs = nn.ModuleList(
            convolution(width * 2**k, width * 2 ** (k + 1), 3, norm, stride=2) for k in range(downs)
        )
        self.blocks = nn.Sequential(*(ResidualBlock(self.out_channels, norm) for _ in range(blocks)))

    def forward(self, x: Tensor) -> Tensor:
        """Encodes images ``(N, in_channels, H, W)`` to ``(N, out_channels, H / stride, W / stride)``.

        Raises:
            ConfigError: If the stride does not divide H and W.
        """
        return self.features(x)[-1]

    def features(self, x: Tensor) -> list[Tensor]:
        """The maps of all levels: the stem's, each down-sampled one, and last what the residual blocks make of it."""
        check_size(type(self).__name__, x.shape[-2:], self.stride)
        found = [self.stem(x)]
        for down in self.downs:
            found.append(down(found[-1]))
        return [*found, self.blocks(found[-1])]


class Decoder(nn.Module):
    """Residual blocks, then transposed convolutions that halve the channels; no output layer.

    Args:
        in_channels: Channels of the input.
        ups: Transposed convolutions.
        blocks: Residual blocks before them.
        norm: See :data:`Norm`.

    Attributes:
        out_channels: ``in_channels / 2 ** ups``.
    """

    def __init__(self, in_channels: int, *, ups: int = 3, blocks: int = 4, norm: Norm = "instance") -> None:
        super().__init__()
        self.out_channels = in_channels // 2**ups
        self.blocks = nn.Sequential(*(ResidualBlock(in_channels, norm) for _ in range(blocks)))
        self.ups = nn.ModuleList(_up(in_channels // 2**k, norm) for k in range(ups))

    def forward(self, x: Tensor) -> Tensor:
        """``(N, in_channels, h, w)`` to ``(N, out_channels, h * 2 ** ups, w * 2 ** ups)``."""
        x = self.blocks(x)
        for up in self.ups:
            x = up(x)
        return x


def _up(channels: int, norm: Norm) -> nn.Sequential:
    layer = nn.ConvTranspose2d(channels, channels // 2, 3, stride=2, padding=1, output_padding=1)
    return nn.Sequential(*normalised(layer, norm), nn.ReLU(inplace=True))


class GlobalGenerator(nn.Module):
    """pix2pixHD's global generator (section 3.1): encoder with residual blocks, decoder, 7x7 convolution, tanh.

    182.4 M parameters with three input channels and the default sizes; weights start by :func:`init_weights`.

    Args:
        in_channels: Channels of the input.
        out_channels: 3, or more where logits are wanted too.
        width: Channels of the first layer.
        downs: How often the size is halved.
        blocks: Residual blocks at the deepest level.
        norm: See :data:`Norm`.

    Raises:
        ConfigError: If a number makes no network.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 3,
        *,
        width: int = 64,
        downs: int = 4,
        blocks: int = 9,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        if downs < 1 or blocks < 0 or out_channels < 3 or min(in_channels, width) < 1:
            raise ConfigError(
                f"{type(self).__name__} needs a halving, 3 output channels and positive widths",
                found=f"{in_channels=}, {out_channels=}, {width=}, {downs=}, {blocks=}",
            )
        self.encoder = Encoder(in_channels, width=width, downs=downs, blocks=blocks, norm=norm)
        self.decoder = Decoder(self.encoder.out_channels, ups=downs, blocks=0, norm=norm)
        self.output = output_layer(width, out_channels)
        self.apply(init_weights)

    def features(self, x: Tensor) -> Tensor:
        """``(N, width, H, W)``: what the last layer makes the image of, and a local enhancer adds to its own.

        Raises:
            ConfigError: If H and W are no multiples of ``2 ** downs``.
        """
        features: Tensor = self.decoder(self.encoder(x))
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Generates ``(N, out_channels, H, W)`` from ``(N, in_channels, H, W)``; see :meth:`features`."""
        return to_image(self.output(self.features(x)))


class DenseUNet(nn.Module):
    """A U-Net with dense skips (FakeMotion, section 2.2, figure 2), or a plain one.

    Encoder level i works at 1/2^(i-1) of the size. Decoder level i takes the level below it, encoder level i, and
    every shallower encoder level 1..i-1. Those reach the decoder's resolution by 2x2 averages, one halving after
    another (exactly the average over the whole block), and are reduced to ``skip_width`` channels by a 1x1
    convolution each. Upwards, a 1x1 convolution brings the level below to the decoder's width, nearest neighbours
    double it, and the decoder's 3x3 convolutions smooth it: no transposed convolution, so no checkerboard.

    With the default sizes it has 43.4 M parameters plain and 47.5 M with dense skips (18 input channels or fewer).
    How the maps are brought together is not in the paper; neither are widths, depth and normalisation.

    Args:
        in_channels: Channels of the input; 9 for three RGB poses.
        out_channels: 3, or more where logits are wanted too.
        levels: Resolutions, the full one included.
        width: Channels of the first level; they double from level to level.
        max_width: But not beyond this.
        skip_width: Channels to which each shallower level is reduced.
        convs: 3x3 convolutions a level, on the way down and on the way up.
        norm: See :data:`Norm`.
        dense_skips: False leaves a plain U-Net: nothing of the dense path is then made or computed.

    Raises:
        ConfigError: If a number makes no network.
    """

    def __init__(
        self,
        in_channels: int = 9,
        out_channels: int = 3,
        *,
        levels: int = 7,
        width: int = 64,
        max_width: int = 512,
        skip_width: int = 64,
        convs: int = 2,
        norm: Norm = "instance",
        dense_skips: bool = True,
    ) -> None:
        super().__init__()
        if levels < 2 or out_channels < 3 or min(in_channels, width, max_width, skip_width, convs) < 1:
            raise ConfigError(
                "DenseUNet needs 2 levels, 3 output channels and positive widths",
                found=f"{in_channels=}, {out_channels=}, {levels=}, {width=}, {max_width=}, {skip_width=}, {convs=}",
            )
        self.stride = 2 ** (levels - 1)
        widths = [min(width * 2**i, max_width) for i in range(levels)]
        self.encoder = nn.ModuleList(
            _level(in_channels if i == 0 else widths[i - 1], w, convs, norm, stride=1 if i == 0 else 2)
            for i, w in enumerate(widths)
        )
        self.up = nn.ModuleList(nn.Conv2d(widths[i + 1], w, 1) for i, w in enumerate(widths[:-1]))
        dense_width = [skip_width * i if dense_skips else 0 for i in range(levels - 1)]
        self.decoder = nn.ModuleList(_level(2 * w + dense_width[i], w, convs, norm) for i, w in enumerate(widths[:-1]))
        # self.dense[i][j] reduces encoder level j for decoder level i.
        self.dense = (
            nn.ModuleList(nn.ModuleList(nn.Conv2d(w, skip_width, 1) for w in widths[:i]) for i in range(levels - 1))
            if dense_skips
            else None
        )
        self.output = nn.Conv2d(width, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Generates ``(N, out_channels, H, W)`` from ``(N, in_channels, H, W)``.

        Raises:
            ConfigError: If H and W are no multiples of ``stride``.
        """
        check_size(type(self).__name__, x.shape[-2:], self.stride)
        skips: list[Tensor] = []
        for encode in self.encoder:
            x = encode(x)
            skips.append(x)
        shallower = self._shallower(skips)
        for i in reversed(range(len(self.decoder))):
            x = functional.interpolate(self.up[i](x), scale_factor=2.0)
            x = self.decoder[i](torch.cat((x, skips[i], *shallower[i]), dim=1))
        return to_image(self.output(x))

    def _shallower(self, skips: list[Tensor]) -> list[list[Tensor]]:
        """For each decoder level, the encoder levels above it: at its resolution, ``skip_width`` channels each."""
        if self.dense is None:
            return [[] for _ in self.decoder]
        pooled: list[Tensor] = []
        reduced: list[list[Tensor]] = []
        for level, reducers in enumerate(self.dense):
            reduced.append([reduce(p) for reduce, p in zip(reducers, pooled, strict=True)])  # type: ignore[call-overload]
            pooled = [functional.avg_pool2d(p, 2) for p in (*pooled, skips[level])]
        return reduced


def _level(in_channels: int, out_channels: int, convs: int, norm: Norm, stride: int = 1) -> nn.Sequential:
    """So many 3x3 convolutions, of which the first one strides."""
    bias = norm == "none"  # a norm would take it away again
    first = convolution(in_channels, out_channels, 3, norm, stride=stride, bias=bias)
    return nn.Sequential(
        first, *(convolution(out_channels, out_channels, 3, norm, bias=bias) for _ in range(convs - 1))
    )


class Refiner(nn.Module):
    """What a crop lacks: a generator whose image is a residual, to be added to its input.

    It starts as "nothing is lacking": the generator's last layer is zero, so that training sets out from the image
    that it is given and cannot at first spoil it.

    Args:
        network: A generator of images, whose last layer is its ``output``. It can see more than it refines.
        scale: Of the residual: 2 lets it span the difference of two images in [-1, 1].
    """

    def __init__(self, network: nn.Module, scale: float = 1.0) -> None:
        super().__init__()
        self.network, self.scale = network, scale
        for parameter in network.get_submodule("output").parameters():
            nn.init.zeros_(parameter)

    def forward(self, crops: Tensor) -> Tensor:
        """The residual ``(N, 3, s, s)`` in [-scale, scale] of crops ``(N, C, s, s)`` in [-1, 1]."""
        residual: Tensor = self.network(crops)
        return self.scale * residual
