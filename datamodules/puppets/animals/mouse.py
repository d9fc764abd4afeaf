"""Mice: bodies as heights over the floor, walking, turning, stretching and rearing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.puppets.animals.frame import AnimalFrame, Performance, chance, focal_length, lift, visible

Floats = NDArray[np.float64]

#: The cast.
MICE = ("agouti", "brindle", "cinnamon", "dove")
#: Grey levels a millimetre of height.
LEVELS = 4.0
_SUBJECT_SHARE = 0.3  # of the image's shorter side, from nose to the base of the tail
_OVERSAMPLE = 2
# From nose to the base of the tail: where along the body, radius and height of the middle in body lengths of 85 mm.
_ALONG = np.array([0.0, 0.22, 0.5, 0.78, 1.0])
_RADII = np.array([0.045, 0.10, 0.145, 0.165, 0.085])
_HEIGHTS = np.array([0.07, 0.11, 0.14, 0.15, 0.08])
_LENGTH = 85.0


@dataclass(frozen=True)
class Body:
    """What a mouse looks like to a depth camera.

    Attributes:
        length: From nose to the base of the tail, mm.
        girth: Of radii and heights, 1 for the average.
        ears: Radius, mm.
        tail: Length in body lengths.
    """

    length: float
    girth: float
    ears: float
    tail: float


@dataclass(frozen=True)
class Walk(Performance):
    """A clip: a mouse explores. The seed chooses path, turns and when it rears."""

    kind, cast = "mouse", MICE

    @property
    def scale(self) -> float:
        """Pixels a millimetre on the floor."""
        return _SUBJECT_SHARE * min(self.size) / _LENGTH

    def axis(self, frame: int) -> tuple[Floats, Floats, float]:
        """Nose to base of the tail ``(5, 2)`` in pixels, heights ``(5,)`` in mm, and how the tail sways, in [-1, 1]."""
        random = chance("walk", self.animal, self.seed)
        rate, phase = random.uniform(0.03, 0.07, 2) * 2 * np.pi, random.uniform(0, 2 * np.pi, 2)
        look_rate, look_phase = random.uniform(0.2, 0.5) * 2 * np.pi, random.uniform(0, 2 * np.pi)
        rear_rate, rear_phase = random.uniform(0.05, 0.12) * 2 * np.pi, random.uniform(0, 2 * np.pi)
        time = frame / self.fps

        def clock(t: float) -> float:  # it runs, and stands to look about
            return float(t - 0.8 / look_rate * np.cos(look_rate * t + look_phase)) * 1.8

        reach = np.array(self.size[::-1]) * 0.5 - 0.9 * _SUBJECT_SHARE * min(self.size)
        place, heading, turn = self.course(frame, clock, rate, phase, np.maximum(reach, 1))
        glance = 0.35 * np.sin(look_rate * time + look_phase + 1)
        bend = np.clip(9 * turn, -0.7, 0.7)
        rear = max(0.0, np.sin(rear_rate * time + rear_phase) - 0.6) / 0.4
        body = look(self.animal)
        # Rearing lifts the front and so shortens the body as it is seen from above.
        angles = heading + bend * _ALONG[1:] + glance * np.array([-1.0, -0.5, 0, 0])
        lengths = np.diff(_ALONG) * body.length * self.scale
        lengths = lengths * (1 - rear * np.array([0.45, 0.4, 0.3, 0.0]))
        back = -lengths[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        chain = np.concatenate([np.zeros((1, 2)), np.cumsum(back, axis=0)])
        heights = (_HEIGHTS * body.girth + rear * np.array([0.55, 0.45, 0.25, 0.03, 0])) * body.length
        return chain - chain[2] + place, heights, float(np.sin(2 * look_rate * time))

    def drawn(self, frame: int, place: NDArray[np.uint8]) -> AnimalFrame:
        """One frame before a background."""
        points, heights, sway = self.axis(frame)
        n = _OVERSAMPLE
        height, width = self.size
        columns, rows = (np.arange(length * n) / n + (1 / n - 1) / 2 for length in (width, height))
        x, y = np.meshgrid(columns, rows)
        surface = np.zeros((height * n, width * n))
        for centre, radius, top in _balls(self, points, heights, sway):
            reach = int(np.ceil((radius + 1) * n))
            column, row = (round((c + 0.5) * n) for c in centre)
            window = (
                slice(max(row - reach, 0), max(row + reach + 1, 0)),
                slice(max(column - reach, 0), max(column + reach + 1, 0)),
            )
            square = (x[window] - centre[0]) ** 2 + (y[window] - centre[1]) ** 2
            # An ellipsoid over the floor: round from above, and as high as the body is there.
            dome = top * np.sqrt(np.clip(1 - square / radius**2, 0, 1))
            surface[window] = np.maximum(surface[window], dome)
        blocks = surface.reshape(height, n, width, n)
        above = blocks.mean(axis=(1, 3))
        mask = np.where((blocks > 0).mean(axis=(1, 3)) >= 0.5, 255, 0).astype(np.uint8)
        noise = chance("noise", self.animal, self.seed, frame).normal(0, 0.5, above.shape)
        grey = (place[..., 0] + LEVELS * (above + np.where(mask > 0, noise, 0))).clip(0, 255).round().astype(np.uint8)
        joints = visible(points, self.size)
        space = lift(points, heights, focal_length(self.scale), self.size)
        return AnimalFrame(np.repeat(grey[..., None], 3, axis=2), mask, joints, space, above.astype(np.float32))

    @classmethod
    def place(cls, animal: str, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The arena's floor as a depth camera shows it: nearly flat."""
        random = chance("arena", animal)
        coarse = cv2.resize(
            random.uniform(0, 1, (6, 6)).astype(np.float32), (size[1], size[0]), interpolation=cv2.INTER_CUBIC
        )
        grey = (3 + 5 * coarse).clip(0, 255).round().astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)


