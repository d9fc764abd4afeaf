"""The frames that the background is made from, chosen while all of them pass by."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from motioncopy.footage.perception.backends import Images, Masks
from motioncopy.footage.perception.background import sample_frames


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
