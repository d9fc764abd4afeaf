"""Clips of animals, and what a frame of one and its truth are."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from motioncopy.errors import DataError

Floats = NDArray[np.float64]

#: Millimetres between the camera and the floor, as in Lie-X's mouse videos.
CAMERA_HEIGHT = 850.0


@dataclass(frozen=True)
class AnimalFrame:
    """Coordinates are pixels, the centre of the top left pixel is (0, 0).

    Attributes:
        image: ``(H, W, 3)`` uint8 RGB, anti-aliased.
        mask: ``(H, W)`` uint8, 255 where at least half of the pixel shows the animal, its tail and fins included.
        joints: ``(J, 3)`` float32, of fish21 or mouse5; confidence 1, or 0 outside the image.
        joints_3d: ``(J, 3)`` float64 in millimetres as the camera sees them: x to the right, y up, z negative.
        height: ``(H, W)`` float32 millimetres above the floor, of mice; ``None`` for fish.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    joints: NDArray[np.float32]
    joints_3d: NDArray[np.float64]
    height: NDArray[np.float32] | None = None


def focal_length(pixels_a_millimetre: float) -> float:
    """In pixels, of the camera that shows the floor at this scale."""
    return pixels_a_millimetre * CAMERA_HEIGHT


def lift(points: Floats, above: Floats, focal: float, size: tuple[int, int]) -> Floats:
    """Where points of the image are in space.

    The camera projects (x, y, z) to (cx - f x / z, cy + f y / z) with cx = (W - 1) / 2, cy = (H - 1) / 2.

    Args:
        points: ``(J, 2)`` pixels.
        above: ``(J,)`` millimetres above the floor.
        focal: In pixels.
        size: (height, width) of the image.
    """
    depth = above - CAMERA_HEIGHT
    middle = np.array([size[1] - 1, size[0] - 1]) / 2
    flat = (points - middle) * depth[:, None] / (np.array([-1.0, 1.0]) * focal)
    lifted: Floats = np.concatenate([flat, depth[:, None]], axis=1)
    return lifted


def chance(*words: str | int) -> np.random.Generator:
    """A generator that is the same for the same words."""
    return np.random.default_rng([zlib.crc32(w.encode()) if isinstance(w, str) else w for w in words])


@dataclass(frozen=True)
class Performance(ABC):
    """A clip of an animal. The seed chooses how it moves.

    Attributes:
        animal: One of the cast.
        seed: Of the motion.
        frames: Number of frames.
        fps: Frames per second.
        size: (height, width) of the images.

    Raises:
        DataError: If there is no such animal, or a value is out of its range.
    """

    kind: ClassVar[str]
    cast: ClassVar[tuple[str, ...]]

    animal: str
    seed: int
    frames: int
    fps: float = 25.0
    size: tuple[int, int] = (160, 160)

    def __post_init__(self) -> None:
        if self.animal not in self.cast:
            raise DataError(f"unknown {self.kind} {self.animal!r}", expected=f"one of {', '.join(self.cast)}")
        if self.seed < 0 or self.frames < 1 or self.fps <= 0 or not 32 <= min(self.size) <= max(self.size) <= 2048:
            raise DataError(
                "an animal cannot be rendered so",
                expected="seed >= 0, frames >= 1, fps > 0 and 32 to 2048 pixels a side",
                found=f"seed {self.seed}, {self.frames} frames, {self.fps} fps, {self.size}",
            )

    @abstractmethod
    def drawn(self, frame: int, place: NDArray[np.uint8]) -> AnimalFrame:
        """One frame before a background."""

    @classmethod
    @abstractmethod
    def place(cls, animal: str, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The animal's place, ``(H, W, 3)`` uint8 RGB."""

    def course(
        self, frame: int, clock: Callable[[float], float], rate: Floats, phase: Floats, reach: Floats
    ) -> tuple[Floats, float, float]:
        """A closed path around the middle of the image, on which time runs as the ``clock`` says.

        Args:
            frame: Its number.
            clock: From seconds to seconds.
            rate: ``(2,)`` radians a second in x and y.
            phase: ``(2,)`` radians.
            reach: ``(2,)`` pixels to either side of the middle.

        Returns:
            The place ``(2,)`` in pixels, the heading, and by how much it was another half a frame before, in radians.
        """

        def place(t: float) -> Floats:
            there: Floats = (np.array(self.size[::-1]) - 1) / 2 + reach * np.sin(rate * clock(t) + phase)
            return there

        time, step = frame / self.fps, 0.5 / self.fps
        ahead, behind = place(time + step) - place(time), place(time) - place(time - step)
        heading = np.arctan2(ahead[1], ahead[0])
        turn = (np.arctan2(behind[1], behind[0]) - heading + np.pi) % (2 * np.pi) - np.pi
        return place(time), heading, turn


def render(performance: Performance, frame: int) -> AnimalFrame:
    """Renders a frame of a clip, by its number from 0.

    Raises:
        DataError: If the frame lies outside the clip.
    """
    if not 0 <= frame < performance.frames:
        raise DataError("no such frame", expected=f"0 to {performance.frames - 1}", found=frame)
    return performance.drawn(frame, _place(type(performance), performance.animal, performance.size))


def background(performance: Performance) -> NDArray[np.uint8]:
    """The place without the animal, ``(H, W, 3)`` uint8 RGB."""
    return _place(type(performance), performance.animal, performance.size).copy()


@lru_cache(maxsize=16)
def _place(kind: type[Performance], animal: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    return kind.place(animal, size)


def visible(points: Floats, size: tuple[int, int]) -> NDArray[np.float32]:
    """Points ``(J, 2)`` as joints: with confidence 1, or all zeros outside the image."""
    joints = np.ones((len(points), 3), np.float32)
    joints[:, :2] = points
    joints[(points < -0.5).any(axis=1) | (points > np.array(size[::-1]) - 0.5).any(axis=1)] = 0
    return joints
