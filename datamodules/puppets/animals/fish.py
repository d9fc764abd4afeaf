"""Fish: bodies, colours, and swimming as a wave that travels from head to tail."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.puppets.animals.frame import AnimalFrame, Performance, chance, focal_length, lift, visible

Floats = NDArray[np.float64]

#: The cast.
FISH = ("anemone", "barb", "carp", "danio", "eel", "flounder")
_JOINTS = 21
_OVERSAMPLE = 2
# Half the width of the body from snout to the root of the tail fin, as a share of the greatest.
_PROFILE = np.array([0.12, 0.55, 0.82, 0.95, 1.0, 0.97, 0.9, 0.8, 0.68, 0.55, 0.42, 0.31, 0.23, 0.18, 0.16])
_FINS = 0.75


@dataclass(frozen=True)
class Body:
    """What a fish looks like.

    Attributes:
        length: As a share of the image's shorter side.
        width: The greatest half width as a share of the length.
        colours: ``(3, 3)``: back, flanks and pattern, RGB.
        stripes: How many bars cross the body; 0 for spots.
        tail: How far the tail fin flares, in greatest half widths.
    """

    length: float
    width: float
    colours: Floats
    stripes: int
    tail: float


@dataclass(frozen=True)
class Swim(Performance):
    """A clip: a fish swims. The seed chooses path, tempo and amplitude."""

    kind, cast = "fish", FISH

    def midline(self, frame: int) -> Floats:
        """``(21, 2)`` pixels, snout first.

        The head follows a closed path that stays within the image; the body bends with the turn and carries a wave
        whose amplitude grows towards the tail.
        """
        random = chance("swim", self.animal, self.seed)
        rate = random.uniform(0.04, 0.09, 2) * 2 * np.pi
        phase = random.uniform(0, 2 * np.pi, 2)
        tempo, amplitude, wavelength = random.uniform(1.2, 2.4), random.uniform(0.25, 0.5), random.uniform(0.8, 1.1)
        burst_rate, burst_phase = random.uniform(0.1, 0.25) * 2 * np.pi, random.uniform(0, 2 * np.pi)
        time = frame / self.fps

        def clock(t: float) -> float:  # bursts and glides: time itself runs unevenly
            return float(t - 0.7 / burst_rate * np.cos(burst_rate * t + burst_phase)) * 1.6

        reach = np.array(self.size[::-1]) * (0.5 - 0.62 * look(self.animal).length)
        place, heading, turn = self.course(frame, clock, rate, phase, np.maximum(reach, 2))
        u = np.linspace(0, 1, _JOINTS - 1)
        effort = 0.55 + 0.45 * np.sin(burst_rate * time + burst_phase)
        wave = amplitude * effort * (0.15 + 0.85 * u**1.3) * np.sin(2 * np.pi * (u / wavelength - tempo * time))
        angle = heading + np.clip(8 * turn, -0.9, 0.9) * u + wave
        step_length = look(self.animal).length * min(self.size) / (_JOINTS - 1)
        back = -step_length * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        chain = np.concatenate([np.zeros((1, 2)), np.cumsum(back, axis=0)])
        # The middle of the body follows the path, so that neither end leaves the image.
        points: Floats = chain - chain[_JOINTS // 2] + place
        return points

    def drawn(self, frame: int, place: NDArray[np.uint8]) -> AnimalFrame:
        """One frame before a background."""
        body, points = look(self.animal), self.midline(frame)
        alpha, colour = _paint(body, points, self.size)
        share = alpha[..., None]
        image = (place * (1 - share) + colour).clip(0, 255).round().astype(np.uint8)
        # Fish of a hand's length, near the floor.
        focal = focal_length(body.length * min(self.size) / 100)
        space = lift(points, np.full(_JOINTS, 20.0), focal, self.size)
        mask = np.where(alpha >= 0.5, 255, 0).astype(np.uint8)
        return AnimalFrame(image, mask, visible(points, self.size), space)

    @classmethod
    def place(cls, animal: str, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The tank's floor: pale sand under uneven light."""
        random = chance("tank", animal)
        coarse, grain = random.uniform(-1, 1, (5, 5)), random.normal(0, 1, (96, 96))
        coarse, grain = (
            cv2.resize(values.astype(np.float32), size[::-1], interpolation=way)
            for values, way in ((coarse, cv2.INTER_CUBIC), (grain, cv2.INTER_LINEAR))
        )
        tint = random.uniform(185, 225, 3)
        floor = tint + 14 * coarse[..., None] + 3 * grain[..., None]
        return np.asarray(floor.clip(0, 255).round().astype(np.uint8))


