"""What footage is: frames by number, at one size and one rate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

#: Frames per second of what does not say.
DEFAULT_FPS = 25.0


class Footage(ABC):
    """Frames of one camera; a context manager. :class:`motioncopy.footage.video.VideoReader` is one.

    Attributes:
        path: The file or folder.
        fps: Frames per second.
        size: (height, width) in pixels.
    """

    path: Path
    fps: float
    size: tuple[int, int]

    @abstractmethod
    def __len__(self) -> int:
        """Number of frames."""

    @abstractmethod
    def frames(self, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.uint8]:
        """Frames by number, in any order, repeated if wanted: ``(n, H, W, 3)`` uint8 RGB.

        Raises:
            IndexError: If a number is not in 0 to F-1.
            MotionCopyError: If a frame cannot be read.
        """

    def chunks(self, size: int) -> Iterator[NDArray[np.uint8]]:
        """All frames in order, ``size`` at a time. Memory stays flat."""
        for start in range(0, len(self), size):
            yield self.frames(range(start, min(start + size, len(self))))

    def close(self) -> None:  # noqa: B027 -- most hold nothing open between two reads
        """Lets go of the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _checked(self, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.int64]:
        """Frame numbers as an array, all in 0 to F-1."""
        wanted = np.asarray(indices, np.int64)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= len(self)):
            raise IndexError(f"{self.path} has frames 0 to {len(self) - 1}, not {wanted.min()} to {wanted.max()}")
        return wanted
