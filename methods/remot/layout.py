"""The Layout GAN's training: vid2vid's losses on layouts, as in C2F-FWN's code (the paper does not write them down)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from methods.remot.layouts import Source, draw_poses, last_two, one_hot
from methods.remot.networks import LayoutGenerator
from motioncopy.batch import MotionBatch
from motioncopy.losses.adversarial import AdversarialLoss
from motioncopy.nets.warp import Blended
from motioncopy.request import DataRequest
from motioncopy.training.gan import Chunk, Comparison, GANConfig, Rollout, SequenceGANStage
from motioncopy.training.schedule import SequenceSchedule
from motioncopy.training.vid2vid import FlowLosses, TemporalDiscriminators, flow_confidences, flow_terms

_TINY = 1e-6


@dataclass(frozen=True)
class LayoutLosses(FlowLosses):
    """Weights; a term of weight 0 is not computed.

    Attributes:
        negative_log_likelihood: Of the true classes, in the blended and in the raw layout.
    """

    negative_log_likelihood: float = 10.0


@dataclass(frozen=True)
class LayoutGAN(GANConfig):
    """The Layout GAN and its training.

    Attributes:
        generator: Draws layouts.
        discriminator: Sees (pose, layout), 9 channels.
        temporal: Sees three layouts, or ``None``.
        losses: Weights.
        schedule: Length, rate, batch.
    """

    generator: LayoutGenerator
    temporal: TemporalDiscriminators | None = None
    losses: LayoutLosses = field(default_factory=LayoutLosses)
    schedule: SequenceSchedule = field(default_factory=SequenceSchedule)


@dataclass(kw_only=True)
class LayoutRollout(Rollout):
    """A sequence while it is generated.

    Attributes:
        source: The source layout, one-hot.
        poses: Drawn poses of the frames, with the first one twice before them.
        real: True layouts of the frames.
        flows: Reference flows.
        confidence: Of those.
        encoded: What the generator makes of the source, anew in every chunk.
    """

    source: Tensor
    poses: list[Tensor]
    real: Sequence[Tensor]
    flows: Sequence[Tensor]
    confidence: list[Tensor]
    encoded: Tensor | None = None
    generated: list[Blended] = field(default_factory=list)

    def detach(self) -> None:
        """Cuts the gradient's way back."""
        super().detach()
        self.encoded = None


class LayoutStage(SequenceGANStage[LayoutRollout]):
    """Trains the Layout GAN.

    Args:
        request: Image size, crop and source frames.
        layout: Networks, weights and schedule.
        gan: The form of the adversarial losses.
    """

    generator: LayoutGenerator

    def __init__(self, request: DataRequest, *, layout: LayoutGAN, gan: AdversarialLoss) -> None:
        super().__init__(
            "layout",
            layout,
            gan,
            replace(request, parts=("parsing", "flow")),
            discriminators=nn.ModuleList(d for d in (layout.discriminator, layout.temporal) if d is not None),
            share=2,
        )
        self.layout = layout

    def init_state(self, batch: MotionBatch) -> LayoutRollout:
        """See :meth:`motioncopy.training.gan.SequenceGANStage.init_state`."""
        assert batch.parsing is not None
        assert batch.flow is not None
        poses, real, flows = draw_poses(batch.motion), one_hot(batch.parsing), batch.flow.float()
        return LayoutRollout(
            source=Source.of(batch.appearance).layout,
            poses=[poses[:, 0], poses[:, 0], *poses.unbind(1)],
            real=real.unbind(1),
            flows=flows.unbind(1),
            confidence=flow_confidences(batch.images, flows),
        )

    def generate(self, state: LayoutRollout, t: int) -> None:
        """The layout of frame t."""
        if state.encoded is None:
            state.encoded = self.checkpointed(self.generator.encode, state.source)
        before = last_two([layout.final for layout in state.generated], torch.zeros_like(state.real[0]))
        poses = torch.cat(state.poses[t : t + 3], dim=1)
        state.generated.append(self.checkpointed(self.generator, state.encoded, poses, before, first=t == 0))

    def comparisons(self, sample: Chunk[LayoutRollout]) -> list[Comparison]:
        """Single layouts beside their poses, and sequences of them."""
        state, generated = sample.state, [layout.final for layout in sample.state.generated]
        poses = sample.cat(state.poses[2:])
        found = [Comparison(self.layout.discriminator, sample.cat(state.real), sample.cat(generated), poses)]
        if self.layout.temporal is not None:
            found += self.layout.temporal.comparisons(state.real, generated, state.flows, sample.frames)
        return found

    def terms(self, sample: Chunk[LayoutRollout]) -> Mapping[str, Callable[[], Tensor]]:
        """The true classes' likelihood, and vid2vid's terms on the flow."""
        state, real = sample.state, sample.cat(sample.state.real)
        final, raw = (sample.cat([getattr(d, name) for d in state.generated]) for name in ("final", "raw"))
        return {
            "negative_log_likelihood": lambda: (
                negative_log_likelihood(final, real) + negative_log_likelihood(raw, real)
            ),
            **flow_terms(state.generated, state.real, state.flows, state.confidence, sample.frames),
        }


def negative_log_likelihood(layout: Tensor, wanted: Tensor) -> Tensor:
    """The mean over pixels, of the wanted classes.

    Args:
        layout: ``(N, 6, H, W)`` probabilities.
        wanted: ``(N, 6, H, W)`` one-hot.
    """
    return -((layout * wanted).sum(dim=1).clamp_min(_TINY).log()).mean()
