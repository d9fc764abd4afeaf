"""What footage is: frames by number, at one size and one rate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray


class Footage(Protocol):
    """Frames of one camera; a context manager. :class:`motioncopy.footage.video.VideoReader` is one."""

    @property
    def path(self) -> Path:
        """The file or folder."""

    @property
    def fps(self) -> float:
        """Frames per second."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""

    def __len__(self) -> int:
        """Number of frames."""

    def frames(self, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.uint8]:
        """Frames by number, in any order: ``(n, H, W, 3)`` uint8 RGB.

        Raises:
            IndexError: If a number is not in 0 to F-1.
            MotionCopyError: If a frame cannot be read.
        """

    def chunks(self, size: int) -> Iterator[NDArray[np.uint8]]:
        """All frames in order, ``size`` at a time. Memory stays flat."""

    def close(self) -> None:
        """Lets go of the file."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
