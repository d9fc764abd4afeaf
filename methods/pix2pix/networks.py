"""pix2pix's U-Net (Isola et al., 2017, section 6.1.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from motioncopy.errors import ConfigError
from motioncopy.nets.blocks import Norm, check_size, init_weights, norm_layer


class UNet(nn.Module):
    """4x4 convolutions of stride 2 down to one cell (of 256x256), transposed ones up again, skips between the two.

    LeakyReLU 0.2 on the way down, ReLU on the way up; no norm in the first and in the innermost layer. 54.4 M
    parameters with the default sizes ("unet_256" of the official code).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the image, squashed to [-1, 1].
        levels: How often the size is halved.
        width: Channels of the first level; they double up to eight times as many.
        norm: See :data:`motioncopy.nets.blocks.Norm`. The paper's batch norm of a batch of one, which takes the
            statistics of the test image too (section 3.3), is ``affine_instance``.
        dropout: Of the three decoder levels above the innermost, as in the code; section 6.1.1 counts it among them.

    Raises:
        ConfigError: If a number makes no network.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        *,
        levels: int = 8,
        width: int = 64,
        norm: Norm = "affine_instance",
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if levels < 2 or min(in_channels, out_channels, width) < 1 or not 0 <= dropout < 1:
            raise ConfigError(
                "UNet needs 2 levels, positive widths and a dropout in [0, 1)",
                found=f"{in_channels=}, {out_channels=}, {levels=}, {width=}, {dropout=}",
            )
        widths = [in_channels, *(width * min(2**k, 8) for k in range(levels))]
        innermost = levels - 1
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for k in range(levels):
            down = nn.Conv2d(widths[k], widths[k + 1], 4, stride=2, padding=1, bias=False)
            self.down.append(nn.Sequential(down, norm_layer(norm if 0 < k < innermost else "none", widths[k + 1])))
            into, out = widths[k + 1] * (1 if k == innermost else 2), widths[k] if k else out_channels
            up = nn.ConvTranspose2d(into, out, 4, stride=2, padding=1, bias=k == 0)
            dropped = nn.Dropout(dropout if max(1, innermost - 3) <= k < innermost else 0.0)
            self.up.append(nn.Sequential(up, norm_layer(norm if k else "none", out), dropped))
        self.apply(init_weights)

    def forward(self, x: Tensor) -> Tensor:
        """Generates ``(N, out_channels, H, W)`` from ``(N, in_channels, H, W)``.

        Raises:
            ConfigError: If H and W are no multiples of ``2 ** levels``.
        """
        check_size(type(self).__name__, x.shape[-2:], 2 ** len(self.down), cells=1)
        skips: list[Tensor] = []
        for down in self.down:
            x = down(functional.leaky_relu(x, 0.2) if skips else x)
            skips.append(x)
        x = skips.pop()
        for up in reversed(self.up):
            x = up(x.relu())
            x = torch.cat((skips.pop(), x), dim=1) if skips else x
        return x.tanh()
