"""The two generators of FakeMotion: the paper's dense U-Net, and the network of the released code.

Both take pictures ``(N, in_channels, H, W)``, whatever they show (a window of poses, one-hot labels, layers to be
fused), and return ``(N, out_channels, H, W)`` of the same size. The first three channels are an RGB image in
[-1, 1] (tanh); any further channel is a logit, such as the person's mask, and is left as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from motioncopy.errors import ConfigError

Norm = Literal["instance", "batch", "none"]


def norm_layer(norm: Norm, channels: int) -> nn.Module:
    """A normalisation by name.

    ``instance`` has no parameters (as in pix2pixHD). It is written as a group norm of one channel a group, which is
    the same function and takes half the time of ``nn.InstanceNorm2d`` on a CPU.

    Raises:
        ConfigError: If there is no such normalisation.
    """
    if norm == "instance":
        return nn.GroupNorm(channels, channels, affine=False)
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm == "none":
        return nn.Identity()
    raise ConfigError("unknown normalisation", expected="instance, batch, none", found=norm)


def check_size(owner: str, size: Sequence[int], stride: int) -> None:
    """Refuses pictures whose height or width a network cannot halve as often as it has to.

    Args:
        owner: The network, for the message.
        size: (height, width) in pixels.
        stride: By how much the network shrinks them. Two of its deepest cells must fit each way: a single one has
            no variance to normalise by.

    Raises:
        ConfigError: If they do not fit; the message names the nearest sizes that do.
    """
    if all(n % stride == 0 and n >= 2 * stride for n in size):
        return
    below = tuple(max(n // stride, 2) * stride for n in size)
    above = tuple(max(-(-n // stride), 2) * stride for n in size)
    nearest = " or ".join(f"{h}x{w}" for h, w in dict.fromkeys((below, above)))
    raise ConfigError(
        f"{owner} cannot work at this size",
        expected=f"height and width to be multiples of {stride}, at least {2 * stride}",
        found="x".join(map(str, size)),
        remedy=f"use {nearest}, or fewer levels",
    )


def _to_image(x: Tensor) -> Tensor:
    """Squashes the first three channels to [-1, 1] and leaves the logits behind them."""
    if x.shape[1] == 3:
        return x.tanh()
    return torch.cat((x[:, :3].tanh(), x[:, 3:]), dim=1)


def _convs(in_channels: int, out_channels: int, count: int, norm: Norm, stride: int = 1) -> nn.Sequential:
    """``count`` 3x3 convolutions, each with norm and ReLU; the first one strides."""
    bias = norm == "none"  # a norm would take it away again
    layers: list[nn.Module] = []
    for _ in range(count):
        layers += [
            nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=bias),
            norm_layer(norm, out_channels),
            nn.ReLU(inplace=True),
        ]
        in_channels, stride = out_channels, 1
    return nn.Sequential(*layers)


class DenseUNet(nn.Module):
    """The paper's U-shaped generator with dense skips (section 2.2, figure 2).

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
        norm: ``instance``, ``batch`` or ``none``.
        dense_skips: False leaves a plain U-Net ("r/m dense skip connection", table 2): nothing of the dense path
            is then made or computed.

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
                found=f"levels={levels}, out_channels={out_channels}, in_channels={in_channels}, width={width}, "
                f"max_width={max_width}, skip_width={skip_width}, convs={convs}",
            )
        self.stride = 2 ** (levels - 1)
        widths = [min(width * 2**i, max_width) for i in range(levels)]
        self.encoder = nn.ModuleList(
            _convs(in_channels if i == 0 else widths[i - 1], w, convs, norm, stride=1 if i == 0 else 2)
            for i, w in enumerate(widths)
        )
        self.up = nn.ModuleList(nn.Conv2d(widths[i + 1], w, 1) for i, w in enumerate(widths[:-1]))
        dense_width = [skip_width * i if dense_skips else 0 for i in range(levels - 1)]
        self.decoder = nn.ModuleList(_convs(2 * w + dense_width[i], w, convs, norm) for i, w in enumerate(widths[:-1]))
        # self.dense[i][j] reduces encoder level j for decoder level i.
        self.dense = (
            nn.ModuleList(nn.ModuleList(nn.Conv2d(w, skip_width, 1) for w in widths[:i]) for i in range(levels - 1))
            if dense_skips
            else None
        )
        self.head = nn.Conv2d(width, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Generates.

        Args:
            x: ``(N, in_channels, H, W)``; H and W are multiples of ``stride``.

        Returns:
            ``(N, out_channels, H, W)``: an image in [-1, 1], and logits behind it.

        Raises:
            ConfigError: If the size does not fit.
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
        return _to_image(self.head(x))

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


class _ResBlock(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))), padded by reflection."""

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect"),
            norm_layer(norm, channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect"),
            norm_layer(norm, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.block(x)
        return x + residual


class _DenseFusion(nn.Module):
    """One decoder level of the released code: its own encoder level plus all shallower ones, joined with x."""

    def __init__(self, shallower: Sequence[int], channels: int) -> None:
        super().__init__()
        steps = [2 ** (len(shallower) - j) for j in range(len(shallower))]
        self.project = nn.ModuleList(
            nn.Conv2d(c, channels, step, stride=step) for c, step in zip(shallower, steps, strict=True)
        )
        self.join = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
        )

    def forward(self, x: Tensor, skips: Sequence[Tensor]) -> Tensor:
        own = skips[-1]
        for project, skip in zip(self.project, skips[:-1], strict=True):
            own = own + project(skip)
        joined: Tensor = self.join(torch.cat((own, x), dim=1))
        return joined


class ReleasedGenerator(nn.Module):
    """The generator of the authors' public code: pix2pixHD's global generator with dense skips.

    7x7 convolution, ``downs`` strided 3x3 convolutions that double the width, ``blocks`` residual blocks, transposed
    convolutions back, 7x7 convolution, tanh; instance norm, ReLU, reflection. At every down-sampled level but the
    first, the sum of the level's own encoder map and of all shallower down-sampled ones (each through a convolution
    whose kernel is its stride: no overlap) is concatenated with the decoder's map, and a 3x3 convolution with batch
    norm (batch norm even where the rest is instance norm) and ReLU brings it back to the level's width. The
    full-resolution stem takes no part.

    261.8 M parameters with the default sizes and 130 input channels (current and previous one-hot label map),
    220.6 M without dense skips. Weights start as N(0, 0.02), those of batch norm as N(1, 0.02).

    Args:
        in_channels: Channels of the input.
        out_channels: 3, or more where logits are wanted too (the released code: 3).
        width: Channels of the stem.
        downs: How often the size is halved.
        blocks: Residual blocks at the deepest level.
        norm: ``instance``, ``batch`` or ``none``.
        dense_skips: False leaves pix2pixHD's generator, which has no skips at all.

    Raises:
        ConfigError: If a number makes no network.
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
        super().__init__()
        if downs < 1 or blocks < 0 or out_channels < 3 or min(in_channels, width) < 1:
            raise ConfigError(
                "ReleasedGenerator needs a halving, 3 output channels and positive widths",
                found=f"downs={downs}, blocks={blocks}, out_channels={out_channels}, in_channels={in_channels}, "
                f"width={width}",
            )
        self.stride = 2**downs
        widths = [width * 2**i for i in range(downs + 1)]
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, width, 7, padding=3, padding_mode="reflect"),
            norm_layer(norm, width),
            nn.ReLU(inplace=True),
        )
        self.encoder = nn.ModuleList(_convs(w // 2, w, 1, norm, stride=2) for w in widths[1:])
        self.blocks = nn.Sequential(*(_ResBlock(widths[-1], norm) for _ in range(blocks)))
        # fusion[i] belongs to encoder[i + 1]: the first down-sampled level has none.
        self.fusion = (
            nn.ModuleList(_DenseFusion(widths[1:i], widths[i]) for i in range(2, downs + 1)) if dense_skips else None
        )
        self.decoder = nn.ModuleList(
            nn.Sequential(
                nn.ConvTranspose2d(w, w // 2, 3, stride=2, padding=1, output_padding=1),
                norm_layer(norm, w // 2),
                nn.ReLU(inplace=True),
            )
            for w in widths[1:]
        )
        self.head = nn.Conv2d(width, out_channels, 7, padding=3, padding_mode="reflect")
        self.apply(_init_as_pix2pixhd)

    def forward(self, x: Tensor) -> Tensor:
        """Generates.

        Args:
            x: ``(N, in_channels, H, W)``; H and W are multiples of ``stride``.

        Returns:
            ``(N, out_channels, H, W)``: an image in [-1, 1], and logits behind it.

        Raises:
            ConfigError: If the size does not fit.
        """
        check_size(type(self).__name__, x.shape[-2:], self.stride)
        x = self.stem(x)
        skips: list[Tensor] = []
        for encode in self.encoder:
            x = encode(x)
            skips.append(x)
        x = self.blocks(x)
        for i in reversed(range(len(skips))):
            if self.fusion is not None and i > 0:
                x = self.fusion[i - 1](x, skips[: i + 1])
            x = self.decoder[i](x)
        return _to_image(self.head(x))


def _init_as_pix2pixhd(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
