"""Distances between images in the features of a network (Johnson et al., 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from motioncopy.errors import BatchError, ConfigError
from motioncopy.nets.features import FeatureNetwork
from motioncopy.training.precision import at_least_float32

_DISTANCES = {"l1": functional.l1_loss, "mse": functional.mse_loss}


class FeatureLoss(nn.Module):
    """A weighted sum over layers of the mean distance of features.

    pix2pixHD's: VGG-19, L1, relu1_1 to relu5_1 weighted 1/32, 1/16, 1/8, 1/4, 1. FakeVideo's L_p: VGG-19, mse, conv5_4.

    Args:
        features: The network; it must give the layers that are weighted here.
        weights: Layer name to weight; a layer of weight 0 is not looked at.
        distance: ``l1`` or ``mse``.

    Raises:
        ConfigError: If a layer is not among those of ``features``, there is none, or the distance is unknown.

    Example:
        >>> import torch
        >>> from motioncopy.losses.perceptual import FeatureLoss
        >>> from motioncopy.nets.features import FeatureNetwork
        >>> network = FeatureNetwork("random_vgg", ["relu1_1", "relu2_1"], width=4)
        >>> loss = FeatureLoss(network, {"relu1_1": 0.5, "relu2_1": 1.0})
        >>> image = torch.zeros(1, 3, 32, 32)
        >>> loss(image, image)
        tensor(0.)
        >>> bool(loss(image, image + 0.5) > 0)
        True
    """

    def __init__(
        self, features: FeatureNetwork, weights: Mapping[str, float], distance: Literal["l1", "mse"] = "l1"
    ) -> None:
        super().__init__()
        weights = {layer: weight for layer, weight in weights.items() if weight}
        if not weights or not set(weights) <= set(features.layers):
            raise ConfigError(
                f"{type(self).__name__} weighs layers that its network does not give",
                expected=f"some of {', '.join(features.layers)}",
                found=", ".join(weights) or "none",
                remedy="name them in the network's layers too",
            )
        if distance not in _DISTANCES:
            raise ConfigError("unknown distance of features", expected=" or ".join(_DISTANCES), found=repr(distance))
        self.features, self.weights = features, weights
        self.distance = _DISTANCES[distance]

    def forward(self, generated: Tensor, real: Tensor) -> Tensor:
        """The loss; no gradient flows to ``real``.

        Args:
            generated: Images ``(N, 3, H, W)`` in [-1, 1].
            real: The same.

        Returns:
            A scalar.

        Raises:
            BatchError: If the shapes differ, or are not those of images.
        """
        if generated.shape != real.shape:
            raise BatchError("the images do not pair", expected=tuple(real.shape), found=tuple(generated.shape))
        with torch.no_grad():
            wanted = self.features(real)
        found = self.features(generated)
        return torch.stack([w * self._layer(found[layer], wanted[layer]) for layer, w in self.weights.items()]).sum()

    def _layer(self, found: Tensor, wanted: Tensor) -> Tensor:
        return self.distance(found, wanted)


class ContentAndStyle(FeatureLoss):
    """REMOT's equation 7: L1 of features and of their Gram matrices, summed over layers.

    Args:
        features: See :class:`FeatureLoss`; VGG-19 in the paper.
        weights: Likewise.

    Raises:
        ConfigError: See :class:`FeatureLoss`.
    """

    def __init__(self, features: FeatureNetwork, weights: Mapping[str, float]) -> None:
        super().__init__(features, weights)

    def _layer(self, found: Tensor, wanted: Tensor) -> Tensor:
        return self.distance(found, wanted) + self.distance(gram(found), gram(wanted))


def gram(features: Tensor) -> Tensor:
    """Products of channels over all places, divided by their number: ``(N, C, h, w)`` to ``(N, C, C)``."""
    # In float32 whatever autocast says: the sums over all places are beyond half precision.
    with torch.autocast(features.device.type, enabled=False):
        flat = at_least_float32(features).flatten(2)
        return flat @ flat.transpose(1, 2) / flat[0].numel()
