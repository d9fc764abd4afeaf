"""Encoder and decoder of the pix2pixHD and vid2vid generators, which later methods take over (Wang et al., 2018)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from motioncopy.errors import BatchError, ConfigError

Norm = Literal["instance", "layer"]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions whose result is added to the input; the border is reflected.

    Args:
        channels: Of the input and of the output.
        norm: See :class:`Encoder`.
    """

    def __init__(self, channels: int, norm: Norm = "instance") -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_convolution(channels, channels, 3, norm),
            nn.ReLU(inplace=True),
            *_convolution(channels, channels, 3, norm),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(N, channels, H, W)`` to the same."""
        y: Tensor = self.body(x)
        return x + y


class Encoder(nn.Module):
    """7x7 convolution, convolutions of stride 2 that double the channels, residual blocks.

    Args:
        in_channels: Channels of the input.
        width: Channels of the first layer.
        downs: Layers of stride 2.
        blocks: Residual blocks behind them.
        norm: ``instance``, each channel by itself, which forgets how bright it is and with it colours; or ``layer``,
            over all channels of a sample together, which remembers. Both with a learned scale and shift.

    Attributes:
        out_channels: ``width * 2 ** downs``.
        stride: ``2 ** downs``, which must divide height and width.
    """

    def __init__(
        self, in_channels: int, *, width: int = 64, downs: int = 3, blocks: int = 5, norm: Norm = "instance"
    ) -> None:
        super().__init__()
        self.out_channels, self.stride = width * 2**downs, 2**downs
        layers: list[nn.Module] = [*_convolution(in_channels, width, 7, norm), nn.ReLU(inplace=True)]
        for k in range(downs):
            channels = width * 2**k
            layers += [nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1), normalisation(norm, 2 * channels)]
            layers.append(nn.ReLU(inplace=True))
        self.body = nn.Sequential(*layers, *(ResidualBlock(self.out_channels, norm) for _ in range(blocks)))

    def forward(self, x: Tensor) -> Tensor:
        """Encodes images.

        Args:
            x: ``(N, in_channels, H, W)``.

        Returns:
            ``(N, out_channels, H / stride, W / stride)``.

        Raises:
            BatchError: If the stride does not divide H and W.
        """
        check_size((int(x.shape[-2]), int(x.shape[-1])), self.stride)
        y: Tensor = self.body(x)
        return y


class Decoder(nn.Module):
    """Residual blocks, then transposed convolutions that halve the channels; no head.

    Args:
        in_channels: Channels of the input.
        ups: Transposed convolutions.
        blocks: Residual blocks before them.
        norm: See :class:`Encoder`.

    Attributes:
        out_channels: ``in_channels / 2 ** ups``.
    """

    def __init__(self, in_channels: int, *, ups: int = 3, blocks: int = 4, norm: Norm = "instance") -> None:
        super().__init__()
        self.out_channels = in_channels // 2**ups
        layers: list[nn.Module] = [ResidualBlock(in_channels, norm) for _ in range(blocks)]
        for k in range(ups):
            channels = in_channels // 2**k
            up = nn.ConvTranspose2d(channels, channels // 2, 3, stride=2, padding=1, output_padding=1)
            layers += [up, normalisation(norm, channels // 2), nn.ReLU(inplace=True)]
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, in_channels, h, w)`` to ``(N, out_channels, h * 2 ** ups, w * 2 ** ups)``."""
        y: Tensor = self.body(x)
        return y


def head(in_channels: int, out_channels: int) -> nn.Sequential:
    """The last layer of a generator: a 7x7 convolution with a reflected border, without norm and non-linearity."""
    return nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(in_channels, out_channels, 7))


def normalisation(norm: Norm, channels: int) -> nn.Module:
    """A layer of this normalisation, with a learned scale and shift.

    Raises:
        ConfigError: If there is no such normalisation.
    """
    if norm == "instance":
        return nn.GroupNorm(channels, channels)  # the same function, up to twice as fast on a CPU
    if norm == "layer":
        return nn.GroupNorm(1, channels)
    raise ConfigError("unknown normalisation", expected="instance or layer", found=repr(norm))


def check_size(size: tuple[int, int], stride: int) -> None:
    """Refuses a size that the strides do not divide, naming the nearest that work.

    Raises:
        BatchError: If the stride does not divide height and width.
    """
    if all(length % stride == 0 for length in size):
        return
    near = [sorted({max(stride, length // stride * stride), -(-length // stride) * stride}) for length in size]
    raise BatchError(
        f"the image size is not divisible by {stride}",
        expected=" x ".join(" or ".join(map(str, lengths)) for lengths in near),
        found=f"{size[0]} x {size[1]}",
        remedy="set image_size",
    )


def _convolution(channels_in: int, channels: int, kernel: int, norm: Norm) -> list[nn.Module]:
    return [
        nn.ReflectionPad2d(kernel // 2),
        nn.Conv2d(channels_in, channels, kernel),
        normalisation(norm, channels),
    ]
