"""The plain values of FakeMotion's trainings. Defaults are the paper's; the YAML gives each one's source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from torch import nn

from methods.fakemotion.face import FaceEnhancer
from motioncopy.errors import ConfigError
from motioncopy.losses.perceptual import FeatureLoss
from motioncopy.training import schedule


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
        weight: Its weight; 0 leaves it out.
        layer: The feature layer Ψ.
        epsilon: Of the entropic plan, as POT counts it: twice the paper's.
        outer_iterations: Projected gradient steps.
        sinkhorn_iterations: Sinkhorn steps each.
        gradient: ``envelope`` or ``unrolled``.
        batch: Between which frames of a batch that several processes share: those of each ``rank`` alone, or of all,
            ``gathered``. One process knows no difference.
    """

    weight: float = 10.0
    layer: str = "conv5_4"
    epsilon: float = 0.02
    outer_iterations: int = 20
    sinkhorn_iterations: int = 50
    gradient: str = "envelope"
    batch: Literal["rank", "gathered"] = "rank"


@dataclass(frozen=True)
class Wasserstein:
    """What the released code computes under the name of optimal transport.

    Attributes:
        weight: Its weight; 0 leaves it out.
        layer: The feature layer; the released code takes ResNet-18's 1000 logits.
        epsilon: Of the entropic plan.
        iterations: Sinkhorn steps.
    """

    weight: float = 0.0
    layer: str = "logits"
    epsilon: float = 100.0
    iterations: int = 10


@dataclass(frozen=True)
class ForegroundLosses:
    """Weights of the generator's terms; a term of weight 0 is not computed.

    Attributes:
        quality: Adversarial, by the quality discriminator (equation 13).
        temporal: Adversarial, by the temporal discriminator (equation 14).
        mask: Binary cross entropy of the predicted mask, where the generator predicts one.
        l2: Mean squared error of the foreground (table 2's "L2 loss").
        l1: Mean absolute error of the fused frame plus the same over the person alone (not in the paper).
        feature_matching: Of the quality discriminator's features (not in the paper).
    """

    quality: float = 1.0
    temporal: float = 1.0
    mask: float = 10.0
    l2: float = 0.0
    l1: float = 0.0
    feature_matching: float = 0.0


@dataclass(frozen=True)
class PartLosses:
    """Weights of a local generator's terms; a term of weight 0 is not computed.

    Attributes:
        adversarial: Equation 15.
        l1: Mean absolute error of the crop (not in the paper).
        feature_matching: Mean squared error of the discriminator's features (released code).
        perceptual: L1 of VGG-16's features (released code of FakeVideo).
        wasserstein: See :class:`Wasserstein` (released code).
    """

    adversarial: float = 1.0
    l1: float = 0.0
    feature_matching: float = 0.0
    perceptual: float = 0.0
    wasserstein: float = 0.0


@dataclass(frozen=True)
class FusionLosses:
    """Weights of the fusion network's terms; a term of weight 0 is not computed.

    Attributes:
        adversarial: LSGAN there.
        feature_matching: Of the discriminator's features.
        wasserstein: See :class:`Wasserstein`.
        l1: Mean absolute error (not in the released code).
    """

    adversarial: float = 1.0
    feature_matching: float = 10.0
    wasserstein: float = 0.1
    l1: float = 0.0


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


@dataclass(frozen=True)
class PartGANs:
    """Generators and discriminators of crops.

    Attributes:
        refiner: One part's generator; every part gets a copy.
        discriminator: One part's discriminator; every part gets a copy.
        size: Side of the crops in pixels.
        soft_edge: See :class:`methods.fakemotion.painting.PartPainter`.
        on_frame: Refine the fused frame (released code) instead of the foreground (paper).
        losses: Weights.
        wasserstein: The transport term's solver.
        perceptual: The perceptual term.
        schedule: Length, rate, batch.

    Raises:
        ConfigError: If the perceptual term has a weight and no network.
    """

    refiner: nn.Module
    discriminator: nn.Module
    size: int = 48
    soft_edge: bool = False
    on_frame: bool = False
    losses: PartLosses = field(default_factory=PartLosses)
    wasserstein: Wasserstein = field(default_factory=Wasserstein)
    perceptual: FeatureLoss | None = None
    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self) -> None:
        _refuse_second_weight(self.wasserstein)
        if self.losses.perceptual and self.perceptual is None:
            raise ConfigError("the perceptual loss of crops has a weight and no network", remedy="set perceptual")


@dataclass(frozen=True)
class FusionGAN:
    """The released code's learned fusion.

    Attributes:
        network: From drawing, background and foreground to the frame.
        discriminator: Sees (drawing, frame).
        losses: Weights.
        wasserstein: The transport term's solver.
        schedule: Length, rate, batch.
    """

    network: nn.Module
    discriminator: nn.Module
    losses: FusionLosses = field(default_factory=FusionLosses)
    wasserstein: Wasserstein = field(default_factory=Wasserstein)
    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self) -> None:
        _refuse_second_weight(self.wasserstein)


def _refuse_second_weight(solver: Wasserstein) -> None:
    if solver.weight:
        raise ConfigError(
            "the transport term's weight stands twice", found=solver.weight, remedy="set losses.wasserstein"
        )
