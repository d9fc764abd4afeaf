"""Distances between images in the features of a network (Johnson et al., 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from motioncopy.errors import BatchError, ConfigError
from motioncopy.nets.features import FeatureNetwork

_DISTANCES = {"l1": functional.l1_loss, "mse": functional.mse_loss}


class FeatureLoss(nn.Module):
    """A weighted sum over layers of the mean distance of features.

    pix2pixHD's: VGG-19, L1, relu1_1 to relu5_1 weighted 1/32, 1/16, 1/8, 1/4, 1. FakeVideo's L_p: VGG-19, mse, conv5_4.

    Args:
        features: The network; it must give the layers that are weighted here.
        weights: Layer name to weight.
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
        if not weights or not set(weights) <= set(features.layers):
            raise ConfigError(
                "FeatureLoss weighs layers that its network does not give",
                expected=f"some of {', '.join(features.layers)}",
                found=", ".join(weights) or "none",
                remedy="name them in the network's layers too",
            )
        if distance not in _DISTANCES:
            raise ConfigError("unknown distance of features", expected=" or ".join(_DISTANCES), found=repr(distance))
        self.features, self.weights = features, dict(weights)
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
        return torch.stack([w * self.distance(found[layer], wanted[layer]) for layer, w in self.weights.items()]).sum()