@lru_cache(maxsize=len(MICE))
def look(mouse: str) -> Body:
    """The body of one of the cast."""
    random = chance("mouse", mouse)
    return Body(
        length=float(random.uniform(75, 95)),
        girth=float(random.uniform(0.85, 1.2)),
        ears=float(random.uniform(3.5, 5)),
        tail=float(random.uniform(0.7, 1.0)),
    )


def _balls(walk: Walk, points: Floats, heights: Floats, sway: float) -> list[tuple[Floats, float, float]]:
    """Body, ears and tail as balls: centre and radius in pixels, height of the top in mm."""
    body, fine = look(walk.animal), np.linspace(0, 1, 25)
    radii = np.interp(fine, _ALONG, _RADII) * body.girth * body.length
    tops = np.interp(fine, _ALONG, heights) + radii
    found = [
        (np.array([np.interp(fine[k], _ALONG, points[:, 0]), np.interp(fine[k], _ALONG, points[:, 1])]),
         radii[k] * walk.scale, tops[k])
        for k in range(len(fine))
    ]  # fmt: skip
    forward = points[0] - points[1]
    forward = forward / max(float(np.hypot(*forward)), 1e-6)
    across = np.array([-forward[1], forward[0]])
    for side in (-1, 1):
        centre = points[1] + (side * 0.06 * across - 0.02 * forward) * body.length * walk.scale
        found.append((centre, body.ears * walk.scale, float(heights[1] + body.ears)))
    away = points[4] - points[3]
    angle = np.arctan2(away[1], away[0])
    steps = 30
    tip = points[4].astype(np.float64)
    for k in range(steps):
        bend = angle + 0.6 * sway * (k / steps) ** 2
        tip = tip + np.array([np.cos(bend), np.sin(bend)]) * body.tail * body.length * walk.scale / steps
        found.append((tip, max((2.2 - 1.4 * k / steps) * walk.scale, 0.75), 4.0 - 1.5 * k / steps))
    return found
