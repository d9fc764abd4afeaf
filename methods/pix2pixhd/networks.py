"""pix2pixHD's coarse-to-fine generator (section 3.1, figure 3)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from motioncopy.errors import ConfigError
from motioncopy.nets.blocks import Decoder, Encoder, GlobalGenerator, Norm, init_weights, output_layer, to_image


def half(images: Tensor) -> Tensor:
    """``(N, C, H, W)`` at half the size: the official code's 3x3 average."""
    return functional.avg_pool2d(images, 3, stride=2, padding=1, count_include_pad=False)


class LocalEnhancer(nn.Module):
    """G2: an encoder of one halving, to which the global generator's last features are added, residual blocks, decoder.

    0.3 M parameters with the default sizes.

    Args:
        in_channels: Channels of the input.
        width: Channels of the first layer: half those of the global generator's.
        blocks: Residual blocks.
        norm: See :data:`motioncopy.nets.blocks.Norm`.
    """

    def __init__(self, in_channels: int = 3, *, width: int = 32, blocks: int = 3, norm: Norm = "instance") -> None:
        super().__init__()
        self.encoder = Encoder(in_channels, width=width, downs=1, blocks=0, norm=norm)
        self.decoder = Decoder(self.encoder.out_channels, ups=1, blocks=blocks, norm=norm)
        self.output = output_layer(width, 3)
        self.apply(init_weights)

    def forward(self, x: Tensor, coarse: Tensor) -> Tensor:
        """Generates ``(N, 3, H, W)`` from ``(N, in_channels, H, W)`` and features ``(N, 2 * width, H / 2, W / 2)``."""
        return to_image(self.output(self.decoder(self.encoder(x) + coarse)))


class CoarseToFine(nn.Module):
    """G2 around G1: the global generator without its last layer sees the input at half the size.

    Args:
        coarse: G1.
        enhancer: G2.

    Raises:
        ConfigError: If their widths do not fit.
    """

    def __init__(self, coarse: GlobalGenerator, enhancer: LocalEnhancer) -> None:
        super().__init__()
        if coarse.decoder.out_channels != enhancer.encoder.out_channels:
            raise ConfigError(
                "the local enhancer does not fit the global generator",
                expected=f"enhancer.generator.width {coarse.decoder.out_channels / 2:g}, half coarse.generator's",
                found=enhancer.encoder.out_channels // 2,
            )
        self.coarse = nn.Sequential(coarse.encoder, coarse.decoder)
        self.enhancer = enhancer

    def forward(self, x: Tensor) -> Tensor:
        """Generates ``(N, 3, H, W)`` from ``(N, in_channels, H, W)``."""
        image: Tensor = self.enhancer(x, self.coarse(half(x)))
        return image
