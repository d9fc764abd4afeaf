"""Trivial baseline ``aligned``: the source person moved and scaled to where the driver stands (REMOT's GAM alone)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from motioncopy.batch import Appearance, Motion
from motioncopy.method import Method, Stage
from motioncopy.nets.alignment import Extent, align
from motioncopy.request import Crop, DataRequest, Regime, TrainingData


@dataclass(frozen=True)
class _State:
    """The person with mask ``(1, 4, H, W)``, black elsewhere; where the joints are; the place."""

    person: Tensor
    extent: Extent
    background: Tensor


class Aligned(Method[_State]):
    """Shows the appearance image's person, cut out, as tall as the driver and where the driver stands.

    Place and height are those of the joints in both, for the driver's mask is not known before it is drawn. What does
    not beat it has not learnt to move limbs.

    Args:
        image_size: (height, width) in pixels.
        crop: See :data:`motioncopy.request.Crop`.
        normalisation: See :mod:`motioncopy.poses.normalise`; beside a method, that one's.
    """

    regime: Regime = "general"  # type: ignore[misc]

    def __init__(
        self, *, image_size: tuple[int, int] = (96, 72), crop: Crop = "frame", normalisation: str = "none"
    ) -> None:
        super().__init__(request=DataRequest(1, image_size, crop=crop), normalisation=normalisation)

    @property
    def stages(self) -> Sequence[Stage]:
        """There is nothing to train."""
        return []

    def prepare(self, data: TrainingData) -> None:
        """There is nothing to learn of many people."""

    def start(self, appearance: Appearance) -> _State:
        """Cuts the person out."""
        image, mask = appearance.images[:, 0], appearance.mask[:, 0]
        person = torch.cat(((image + 1) * mask - 1, 2 * mask - 1), dim=1)
        return _State(person, Extent.of_joints(appearance.motion.joints[:, 0]), appearance.background)

    def step(self, state: _State, motion: Motion) -> tuple[Tensor, _State]:
        """Moves, scales and pastes."""
        count = len(motion)
        extent = Extent.of_joints(motion.joints[0])
        moved = align(state.person.expand(count, -1, -1, -1), state.extent.repeat(count), extent)
        mask = (moved[:, 3:] + 1) / 2
        return moved[:, :3] + (1 - mask) * (state.background + 1), state
