"""The place without the person: a temporal median over unmasked pixels, and inpainting for the rest."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from motioncopy.footage import Footage
from motioncopy.footage.perception.backends import Images, Masks

#: Frames that the median looks at. More do not make it better; fewer do not hold out against a person who stands.
SAMPLE = 60
#: Bytes of frames and masks kept for it. Large frames are sampled more thinly.
_BUDGET = 128 * 1024**2
#: Shadows and blurred edges of the person reach beyond the mask by about this share of the longer side.
_MARGIN = 0.02
#: Rows that are sorted at once, so that the sorting needs little memory beside the frames themselves.
_ROWS = 32
_MASKED = 256  # sorts behind every 8-bit value


def sample_frames(count: int, size: tuple[int, int]) -> set[int]:
    """Which frames of a video the background is made from: evenly spaced, and so few that they fit into memory.

    Args:
        count: Frames of the video.
        size: (height, width) of the stored frames.

    Returns:
        At most :data:`SAMPLE` frame numbers.
    """
    affordable = max(2, _BUDGET // (size[0] * size[1] * 4))
    return set(np.linspace(0, count - 1, min(count, SAMPLE, affordable)).round().astype(int).tolist())


def median_background(images: Images, masks: Masks) -> Images:
    """The background of a still camera's frames; :class:`MedianBackground` also says how much of it was seen.

    Args:
        images: ``(n, H, W, 3)`` uint8.
        masks: ``(n, H, W)``, not 0 on the person; used as it is, not widened.

    Returns:
        ``(H, W, 3)`` uint8.
    """
    return _fill(*_median(images, masks))


class MedianBackground:
    """Temporal median where the person was away at least once, OpenCV inpainting (Telea 2004) elsewhere.

    Args:
        margin: By how much the masks are widened first, as a share of the longer side.
    """

    def __init__(self, margin: float = _MARGIN) -> None:
        self.name, self.version = "median-inpaint", "1"
        self.margin = margin

    def start(self, footage: Footage) -> None:
        """Nothing to do: every frame is seen for itself."""

    def __call__(self, images: Images, masks: Masks) -> tuple[Images, float]:
        """See :class:`motioncopy.footage.perception.backends.BackgroundModel`."""
        radius = max(1, round(self.margin * max(images.shape[1:3])))
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        wide = np.stack([cv2.dilate((mask > 0).astype(np.uint8), disc) for mask in masks])
        median, seen = _median(images, wide)
        return _fill(median, seen), float(1 - seen.mean())


def _median(images: Images, masks: Masks) -> tuple[Images, np.ndarray]:
    """The lower median, so that every colour was really seen; and where anything was seen at all."""
    free = masks == 0
    seen = free.sum(axis=0)
    median = np.empty(images.shape[1:], np.uint8)
    for top in range(0, images.shape[1], _ROWS):
        rows = slice(top, top + _ROWS)
        values = np.where(free[:, rows, :, None], images[:, rows], np.uint16(_MASKED))
        values.sort(axis=0)
        middle = np.maximum(seen[rows] - 1, 0) // 2
        median[rows] = np.take_along_axis(values, middle[None, :, :, None], axis=0)[0].astype(np.uint8)
    return median, seen > 0


def _fill(image: Images, seen: np.ndarray) -> Images:
    if seen.all():
        return image
    if not seen.any():
        # Nothing to continue into the hole; grey says so.
        return np.full_like(image, 128)
    filled: Images = cv2.inpaint(image, (~seen).astype(np.uint8), 3, cv2.INPAINT_TELEA)
    return filled


class BackgroundSample:
    """Evenly spaced frames in which the person was found.

    A person who was missed has no mask and would get into the background, so a frame where nobody was found is
    replaced by the next one where somebody was.

    Args:
        count: Frames of the footage.
        size: (height, width) of the stored frames.
    """

    def __init__(self, count: int, size: tuple[int, int]) -> None:
        self._due = deque(sorted(sample_frames(count, size)))
        # Filled bit by bit: lists of frames would be there twice when they are stacked.
        self._images = np.empty((len(self._due), *size, 3), np.uint8)
        self._masks = np.empty((len(self._due), *size), np.uint8)
        self._frame = self._taken = 0

    def add(self, images: Images, masks: Masks, found: NDArray[np.bool_]) -> None:
        """Shows the next n frames: ``(n, H, W, 3)``, ``(n, H, W)`` and ``(n,)``."""
        for image, mask, there in zip(images, masks, found, strict=True):
            if there and self._due and self._due[0] <= self._frame:
                self._images[self._taken], self._masks[self._taken] = image, mask
                self._taken += 1
                while self._due and self._due[0] <= self._frame:
                    self._due.popleft()
            self._frame += 1

    @property
    def taken(self) -> tuple[Images, Masks]:
        """The sample so far; at least one frame, once somebody was found."""
        return self._images[: self._taken], self._masks[: self._taken]
