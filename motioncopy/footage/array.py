"""Footage from a NumPy file, as ``motioncopy test`` keeps what a method generated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from motioncopy.errors import DataError
from motioncopy.footage.images import DEFAULT_FPS, check_fps, check_indices


class ArrayFile:
    """Frames ``(T, H, W, 3)`` uint8 RGB of an ``.npy`` file, mapped and not loaded.

    Args:
        path: The file.
        fps: Frames per second, which the file does not know.

    Raises:
        DataError: If the file is damaged or holds something else.
    """

    def __init__(self, path: str | Path, *, fps: float = DEFAULT_FPS) -> None:
        self.path, self.fps = Path(path), check_fps(fps, path)
        try:
            self._frames = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{self.path} is no readable NumPy file", found=error) from error
        if self._frames.dtype != np.uint8 or self._frames.ndim != 4 or self._frames.shape[3] != 3:
            raise DataError(
                f"{self.path} holds no frames",
                expected="(T, H, W, 3) uint8",
                found=f"{self._frames.shape} {self._frames.dtype}",
            )
        self.size: tuple[int, int] = (self._frames.shape[1], self._frames.shape[2])

    def __len__(self) -> int:
        return len(self._frames)

    def frames(self, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.uint8]:
        """See :class:`motioncopy.footage.Footage`.

        Raises:
            IndexError: If a number is out of range.
        """
        return np.array(self._frames[check_indices(self, indices)])

    def chunks(self, size: int) -> Iterator[NDArray[np.uint8]]:
        """See :class:`motioncopy.footage.Footage`."""
        for start in range(0, len(self), size):
            yield np.array(self._frames[start : start + size])

    def close(self) -> None:
        """The map goes with the object."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
