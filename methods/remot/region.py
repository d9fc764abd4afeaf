"""The Region GAN's training (section 3.1, equations 6 to 10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn import functional

from methods.remot.layouts import BLACK, PreviousFrames, Source, keep_masked, one_hot, region_masks
from methods.remot.losses import ContentAndStyle, masked_l1
from methods.remot.networks import REGIONS, RegionGenerator
from motioncopy.batch import MotionBatch
from motioncopy.losses.adversarial import AdversarialLoss
from motioncopy.request import DataRequest
from motioncopy.training.gan import Chunk, Comparison, GANConfig, GANLosses, SequenceGANStage
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


@dataclass
class RegionState:
    """A sequence while it is generated.

    Attributes:
        source: The person.
        layouts: True layouts of the frames.
        masks: Their regions, five a sample.
        real: True regions.
        previous: The last two frames' generated regions.
        generated: All that was generated.
    """

    source: Source
    layouts: list[Tensor]
    masks: list[Tensor]
    real: list[Tensor]
    previous: PreviousFrames
    generated: list[Tensor] = field(default_factory=list)

    def detach(self) -> None:
        """Cuts the gradient's way back."""
        self.previous.detach()
        self.generated = [regions.detach() for regions in self.generated]


class RegionStage(SequenceGANStage[RegionState]):
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

    def init_state(self, batch: MotionBatch) -> RegionState:
        """See :meth:`motioncopy.training.gan.SequenceGANStage.init_state`."""
        assert batch.parsing is not None
        layouts = list(one_hot(batch.parsing).unbind(1))
        masks = [region_masks(layout) for layout in layouts]
        frames = [image.repeat_interleave(REGIONS, dim=0) for image in batch.images.unbind(1)]
        real = [keep_masked(image, mask) for image, mask in zip(frames, masks, strict=True)]
        blank = PreviousFrames(torch.full_like(real[0], BLACK))
        return RegionState(Source.of(batch.appearance), layouts, masks, real, blank)

    def generate(self, state: RegionState, t: int) -> None:
        """The regions of frame t."""
        config, layout, mask = self.region, state.layouts[t], state.masks[t]
        regions: Tensor = self.checkpointed(
            self.generator,
            mask,
            state.previous.stacked(),
            state.source.regions_in(layout, moved=config.aligned),
            base=state.source.fitted_in(layout) if config.residual else None,
            support=mask if config.masked else None,
        )
        state.generated.append(regions)
        state.previous.push(regions)

    def comparisons(self, sample: Chunk[RegionState]) -> list[Comparison]:
        """Regions beside their masks."""
        masks, real, generated = self._regions(sample)
        return [Comparison(self.region.discriminator, real, generated, masks)]

    def terms(self, sample: Chunk[RegionState]) -> Mapping[str, Callable[[], Tensor]]:
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
    def _regions(sample: Chunk[RegionState]) -> tuple[Tensor, Tensor, Tensor]:
        state = sample.state
        return sample.cat(state.masks), sample.cat(state.real), sample.cat(state.generated)
