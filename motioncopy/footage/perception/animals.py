"""What seeing fish and mice from above has in common: segmenting the animal, its midline, and which end is the head.

*Segmentation.* A still camera's background is what a pixel shows when the animal is not there: for a dark animal the
bright end of its values in frames from all over the footage, for a bright one the dark end. Where the animal never
leaves its place (a fish whose head is held, crops that follow a mouse), each frame is thresholded by itself instead.
Either way, pixels of strong contrast are the core, and weaker ones that touch it belong to it (a larva's tail is far
paler than its head). The piece with the largest core is the animal.

*Midline.* The cheapest path through the mask between its two farthest points, where the middle is cheap.

*Head.* Every frame says by its shape which end is the head, more or less surely; the evidence is summed over time along
with the animal, so that one bad frame does not turn it round.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from motioncopy.errors import PerceptionError
from motioncopy.footage import Footage
from motioncopy.footage.perception.backends import Images, Poses

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_SAMPLE = 48
#: Contrast of the core and of what may hang on to it, as shares of the animal's own.
_STRONG, _WEAK = 0.35, 0.16
#: Contrast in multiples of the noise below which nothing is seen.
_NOISES = 5.0
_LEAST_PIXELS = 12
#: An animal does not cover more of the frame than this; what does is a change of light.
_MOST_SHARE = 0.45
# What of the evidence for a head stays from a frame to the next.
_MEMORY = 0.95
# A head that was on the wrong end for long must not take as long to change over.
_MOST_EVIDENCE = 8.0
# More pixels than this are thinned out before paths are sought through them.
_PATH_PIXELS = 1500
_NEIGHBOURS = ((0, 1, 1.0), (1, 0, 1.0), (1, 1, 2**0.5), (1, -1, 2**0.5))


def grey(images: Images) -> NDArray[np.float32]:
    """``(n, H, W)`` float32, slightly smoothed against noise."""
    return np.stack(
        [cv2.GaussianBlur(cv2.cvtColor(i, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 0.8) for i in images]
    )


@dataclass(frozen=True)
class Scene:
    """What is known of the footage before its frames are seen in turn.

    Attributes:
        background: ``(H, W)`` float32; ``None`` where each frame is thresholded by itself.
        sign: 1 where the animal is brighter than what is around it, -1 where it is darker.
        contrast: Of the animal's core, in grey levels.
        noise: Standard deviation of a still pixel.
        area: The share of the frame that the animal usually covers, in [0, 1].
    """

    background: NDArray[np.float32] | None
    sign: int
    contrast: float
    noise: float
    area: float

    @classmethod
    def of(cls, footage: Footage) -> Scene:
        """Looks at frames from all over the footage."""
        numbers = np.unique(np.linspace(0, len(footage) - 1, min(len(footage), _SAMPLE)).round().astype(int))
        frames = grey(np.concatenate([footage.frames([int(n)]) for n in numbers]))
        still, moving = cls._still(frames), cls._moving(frames) if len(frames) >= 3 else None
        if moving is None or cls._stays(still, frames):
            return still
        return moving

    @classmethod
    def _moving(cls, frames: NDArray[np.float32]) -> Scene:
        # A lone frame that differs as a whole (black first frames) says nothing of the place.
        away = np.abs(frames - np.median(frames, axis=0)).mean(axis=(1, 2))
        frames = frames[away <= 4 * np.median(away) + 1]
        noise = max(1.4826 * float(np.median(np.abs(frames - np.median(frames, axis=0)))), 0.5)
        # An animal that rests for half of the time stands in the median, but not among the brightest tenth of the
        # values if it is dark. Of both hypotheses the plainer place is right: the other one holds the animal's trail.
        low, high = np.percentile(frames, [10, 90], axis=0).astype(np.float32)
        sign, background = (-1, high) if _structure(high) <= _structure(low) else (1, low)
        background = background + np.float32(sign * 1.28 * noise)  # where the noise alone puts that tenth
        contrast = float(np.median(np.percentile(sign * (frames - background), 99.8, axis=(1, 2))))
        return cls._sized(cls(background, sign, contrast, noise, 0), frames)

    @classmethod
    def _still(cls, frames: NDArray[np.float32]) -> Scene:
        middle = float(np.median(frames))
        noise = max(1.4826 * float(np.median(np.abs(frames - middle))), 0.5)
        low, high = middle - np.percentile(frames, 1), np.percentile(frames, 99) - middle
        sign, contrast = (1, high) if high > low else (-1, low)
        return cls._sized(cls(None, sign, float(contrast), min(noise, float(contrast) / 12 + 0.5), 0), frames)

    @classmethod
    def _sized(cls, scene: Scene, frames: NDArray[np.float32]) -> Scene:
        areas = [float(mask.mean()) for frame in frames if (mask := scene.segment(frame)) is not None]
        return cls(scene.background, scene.sign, scene.contrast, scene.noise, float(np.median(areas)) if areas else 0)

    @classmethod
    def _stays(cls, still: Scene, frames: NDArray[np.float32]) -> bool:
        """Whether what thresholding finds is in the same place throughout, away from the frame's edge."""
        found = [mask for frame in frames if (mask := still.segment(frame)) is not None]
        if len(found) < max(1, len(frames) // 2):
            return False
        often = np.mean(found, axis=0) > 0.8
        outline = often & ~cv2.erode(often.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0).astype(bool)
        inner = outline.copy()
        inner[[0, -1]] = inner[:, [0, -1]] = False
        # What runs along the frame's edge is the place's own light and shade.
        return bool(often.mean() > 0.4 * still.area and inner.sum() > 0.8 * outline.sum())

    def contrast_of(self, frame: NDArray[np.float32]) -> NDArray[np.float32]:
        """How far each pixel of a smoothed grey frame stands out, in grey levels, positive on the animal."""
        around: NDArray[np.float32] | np.float32
        around = np.float32(np.median(frame)) if self.background is None else self._background(frame.shape)
        stands_out: NDArray[np.float32] = self.sign * (frame - around)
        return stands_out

    def segment(self, frame: NDArray[np.float32]) -> Bools | None:
        """``(H, W)``: the animal in a smoothed grey frame; ``None`` where there is none."""
        stands_out = self.contrast_of(frame)
        strong = stands_out > max(_STRONG * self.contrast, _NOISES * self.noise)
        if not _LEAST_PIXELS <= strong.sum() <= _MOST_SHARE * strong.size:
            return None
        weak = stands_out > max(_WEAK * self.contrast, 0.7 * _NOISES * self.noise)
        _, pieces = cv2.connectedComponents(weak.astype(np.uint8))
        cores = np.bincount(pieces[strong], minlength=pieces.max() + 1)
        cores[0] = 0
        piece = int(cores.argmax())
        if cores[piece] < _LEAST_PIXELS:
            return None
        found: Bools = _filled(pieces == piece)
        if found.sum() > _MOST_SHARE * found.size:
            return None
        return found

    def sureness(self, mask: Bools) -> float:
        """In [0, 1]: how usual the animal's size is; 0 for a third or three times of it."""
        if not self.area:
            return 1.0
        return float(np.clip(1.2 - abs(np.log(mask.mean() / self.area)) / np.log(3), 0, 1))

    def _background(self, size: tuple[int, ...]) -> NDArray[np.float32]:
        assert self.background is not None
        if self.background.shape == size:
            return self.background
        return np.asarray(cv2.resize(self.background, size[::-1], interpolation=cv2.INTER_AREA))


def _structure(image: NDArray[np.float32]) -> float:
    """How much there is to see: the mean length of the gradient."""
    return float(np.abs(np.diff(image, axis=0)).mean() + np.abs(np.diff(image, axis=1)).mean())


def _filled(mask: Bools) -> Bools:
    outline, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros(mask.shape, np.uint8), outline, -1, 1, cv2.FILLED)
    whole: Bools = filled > 0
    return whole


