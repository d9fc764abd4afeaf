"""The Region GAN's training (section 3.1, equations 6 to 10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.remot.losses import ContentAndStyle, Fooling, Judged, fooling, inside, judge, telling
from methods.remot.networks import REGIONS, RegionGenerator
from methods.remot.scene import BLACK, History, Source, cut, one_hot, regions_of
from methods.remot.sequence import Schedule, SequenceStage, together
from motioncopy.batch import MotionBatch
from motioncopy.losses.adversarial import AdversarialLoss
from motioncopy.request import AppearanceRule, Crop


@dataclass(frozen=True)
class RegionLosses(Fooling):
    """Weights; a term of weight 0 is not computed.

    Attributes:
        reconstruction: L1 (equation 6).
        inside: L1 as a mean over the regions' pixels alone; not in the paper.
        perceptual: Content and style (equation 7).
        feature_matching: Not in equation 9.
    """

    reconstruction: float = 10.0
    inside: float = 0.0
    perceptual: float = 10.0
    feature_matching: float = 0.0


@dataclass
class RegionPlay:
    """A sequence while it is drawn.

    Attributes:
        source: The person.
        layouts: True layouts of the frames.
        masks: Their regions, five a sample.
        real: True regions.
        history: The last two drawn regions.
        drawn: All that was drawn.
    """

    source: Source
    layouts: list[Tensor]
    masks: list[Tensor]
    real: list[Tensor]
    history: History
    drawn: list[Tensor] = field(default_factory=list)


class RegionStage(SequenceStage[RegionPlay]):
    """Trains the Region GAN on true layouts.

    Args:
        generator: What is trained.
        discriminator: Sees (mask, region).
        gan: The form of the adversarial loss.
        losses: Weights.
        perceptual: The perceptual term, or ``None``.
        aligned: Whether the source goes through the Global Alignment Module.
        filled: Whether the source region, fitted into the wanted one, is changed rather than drawn anew.
        confined: Whether a region is black outside its mask by construction.
        plan: Length, rate, batch.
        image_size: (height, width).
        crop: See :data:`motioncopy.request.Crop`.
        appearance: See :class:`SequenceStage`.
        config_keys: See :class:`motioncopy.method.Stage`.
        share: Likewise.
    """

    def __init__(
        self,
        generator: RegionGenerator,
        *,
        discriminator: nn.Module,
        gan: AdversarialLoss,
        losses: RegionLosses,
        perceptual: ContentAndStyle | None,
        aligned: bool,
        filled: bool,
        confined: bool,
        plan: Schedule,
        image_size: tuple[int, int],
        crop: Crop,
        appearance: AppearanceRule,
        config_keys: Sequence[str],
        share: float = 1.0,
    ) -> None:
        super().__init__(
            "region",
            generator,
            nn.ModuleDict({"region": discriminator}),
            plan=plan,
            image_size=image_size,
            crop=crop,
            appearance=appearance,
            parts=("parsing",),
            config_keys=config_keys,
            upstream=[perceptual] if perceptual is not None else [],
            share=share,
        )
        self.regions, self.gan, self.losses = generator, gan, losses
        self.aligned, self.filled, self.confined = aligned, filled, confined
        self._perceptual = (perceptual,)  # a tuple: what is not trained is in no checkpoint

    def begin(self, batch: MotionBatch) -> RegionPlay:
        """See :meth:`SequenceStage.begin`."""
        assert batch.parsing is not None
        layouts = list(one_hot(batch.parsing).unbind(1))
        masks = [regions_of(layout) for layout in layouts]
        frames = [image.repeat_interleave(REGIONS, dim=0) for image in batch.images.unbind(1)]
        real = [cut(image, mask) for image, mask in zip(frames, masks, strict=True)]
        return RegionPlay(Source.of(batch.appearance), layouts, masks, real, History(torch.full_like(real[0], BLACK)))

    def draw(self, play: RegionPlay, t: int) -> None:
        """See :meth:`SequenceStage.draw`."""
        layout, mask = play.layouts[t], play.masks[t]
        source = play.source.regions_in(layout, moved=self.aligned)
        base = play.source.base_in(layout) if self.filled else None
        within = mask if self.confined else None
        drawn: Tensor = self.drawn(self.regions, mask, play.history.stacked(), source, base=base, within=within)
        play.drawn.append(drawn)
        play.history.push(drawn)

    def _judgement(self, play: RegionPlay, start: int, stop: int, *, detached: bool) -> Judged:
        drawn = together(play.drawn, start, stop)
        masks, real = together(play.masks, start, stop), together(play.real, start, stop)
        return judge(self.judges["region"], masks, real, drawn.detach() if detached else drawn)

    def judge(self, play: RegionPlay, start: int, stop: int) -> Tensor:
        """See :meth:`SequenceStage.judge`."""
        return telling(self.gan, [self._judgement(play, start, stop, detached=True)])

    def terms(self, play: RegionPlay, start: int, stop: int) -> dict[str, tuple[float, Tensor]]:
        """See :meth:`SequenceStage.terms`."""
        weights, (perceptual,) = self.losses, self._perceptual
        terms = fooling(weights, self.gan, [self._judgement(play, start, stop, detached=False)])
        drawn, real = together(play.drawn, start, stop), together(play.real, start, stop)
        if weights.reconstruction:
            terms["reconstruction"] = (weights.reconstruction, functional.l1_loss(drawn, real))
        if weights.inside:
            terms["inside"] = (weights.inside, inside(drawn, real, together(play.masks, start, stop)))
        if weights.perceptual and perceptual is not None:
            terms["perceptual"] = (weights.perceptual, perceptual(drawn, real))
        return terms

    def cut(self, play: RegionPlay) -> None:
        """See :meth:`SequenceStage.cut`."""
        play.history.detach()
        play.drawn = [d.detach() for d in play.drawn]
