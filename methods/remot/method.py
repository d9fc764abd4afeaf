"""REMOT: from one image of a person nobody has seen in training, and a motion, to frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from methods.remot.layout import LayoutLosses, LayoutStage
from methods.remot.losses import ContentAndStyle, TemporalDiscriminators
from methods.remot.networks import LayoutGenerator, RegionGenerator, WholeGenerator
from methods.remot.region import RegionLosses, RegionStage
from methods.remot.scene import BLACK, History, Source, person_of
from methods.remot.sequence import Schedule
from methods.remot.sketch import Sketcher, SketchState
from methods.remot.whole import WholeLosses, WholeStage
from motioncopy.batch import Appearance, Motion
from motioncopy.losses.adversarial import AdversarialLoss, LeastSquares
from motioncopy.method import Method, Stage
from motioncopy.nets.coder import check_size
from motioncopy.request import AppearanceRule, Crop, DataRequest, Regime


@dataclass
class _State:
    """Between two steps."""

    sketch: SketchState
    foregrounds: History
    background: Tensor


@dataclass(frozen=True)
class LayoutGAN:
    """The Layout GAN and its training.

    Attributes:
        generator: Draws layouts.
        discriminator: Sees (pose, layout), 9 channels.
        temporal: Sees three layouts, or ``None``.
        losses: Weights.
        schedule: Length, rate, batch.
    """

    generator: LayoutGenerator
    discriminator: nn.Module
    temporal: TemporalDiscriminators | None = None
    losses: LayoutLosses = field(default_factory=LayoutLosses)
    schedule: Schedule = field(default_factory=Schedule)


@dataclass(frozen=True)
class RegionGAN:
    """The Region GAN and its training.

    Attributes:
        generator: Draws regions.
        discriminator: Sees (mask, region), 4 channels.
        aligned: Whether the source goes through the Global Alignment Module.
        filled: Whether the source region, fitted into the wanted one, is changed; in the paper it is drawn anew.
        confined: Whether a region is black outside its mask by construction; in the paper it learns to be.
        losses: Weights.
        schedule: Length, rate, batch.
    """

    generator: RegionGenerator
    discriminator: nn.Module
    aligned: bool = True
    filled: bool = False
    confined: bool = False
    losses: RegionLosses = field(default_factory=RegionLosses)
    schedule: Schedule = field(default_factory=Schedule)


@dataclass(frozen=True)
class WholeGAN:
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

    generator: WholeGenerator
    discriminator: nn.Module
    temporal: TemporalDiscriminators | None = None
    face: nn.Module | None = None
    face_size: int = 32
    losses: WholeLosses = field(default_factory=WholeLosses)
    schedule: Schedule = field(default_factory=Schedule)


class REMOT(Method[_State]):
    """One model for everybody: layout in the driving pose, region by region, then the whole.

    Args:
        image_size: (height, width) in pixels, divisible by the generators' stride.
        crop: See :data:`motioncopy.request.Crop`.
        appearance: Which frame is the source in training, see :data:`motioncopy.request.AppearanceRule`; section 3.3:
            "a forward frame in a video".
        normalisation: See :mod:`motioncopy.poses.normalise`; the paper fits no bodies, its Layout GAN does.
        layout: The Layout GAN.
        region: The Region GAN.
        whole: The Whole Composition Network; ``None`` shows the joined regions ("REMOT w/o WCN").
        gan: The form of the adversarial losses.
        perceptual: The perceptual term of regions and whole, or ``None``.

    Raises:
        BatchError: If the stride does not divide the image size; the message names the nearest that work.
    """

    regime: Regime = "general"  # type: ignore[misc]

    def __init__(
        self,
        *,
        layout: LayoutGAN,
        region: RegionGAN,
        whole: WholeGAN | None = None,
        image_size: tuple[int, int] = (256, 192),
        crop: Crop = "frame",
        appearance: AppearanceRule = "random_earlier",
        normalisation: str = "none",
        gan: AdversarialLoss | None = None,
        perceptual: ContentAndStyle | None = None,
    ) -> None:
        size = (image_size[0], image_size[1])
        super().__init__(
            request=DataRequest(1, size, crop=crop, parts=("parsing",)),
            normalisation=normalisation,
        )
        check_size(size, layout.generator.source.stride)
        self.layout, self.region = layout.generator, region.generator
        self.whole = whole.generator if whole is not None else None
        self.sketcher = Sketcher(
            self.layout, self.region, aligned=region.aligned, filled=region.filled, confined=region.confined
        )
        self.feature_identity = perceptual.features.identity() if perceptual is not None else None
        # What only training needs is not registered: it is in no checkpoint of the method.
        self._training = (layout, region, whole, gan or LeastSquares("sum"), perceptual, appearance)

    # -- training -------------------------------------------------------------------------------------------------

    @property
    def stages(self) -> Sequence[Stage]:
        """Layout, region, and, where it exists, the whole on what those two draw."""
        return self._stages

    @cached_property
    def _stages(self) -> list[Stage]:
        layout, region, whole, gan, perceptual, appearance = self._training
        shared: dict[str, Any] = {
            "image_size": self.request.image_size,
            "crop": self.request.crop,
            "appearance": appearance,
            "gan": gan,
        }
        common = list(shared)
        stages: list[Stage] = [
            LayoutStage(
                layout.generator,
                discriminator=layout.discriminator,
                temporal=layout.temporal,
                losses=layout.losses,
                plan=layout.schedule,
                config_keys=[*common, "layout"],
                share=2,
                **shared,
            ),
            RegionStage(
                region.generator,
                discriminator=region.discriminator,
                losses=region.losses,
                perceptual=perceptual,
                aligned=region.aligned,
                filled=region.filled,
                confined=region.confined,
                plan=region.schedule,
                config_keys=[*common, "region", "perceptual"],
                share=3,
                **shared,
            ),
        ]
        if whole is not None:
            stages.append(
                WholeStage(
                    whole.generator,
                    self.sketcher.sequence,
                    discriminator=whole.discriminator,
                    temporal=whole.temporal,
                    face=whole.face,
                    face_size=whole.face_size,
                    losses=whole.losses,
                    perceptual=perceptual,
                    plan=whole.schedule,
                    config_keys=[*common, "layout", "region", "whole", "perceptual"],
                    upstream=[self.layout, self.region],
                    share=4,
                    **shared,
                )
            )
        return stages

    # -- generation -----------------------------------------------------------------------------------------------

    def start(self, appearance: Appearance) -> _State:
        """Encodes the source layout, and cuts the person into regions.

        Raises:
            BatchError: If the source image shows nobody.
        """
        source = Source.of(appearance)
        source.check(appearance.person)
        return _State(self.sketcher.start(source), History(torch.full_like(source.image, BLACK)), appearance.background)

    def step(self, state: _State, motion: Motion) -> tuple[Tensor, _State]:
        """Draws one frame after the other; each sees the two before it."""
        frames = [self._frame(state, pose) for pose in self.sketcher.poses(motion)]
        return torch.cat(frames).clamp(-1, 1).float(), state

    def _frame(self, state: _State, pose: Tensor) -> Tensor:
        rough = self.sketcher.draw(state.sketch, pose)
        if self.whole is None:
            return rough.foreground + (1 - person_of(rough.layout)) * (state.background - BLACK)
        history = state.foregrounds
        composed = self.whole(
            rough.source, rough.foreground, history.stacked(), rough.guide, state.background, first=history.first
        )
        history.push(composed.foreground.final)
        image: Tensor = composed.image
        return image
