"""Learned perceptual image patch similarity (LPIPS), on AlexNet and on VGG-16."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import lpips as reference
import torch
from torch import Tensor, nn

from motioncopy.errors import BatchError, WeightsError
from motioncopy.metrics.clip import Provider, published
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.inception import exact
from motioncopy.metrics.metric import FrameMetric, check_images

Backbone = Literal["alex", "vgg"]
#: Names of the backbones' weights in :mod:`motioncopy.weights`.
WEIGHTS: dict[Backbone, str] = {"alex": "alexnet", "vgg": "vgg16"}
#: Below so many pixels a side, the last pooling has nothing to pool.
SMALLEST: dict[Backbone, int] = {"alex": 31, "vgg": 16}
#: Frames a pass, which bounds the memory: on VGG-16 a pair of 512x512 frames takes 0.5 GB.
_TOGETHER = 4


def load_network(state: Mapping[str, Tensor], backbone: Backbone = "alex") -> nn.Module:
    """LPIPS version 0.1: the heads of the ``lpips`` package on a network of torchvision.

    Args:
        state: State dict of torchvision's ``alexnet`` or ``vgg16``.
        backbone: Which of them.

    Returns:
        A frozen module in evaluation mode that maps two ``(n, 3, H, W)`` images in [-1, 1] to ``(n, 1, 1, 1)``.

    Raises:
        WeightsError: If the state dict does not hold the network's features.

    >>> from torchvision.models import alexnet
    >>> state = {f"features.{name}": value for name, value in alexnet().features.state_dict().items()}  # random
    >>> load_network(state).training
    False
    """
    # The package draws initial weights, which must not move the seeded draws of others, and calls torchvision by its
    # former argument names.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        network: nn.Module = reference.LPIPS(net=backbone, version="0.1", pnet_rand=True, verbose=False)
    # The package cuts torchvision's ``features`` into slices, whose layers keep torchvision's numbers as names.
    layers = {name: layer for part in network.get_submodule("net").children() for name, layer in part.named_children()}
    try:
        for number, layer in layers.items():
            layer.load_state_dict({name: state[f"features.{number}.{name}"] for name in layer.state_dict()})
    except (KeyError, RuntimeError) as error:
        raise WeightsError(
            f"these are no weights of torchvision's {WEIGHTS[backbone]}",
            expected="features.0.weight and so on",
            found=error,
        ) from error
    return network.requires_grad_(False).eval()


def lpips(network: nn.Module, generated: Tensor, truth: Tensor, *, smallest: int = SMALLEST["alex"]) -> Tensor:
    """LPIPS of every frame (Zhang et al. 2018, equation 1).

    In float32, with TF32 and autocast off, so that a score does not depend on the machine: TF32 rounds to 10 bits, and
    bfloat16 moved the value of a VGG-16 with random weights by 0.6%.

    Args:
        network: From :func:`load_network`, on the device of the images.
        generated: ``(n, 3, H, W)``, uint8 or floating point in [0, 255].
        truth: The same.
        smallest: Least number of pixels a side; see :data:`SMALLEST`.

    Returns:
        ``(n,)`` float64, 0 for equal images.

    Raises:
        BatchError: If shapes, types or ranges are wrong, or the images are too small.

    >>> from torchvision.models import alexnet
    >>> state = {f"features.{name}": value for name, value in alexnet().features.state_dict().items()}  # random
    >>> frames = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    >>> lpips(load_network(state), frames, frames)
    tensor([0., 0.], dtype=torch.float64)
    """
    check_images(generated, truth)
    if min(generated.shape[2:]) < smallest:
        raise BatchError(
            "images are too small for the network of LPIPS",
            expected=f"at least {smallest}x{smallest} pixels",
            found=tuple(generated.shape[2:]),
        )
    distances = [torch.empty(0, dtype=torch.float64, device=generated.device)]
    with exact(generated.device), torch.inference_mode():
        for pair in zip(generated.split(_TOGETHER), truth.split(_TOGETHER), strict=True):
            x, y = (images.float() / 127.5 - 1 for images in pair)
            distances.append(network(x, y).double().flatten())
    return torch.cat(distances)


class LPIPS(FrameMetric):
    """LPIPS on AlexNet, averaged over frames; see :func:`lpips`.

    Raises:
        WeightsError: If the network's weights are not on this machine.

    >>> from torchvision.models import alexnet
    >>> state = {f"features.{name}": value for name, value in alexnet().features.state_dict().items()}  # random
    >>> frames = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    >>> from motioncopy.metrics.clip import Network
    >>> metric = LPIPS(networks=lambda name: Network(state, "random"))
    >>> metric(frames, frames)
    tensor(0., dtype=torch.float64)
    >>> metric.networks
    {'alexnet': 'random'}
    """

    backbone: ClassVar[Backbone] = "alex"
    least_side = SMALLEST["alex"]
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
        choice=(
            "The evaluators of LWGAN and of CoCosNet-based V2V take AlexNet, which its authors recommend for "
            "measuring; some papers take VGG-16 (lpips/vgg@1), whose values are larger."
        ),
        caution="Depends on the frames' size: the same videos at half the size have another LPIPS.",
    )

    def __init__(self, *, networks: Provider = published, **kwargs: Any) -> None:
        super().__init__(networks=networks, **kwargs)
        weights = WEIGHTS[self.backbone]
        found = networks(weights)
        self.network = load_network(found.state, self.backbone)
        self.own_networks[weights] = found.identity

    def function(self, generated: Tensor, truth: Tensor) -> Tensor:
        """LPIPS of every frame, ``(n,)`` float64."""
        return lpips(self.network.to(generated.device), generated, truth, smallest=self.least_side)


class VGGLPIPS(LPIPS):
    """LPIPS on VGG-16, averaged over frames; see :func:`lpips`.

    >>> from torchvision.models.vgg import cfgs, make_layers
    >>> state = {f"features.{name}": value for name, value in make_layers(cfgs["D"]).state_dict().items()}  # random
    >>> frames = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    >>> from motioncopy.metrics.clip import Network
    >>> VGGLPIPS(networks=lambda name: Network(state, "random"))(frames, frames)
    tensor(0., dtype=torch.float64)
    """

    backbone: ClassVar[Backbone] = "vgg"
    least_side = SMALLEST["vgg"]
    definition = Definition(
        key="lpips/vgg@1",
        title="LPIPS (VGG)",
        direction="lower",
        unit="",
        source=LPIPS.definition.source,
        text=LPIPS.definition.text.replace("AlexNet", "VGG-16"),
        choice="For comparison with papers that took VGG-16; lpips/alex@1 is the default.",
        caution=LPIPS.definition.caution,
    )
