"""pix2pixHD: the global generator at half the size, then the local enhancer around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from torch import Tensor

from methods.pix2pixhd.networks import CoarseToFine, LocalEnhancer, half
from motioncopy.batch import MotionBatch
from motioncopy.losses.adversarial import AdversarialLoss, LeastSquares
from motioncopy.losses.perceptual import FeatureLoss
from motioncopy.method import Stage
from motioncopy.nets.blocks import GlobalGenerator, check_size
from motioncopy.request import Crop, DataRequest
from motioncopy.training.pose_to_frame import FeatureLosses, PoseToFrame, PoseToFrameGAN, PoseToFrameStage


@dataclass(frozen=True)
class GlobalGAN(PoseToFrameGAN):
    """G1, a :class:`motioncopy.nets.blocks.GlobalGenerator`, and its training."""

    generator: GlobalGenerator
    losses: FeatureLosses = field(default_factory=FeatureLosses)


@dataclass(frozen=True)
class EnhancerGAN(PoseToFrameGAN):
    """G2, a :class:`methods.pix2pixhd.networks.LocalEnhancer`, and its training.

    Attributes:
        fixed_epochs: So many epochs at the beginning train G2 alone, all others both.
    """

    generator: LocalEnhancer
    losses: FeatureLosses = field(default_factory=FeatureLosses)
    fixed_epochs: int = 10


class HalvedStage(PoseToFrameStage):
    """Trains the global generator at half the size, as the enhancer around it will use it."""

    generator: GlobalGenerator

    def inputs(self, batch: MotionBatch) -> tuple[Tensor, Tensor]:
        """See :class:`motioncopy.training.pose_to_frame.PoseToFrameStage`."""
        sticks, real = super().inputs(batch)
        return half(sticks), half(real)


class EnhancerStage(PoseToFrameStage):
    """Trains the enhancer, for some epochs alone and then with the global generator.

    Args:
        network: Both.
        request: Image size and crop.
        after: The global generator's stage.
        enhancer: Networks, weights and schedule.
        gan: The form of the adversarial loss.
        perceptual: The perceptual term, or ``None``.
    """

    generator: CoarseToFine

    def __init__(
        self,
        network: CoarseToFine,
        request: DataRequest,
        after: PoseToFrameStage,
        *,
        enhancer: EnhancerGAN,
        gan: AdversarialLoss,
        perceptual: FeatureLoss | None,
    ) -> None:
        super().__init__(
            "enhancer", request, network, [after], share=2, enhancer=enhancer, gan=gan, perceptual=perceptual
        )
        self.upstream = tuple(self.fixed.values())  # the global generator is trained further here
        self.fixed_epochs = enhancer.fixed_epochs

    def on_train_epoch_start(self) -> None:
        """Decides who learns in this epoch."""
        self.generator.coarse.requires_grad_(self.current_epoch >= self.fixed_epochs)


class Pix2PixHD(PoseToFrame):
    """One model a person: the frame of a stick figure, painted small and then enhanced.

    Args:
        coarse: The GAN of the global generator.
        enhancer: The GAN of the local enhancer; ``None`` leaves the global generator, which then works at full size.
        image_size: (height, width) in pixels, which the generators must be able to halve.
        crop: See :data:`motioncopy.request.Crop`.
        normalisation: See :mod:`motioncopy.poses.normalise` (the paper has no bodies).
        gan: The form of the adversarial loss.
        perceptual: The perceptual term, or ``None``.

    Raises:
        ConfigError: If the generators fit neither one another nor the size; the message names the nearest that do.
    """

    def __init__(
        self,
        *,
        coarse: GlobalGAN,
        enhancer: EnhancerGAN | None = None,
        image_size: tuple[int, int] = (512, 512),
        crop: Crop = "frame",
        normalisation: str = "edn",
        gan: AdversarialLoss | None = None,
        perceptual: FeatureLoss | None = None,
    ) -> None:
        super().__init__(image_size, crop, normalisation)
        self.generator = CoarseToFine(coarse.generator, enhancer.generator) if enhancer else coarse.generator
        check_size("pix2pixHD", image_size, coarse.generator.encoder.stride * (2 if enhancer else 1))
        self.feature_identity = perceptual.features.identity() if perceptual is not None else None
        # What only training needs is not registered: it is in no checkpoint of the method.
        self._gans = (coarse, enhancer)
        self._training = (gan or LeastSquares("sum"), perceptual)

    @cached_property
    def stages(self) -> Sequence[Stage]:
        """The global generator; then, where there is one, the enhancer."""
        (coarse, enhancer), (gan, perceptual) = self._gans, self._training
        size = PoseToFrameStage if enhancer is None else HalvedStage
        first = size("global", self.request, coarse=coarse, gan=gan, perceptual=perceptual)
        if enhancer is None:
            return [first]
        assert isinstance(self.generator, CoarseToFine)
        return [
            first,
            EnhancerStage(self.generator, self.request, first, enhancer=enhancer, gan=gan, perceptual=perceptual),
        ]
