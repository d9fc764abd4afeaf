"""The Whole Composition Network's training (section 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.remot.layouts import foreground_mask, keep_masked, one_hot
from methods.remot.networks import Composition, CompositionGenerator
from methods.remot.region_generation import RegionGeneration, RegionGenerationOutput
from motioncopy.batch import MotionBatch
from motioncopy.losses.adversarial import AdversarialLoss
from motioncopy.losses.perceptual import ContentAndStyle
from motioncopy.losses.pixels import masked_l1
from motioncopy.nets.alignment import Extent
from motioncopy.nets.warp import Blended
from motioncopy.poses.parts import crop
from motioncopy.request import DataRequest
from motioncopy.training.gan import Chunk, Comparison, GANConfig, GANStage, Rollout, SequenceGANStage
from motioncopy.training.schedule import SequenceSchedule
from motioncopy.training.vid2vid import FlowLosses, TemporalDiscriminators, flow_confidences, flow_terms


@dataclass(frozen=True)
class CompositionLosses(FlowLosses):
    """Weights; a term of weight 0 is not computed.

    Attributes:
        reconstruction: L1 of the foreground and of the image.
        masked_l1: L1 of the image as a mean over the person's pixels alone; not in the paper.
        perceptual: Content and style of the image.
        face: Adversarial, by the discriminator of faces; C2F-FWN's code weighs it by 2.
    """

    reconstruction: float = 10.0
    masked_l1: float = 0.0
    perceptual: float = 10.0
    face: float = 2.0


@dataclass(frozen=True)
class CompositionGAN(GANConfig):
    """The Whole Composition Network and its training.

    Attributes:
        generator: Refines and composes.
        discriminator: Sees (layout and pose, image), 12 channels.
        temporal: Sees three foregrounds, or ``None``.
        face: Sees the crop around the head, or ``None``.
        face_size: Side of that crop in pixels.
        losses: Weights.
        schedule: Length, rate, batch.
    """

    generator: CompositionGenerator
    temporal: TemporalDiscriminators | None = None
    face: nn.Module | None = None
    face_size: int = 32
    losses: CompositionLosses = field(default_factory=CompositionLosses)
    schedule: SequenceSchedule = field(default_factory=SequenceSchedule)


@dataclass(kw_only=True)
class CompositionRollout(Rollout):
    """A sequence while it is generated.

    Attributes:
        regions: What is refined.
        background: The place.
        real: True foregrounds.
        images: True frames.
        masks: Of the person.
        faces: Where the true heads are.
        flows: Reference flows.
        confidence: Of those.
    """

    regions: list[RegionGenerationOutput]
    background: Tensor
    real: list[Tensor]
    images: Sequence[Tensor]
    masks: list[Tensor]
    faces: list[Extent]
    flows: Sequence[Tensor]
    confidence: list[Tensor]
    generated: list[Composition] = field(default_factory=list)

    @property
    def foregrounds(self) -> list[Blended]:
        """The foregrounds that were generated."""
        return [frame.foreground for frame in self.generated]


class CompositionStage(SequenceGANStage[CompositionRollout]):
    """Trains the Whole Composition Network on what the two other networks generate.

    Args:
        regions: Generates with the networks before.
        request: Image size, crop and source frames.
        after: The stages before.
        composition: Networks, weights and schedule.
        gan: The form of the adversarial losses.
        perceptual: The perceptual term, or ``None``.
    """

    def __init__(
        self,
        regions: RegionGeneration,
        request: DataRequest,
        after: Sequence[GANStage[Any]],
        *,
        composition: CompositionGAN,
        gan: AdversarialLoss,
        perceptual: ContentAndStyle | None,
    ) -> None:
        discriminators = (composition.discriminator, composition.temporal, composition.face)
        super().__init__(
            "composition",
            composition,
            gan,
            replace(request, parts=("parsing", "flow")),
            discriminators=nn.ModuleList(d for d in discriminators if d is not None),
            after=after,
            fixed={"perceptual": perceptual},
            share=4,
        )
        self.regions, self.composition = regions, composition

    def init_state(self, batch: MotionBatch) -> CompositionRollout:
        """See :meth:`motioncopy.training.gan.SequenceGANStage.init_state`."""
        assert batch.parsing is not None
        assert batch.flow is not None
        with torch.no_grad():
            regions = self.regions.sequence(batch)
        layouts, flows = one_hot(batch.parsing).unbind(1), batch.flow.float()
        images, masks = batch.images.unbind(1), [foreground_mask(layout) for layout in layouts]
        real = [keep_masked(image, mask) for image, mask in zip(images, masks, strict=True)]
        return CompositionRollout(
            regions=regions,
            background=batch.appearance.background,
            real=real,
            images=images,
            masks=masks,
            faces=[Extent.of_mask(layout[:, 1:2]) for layout in layouts],
            flows=flows.unbind(1),
            confidence=flow_confidences(torch.stack(real, dim=1), flows),
        )

    def generate(self, state: CompositionRollout, t: int) -> None:
        """Frame t."""
        previous = [foreground.final for foreground in state.foregrounds]
        inputs = state.regions[t].composed_with(previous, state.background)
        state.generated.append(self.checkpointed(self.generator, **inputs))

    def comparisons(self, sample: Chunk[CompositionRollout]) -> list[Comparison]:
        """Whole images beside layout and pose, sequences of foregrounds, and faces."""
        state, config = sample.state, self.composition
        condition = sample.cat([regions.condition for regions in state.regions])
        images = sample.cat([frame.image for frame in state.generated])
        found = [Comparison(config.discriminator, sample.cat(state.images), images, condition)]
        if config.temporal is not None:
            foregrounds = [foreground.final for foreground in state.foregrounds]
            found += config.temporal.comparisons(state.real, foregrounds, state.flows, sample.frames)
        return found + self._faces(sample)

    def _faces(self, sample: Chunk[CompositionRollout]) -> list[Comparison]:
        """The crops around the heads, where there are any."""
        state, config = sample.state, self.composition
        if config.face is None:
            return []
        size = min(config.face_size, *state.background.shape[-2:])
        pairs = []
        for t in sample.frames:
            seen = state.faces[t].present
            if seen.any():
                corners = (state.faces[t].centre[seen] - size / 2).round()
                images = (state.images[t], state.generated[t].image)
                pairs.append([crop(image[seen], corners + size / 2, size) for image in images])
        if not pairs:
            return []
        real, generated = (torch.cat(side) for side in zip(*pairs, strict=True))
        return [Comparison(config.face, real, generated, term="face", matched=False)]

    def terms(self, sample: Chunk[CompositionRollout]) -> Mapping[str, Callable[[], Tensor]]:
        """Pixel and perceptual losses, and vid2vid's terms on the flow."""
        state, images = sample.state, sample.cat(sample.state.images)
        generated = sample.cat([frame.image for frame in state.generated])
        foreground = sample.cat([foreground.final for foreground in state.foregrounds])
        terms: dict[str, Callable[[], Tensor]] = {
            "reconstruction": lambda: (
                functional.l1_loss(foreground, sample.cat(state.real)) + functional.l1_loss(generated, images)
            ),
            "masked_l1": lambda: masked_l1(generated, images, sample.cat(state.masks)),
        }
        if "perceptual" in self.fixed:
            terms["perceptual"] = lambda: self.fixed["perceptual"](generated, images)
        flow = flow_terms(state.foregrounds, state.real, state.flows, state.confidence, sample.frames)
        return terms | flow

    def samples(self, batch: MotionBatch) -> dict[str, Tensor]:
        """The frames of the first sequence: as the networks before drew them, as they are composed, and as they are."""
        state = self.init_state(batch)
        for t in range(self.schedule.frames):
            self.generate(state, t)
        return {
            "regions": torch.stack([regions.foreground[0] for regions in state.regions]),
            "generated": torch.stack([frame.image[0] for frame in state.generated]),
            "truth": torch.stack([image[0] for image in state.images]),
        }
