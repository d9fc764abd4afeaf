"""Scenes whose truth is known exactly: people, fish and mice that are rendered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.puppets import Performance, animals, background, render
from datamodules.puppets.protocol import Take, protocol
from motioncopy.footage import Footage


@dataclass
class Scene(Footage):
    """Consecutive frames of one still camera, and their truth. It is also the footage of them.

    Attributes:
        name: Of the clip.
        images: ``(n, H, W, 3)`` uint8 RGB.
        joints: ``(n, J, 3)``; confidence 1 seen, 0.5 hidden by another part of the body, 0 not to be known.
        skeleton: Of the joints.
        mask: ``(n, H, W)`` uint8, or ``None`` where it is not known; likewise the following.
        parsing: ``(n, H, W)`` uint8 labels.
        flow: ``(n, H, W, 2)`` pixels, from frame t to t - 1.
        background: ``(H, W, 3)`` uint8.
        fps: Frames per second.
    """

    name: str
    images: NDArray[np.uint8]
    joints: NDArray[np.float32]
    skeleton: str
    mask: NDArray[np.uint8] | None = None
    parsing: NDArray[np.uint8] | None = None
    flow: NDArray[np.float32] | None = None
    background: NDArray[np.uint8] | None = None
    fps: float = 25.0

    def __post_init__(self) -> None:
        self.path, self.size = Path(self.name), self.images.shape[1:3]

    def __len__(self) -> int:
        return len(self.images)

    def frames(self, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.uint8]:
        """Frames by number."""
        chosen: NDArray[np.uint8] = self.images[np.asarray(indices)]
        return chosen


def people(size: int, frames: int, count: int | None = None) -> Iterator[Scene]:
    """One test motion of each puppet, with everything known.

    Args:
        size: Height and width.
        frames: Frames of each, at most the protocol's.
        count: How many of them; all by default.
    """
    rules = protocol()
    own: dict[str, list[Take]] = {}
    for t in rules.reconstruction:
        own.setdefault(t.person, []).append(t)
    takes = [own[person][i % len(own[person])] for i, person in enumerate(own)]  # each motion in turn
    for take in takes[:count]:
        shown = Performance(take.person, take.motion, take.seed, min(frames, take.frames), rules.fps, (size, size))
        parts = _stacked(
            (render(shown, i, flow=True) for i in range(shown.frames)), "images", "joints", "mask", "parsing", "flow"
        )
        yield Scene(
            take.name, **parts, skeleton="body25", background=background(take.person, shown.size), fps=rules.fps
        )


def fish(size: int, frames: int, count: int | None = None) -> Iterator[Scene]:
    """Swimming fish; arguments as for :func:`people`."""
    return (_animal(animals.Swim(name, 1, frames, size=(size, size)), "fish21") for name in animals.FISH[:count])


def mice(size: int, frames: int, count: int | None = None) -> Iterator[Scene]:
    """Mice as a depth camera sees them; arguments as for :func:`people`."""
    return (_animal(animals.Walk(name, 1, frames, size=(size, size)), "mouse5") for name in animals.MICE[:count])


def _animal(shown: animals.Performance, skeleton: str) -> Scene:
    parts = _stacked((animals.render(shown, i) for i in range(shown.frames)), "images", "joints", "mask")
    return Scene(shown.animal, **parts, skeleton=skeleton, background=animals.background(shown), fps=shown.fps)


def _stacked(shots: Iterable[Any], *parts: str) -> dict[str, Any]:
    named, shots = {"images": "image"}, list(shots)
    return {part: np.stack([getattr(shot, named.get(part, part)) for shot in shots]) for part in parts}
