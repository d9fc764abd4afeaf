"""Local GANs: a residual generator and a discriminator for the crops of each body part (FakeMotion, section 2.3)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from motioncopy.batch import Motion, MotionBatch
from motioncopy.errors import ConfigError
from motioncopy.faces.enhancement import FaceSearch
from motioncopy.losses.adversarial import AdversarialLoss
from motioncopy.losses.perceptual import FeatureLoss
from motioncopy.losses.transport import Wasserstein
from motioncopy.nets.features import FeatureNetwork
from motioncopy.nets.parts import LocalRefiners
from motioncopy.request import DataRequest
from motioncopy.training.gan import Comparison, FrameGANStage, GANConfig, GANLosses, GANStage, Outputs
from motioncopy.training.updates import Update


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
        soft_edge: See :class:`motioncopy.nets.parts.LocalRefiners`.
        on_frame: Refine the fused frame (released code) instead of the foreground (paper).
        losses: Weights.
        wasserstein: How the transport term is computed.
        perceptual: The perceptual term.

    Raises:
        ConfigError: If the perceptual term has a weight and no network.
    """

    size: int = 48
    soft_edge: bool = False
    on_frame: bool = False
    losses: LocalLosses = field(default_factory=LocalLosses)
    wasserstein: Wasserstein = field(default_factory=Wasserstein)
    perceptual: FeatureLoss | None = None

    def __post_init__(self) -> None:
        if self.losses.perceptual and self.perceptual is None:
            raise ConfigError("the perceptual loss of crops has a weight and no network", remedy="set perceptual")


#: From a batch to the images that are refined and those they should become, both ``(B, 3, H, W)``.
Render = Callable[[MotionBatch], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class RefinedCrops:
    """The crops of one body part, with its number among the refiners."""

    part: int
    real: Tensor
    generated: Tensor


class LocalStage(FrameGANStage[list[RefinedCrops]]):
    """Trains one residual generator and one discriminator a body part, all parts side by side (equation 15).

    One Adam over all parts is the same as one a part.

    Args:
        name: See :class:`motioncopy.method.Stage`.
        refiners: The residual generators.
        render: Generates images with the networks of earlier stages, without gradients.
        request: Image size and crop, and windows around one frame each, ``pad`` frames before it.
        after: The earlier stages.
        gan: The form of the adversarial loss.
        features: Feature network of the transport term, or ``None``.
        face: What ``render`` enhances faces with.
        config: Networks, weights and schedule, by the name that they have among the method's arguments.
    """

    least = 2  # crops, for the norms' sake
    discriminators: nn.ModuleList
    generator: LocalRefiners

    def __init__(
        self,
        name: str,
        refiners: LocalRefiners,
        render: Render,
        request: DataRequest,
        after: Sequence[GANStage[Any]],
        *,
        gan: AdversarialLoss,
        features: FeatureNetwork | None,
        face: FaceSearch | None,
        **config: LocalGAN,
    ) -> None:
        (self.config,) = config.values()
        super().__init__(
            name,
            self.config,
            gan,
            request,
            generator=refiners,
            discriminators=nn.ModuleList(copy.deepcopy(self.config.discriminator) for _ in refiners.refiners),
            after=after,
            fixed={"features": features, "perceptual": self.config.perceptual},
        )
        self.render = render

    def generate(self, batch: MotionBatch) -> list[RefinedCrops]:
        """Crops of the parts that at least two frames show: one value a channel has no variance to normalise by."""
        with torch.no_grad():
            images, wanted = self.render(batch)
        motion = self._middle(batch)
        pairs = zip(self.generator.crops(images, motion), self.generator.crops(wanted, motion), strict=True)
        return [
            RefinedCrops(part, real, crops + self.checkpointed(self.generator.refiners[part], crops))
            for part, ((crops, _, _), (real, _, _)) in enumerate(pairs)
            if len(crops) > 1
        ]

    def updates(self, batch: MotionBatch) -> Iterator[Update]:
        """See :class:`motioncopy.training.gan.FrameGANStage`; nothing where no part is seen and nobody waits."""
        if sample := self.generate(batch):
            self.log_losses((yield from self.adversarial_updates(sample)))
        elif self.trainer.world_size > 1 or self.parts > 1:
            # Every process and part must step, even if it has no crop.
            generator, discriminator = self.optimizer_list()
            yield Update(discriminator, _zero(self.discriminators), "discriminator")
            yield Update(generator, _zero(self.generator), "generator", self.schedule.clip_norm)

    def comparisons(self, sample: list[RefinedCrops]) -> list[Comparison]:
        """Crops alone (equation 15 has no condition)."""
        share = 1 / len(sample)
        return [Comparison(self.discriminators[c.part], c.real, c.generated, share=share) for c in sample]

    def terms(self, sample: list[RefinedCrops]) -> Mapping[str, Callable[[], Tensor]]:
        """Means over the parts that are seen."""
        config, fixed = self.config, self.fixed

        def mean(loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[], Tensor]:
            return lambda: torch.stack([loss(c.generated, c.real) for c in sample]).mean()

        return {
            "l1": mean(functional.l1_loss),
            "perceptual": mean(lambda generated, real: fixed["perceptual"](generated, real)),
            "wasserstein": mean(lambda generated, real: config.wasserstein.loss(fixed["features"], generated, real)),
        }

    def matching(self, real: Outputs, generated: Outputs) -> Tensor:
        """The released code's: mean squared error, the logits too."""
        pairs = [(r, g) for rs, gs in zip(real, generated, strict=True) for r, g in zip(rs, gs, strict=True)]
        return torch.stack([functional.mse_loss(g, r) for r, g in pairs]).mean()

    def samples(self, batch: MotionBatch) -> dict[str, Tensor]:
        """What is refined, before and after."""
        images, wanted = self.render(batch)
        return {"before": images, "generated": self.generator(images, self._middle(batch)), "truth": wanted}

    def _middle(self, batch: MotionBatch) -> Motion:
        return batch.motion.frames(self.request.pad, self.request.pad + 1)


def _zero(network: nn.Module) -> Tensor:
    """A loss of 0 that reaches every parameter."""
    return torch.stack([parameter.sum() * 0 for parameter in network.parameters()]).sum()
