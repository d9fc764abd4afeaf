"""The GANs that FakeMotion trains, as configs: networks, weights, schedules. The YAML gives each value's source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from methods.fakemotion.face import FaceEnhancer
from methods.fakemotion.networks import TemporalDiscriminator
from motioncopy.errors import ConfigError
from motioncopy.losses.gromov_wasserstein import entropic_wasserstein, gromov_wasserstein_loss
from motioncopy.losses.perceptual import FeatureLoss
from motioncopy.training import schedule
from motioncopy.training.gan import GANConfig, GANLosses
from motioncopy.training.processes import gathered


@dataclass(frozen=True)
class Schedule(schedule.Schedule):
    """How long and how fast a stage trains, with the paper's values."""

    epochs: int = 120
    batch_size: int = 10
    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)


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


@dataclass(frozen=True)
class ForegroundLosses(GANLosses):
    """Weights of the foreground generator's terms; a term of weight 0 is not computed.

    Attributes:
        adversarial: By the quality discriminator (equation 13).
        temporal: Adversarial, by the temporal discriminator (equation 14).
        gromov_wasserstein: See :class:`GromovWasserstein`; it needs a feature network.
        wasserstein: See :class:`Wasserstein` (released code); it needs a feature network.
        mask: Binary cross entropy of the predicted mask, where the generator predicts one.
        l2: Mean squared error of the foreground (table 2's "L2 loss").
        l1: Mean absolute error of the fused frame plus the same over the person alone (not in the paper).
        feature_matching: Of the quality discriminator's features (not in the paper).
    """

    temporal: float = 1.0
    gromov_wasserstein: float = 0.0
    wasserstein: float = 0.0
    mask: float = 10.0
    l2: float = 0.0
    l1: float = 0.0


@dataclass(frozen=True)
class ForegroundGAN(GANConfig):
    """From poses to foregrounds (section 2.2).

    Attributes:
        generator: From pose inputs to a foreground; with a fourth channel, to a mask as well.
        discriminator: The quality discriminator D_q; sees (pose, foreground).
        temporal: The temporal discriminator D_t, or ``None`` (table 1's TD).
        losses: Weights.
        gromov_wasserstein: How the Gromov-Wasserstein term is computed.
        wasserstein: How the released code's transport term is computed.
        schedule: Length, rate, batch.
    """

    temporal: TemporalDiscriminator | None = None
    losses: ForegroundLosses = field(default_factory=ForegroundLosses)
    gromov_wasserstein: GromovWasserstein = field(default_factory=GromovWasserstein)
    wasserstein: Wasserstein = field(default_factory=Wasserstein)
    schedule: Schedule = field(default_factory=Schedule)


@dataclass(frozen=True)
class FusionLosses(GANLosses):
    """Weights of the fusion network's terms; a term of weight 0 is not computed.

    Attributes:
        wasserstein: See :class:`Wasserstein`.
        l1: Mean absolute error (not in the released code).
    """

    feature_matching: float = 10.0
    wasserstein: float = 0.1
    l1: float = 0.0


@dataclass(frozen=True)
class FusionGAN(GANConfig):
    """The released code's learned fusion.

    Attributes:
        generator: From pose drawing, background and foreground to the frame.
        discriminator: Sees (pose drawing, frame).
        losses: Weights.
        wasserstein: How the transport term is computed.
        schedule: Length, rate, batch.
    """

    losses: FusionLosses = field(default_factory=FusionLosses)
    wasserstein: Wasserstein = field(default_factory=Wasserstein)
    schedule: Schedule = field(default_factory=Schedule)


@dataclass(frozen=True)
class LocalLosses(GANLosses):
    """Weights of a local generator's terms; a term of weight 0 is not computed.

    Attributes:
        adversarial: Equation 15.
        feature_matching: Mean squared error of the discriminator's features (released code).
        l1: Mean absolute error of the crop (not in the paper).
        perceptual: L1 of VGG-16's features (released code of FakeVideo).
        wasserstein: See :class:`Wasserstein` (released code).
    """

    l1: float = 0.0
    perceptual: float = 0.0
    wasserstein: float = 0.0


@dataclass(frozen=True)
class LocalGAN(GANConfig):
    """Generators and discriminators of crops of body parts (section 2.3).

    Attributes:
        generator: One part's :class:`motioncopy.nets.blocks.Refiner`; every part gets a copy.
        discriminator: One part's discriminator; every part gets a copy.
        size: Side of the crops in pixels.
        soft_edge: See :class:`methods.fakemotion.networks.LocalRefiners`.
        on_frame: Refine the fused frame (released code) instead of the foreground (paper).
        losses: Weights.
        wasserstein: How the transport term is computed.
        perceptual: The perceptual term.
        schedule: Length, rate, batch.

    Raises:
        ConfigError: If the perceptual term has a weight and no network.
    """

    size: int = 48
    soft_edge: bool = False
    on_frame: bool = False
    losses: LocalLosses = field(default_factory=LocalLosses)
    wasserstein: Wasserstein = field(default_factory=Wasserstein)
    perceptual: FeatureLoss | None = None
    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self) -> None:
        if self.losses.perceptual and self.perceptual is None:
            raise ConfigError("the perceptual loss of crops has a weight and no network", remedy="set perceptual")


@dataclass(frozen=True)
class FaceSearch:
    """Self-supervised face enhancement.

    Attributes:
        enhancer: Searches and blends.
        size: Side of the face crops in pixels.
        by_image: Whether the search goes by image features ("image feature", table 2).
    """

    enhancer: FaceEnhancer
    size: int = 48
    by_image: bool = False
