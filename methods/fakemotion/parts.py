"""The networks of the local GANs: from a crop of a body part to what it lacks (section 2.3, equations 10 and 11).

All take crops ``(N, 3, s, s)`` in [-1, 1] and return a residual of the same shape to be added to them; the sum may
leave [-1, 1] a little. Every network starts as "nothing is lacking": its last convolution is zero, so training sets
out from the image that it is given and cannot at first spoil it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from methods.fakemotion.generator import DenseUNet, Norm, ReleasedGenerator


class UNetRefiner(nn.Module):
    """The paper's local generator: a small U-Net with dense skips.

    The residual lies in [-2, 2], as the difference of two images in [-1, 1] does. 7.6 M parameters with the default
    sizes, near the released network's 7.8 M; the paper does not say how large it is.

    Args:
        levels: Resolutions; a crop's side is a multiple of 2^(levels - 1).
        width: Channels of the first level.
        max_width: Channels of the deepest level at most.
        skip_width: Channels to which each shallower level is reduced.
        convs: 3x3 convolutions a level.
        norm: ``instance``, ``batch`` or ``none``.
        dense_skips: False leaves a plain U-Net.
    """

    def __init__(
        self,
        *,
        levels: int = 4,
        width: int = 64,
        max_width: int = 512,
        skip_width: int = 64,
        convs: int = 2,
        norm: Norm = "instance",
        dense_skips: bool = True,
    ) -> None:
        super().__init__()
        self.network = DenseUNet(
            3,
            3,
            levels=levels,
            width=width,
            max_width=max_width,
            skip_width=skip_width,
            convs=convs,
            norm=norm,
            dense_skips=dense_skips,
        )
        _start_at_zero(self.network.head)

    def forward(self, crops: Tensor) -> Tensor:
        """Residual ``(N, 3, s, s)`` in [-2, 2] of crops ``(N, 3, s, s)``."""
        residual: Tensor = self.network(crops)
        return 2.0 * residual


class ResNetRefiner(nn.Module):
    """The released code's local generator: a plain residual network, made for 48x48 crops of a 512x512 frame.

    7x7 convolution to 64 channels, two halvings, six residual blocks, batch norm, tanh: 7.85 M parameters. The
    residual lies in [-1, 1], as there. There all weights start as PyTorch makes them; here as N(0, 0.02), and the last
    convolution at zero.

    Args:
        width: Channels of the stem.
        downs: How often the size is halved.
        blocks: Residual blocks.
        norm: ``instance``, ``batch`` or ``none``.
    """

    def __init__(self, *, width: int = 64, downs: int = 2, blocks: int = 6, norm: Norm = "batch") -> None:
        super().__init__()
        self.network = ReleasedGenerator(3, 3, width=width, downs=downs, blocks=blocks, norm=norm, dense_skips=False)
        _start_at_zero(self.network.head)

    def forward(self, crops: Tensor) -> Tensor:
        """Residual ``(N, 3, s, s)`` in [-1, 1] of crops ``(N, 3, s, s)``."""
        residual: Tensor = self.network(crops)
        return residual


def _start_at_zero(head: nn.Conv2d) -> None:
    nn.init.zeros_(head.weight)
    if head.bias is not None:
        nn.init.zeros_(head.bias)


def radial_weight(size: int, inside: float = 5 / 6, outside: float = 0.3) -> Tensor:
    """By how much the released code scales a residual at inference: less towards the corners, so no seam shows.

    Args:
        size: Side s of the crop in pixels.
        inside: Radius of the full weight, in half sides (the released code: 20 of 24 pixels).
        outside: Weight beyond it.

    Returns:
        ``(s, s)`` float32: 1 within the radius about pixel (s/2, s/2), ``outside`` elsewhere.
    """
    offset = torch.arange(size, dtype=torch.float32) - size / 2
    within = offset.square()[:, None] + offset.square()[None] < (inside * size / 2) ** 2
    return torch.where(within, 1.0, outside)