@lru_cache(maxsize=len(FISH))
def look(fish: str) -> Body:
    """The body of one of the cast."""
    random = chance("fish", fish)
    base = random.uniform(60, 150, 3)
    base[random.integers(3)] += 60
    return Body(
        length=float(random.uniform(0.36, 0.46)),
        width=float(random.uniform(0.05, 0.11)),
        colours=np.stack([0.55 * base, base, random.uniform(0, 255, 3)]).clip(0, 255),
        stripes=int(random.integers(0, 8)),
        tail=float(random.uniform(0.15, 0.4)),
    )


def _paint(body: Body, points: Floats, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Coverage ``(H, W)`` in [0, 1] and colour ``(H, W, 3)`` times coverage."""
    half = body.width * body.length * min(size)
    margin = int(np.ceil(2.5 * half + 2))
    low = np.maximum(np.floor(points.min(axis=0)).astype(int) - margin, 0)
    high = np.minimum(np.ceil(points.max(axis=0)).astype(int) + margin, np.array(size[::-1]) - 1)
    alpha, colour = np.zeros(size), np.zeros((*size, 3))
    if (high < low).any():
        return alpha, colour
    n = _OVERSAMPLE
    columns, rows = (np.arange(a * n, (b + 1) * n) / n + (1 / n - 1) / 2 for a, b in zip(low, high, strict=True))
    x, y = np.meshgrid(columns, rows)
    u, side, distance = _along(points, np.stack([x, y], axis=-1), half * (1 + _FINS + body.tail))
    inside = distance <= half * _widths(u, body)
    v = side / np.maximum(half * _widths(u, body), 1e-6)
    back, flank, pattern = body.colours
    shade = np.clip(np.abs(v), 0, 1)[..., None]
    paint = back * (1 - shade) + flank * shade
    if body.stripes:
        marked = (np.sin(2 * np.pi * body.stripes * u) > 0.35) & (u > 0.15)
    else:
        marked = (np.sin(40 * u) * np.sin(5 * v + 9 * u) > 0.55) & (u > 0.15)
    paint = np.where(marked[..., None], 0.35 * paint + 0.65 * pattern, paint)
    eyes = (np.abs(np.abs(v) - 0.62) < 0.3) & (np.abs(u - 0.085) < 0.03)
    paint = np.where(eyes[..., None], 12.0, paint)
    blocks = (high[1] - low[1] + 1, n, high[0] - low[0] + 1, n)
    window = slice(low[1], high[1] + 1), slice(low[0], high[0] + 1)
    alpha[window] = inside.reshape(blocks).mean(axis=(1, 3))
    colour[window] = (paint * inside[..., None]).reshape(*blocks, 3).mean(axis=(1, 3))
    return alpha, colour


def _widths(u: Floats, body: Body) -> Floats:
    """Half width at u, in greatest half widths: the body, the side fins, and the flare of the tail fin."""
    trunk = np.interp(u, np.linspace(0, 0.88, len(_PROFILE)), _PROFILE)
    fins = _FINS * np.exp(-(((u - 0.33) / 0.035) ** 2))
    flare = body.tail * np.clip((u - 0.88) / 0.12, 0, 1)
    found: Floats = trunk + fins + flare
    return found


def _along(points: Floats, pixels: Floats, reach: float) -> tuple[Floats, Floats, Floats]:
    """For each pixel: where along the chain (0 head, 1 tail) its nearest point lies, its signed and plain distance.

    Pixels further from the chain than ``reach`` keep an infinite distance.
    """
    best = np.full(pixels.shape[:2], np.inf)
    u, side = np.zeros_like(best), np.zeros_like(best)
    count = len(points) - 1
    columns, rows = pixels[0, :, 0], pixels[:, 0, 1]
    for k, (a, b) in enumerate(pairwise(points)):
        (left, top), (right, bottom) = np.minimum(a, b) - reach, np.maximum(a, b) + reach
        near = (
            slice(*np.searchsorted(rows, (top, bottom)).tolist()),
            slice(*np.searchsorted(columns, (left, right)).tolist()),
        )
        along = b - a
        share = (((pixels[near] - a) @ along) / (along @ along)).clip(0, 1)
        gap = pixels[near] - a - share[..., None] * along
        distance = np.hypot(gap[..., 0], gap[..., 1])
        nearer = distance < best[near]
        best[near] = np.where(nearer, distance, best[near])
        u[near] = np.where(nearer, (k + share) / count, u[near])
        sign = np.sign(along[0] * gap[..., 1] - along[1] * gap[..., 0])
        side[near] = np.where(nearer, sign * distance, side[near])
    return u, side, best
