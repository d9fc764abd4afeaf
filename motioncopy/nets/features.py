"""Feature networks: torchvision's, two whose weights packages bring, a small one of fixed random weights."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Self

import torch
from torch import Tensor, nn

from motioncopy import weights
from motioncopy.errors import BatchError, ConfigError, WeightsError
from motioncopy.nets import efficientnet

Network = Literal["vgg19", "vgg16", "resnet18_logits", "efficientnet_lite0", "hed_vgg", "random_vgg"]

#: Convolutions in each block of the VGGs; between blocks, a pooling halves the image.
_BLOCKS = {
    "vgg19": (2, 2, 4, 4, 4),
    "vgg16": (2, 2, 3, 3, 3),
    "hed_vgg": (2, 2, 3, 3, 3),
    "random_vgg": (2, 2, 4, 4, 4),
}
#: Classes of ImageNet. Settings in units of a distance between logits, which is summed over them, need as many of each
#: network.
_LOGITS = 1000
#: Mean and deviation of ImageNet's RGB images in [0, 1], which torchvision's networks were trained on.
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: The same of the others. HED's VGG keeps the units of its pixels, as Caffe did.
_STATISTICS = {
    "efficientnet_lite0": ((efficientnet.PIXEL_MEAN / 255,) * 3, (efficientnet.PIXEL_STD / 255,) * 3),
    "hed_vgg": ((122.67892 / 255, 116.66877 / 255, 104.00699 / 255), (1 / 255,) * 3),
}


class FeatureNetwork(nn.Module):
    """Frozen features of images; the gradient flows to the images and to nothing else.

    ``efficientnet_lite0`` (ImageNet) and ``hed_vgg`` (the VGG-16 of holistically-nested edge detection, ImageNet then
    BSDS500's edges) come with the packages that are installed, so that a fresh machine has them.

    ``random_vgg`` has the shape of VGG-19, ``width`` channels in its first block in place of 64, and weights drawn
    from ``seed``: the same on every machine, and nothing to download. It does not stand in for ImageNet's features in
    silence: a config names it, and records keep its `identity`.

    Args:
        network: ``vgg19``, ``vgg16``, ``resnet18_logits``, ``efficientnet_lite0`` or ``hed_vgg`` (see
            `motioncopy.weights`), or ``random_vgg``.
        layers: What to return. Of the VGGs ``relu1_1`` to ``relu5_4`` (``relu5_3`` of those of 16 layers), before
            their ReLU ``conv1_1`` and so on, and ``pool1`` to ``pool4``. Of ``resnet18_logits`` its ``logits``.
            ``random_vgg`` has ``logits`` too, as many: a random linear map of the mean of its last layer over the
            image. Of ``efficientnet_lite0`` its ``stem``, ``block0`` to ``block15`` and ``head``.
        width: Channels of the first block of ``random_vgg``.
        seed: Of the weights of ``random_vgg``.

    Raises:
        ConfigError: If the network or a layer does not exist, or the width is below 1.
        WeightsError: If the network's weights are not on this machine; the message says how to get them.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, network: Network = "vgg19", layers: Sequence[str] = ("conv5_4",), *, width: int = 16, seed: int = 0
    ) -> None:
        super().__init__()
        self._set_up(network, layers, width, seed, weights.load)

    @classmethod
    def of(cls, network: Network, layers: Sequence[str], state: Mapping[str, Tensor]) -> Self:
        """A network of weights that are at hand, in the names of the published file; see `FeatureNetwork`.

        Raises:
            ConfigError: If the network or a layer does not exist.
            WeightsError: If the weights are of another network.
        """
        made = cls.__new__(cls)
        nn.Module.__init__(made)
        made._set_up(network, layers, 1, 0, lambda _: state)
        return made

    def _set_up(
        self,
        network: Network,
        layers: Sequence[str],
        width: int,
        seed: int,
        load: Callable[[str], Mapping[str, Tensor]],
    ) -> None:
        known = _names(network)
        if not layers or not set(layers) <= set(known):
            raise ConfigError(
                f"{network} has no such layers",
                expected=f"some of {', '.join(known)}",
                found=", ".join(layers) or "none",
            )
        if width < 1:
            raise ConfigError("the feature network's width is out of range", expected="at least 1", found=width)
        self.network, self.layers, self.width, self.seed = network, tuple(layers), width, seed
        needed = known[: 1 + max(map(known.index, layers))]
        self.smallest = 2 ** sum(name.startswith("pool") for name in needed)
        if network == "efficientnet_lite0":
            self.smallest = efficientnet.STRIDES[needed[-1]]
            self.body = _efficientnet(needed, load(_file(network)))
        elif network == "resnet18_logits":
            self.body = _resnet18(load(_file(network)))
        else:
            self.body = _vgg(network, needed, width, seed, load)
        mean, std = _STATISTICS.get(network, _IMAGENET)
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> Self:
        """Stays in evaluation mode."""
        return super().train(False)

    def identity(self) -> str:
        """What records say of it: the hash of its weights, or how they were drawn."""
        if self.network == "random_vgg":
            return f"random_vgg(width={self.width}, seed={self.seed})"
        return weights.identity(_file(self.network))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Features by layer.

        Args:
            images: RGB ``(N, 3, H, W)`` in [-1, 1]. Where a VGG pools k times, H and W must be at least 2^k; where
                EfficientNet strides k times too.

        Returns:
            ``(N, C, H / 2^k, W / 2^k)``, rounded down (of EfficientNet up), for each layer asked for; ``(N, 1000)``
            for ``logits``.

        Raises:
            BatchError: If these are no such images, or they are too small.
        """
        good = images.ndim == 4 and images.shape[1] == 3 and images.is_floating_point()
        if not good or min(images.shape[-2:]) < self.smallest:
            raise BatchError(
                f"these are no images for {', '.join(self.layers)} of {self.network}",
                expected=f"(N, 3, H, W) of floating point, H and W at least {self.smallest}",
                found=f"{tuple(images.shape)} of {images.dtype}",
            )
        x = ((images + 1) / 2 - self.mean) / self.std
        features = {}
        for name, layer in self.body.named_children():
            x = layer(x)
            if name in self.layers:
                features[name] = x
        return features


def _file(network: Network) -> str:
    """What :mod:`motioncopy.weights` calls the weights of a network."""
    return network.removesuffix("_logits").replace("_", "-")


def _names(network: Network) -> list[str]:
    """A network's layers in order. VGG's have the numbers that torchvision gives them, from 0 on."""
    if network == "resnet18_logits":
        return ["logits"]
    if network == "efficientnet_lite0":
        return list(efficientnet.LAYERS)
    if network not in _BLOCKS:
        raise ConfigError(
            "unknown feature network",
            expected=f"one of {', '.join([*_BLOCKS, 'resnet18_logits', 'efficientnet_lite0'])}",
            found=network,
        )
    names: list[str] = []
    for block, count in enumerate(_BLOCKS[network], 1):
        names += [f"pool{block - 1}"] if block > 1 else []
        names += [f"{kind}{block}_{number}" for number in range(1, count + 1) for kind in ("conv", "relu")]
    return [*names, "logits"] if network == "random_vgg" else names


def _vgg(
    network: Network, names: Sequence[str], width: int, seed: int, load: Callable[[str], Mapping[str, Tensor]]
) -> nn.Sequential:
    """The layers of these names, with their weights."""
    first, channels = width if network == "random_vgg" else 64, 3
    layers: dict[str, nn.Module] = {}
    with torch.device("meta"):  # draws no random numbers, which would move the seeded draws of others
        for name in names:
            if name.startswith("conv"):
                out = first * min(2 ** (int(name[4]) - 1), 8)
                layers[name] = nn.Conv2d(channels, out, 3, padding=1)
                channels = out
            elif name.startswith("relu"):
                layers[name] = nn.ReLU()
            elif name.startswith("pool"):
                layers[name] = nn.MaxPool2d(2)
            else:
                layers[name] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, _LOGITS))
        body = nn.Sequential(OrderedDict(layers))
    if network == "random_vgg":
        state = _random_state(body, seed)
    elif network == "hed_vgg":
        state = _hed_state(body, load(_file(network)))
    else:
        published = load(_file(network))
        # As "0.weight" for the layer that torchvision calls "features.0.weight".
        numbered = nn.Sequential(*body.children()).state_dict()
        state = {
            name: published[f"features.{key}"]
            for name, key in zip(body.state_dict(), numbered, strict=True)
            if f"features.{key}" in published
        }
    _fill(body, state, network)
    return body


def _fill(network: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    try:
        network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        found = " ".join(str(error).splitlines()[:2])[:200]
        raise WeightsError(f"the weights {name} do not fit their network", found=found) from error


def _hed_state(body: nn.Module, published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Keras' weights: kernels ``(H, W, in, out)``, of blue, green and red in the first of them."""
    state = {}
    for name in body.state_dict():
        block, number = name.removeprefix("conv").partition(".")[0].split("_")
        layer = "conv2d" if number == "1" else f"conv2d_{int(number) - 1}"
        key = f"block{block}/layers/{layer}/vars/{0 if name.endswith('weight') else 1}"
        if key in published:
            value = published[key]
            value = value.permute(3, 2, 0, 1) if value.ndim == 4 else value
            state[name] = (value.flip(1) if name == "conv1_1.weight" else value).contiguous()
    return state


def _efficientnet(names: Sequence[str], published: Mapping[str, Tensor]) -> nn.Sequential:
    try:
        return efficientnet.efficientnet_lite0(names, published)
    except (KeyError, RuntimeError) as error:
        found = " ".join(str(error).splitlines()[:2])[:200]
        raise WeightsError("the weights efficientnet-lite0 do not fit their network", found=found) from error


def _random_state(body: nn.Module, seed: int) -> dict[str, Tensor]:
    """He's initialisation, by which features neither vanish nor explode on their way down.

    Uniform: a normal distribution takes logarithms and cosines, whose last digits differ between processors.
    """
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, empty in body.state_dict().items():
        if name.endswith("weight"):
            bound = math.sqrt(6 / empty[0].numel())
            state[name] = (2 * torch.rand(empty.shape, generator=generator) - 1) * bound
        else:
            state[name] = torch.zeros(empty.shape)
    return state


def _resnet18(published: Mapping[str, Tensor]) -> nn.Sequential:
    from torchvision.models import resnet18  # takes a moment to import, and the VGGs do not need it

    with torch.device("meta"):
        network = resnet18()
    _fill(network, published, "resnet18")
    return nn.Sequential(OrderedDict(logits=network))
