"""Trivial baseline ``static``: the appearance image, pasted over every frame."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from motioncopy.batch import Appearance, Motion
from motioncopy.method import Method, Stage
from motioncopy.request import Crop, DataRequest, Regime, TrainingData


class Static(Method[Tensor]):
    """Shows the appearance image whatever the motion. What does not beat it has learnt nothing.

    Args:
        image_size: (height, width) in pixels.
        crop: See :data:`motioncopy.request.Crop`.
    """

    regime: Regime = "personal"  # type: ignore[misc]

    def __init__(self, *, image_size: tuple[int, int] = (96, 96), crop: Crop = "frame") -> None:
        super().__init__(request=DataRequest(1, image_size, crop=crop))

    @property
    def stages(self) -> Sequence[Stage]:
        """There is nothing to train."""
        return []

    def prepare(self, data: TrainingData) -> None:
        """There is nothing to learn of many people."""
        if data.person is not None:
            super().prepare(data)

    def start(self, appearance: Appearance) -> Tensor:
        """The image."""
        return appearance.images[0, 0]

    def step(self, state: Tensor, motion: Motion) -> tuple[Tensor, Tensor]:
        """The image, once a frame."""
        return state.expand(len(motion), *state.shape), state
