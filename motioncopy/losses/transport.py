"""The transport losses as terms of a stage: between images, by a layer of a feature network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from motioncopy.losses.gromov_wasserstein import entropic_wasserstein, gromov_wasserstein_loss
from motioncopy.training.processes import gathered


@dataclass(frozen=True)
class GromovWasserstein:
    """The Gromov-Wasserstein term (equations 3 to 7).

    Attributes:
        layer: The feature layer Ψ.
        epsilon: Of the entropic plan, as POT counts it: twice the paper's.
        outer_iterations: Projected gradient steps.
        sinkhorn_iterations: Sinkhorn steps each.
        gradient: ``envelope`` or ``unrolled``.
        batch: Between which frames of a batch that several processes share: those of each ``rank`` alone, or of all,
            ``gathered``. One process knows no difference.
    """

    layer: str = "conv5_4"
    epsilon: float = 0.02
    outer_iterations: int = 20
    sinkhorn_iterations: int = 50
    gradient: str = "envelope"
    batch: Literal["rank", "gathered"] = "rank"

    def loss(self, features: nn.Module, generated: Tensor, real: Tensor) -> Tensor:
        """Of images ``(N, 3, H, W)`` by the feature network's layer; no gradient flows to ``real``."""
        sets = _layer(features, self.layer, generated, real)
        return gromov_wasserstein_loss(
            *(map(gathered, sets) if self.batch == "gathered" else sets),
            epsilon=self.epsilon,
            outer_iterations=self.outer_iterations,
            sinkhorn_iterations=self.sinkhorn_iterations,
            gradient=self.gradient,
        )


@dataclass(frozen=True)
class Wasserstein:
    """What the released code computes under the name of optimal transport.

    Attributes:
        layer: The feature layer; the released code takes ResNet-18's 1000 logits.
        epsilon: Of the entropic plan.
        iterations: Sinkhorn steps.
    """

    layer: str = "logits"
    epsilon: float = 100.0
    iterations: int = 10

    def loss(self, features: nn.Module, generated: Tensor, real: Tensor) -> Tensor:
        """Of images ``(N, 3, H, W)`` by the feature network's layer; no gradient flows to ``real``."""
        sets = _layer(features, self.layer, generated, real)
        return entropic_wasserstein(*sets, epsilon=self.epsilon, iterations=self.iterations)


def _layer(features: nn.Module, layer: str, generated: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """A layer's features of real images and of generated ones, ``(N, F)`` each."""
    with torch.no_grad():
        wanted = features(real)[layer].flatten(1)
    return wanted, features(generated)[layer].flatten(1)
