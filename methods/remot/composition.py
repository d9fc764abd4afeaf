"""The Whole Composition Network's training (section 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.remot.layouts import BLACK, PreviousFrames, foreground_mask, keep_masked, one_hot
from methods.remot.losses import (
    ContentAndStyle,
    FlowLosses,
    TemporalDiscriminators,
    flow_confidences,
    flow_terms,
    masked_l1,
)
from methods.remot.networks import Blended, Composition, CompositionGenerator
from methods.remot.region_generation import RegionGeneration, RegionGenerationOutput
from motioncopy.batch import MotionBatch
from motioncopy.losses.adversarial import AdversarialLoss
from motioncopy.nets.alignment import Extent
from motioncopy.request import DataRequest
from motioncopy.training.gan import Chunk, Comparison, GANConfig, GANStage, SequenceGANStage
from motioncopy.training.schedule import SequenceSchedule


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


@dataclass
class CompositionState:
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
        previous: The last two foregrounds.
        generated: All that was generated.
    """

    regions: list[RegionGenerationOutput]
    background: Tensor
    real: list[Tensor]
    images: list[Tensor]
    masks: list[Tensor]
    faces: list[Extent]
    flows: list[Tensor]
    confidence: list[Tensor]
    previous: PreviousFrames
    generated: list[Composition] = field(default_factory=list)

    @property
    def foregrounds(self) -> list[Blended]:
        """The foregrounds that were generated."""
        return [frame.foreground for frame in self.generated]

    def detach(self) -> None:
        """Cuts the gradient's way back."""
        self.previous.detach()
        self.generated = [frame.detach() for frame in self.generated]


class CompositionStage(SequenceGANStage[CompositionState]):
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

    def init_state(self, batch: MotionBatch) -> CompositionState:
        """See :meth:`motioncopy.training.gan.SequenceGANStage.init_state`."""
        assert batch.parsing is not None
        assert batch.flow is not None
        with torch.no_grad():
            regions = self.regions.sequence(batch)
        layouts, flows = one_hot(batch.parsing).unbind(1), batch.flow.float()
        images, masks = list(batch.images.unbind(1)), [foreground_mask(layout) for layout in layouts]
        real = [keep_masked(image, mask) for image, mask in zip(images, masks, strict=True)]
        return CompositionState(
            regions=regions,
            background=batch.appearance.background,
            real=real,
            images=images,
            masks=masks,
            faces=[Extent.of_mask(layout[:, 1:2]) for layout in layouts],
            flows=list(flows.unbind(1)),
            confidence=flow_confidences(torch.stack(real, dim=1), flows),
            previous=PreviousFrames(torch.full_like(images[0], BLACK)),
        )

    def generate(self, state: CompositionState, t: int) -> None:
        """Frame t."""
        regions, previous = state.regions[t], state.previous
        frame: Composition = self.checkpointed(
            self.generator, regions.source, regions.foreground, previous.stacked(), regions.guidance, state.background,
            first=previous.first,
        )  # fmt: skip
        state.generated.append(frame)
        previous.push(frame.foreground.final)

    def comparisons(self, sample: Chunk[CompositionState]) -> list[Comparison]:
        """Whole images beside layout and pose, sequences of foregrounds, and faces."""
        state, config = sample.state, self.composition
        condition = sample.cat([regions.condition for regions in state.regions])
        images = sample.cat([frame.image for frame in state.generated])
        found = [Comparison(config.discriminator, sample.cat(state.images), images, condition)]
        if config.temporal is not None:
            foregrounds = [foreground.final for foreground in state.foregrounds]
            found += config.temporal.comparisons(state.real, foregrounds, state.flows, sample.frames)
        return found + self._faces(sample)

    def _faces(self, sample: Chunk[CompositionState]) -> list[Comparison]:
        """The crops around the heads, where there are any."""
        state, config = sample.state, self.composition
        if config.face is None:
            return []
        pairs = []
        for t in sample.frames:
            seen = state.faces[t].present
            if seen.any():
                centres = state.faces[t].centre[seen]
                images = (state.images[t], state.generated[t].image)
                pairs.append([crops(side[seen], centres, config.face_size) for side in images])
        if not pairs:
            return []
        real, generated = (torch.cat(side) for side in zip(*pairs, strict=True))
        return [Comparison(config.face, real, generated, term="face", matched=False)]

    def terms(self, sample: Chunk[CompositionState]) -> Mapping[str, Callable[[], Tensor]]:
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


def crops(images: Tensor, centres: Tensor, side: int) -> Tensor:
    """Squares around places, as whole pixels; moved inward where they would reach beyond the image.

    Args:
        images: ``(N, 3, H, W)``.
        centres: ``(N, 2)`` x, y in pixels.
        side: Of the squares, in pixels.

    Returns:
        ``(N, 3, side, side)``.
    """
    height, width = images.shape[-2:]
    side = min(side, height, width)
    left = (centres[:, 0] - side / 2).round().long().clamp(0, width - side)
    top = (centres[:, 1] - side / 2).round().long().clamp(0, height - side)
    return torch.stack(
        [image[:, y : y + side, x : x + side] for image, x, y in zip(images, left.tolist(), top.tolist(), strict=True)]
    )
