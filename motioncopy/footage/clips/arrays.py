"""A ``.npy`` file that is written frame by frame."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray

from motioncopy.footage.clips.manifest import Backend, Part, sha256


class ArrayFile:
    """A ``.npy`` file that grows frame by frame; its header, which states the length, is rewritten at the end.

    Args:
        path: The file.
        dtype: Element type.
        shape: Of one frame.
    """

    def __init__(self, path: Path, dtype: str, shape: tuple[int, ...]) -> None:
        self.path, self.dtype, self.shape = path, np.dtype(dtype), shape
        self.frames = 0
        self._file: BinaryIO = path.open("xb")
        self._header()

    def append(self, values: NDArray[Any]) -> None:
        """Appends ``(n, *shape)`` values."""
        self._file.write(np.ascontiguousarray(values, self.dtype).data)
        self.frames += len(values)

    def finish(self, backend: Backend | None) -> Part:
        """Completes the file on the disk."""
        self._file.seek(0)
        self._header()
        self._file.flush()
        os.fsync(self._file.fileno())
        self.close()
        shape = (self.frames, *self.shape)
        return Part(self.path.name, self.dtype.name, shape, self.path.stat().st_size, sha256(self.path), backend)

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()

    def _header(self) -> None:
        # numpy pads headers so that the first axis can grow: the header's length stays.
        write_array_header_1_0(
            self._file,
            {"descr": self.dtype.str, "fortran_order": False, "shape": (self.frames, *self.shape)},
        )