def midline(mask: Bools) -> tuple[Floats, Floats] | None:
    """The path through the middle of a mask, from one end to the other.

    Args:
        mask: ``(H, W)``, one piece.

    Returns:
        Points ``(n, 2)`` (x, y) in pixels, evenly spaced and smoothed, and the half widths there ``(n,)``; ``None`` for
        a mask that is too small.
    """
    rows, columns = np.nonzero(mask)
    if len(rows) < _LEAST_PIXELS:
        return None
    top, left = rows.min(), columns.min()
    part = np.pad(mask[top : rows.max() + 1, left : columns.max() + 1], 2).astype(np.uint8)
    shrink = min(1.0, (_PATH_PIXELS / part.sum()) ** 0.5)
    if shrink < 1:
        small = cv2.resize(part * np.float32(1), None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA) > 0.4
        small = np.pad(small[1:-1, 1:-1], 1)
        scale = np.array([part.shape[1] / small.shape[1], part.shape[0] / small.shape[0]])
    else:
        small, scale = part > 0, np.ones(2)
    depth = cv2.distanceTransform(small.astype(np.uint8), cv2.DIST_L2, 5)
    path = _path(small, depth)
    if path is None or len(path) < 3:
        return None
    widths = depth[path[:, 1], path[:, 0]] * scale.mean()
    points = (path + 0.5) * scale - 0.5 + np.array([left - 2, top - 2])
    return _smoothed(points, widths)


