"""How frames of one size become frames of another: a resize and then a crop, for images, labels and joints alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from motioncopy.footage.footage import Footage


@dataclass(frozen=True)
class Framing:
    """Resizes a whole frame, then cuts a box out of it. The box may not reach beyond the resized frame.

    Attributes:
        native: (height, width) of the frames it takes.
        resized: (height, width) after resizing.
        corner: (top, left) of the crop in the resized frame.
        size: (height, width) of the crop: what comes out.
    """

    native: tuple[int, int]
    resized: tuple[int, int]
    corner: tuple[int, int]
    size: tuple[int, int]

    @classmethod
    def whole(cls, size: tuple[int, int]) -> Framing:
        """Changes nothing."""
        return cls(size, size, (0, 0), size)

    def images(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """``(n, H, W)`` or ``(n, H, W, 3)`` images or soft masks, area averaging where they shrink."""
        way = cv2.INTER_AREA if self.resized[0] < self.native[0] else cv2.INTER_LINEAR
        return self._apply(images, way)

    def labels(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """``(n, H, W)`` label images, nearest neighbour of each pixel's centre."""
        return self._apply(labels, cv2.INTER_NEAREST_EXACT)

    def joints(self, joints: NDArray[np.float32]) -> NDArray[np.float32]:
        """``(..., J, 3)`` joints in pixels; those with confidence 0 become zeros."""
        scale = np.array([self.resized[1] / self.native[1], self.resized[0] / self.native[0]], np.float32)
        moved = joints.astype(np.float32, copy=True)
        moved[..., :2] = (moved[..., :2] + 0.5) * scale - 0.5 - np.array(self.corner[::-1], np.float32)
        moved[moved[..., 2] <= 0] = 0
        return moved

    def _apply(self, images: NDArray[np.uint8], way: int) -> NDArray[np.uint8]:
        top, left = self.corner
        window = slice(top, top + self.size[0]), slice(left, left + self.size[1])
        if self.resized == self.native:
            return images[:, *window]
        return np.stack([cv2.resize(image, self.resized[::-1], interpolation=way)[window] for image in images])


class Framed(Footage):
    """Footage seen through a framing.

    Args:
        footage: The frames as they lie there; closed together with this.
        framing: Must take frames of that size.
    """

    def __init__(self, footage: Footage, framing: Framing) -> None:
        self.footage, self.framing = footage, framing
        self.path, self.fps, self.size = footage.path, footage.fps, framing.size

    def __len__(self) -> int:
        return len(self.footage)

    def frames(self, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.uint8]:
        """See :class:`motioncopy.footage.Footage`."""
        return self.framing.images(self.footage.frames(indices))

    def chunks(self, size: int) -> Iterator[NDArray[np.uint8]]:
        """See :class:`motioncopy.footage.Footage`."""
        return (self.framing.images(chunk) for chunk in self.footage.chunks(size))

    def close(self) -> None:
        """Lets go of the file."""
        self.footage.close()
