"""Renders animals of either kind."""

from __future__ import annotations

from functools import lru_cache
from typing import overload

import numpy as np
from numpy.typing import NDArray

from datamodules.puppets.animals import fish, mouse
from datamodules.puppets.animals.fish import Swim
from datamodules.puppets.animals.frame import AnimalFrame
from datamodules.puppets.animals.mouse import Walk
from motioncopy.errors import DataError

Performance = Swim | Walk


@overload
def render(performance: Performance, frames: int) -> AnimalFrame: ...


@overload
def render(performance: Performance, frames: range) -> list[AnimalFrame]: ...


def render(performance: Performance, frames: int | range) -> AnimalFrame | list[AnimalFrame]:
    """Renders frames of a clip.

    Args:
        performance: The clip.
        frames: The number of a frame, from 0, or a range of them.

    Raises:
        DataError: If a frame lies outside the clip.
    """
    if isinstance(frames, range):
        return [render(performance, i) for i in frames]
    if not 0 <= frames < performance.frames:
        raise DataError("no such frame", expected=f"0 to {performance.frames - 1}", found=frames)
    if isinstance(performance, Swim):
        return fish.render(performance, frames, _place(performance.fish, performance.size))
    return mouse.render(performance, frames, _place(performance.mouse, performance.size))


def background(performance: Performance) -> NDArray[np.uint8]:
    """The place without the animal, ``(H, W, 3)`` uint8 RGB."""
    name = performance.fish if isinstance(performance, Swim) else performance.mouse
    return _place(name, performance.size).copy()


@lru_cache(maxsize=16)
def _place(name: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    return fish.water(name, size) if name in fish.FISH else mouse.floor(name, size)
