"""The Region GAN's training (section 3.1, equations 6 to 10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn import functional

from methods.remot.layouts import BLACK, Source, keep_masked, last_two, one_hot, region_masks
from methods.remot.networks import REGIONS, RegionGenerator
from motioncopy.batch import MotionBatch
from motioncopy.losses.adversarial import AdversarialLoss
from motioncopy.losses.perceptual import ContentAndStyle
from motioncopy.losses.pixels import masked_l1
from motioncopy.request import DataRequest
from motioncopy.training.gan import Chunk, Comparison, GANConfig, GANLosses, Rollout, SequenceGANStage
from motioncopy.training.schedule import SequenceSchedule


@dataclass(frozen=True)
class RegionLosses(GANLosses):
    """Weights; a term of weight 0 is not computed.

    Attributes:
        feature_matching: Not in equation 9.
        reconstruction: L1 (equation 6).
        masked_l1: L1 as a mean over the regions' pixels alone; not in the paper.
        perceptual: Content and style (equation 7).
    """

    reconstruction: float = 10.0
    masked_l1: float = 0.0
    perceptual: float = 10.0


@dataclass(frozen=True)
class RegionGAN(GANConfig):
    """The Region GAN and its training.

    Attributes:
        generator: Draws regions.
        discriminator: Sees (mask, region), 4 channels.
        aligned: Whether the source goes through the Global Alignment Module.
        residual: Whether the source region, fitted into the wanted one, is changed; in the paper it is drawn anew.
        masked: Whether a region is black outside its mask by construction; in the paper it learns to be.
        losses: Weights.
        schedule: Length, rate, batch.
    """

    generator: RegionGenerator
    aligned: bool = True
    residual: bool = False
    masked: bool = False
    losses: RegionLosses = field(default_factory=RegionLosses)
    schedule: SequenceSchedule = field(default_factory=SequenceSchedule)

    def guides(self, source: Source, layout: Tensor, sharp: Tensor) -> dict[str, Tensor | None]:
        """What the generator sees besides the frames before, by the names of its arguments.

        Args:
            source: The person.
            layout: ``(N, 6, H, W)`` probabilities: where it is not sure, regions and place share the pixel.
            sharp: The same, one-hot, as the true layouts that the generator is trained on.
        """
        return {
            "mask": region_masks(sharp),
            "source": source.regions_in(sharp, moved=self.aligned),
            "base": source.fitted_in(sharp) if self.residual else None,
            "support": region_masks(layout) if self.masked else None,
        }


@dataclass(kw_only=True)
class RegionRollout(Rollout):
    """A sequence while it is generated.

    Attributes:
        source: The person.
        layouts: True layouts of the frames.
        masks: Their regions, five a sample.
        real: True regions.
    """

    source: Source
    layouts: Sequence[Tensor]
    masks: list[Tensor]
    real: list[Tensor]


class RegionStage(SequenceGANStage[RegionRollout]):
    """Trains the Region GAN on true layouts.

    Args:
        request: Image size, crop and source frames.
        region: Networks, weights and schedule.
        gan: The form of the adversarial loss.
        perceptual: The perceptual term, or ``None``.
    """

    def __init__(
        self, request: DataRequest, *, region: RegionGAN, gan: AdversarialLoss, perceptual: ContentAndStyle | None
    ) -> None:
        request = replace(request, parts=("parsing",))
        super().__init__("region", region, gan, request, fixed={"perceptual": perceptual}, share=3)
        self.region = region

    def init_state(self, batch: MotionBatch) -> RegionRollout:
        """See :meth:`motioncopy.training.gan.SequenceGANStage.init_state`."""
        assert batch.parsing is not None
        layouts = one_hot(batch.parsing).unbind(1)
        masks = [region_masks(layout) for layout in layouts]
        frames = [image.repeat_interleave(REGIONS, dim=0) for image in batch.images.unbind(1)]
        real = [keep_masked(image, mask) for image, mask in zip(frames, masks, strict=True)]
        return RegionRollout(source=Source.of(batch.appearance), layouts=layouts, masks=masks, real=real)

    def generate(self, state: RegionRollout, t: int) -> None:
        """The regions of frame t."""
        guides = self.region.guides(state.source, state.layouts[t], state.layouts[t])
        before = last_two(state.generated, torch.full_like(state.real[0], BLACK))
        state.generated.append(self.checkpointed(self.generator, previous=before, **guides))

    def comparisons(self, sample: Chunk[RegionRollout]) -> list[Comparison]:
        """Regions beside their masks."""
        masks, real, generated = self._regions(sample)
        return [Comparison(self.region.discriminator, real, generated, masks)]

    def terms(self, sample: Chunk[RegionRollout]) -> Mapping[str, Callable[[], Tensor]]:
        """Pixel and perceptual losses."""
        masks, real, generated = self._regions(sample)
        terms: dict[str, Callable[[], Tensor]] = {
            "reconstruction": lambda: functional.l1_loss(generated, real),
            "masked_l1": lambda: masked_l1(generated, real, masks),
        }
        if "perceptual" in self.fixed:
            terms["perceptual"] = lambda: self.fixed["perceptual"](generated, real)
        return terms

    @staticmethod
    def _regions(sample: Chunk[RegionRollout]) -> tuple[Tensor, Tensor, Tensor]:
        state = sample.state
        return sample.cat(state.masks), sample.cat(state.real), sample.cat(state.generated)
