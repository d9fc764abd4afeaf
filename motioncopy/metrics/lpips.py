"""Learned perceptual image patch similarity (LPIPS), on AlexNet."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import lpips as reference
import torch
from torch import Tensor, nn

from motioncopy.errors import BatchError, WeightsError
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.frame_metric import FrameMetric, check_images
from motioncopy.metrics.networks import Provider, published

#: Name of the backbone's weights in :mod:`motioncopy.weights`.
BACKBONE = "alexnet"
#: Below this many pixels a side, AlexNet's second pooling has nothing to pool.
SMALLEST = 31


def load_network(state: Mapping[str, Tensor]) -> nn.Module:
    """LPIPS version 0.1: the heads of the ``lpips`` package on a torchvision AlexNet.

    Args:
        state: State dict of torchvision's ``alexnet``.

    Returns:
        A frozen module in evaluation mode that maps two ``(n, 3, H, W)`` images in [-1, 1] to ``(n, 1, 1, 1)``.

    Raises:
        WeightsError: If it does not hold AlexNet's features.
    """
    # The package draws initial weights, which must not move the seeded draws of others, and calls torchvision by its
    # former argument names.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        network: nn.Module = reference.LPIPS(net="alex", version="0.1", pnet_rand=True, verbose=False)
    # The package cuts torchvision's ``features`` into slices, whose layers keep torchvision's numbers as names.
    layers = {name: layer for part in network.get_submodule("net").children() for name, layer in part.named_children()}
    try:
        for number, layer in layers.items():
            layer.load_state_dict({name: state[f"features.{number}.{name}"] for name in layer.state_dict()})
    except (KeyError, RuntimeError) as error:
        raise WeightsError(
            "these are no weights of torchvision's AlexNet", expected="features.0.weight and so on", found=error
        ) from error
    return network.requires_grad_(False).eval()


def lpips(network: nn.Module, generated: Tensor, truth: Tensor) -> Tensor:
    """LPIPS of every frame (Zhang et al. 2018, equation 1).

    Args:
        network: From :func:`load_network`, on the device of the images.
        generated: ``(n, 3, H, W)``, uint8 or floating point in [0, 255]; H and W at least :data:`SMALLEST`.
        truth: The same.

    Returns:
        ``(n,)`` float64, 0 for equal images.

    Raises:
        BatchError: If shapes, types or ranges are wrong, or the images are too small.
    """
    check_images(generated, truth)
    if min(generated.shape[2:]) < SMALLEST:
        raise BatchError(
            "images are too small for AlexNet",
            expected=f"at least {SMALLEST}x{SMALLEST} pixels",
            found=tuple(generated.shape[2:]),
        )
    with torch.inference_mode():
        x, y = (images.float() / 127.5 - 1 for images in (generated, truth))
        distances: Tensor = network(x, y)
    return distances.double().flatten()


class LPIPS(FrameMetric):
    """LPIPS, averaged over frames; see :func:`lpips`.

    Raises:
        WeightsError: If AlexNet's weights are not on this machine.
    """

    definition = Definition(
        key="lpips/alex@1",
        title="LPIPS",
        direction="lower",
        unit="",
        source="Zhang et al.: The unreasonable effectiveness of deep features as a perceptual metric, CVPR 2018",
        text=(
            "Distance of the unit-normalised features of torchvision's ImageNet AlexNet, weighted by the linear heads "
            "v0.1 of the lpips package, averaged over positions and summed over five layers, of 8-bit RGB frames "
            "scaled to [-1, 1] at their own size; the mean over frames."
        ),
    )

    def __init__(self, *, networks: Provider = published, **kwargs: Any) -> None:
        super().__init__(networks=networks, **kwargs)
        backbone = networks(BACKBONE)
        self.network = load_network(backbone.state)
        self.networks = {BACKBONE: backbone.identity}

    def frames(self, generated: Tensor, truth: Tensor, mask: Tensor | None = None) -> Tensor:
        """LPIPS of every frame, ``(n,)`` float64; the mask is not looked at."""
        return lpips(self.network.to(generated.device), generated, truth)
