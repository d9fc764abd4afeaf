"""Feature matching: a discriminator's features of generated and real images should agree (pix2pixHD, equation 4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from motioncopy.errors import BatchError


def feature_matching(real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]]) -> Tensor:
    """Σ_D 1/num_D Σ_layers 4/(n_layers + 1) L1, as pix2pixHD and vid2vid weigh it; their factor 10 is not in it.

    A discriminator of n_layers strided layers gives n_layers + 2 maps: one each, one of the layer behind them, and the
    logits, which are left out.

    Args:
        real: Feature maps of each scale, the logits last. No gradient flows to them.
        fake: The same of the generated images.

    Returns:
        The loss, a scalar.

    Raises:
        BatchError: If the two differ in scales, layers or shapes, or a scale has nothing but logits.

    Example:
        >>> import torch
        >>> from motioncopy.losses.feature_matching import feature_matching
        >>> real = [[torch.ones(1, 8, 4, 4), torch.zeros(1, 1, 3, 3)]]  # one scale: a feature map, and the logits
        >>> fake = [[torch.zeros(1, 8, 4, 4), torch.zeros(1, 1, 3, 3)]]
        >>> feature_matching(real, fake)
        tensor(4.)
    """
    shapes_real, shapes_fake = ([[tuple(x.shape) for x in scale] for scale in maps] for maps in (real, fake))
    if shapes_real != shapes_fake:
        raise BatchError("feature maps of real and fake do not pair", expected=shapes_real, found=shapes_fake)
    if not real or any(len(scale) < 2 for scale in real):
        raise BatchError(
            "a discriminator gave no features to match",
            expected="scales of feature maps with the logits last",
            found=shapes_real,
            remedy="take a discriminator that returns its features, or leave feature matching out",
        )
    scales = []
    for of_real, of_fake in zip(real, fake, strict=True):
        layers = [functional.l1_loss(f, r.detach()) for r, f in zip(of_real[:-1], of_fake[:-1], strict=True)]
        scales.append(4 * torch.stack(layers).mean())
    return torch.stack(scales).mean()
