"""Footage from a NumPy file, as ``motioncopy test`` keeps what a method generated."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from motioncopy.errors import DataError
from motioncopy.files.limits import check_limit
from motioncopy.files.reading import reading
from motioncopy.footage.footage import DEFAULT_FPS, Footage
from motioncopy.footage.images import check_fps


class ArrayFile(Footage):
    """Frames ``(T, H, W, 3)`` uint8 RGB of an ``.npy`` file, mapped and not loaded.

    Args:
        path: The file.
        fps: Frames per second, which the file does not know.

    Raises:
        DataError: If the file is damaged, holds something else, or claims more than it stores or than the limits.
    """

    def __init__(self, path: str | Path, *, fps: float = DEFAULT_FPS) -> None:
        self.path, self.fps = Path(path), check_fps(fps, path)
        with (
            reading(self.path, DataError, "is no readable NumPy file", remedy="save it again, with numpy.save"),
            self.path.open("rb") as file,
        ):
            shape, order = self._header(file)
            claimed, stored = math.prod(shape), os.fstat(file.fileno()).st_size - file.tell()
            if stored < claimed:
                raise ValueError(f"cut off: {stored} of {claimed} bytes of frames")
            self._frames: NDArray[np.uint8] = np.memmap(file, np.uint8, "r", file.tell(), shape, order)
        self.size = (shape[1], shape[2])

    def _header(self, file: BinaryIO) -> tuple[tuple[int, ...], Literal["C", "F"]]:
        """Shape and order. Nothing but this format is taken: ``np.load`` would also take a zip or a pickle."""
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
        if dtype != np.uint8 or len(shape) != 4 or shape[3] != 3 or min(shape) < 1:
            raise DataError(
                f"{self.path} holds no frames",
                expected="(T, H, W, 3) uint8",
                found=f"{shape} {dtype}",
                remedy="save frames as they are shown: 8 bits, RGB, channels last",
            )
        check_limit("array_elements", math.prod(shape), f"the array of {self.path}", error=DataError)
        check_limit("frame_pixels", shape[1] * shape[2], f"the frames of {self.path}", error=DataError)
        return shape, "F" if fortran else "C"

    def __len__(self) -> int:
        return len(self._frames)

    def frames(self, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.uint8]:
        """See :class:`motioncopy.footage.Footage`."""
        wanted = self._checked(indices)
        with reading(self.path, DataError, "cannot be read", remedy="read fewer frames at a time"):
            return np.array(self._frames[wanted])
