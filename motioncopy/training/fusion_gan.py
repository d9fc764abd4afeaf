"""The GAN of a learned fusion: frames of a place and the foregrounds that earlier stages generate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from motioncopy.batch import MotionBatch
from motioncopy.faces.enhancement import FaceSearch
from motioncopy.losses.adversarial import AdversarialLoss
from motioncopy.losses.transport import Wasserstein
from motioncopy.nets.features import FeatureNetwork
from motioncopy.nets.fusion import LearnedFusion
from motioncopy.request import DataRequest
from motioncopy.training.gan import Comparison, FrameGANStage, GANConfig, GANLosses, GANStage


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
    """FakeMotion's released code's learned fusion.

    Attributes:
        generator: From pose drawing, background and foreground to the frame.
        discriminator: Sees (pose drawing, frame).
        losses: Weights.
        wasserstein: How the transport term is computed.
    """

    losses: FusionLosses = field(default_factory=FusionLosses)
    wasserstein: Wasserstein = field(default_factory=Wasserstein)


@dataclass(frozen=True)
class FusionInputs:
    """What the fusion network sees, and the frame that it should generate; all ``(B, ., H, W)``."""

    foreground: Tensor
    background: Tensor
    pose: Tensor
    frame: Tensor


class FusionStage(FrameGANStage[tuple[FusionInputs, Tensor]]):
    """Trains a learned fusion on foregrounds that earlier stages generate.

    Args:
        network: The fusion.
        render: Generates the foregrounds with earlier networks, without gradients.
        request: Image size and crop, and windows around one frame each.
        after: The earlier stages.
        face: What ``render`` enhances faces with.
        fusion: Networks, weights and schedule.
        gan: The form of the adversarial loss.
        features: Feature network of the transport term, or ``None``.
    """

    def __init__(
        self,
        network: LearnedFusion,
        render: Callable[[MotionBatch], FusionInputs],
        request: DataRequest,
        after: Sequence[GANStage[Any]],
        *,
        face: FaceSearch | None,
        fusion: FusionGAN,
        gan: AdversarialLoss,
        features: FeatureNetwork | None,
    ) -> None:
        super().__init__(
            "fusion", fusion, gan, request, generator=network, after=after, fixed={"features": features}, share=2
        )
        self.render, self.fusion = render, fusion

    def generate(self, batch: MotionBatch) -> tuple[FusionInputs, Tensor]:
        """Whole frames."""
        with torch.no_grad():
            seen = self.render(batch)
        return seen, self.checkpointed(self.generator, seen.pose, seen.background, seen.foreground)

    def comparisons(self, sample: tuple[FusionInputs, Tensor]) -> list[Comparison]:
        """Frames beside their poses."""
        seen, generated = sample
        return [Comparison(self.fusion.discriminator, seen.frame, generated, seen.pose)]

    def terms(self, sample: tuple[FusionInputs, Tensor]) -> Mapping[str, Callable[[], Tensor]]:
        """Transport and pixel losses."""
        seen, generated = sample
        config, fixed = self.fusion, self.fixed
        return {
            "l1": lambda: functional.l1_loss(generated, seen.frame),
            "wasserstein": lambda: config.wasserstein.loss(fixed["features"], generated, seen.frame),
        }

    def samples(self, batch: MotionBatch) -> dict[str, Tensor]:
        """Whole frames."""
        seen, generated = self.generate(batch)
        return {"foreground": seen.foreground, "generated": generated, "truth": seen.frame}
