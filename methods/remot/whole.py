"""The Whole Composition Network's training (section 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.remot.losses import (
    ContentAndStyle,
    FlowLosses,
    Judged,
    TemporalDiscriminators,
    confidences,
    detached,
    flow_terms,
    fooling,
    inside,
    judge,
    telling,
)
from methods.remot.networks import Blended, Composed, WholeGenerator
from methods.remot.scene import BLACK, History, cut, one_hot, person_of
from methods.remot.sequence import Schedule, SequenceStage, together
from motioncopy.batch import MotionBatch
from motioncopy.losses.adversarial import AdversarialLoss
from motioncopy.nets.alignment import Extent
from motioncopy.request import AppearanceRule, Crop


@dataclass(frozen=True)
class WholeLosses(FlowLosses):
    """Weights; a term of weight 0 is not computed.

    Attributes:
        reconstruction: L1 of the foreground and of the image.
        inside: L1 of the image as a mean over the person's pixels alone; not in the paper.
        perceptual: Content and style of the image.
        face: Adversarial, by the discriminator of faces; C2F-FWN's code weighs it by 2.
    """

    reconstruction: float = 10.0
    inside: float = 0.0
    perceptual: float = 10.0
    face: float = 2.0


@dataclass(frozen=True)
class Rough:
    """One frame as the networks before have drawn it, without a gradient.

    Attributes:
        layout: ``(N, 6, H, W)`` probabilities.
        foreground: ``(N, 3, H, W)``: the joined regions on black (equation 11).
        source: ``(N, 3, H, W)``: the person of the source image, aligned.
        guide: ``(N, 3 * (6 + 3), H, W)``: layouts and poses of frames t-2 to t.
    """

    layout: Tensor
    foreground: Tensor
    source: Tensor
    guide: Tensor

    @property
    def condition(self) -> Tensor:
        """What the discriminator sees beside the image: layout and pose of frame t, ``(N, 6 + 3, H, W)``."""
        pose = self.guide.shape[1] // 3 - self.layout.shape[1]
        return torch.cat((self.layout, self.guide[:, -pose:]), dim=1)


#: Draws the frames of a batch one after the other.
Sketch = Callable[[MotionBatch], list[Rough]]


@dataclass
class WholePlay:
    """A sequence while it is drawn.

    Attributes:
        rough: What is refined.
        background: The place.
        real: True foregrounds.
        images: True frames.
        people: True masks.
        faces: Where the true heads are.
        flows: Reference flows.
        confidence: Where they can be trusted.
        history: The last two foregrounds.
        drawn: All that was drawn.
    """

    rough: list[Rough]
    background: Tensor
    real: list[Tensor]
    images: list[Tensor]
    people: list[Tensor]
    faces: list[Extent]
    flows: list[Tensor]
    confidence: list[Tensor]
    history: History
    drawn: list[Composed] = field(default_factory=list)

    @property
    def foregrounds(self) -> list[Blended]:
        """The foregrounds that were drawn."""
        return [d.foreground for d in self.drawn]


class WholeStage(SequenceStage[WholePlay]):
    """Trains the Whole Composition Network on what the two other networks draw.

    Args:
        generator: What is trained.
        sketch: Draws with the networks before.
        discriminator: Sees (layout and pose, image).
        temporal: Sees three foregrounds, or ``None``.
        face: Sees the crop around the head, or ``None``.
        face_size: Side of that crop in pixels.
        gan: The form of the adversarial losses.
        losses: Weights.
        perceptual: The perceptual term, or ``None``.
        plan: Length, rate, batch.
        image_size: (height, width).
        crop: See :data:`motioncopy.request.Crop`.
        appearance: See :class:`SequenceStage`.
        config_keys: See :class:`motioncopy.method.Stage`.
        upstream: The networks of ``sketch``.
        share: See :class:`motioncopy.method.Stage`.
    """

    def __init__(
        self,
        generator: WholeGenerator,
        sketch: Sketch,
        *,
        discriminator: nn.Module,
        temporal: TemporalDiscriminators | None,
        face: nn.Module | None,
        face_size: int,
        gan: AdversarialLoss,
        losses: WholeLosses,
        perceptual: ContentAndStyle | None,
        plan: Schedule,
        image_size: tuple[int, int],
        crop: Crop,
        appearance: AppearanceRule,
        config_keys: Sequence[str],
        upstream: Sequence[nn.Module],
        share: float = 1.0,
    ) -> None:
        judges = nn.ModuleDict({"image": discriminator})
        if temporal is not None:
            judges["temporal"] = temporal
        if face is not None:
            judges["face"] = face
        super().__init__(
            "whole",
            generator,
            judges,
            plan=plan,
            image_size=image_size,
            crop=crop,
            appearance=appearance,
            parts=("parsing", "flow"),
            config_keys=config_keys,
            depends=("layout", "region"),
            upstream=[*upstream, *([perceptual] if perceptual is not None else [])],
            share=share,
        )
        self.whole, self.sketch, self.temporal, self.face_size = generator, sketch, temporal, face_size
        self.gan, self.losses = gan, losses
        self._perceptual = (perceptual,)  # a tuple: what is not trained is in no checkpoint

    def begin(self, batch: MotionBatch) -> WholePlay:
        """See :meth:`SequenceStage.begin`."""
        assert batch.parsing is not None
        assert batch.flow is not None
        with torch.no_grad():
            rough = self.sketch(batch)
        layouts = one_hot(batch.parsing).unbind(1)
        images = list(batch.images.unbind(1))
        real = [cut(image, person_of(layout)) for image, layout in zip(images, layouts, strict=True)]
        flows = batch.flow.float()
        return WholePlay(
            rough=rough,
            background=batch.appearance.background,
            real=real,
            images=images,
            people=[person_of(layout) for layout in layouts],
            faces=[Extent.of_mask(layout[:, 1:2]) for layout in layouts],
            flows=list(flows.unbind(1)),
            confidence=confidences(torch.stack(real, dim=1), flows),
            history=History(torch.full_like(images[0], BLACK)),
        )

    def draw(self, play: WholePlay, t: int) -> None:
        """See :meth:`SequenceStage.draw`."""
        rough, history = play.rough[t], play.history
        drawn: Composed = self.drawn(
            self.whole, rough.source, rough.foreground, history.stacked(), rough.guide, play.background,
            first=history.first,
        )  # fmt: skip
        play.drawn.append(drawn)
        history.push(drawn.foreground.final)

    def samples(self, batch: MotionBatch) -> dict[str, Tensor]:
        """The frames of the first sequence: as the networks before drew them, as they are composed, and as they are."""
        play = self.begin(batch)
        for t in range(self.plan.frames):
            self.draw(play, t)
        return {
            "rough": torch.stack([r.foreground[0] for r in play.rough]),
            "generated": torch.stack([d.image[0] for d in play.drawn]),
            "truth": torch.stack([image[0] for image in play.images]),
        }

    def _judgements(self, play: WholePlay, start: int, stop: int, *, free: bool) -> list[Judged]:
        """Of whole images and of sequences; ``free`` of the generator's gradient."""
        drawn = together([d.image for d in play.drawn], start, stop)
        foregrounds = [f.final.detach() if free else f.final for f in play.foregrounds]
        condition = together([r.condition for r in play.rough], start, stop)
        real = together(play.images, start, stop)
        found = [judge(self.judges["image"], condition, real, drawn.detach() if free else drawn)]
        if self.temporal is not None:
            found += self.temporal.judge(
                self.temporal.triples(play.real, play.flows, start, stop),
                self.temporal.triples(foregrounds, play.flows, start, stop),
            )
        return found

    def _faces(self, play: WholePlay, start: int, stop: int, *, free: bool) -> list[Judged]:
        if "face" not in self.judges:
            return []
        pairs = []
        for t in range(start, stop):
            found = play.faces[t].present
            if found.any():
                centre = play.faces[t].centre[found]
                pairs.append([crops(v[found], centre, self.face_size) for v in (play.images[t], play.drawn[t].image)])
        if not pairs:
            return []
        real, fake = (torch.cat(side) for side in zip(*pairs, strict=True))
        return [judge(self.judges["face"], None, real, fake.detach() if free else fake)]

    def judge(self, play: WholePlay, start: int, stop: int) -> Tensor:
        """See :meth:`SequenceStage.judge`."""
        found = [*self._judgements(play, start, stop, free=True), *self._faces(play, start, stop, free=True)]
        return telling(self.gan, found)

    def terms(self, play: WholePlay, start: int, stop: int) -> dict[str, tuple[float, Tensor]]:
        """See :meth:`SequenceStage.terms`."""
        weights, (perceptual,) = self.losses, self._perceptual
        terms = fooling(weights, self.gan, self._judgements(play, start, stop, free=False))
        faces = self._faces(play, start, stop, free=False)
        if faces and weights.face:
            terms["face"] = (weights.face, self.gan.generator(faces[0].logits[1]))
        drawn, images = together([d.image for d in play.drawn], start, stop), together(play.images, start, stop)
        if weights.reconstruction:
            foreground = together([f.final for f in play.foregrounds], start, stop)
            error = functional.l1_loss(foreground, together(play.real, start, stop))
            terms["reconstruction"] = (weights.reconstruction, error + functional.l1_loss(drawn, images))
        if weights.inside:
            people = together(play.people, start, stop)
            terms["inside"] = (weights.inside, inside(drawn, images, people))
        if weights.perceptual and perceptual is not None:
            terms["perceptual"] = (weights.perceptual, perceptual(drawn, images))
        frames = range(start, stop)
        return terms | flow_terms(weights, play.foregrounds, play.real, play.flows, play.confidence, frames)

    def cut(self, play: WholePlay) -> None:
        """See :meth:`SequenceStage.cut`."""
        play.history.detach()
        play.drawn = [Composed(detached(d.foreground), d.mask.detach(), d.image.detach()) for d in play.drawn]


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
