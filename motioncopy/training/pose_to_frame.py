"""Image-to-image translation from pose sticks to frames, one model a person: what pix2pix, pix2pixHD and EDN share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from motioncopy.batch import Appearance, Motion, MotionBatch
from motioncopy.errors import ConfigError
from motioncopy.losses.adversarial import AdversarialLoss
from motioncopy.losses.perceptual import FeatureLoss
from motioncopy.method import Method
from motioncopy.nets.blocks import init_weights
from motioncopy.poses.sticks import draw_motion_sticks
from motioncopy.request import Crop, DataRequest, Regime
from motioncopy.training.gan import Comparison, FrameGANStage, GANConfig, GANLosses, GANStage


@dataclass(frozen=True)
class PoseToFrameLosses(GANLosses):
    """Weights; a term of weight 0 is not computed.

    Attributes:
        l1: Mean absolute error of the frame.
        perceptual: Distance in the features of a network.
    """

    l1: float = 0.0
    perceptual: float = 0.0


@dataclass(frozen=True)
class FeatureLosses(PoseToFrameLosses):
    """pix2pixHD's weights (section 4), which EDN takes over."""

    feature_matching: float = 10.0
    perceptual: float = 10.0


@dataclass(frozen=True)
class PoseToFrameGAN(GANConfig):
    """From three channels of sticks to a frame; the discriminator sees (sticks, frame), 6 channels.

    Of EDN's, which take more, the subclasses say so.

    Its weights start as the generator's do, by :func:`motioncopy.nets.blocks.init_weights`.
    """

    losses: PoseToFrameLosses = field(default_factory=PoseToFrameLosses)

    def __post_init__(self) -> None:
        self.discriminator.apply(init_weights)


@dataclass(frozen=True)
class Pair:
    """A batch of poses and frames, all ``(B, 3, H, W)`` in [-1, 1]."""

    sticks: Tensor
    real: Tensor
    generated: Tensor


def perceptual_network(
    stage: str, losses: PoseToFrameLosses, perceptual: FeatureLoss | None
) -> dict[str, FeatureLoss | None]:
    """What a stage has ``fixed``.

    Raises:
        ConfigError: If the perceptual term has a weight and no network.
    """
    if losses.perceptual and perceptual is None:
        raise ConfigError(f"stage {stage}: the perceptual loss has a weight and no network", remedy="set perceptual")
    return {"perceptual": perceptual}


def image_terms(fixed: Mapping[str, nn.Module], generated: Tensor, real: Tensor) -> Mapping[str, Callable[[], Tensor]]:
    """Pixel and perceptual losses of images ``(N, 3, H, W)``; see :meth:`motioncopy.training.gan.GANStage.terms`."""
    return {
        "l1": lambda: functional.l1_loss(generated, real),
        "perceptual": lambda: fixed["perceptual"](generated, real),
    }


class PoseToFrameStage(FrameGANStage[Pair]):
    """Trains a generator on single pairs of sticks and frame.

    Args:
        name: See :class:`motioncopy.method.Stage`.
        request: Image size and crop.
        generator: By default the config's.
        after: The stages on whose generators this one builds.
        share: See :class:`motioncopy.method.Stage`.
        gan: The form of the adversarial loss.
        perceptual: The perceptual term, or ``None``.
        config: Networks, weights and schedule, by the name that they have among the method's arguments.

    Raises:
        ConfigError: If the perceptual term has a weight and no network.
    """

    def __init__(
        self,
        name: str,
        request: DataRequest,
        generator: nn.Module | None = None,
        after: Sequence[GANStage[Any]] = (),
        share: float = 1.0,
        *,
        gan: AdversarialLoss,
        perceptual: FeatureLoss | None = None,
        **config: PoseToFrameGAN,
    ) -> None:
        (given,) = config.values()
        fixed = perceptual_network(name, given.losses, perceptual)
        super().__init__(name, given, gan, request, generator=generator, after=after, fixed=fixed, share=share)

    def inputs(self, batch: MotionBatch) -> tuple[Tensor, Tensor]:
        """Sticks and true frames, ``(B, 3, H, W)`` each."""
        return draw_motion_sticks(batch.motion)[:, 0], batch.images[:, 0]

    def generate(self, batch: MotionBatch) -> Pair:
        """Whole frames."""
        sticks, real = self.inputs(batch)
        return Pair(sticks, real, self.checkpointed(self.generator, sticks))

    def comparisons(self, sample: Pair) -> list[Comparison]:
        """Frames beside their poses."""
        return [Comparison(self.discriminators, sample.real, sample.generated, sample.sticks)]

    def terms(self, sample: Pair) -> Mapping[str, Callable[[], Tensor]]:
        """Pixel and perceptual losses."""
        return image_terms(self.fixed, sample.generated, sample.real)

    def samples(self, batch: MotionBatch) -> dict[str, Tensor]:
        """Poses, and frames as they are generated and as they are."""
        pair = self.generate(batch)
        return {"pose": pair.sticks, "generated": pair.generated, "truth": pair.real}


class PoseToFrame(Method[None]):
    """Draws the pose as sticks (with hands and face where the data has them) and generates frame by frame.

    A subclass sets ``generator``, from ``(N, 3, H, W)`` to the same, and lists the stages that train it.

    Args:
        image_size: (height, width) in pixels.
        crop: See :data:`motioncopy.request.Crop`.
        normalisation: See :mod:`motioncopy.poses.normalise`.
    """

    regime: Regime = "personal"  # type: ignore[misc]
    generator: nn.Module

    def __init__(self, image_size: tuple[int, int], crop: Crop, normalisation: str) -> None:
        super().__init__(request=DataRequest(1, (image_size[0], image_size[1]), crop=crop), normalisation=normalisation)

    def start(self, appearance: Appearance) -> None:
        """Nothing: person and place are in the parameters."""
        self.check_person(appearance)

    def step(self, state: None, motion: Motion) -> tuple[Tensor, None]:
        """Each frame from its own pose."""
        frames: Tensor = self.generator(draw_motion_sticks(motion)[0])
        return frames.float(), None
