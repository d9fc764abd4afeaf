"""REMOT: from one image of a person nobody has seen in training, and a motion, to frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from methods.remot.composition import CompositionGAN, CompositionStage
from methods.remot.layout import LayoutGAN, LayoutStage
from methods.remot.layouts import BLACK, Source, foreground_mask
from methods.remot.networks import Composition
from methods.remot.region import RegionGAN, RegionStage
from methods.remot.region_generation import RegionGeneration, RegionGenerationState
from motioncopy import crops
from motioncopy.batch import Appearance, Motion
from motioncopy.losses.adversarial import AdversarialLoss, LeastSquares
from motioncopy.losses.perceptual import ContentAndStyle
from motioncopy.method import Method, Stage
from motioncopy.nets.blocks import check_size
from motioncopy.request import AppearanceRule, Crop, DataRequest, Regime
from motioncopy.training.gan import GANStage


@dataclass
class _State:
    """Between two steps."""

    regions: RegionGenerationState
    appearance: Appearance
    foregrounds: list[Tensor] = field(default_factory=list)


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
        composition: The Whole Composition Network; ``None`` shows the joined regions ("REMOT w/o WCN").
        gan: The form of the adversarial losses.
        perceptual: The perceptual term of regions and composition, or ``None``.

    Raises:
        ConfigError: If the stride does not divide the image size; the message names the nearest that work.
    """

    regime: Regime = "general"  # type: ignore[misc]

    def __init__(
        self,
        *,
        layout: LayoutGAN,
        region: RegionGAN,
        composition: CompositionGAN | None = None,
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
        check_size("REMOT", size, layout.generator.source.stride)
        self.layout, self.region = layout.generator, region.generator
        self.composition = composition.generator if composition is not None else None
        self.regions = RegionGeneration(self.layout, region)
        self.feature_identity = perceptual.features.identity() if perceptual is not None else None
        # What only training needs is not registered: it is in no checkpoint of the method.
        self._gans = (layout, region, composition)
        self._training = (gan or LeastSquares("sum"), perceptual, appearance)

    # -- training -------------------------------------------------------------------------------------------------

    @cached_property
    def stages(self) -> Sequence[Stage]:
        """Layout, region, and, where it exists, the composition of what those two generate."""
        (layout, region, composition), (gan, perceptual, appearance) = self._gans, self._training
        request = replace(self.request, appearance=appearance)
        stages: list[GANStage[Any]] = [
            LayoutStage(request, layout=layout, gan=gan),
            RegionStage(request, region=region, gan=gan, perceptual=perceptual),
        ]
        if composition is not None:
            stages.append(
                CompositionStage(self.regions, request, stages, composition=composition, gan=gan, perceptual=perceptual)
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
        return _State(self.regions.init_state(source), appearance)

    def step(self, state: _State, motion: Motion) -> tuple[Tensor, _State]:
        """Draws one frame after the other; each sees the two before it."""
        places = crops.behind(state.appearance, motion).split(1)
        frames = [
            self._frame(state, pose, place) for pose, place in zip(self.regions.poses(motion), places, strict=True)
        ]
        return torch.cat(frames).clamp(-1, 1).float(), state

    def _frame(self, state: _State, pose: Tensor, background: Tensor) -> Tensor:
        regions = self.regions.generate(state.regions, pose)
        if self.composition is None:
            return regions.foreground + (1 - foreground_mask(regions.layout)) * (background - BLACK)
        frame: Composition = self.composition(**regions.composed_with(state.foregrounds, background))
        state.foregrounds = [*state.foregrounds, frame.foreground.final][-2:]
        return frame.image
