"""The Layout GAN's training: vid2vid's losses on layouts, as in C2F-FWN's code (the paper does not write them down)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from methods.remot.losses import (
    FlowLosses,
    Judged,
    TemporalDiscriminators,
    confidences,
    detached,
    flow_terms,
    fooling,
    judge,
    likelihood,
    telling,
)
from methods.remot.networks import Blended, LayoutGenerator
from methods.remot.scene import History, Source, draw_poses, one_hot
from methods.remot.sequence import Schedule, SequenceStage, together
from motioncopy.batch import MotionBatch
from motioncopy.losses.adversarial import AdversarialLoss
from motioncopy.request import AppearanceRule, Crop


@dataclass(frozen=True)
class LayoutLosses(FlowLosses):
    """Weights; a term of weight 0 is not computed.

    Attributes:
        likelihood: Of the true classes, in the blended and in the raw layout.
    """

    likelihood: float = 10.0


@dataclass
class LayoutPlay:
    """A sequence while it is drawn.

    Attributes:
        source: The source layout, one-hot.
        encoded: What the generator makes of it, anew in every chunk.
        poses: Drawn poses of the frames, with the first one twice before them.
        real: True layouts of the frames.
        flows: Reference flows.
        confidence: Where they can be trusted.
        history: The last two drawn layouts.
        drawn: All that was drawn.
    """

    source: Tensor
    poses: list[Tensor]
    real: list[Tensor]
    flows: list[Tensor]
    confidence: list[Tensor]
    history: History
    encoded: Tensor | None = None
    drawn: list[Blended] = field(default_factory=list)

    @property
    def layouts(self) -> list[Tensor]:
        """The layouts that were drawn."""
        return [d.final for d in self.drawn]


class LayoutStage(SequenceStage[LayoutPlay]):
    """Trains the Layout GAN.

    Args:
        generator: What is trained.
        discriminator: Sees (pose, layout).
        temporal: Sees three layouts, or ``None``.
        gan: The form of the adversarial losses.
        losses: Weights.
        plan: Length, rate, batch.
        image_size: (height, width).
        crop: See :data:`motioncopy.request.Crop`.
        appearance: See :class:`SequenceStage`.
        config_keys: See :class:`motioncopy.method.Stage`.
        share: Likewise.
    """

    def __init__(
        self,
        generator: LayoutGenerator,
        *,
        discriminator: nn.Module,
        temporal: TemporalDiscriminators | None,
        gan: AdversarialLoss,
        losses: LayoutLosses,
        plan: Schedule,
        image_size: tuple[int, int],
        crop: Crop,
        appearance: AppearanceRule,
        config_keys: Sequence[str],
        share: float = 1.0,
    ) -> None:
        judges = nn.ModuleDict({"layout": discriminator})
        if temporal is not None:
            judges["temporal"] = temporal
        super().__init__(
            "layout",
            generator,
            judges,
            plan=plan,
            image_size=image_size,
            crop=crop,
            appearance=appearance,
            parts=("parsing", "flow"),
            config_keys=config_keys,
            share=share,
        )
        self.layouts, self.temporal, self.gan, self.losses = generator, temporal, gan, losses

    def begin(self, batch: MotionBatch) -> LayoutPlay:
        """See :meth:`SequenceStage.begin`."""
        assert batch.parsing is not None
        assert batch.flow is not None
        poses, real = draw_poses(batch.motion), one_hot(batch.parsing)
        flows = batch.flow.float()
        return LayoutPlay(
            source=Source.of(batch.appearance).layout,
            poses=[poses[:, 0], poses[:, 0], *poses.unbind(1)],
            real=list(real.unbind(1)),
            flows=list(flows.unbind(1)),
            confidence=confidences(batch.images, flows),
            history=History(torch.zeros_like(real[:, 0])),
        )

    def draw(self, play: LayoutPlay, t: int) -> None:
        """See :meth:`SequenceStage.draw`."""
        poses = torch.cat(play.poses[t : t + 3], dim=1)
        history = play.history
        if play.encoded is None:
            play.encoded = self.drawn(self.layouts.encode, play.source)
        drawn: Blended = self.drawn(self.layouts, play.encoded, poses, history.stacked(), first=history.first)
        play.drawn.append(drawn)
        history.push(drawn.final)

    def _pairs(self, play: LayoutPlay, start: int, stop: int) -> tuple[Tensor, Tensor, Tensor]:
        """Poses, true layouts, drawn layouts."""
        poses = together(play.poses, start + 2, stop + 2)
        return poses, together(play.real, start, stop), together(play.layouts, start, stop)

    def _judgements(self, play: LayoutPlay, start: int, stop: int, *, detached: bool) -> list[Judged]:
        poses, real, drawn = self._pairs(play, start, stop)
        layouts = [x.detach() for x in play.layouts] if detached else play.layouts
        found = [judge(self.judges["layout"], poses, real, drawn.detach() if detached else drawn)]
        if self.temporal is not None:
            found += self.temporal.judge(
                self.temporal.triples(play.real, play.flows, start, stop),
                self.temporal.triples(layouts, play.flows, start, stop),
            )
        return found

    def judge(self, play: LayoutPlay, start: int, stop: int) -> Tensor:
        """See :meth:`SequenceStage.judge`."""
        return telling(self.gan, self._judgements(play, start, stop, detached=True))

    def terms(self, play: LayoutPlay, start: int, stop: int) -> dict[str, tuple[float, Tensor]]:
        """See :meth:`SequenceStage.terms`."""
        weights = self.losses
        _, real, drawn = self._pairs(play, start, stop)
        terms = fooling(weights, self.gan, self._judgements(play, start, stop, detached=False))
        raw = together([d.raw for d in play.drawn], start, stop)
        if weights.likelihood:
            terms["likelihood"] = (weights.likelihood, likelihood(drawn, real) + likelihood(raw, real))
        return terms | flow_terms(weights, play.drawn, play.real, play.flows, play.confidence, range(start, stop))

    def cut(self, play: LayoutPlay) -> None:
        """See :meth:`SequenceStage.cut`."""
        play.history.detach()
        play.encoded = None
        play.drawn = [detached(d) for d in play.drawn]