def _path(mask: Bools, depth: NDArray[np.float32]) -> NDArray[np.int64] | None:
    """Pixels (x, y) from end to end."""
    number = np.full(mask.shape, -1)
    rows, columns = np.nonzero(mask)
    number[rows, columns] = np.arange(len(rows))
    starts, ends, lengths = [], [], []
    for down, right, length in _NEIGHBOURS:
        there = number[rows + down, columns + right]  # the padding keeps this within the array
        joined = there >= 0
        starts.append(np.flatnonzero(joined))
        ends.append(there[joined])
        lengths.append(np.full(int(joined.sum()), length))
    start, end, steps = np.concatenate(starts), np.concatenate(ends), np.concatenate(lengths)
    if not len(start):
        return None
    inner = depth[rows, columns]
    # Twice as deep is eight times as cheap, so the path keeps to the middle even where it bends.
    cost = steps * (2 / (inner[start] + inner[end])) ** 3
    plain, cheap = (_graph(values, start, end, len(rows)) for values in (steps, cost))
    one = _farthest(dijkstra(plain, directed=False, indices=[int(inner.argmax())]))
    other = _farthest(dijkstra(plain, directed=False, indices=[one]))
    (before,) = dijkstra(cheap, directed=False, indices=[one], return_predecessors=True)[1]
    chain = [other]
    while chain[-1] != one and before[chain[-1]] >= 0:
        chain.append(int(before[chain[-1]]))
    return np.stack([columns[chain], rows[chain]], axis=1)


def _graph(values: Floats, start: NDArray[np.int64], end: NDArray[np.int64], nodes: int) -> Any:
    return coo_matrix((values, (start, end)), (nodes, nodes)).tocsr()


def _farthest(distances: Floats) -> int:
    return int(np.where(np.isfinite(distances), distances, -1).argmax())


def _smoothed(points: Floats, widths: Floats) -> tuple[Floats, Floats]:
    """Evenly spaced along the path, a point a pixel, and freed of the pixels' stairs."""
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    count = max(8, round(float(along[-1])) + 1)
    even = np.linspace(0, along[-1], count)
    x, y, w = (np.interp(even, along, values) for values in (points[:, 0], points[:, 1], widths))
    window = max(3, count // 8 | 1)
    half = window // 2

    def smooth(values: Floats) -> Floats:
        # Mirrored about the end points, which stay where they are.
        padded = np.concatenate(
            [2 * values[0] - values[half:0:-1], values, 2 * values[-1] - values[-2 : -half - 2 : -1]]
        )
        blurred: Floats = np.convolve(padded, np.full(window, 1 / window), mode="valid")
        return blurred

    return np.stack([smooth(x), smooth(y)], axis=1), w


def resampled(points: Floats, places: Sequence[float] | Floats) -> Floats:
    """Points at these shares of a line's length: ``(len(places), 2)``."""
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    wanted = np.asarray(places) * along[-1]
    return np.stack([np.interp(wanted, along, points[:, axis]) for axis in (0, 1)], axis=1)


class Head:
    """Decides frame by frame which end of a line is the head."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """The next line is another animal's, or the same one's after a while."""
        self._last: Floats | None = None
        self._evidence = 0.0

    def first(self, points: Floats, evidence: float) -> bool:
        """Whether the line's first end is the head.

        Args:
            points: ``(n, 2)``, the line.
            evidence: What this frame says for its first end being the head; negative for the last.
        """
        same = 1.0  # whether the line runs as the last one did
        if self._last is not None:
            ends, before = points[[0, -1]], self._last
            straight = np.linalg.norm(ends - before, axis=1).sum()
            same = 1.0 if straight <= np.linalg.norm(ends[::-1] - before, axis=1).sum() else -1.0
        carried = _MEMORY * self._evidence * same
        total = carried + evidence
        # Kept as evidence for the first end of the line as it is remembered: head first.
        head_first = total >= 0
        self._evidence = min(abs(total), _MOST_EVIDENCE)
        self._last = points[[0, -1]] if head_first else points[[-1, 0]]
        return bool(head_first)


class AnimalEstimator(ABC):
    """A pose estimator of one animal: joints at fixed places of its line, and its mask.

    Confidence is 1 where the animal has its usual size and falls to 0 where it has a third or three times of it; joints
    of frames without an animal have confidence 0.

    Args:
        name: Of the backend.
        version: Of the backend.
        places: Of the joints along the line, 0 the head's end, 1 the other.
        still: Whether frames have nothing to do with one another: each then decides by itself where the head is.
    """

    groups: tuple[str, ...] = ()
    #: Of the joints.
    skeleton: str

    def __init__(self, name: str, version: str, places: Sequence[float] | Floats, *, still: bool = False) -> None:
        self.name, self.version = name, version + "-still" * still
        self.still, self._places = still, np.asarray(places, np.float64)
        self._scene: Scene | None = None
        self._head = Head()

    def start(self, footage: Footage) -> None:
        """Learns the background from frames of the whole footage."""
        self._scene = Scene.of(footage)
        self.forget()

    def __call__(self, images: Images) -> Poses:
        """See :class:`motioncopy.footage.perception.backends.PoseEstimator`."""
        if self._scene is None:
            raise PerceptionError("the animal's footage has not been looked at", remedy="call start(footage) first")
        n, height, width = images.shape[:3]
        joints = np.zeros((n, len(self._places), 3), np.float32)
        masks = np.zeros((n, height, width), np.uint8)
        for i, frame in enumerate(grey(images)):
            mask = self._scene.segment(frame)
            body = None if mask is None else self.body(mask)
            line = None if body is None else midline(body)
            if self.still or line is None:
                self.forget()
            if mask is None or body is None or line is None or not self.plausible(*line):
                continue
            points, widths = line
            stands_out = self._scene.contrast_of(frame)
            if not self._head.first(points, self.evidence(stands_out, mask, body, points, widths)):
                points = points[::-1]
            joints[i, :, :2] = resampled(points, self._places)
            joints[i, :, 2] = self._scene.sureness(mask)
            masks[i] = mask.astype(np.uint8) * np.uint8(255)
        return Poses(joints, mask=masks)

    def forget(self) -> None:
        """What comes next has nothing to do with what was."""
        self._head.forget()

    def body(self, mask: Bools) -> Bools | None:
        """The part of the mask whose line is sought; ``None`` where there is none."""
        return mask

    def plausible(self, points: Floats, widths: Floats) -> bool:
        """Whether a line with these half widths can be the animal's."""
        return True

    @abstractmethod
    def evidence(
        self, stands_out: NDArray[np.float32], mask: Bools, body: Bools, points: Floats, widths: Floats
    ) -> float:
        """What a frame says for the line's first end being the head; negative for the last.

        Args:
            stands_out: ``(H, W)``, :meth:`Scene.contrast_of`.
            mask: ``(H, W)``.
            body: ``(H, W)``, of :meth:`body`.
            points: ``(n, 2)``, the line.
            widths: ``(n,)``, its half widths.
        """
