"""Footage from a stack of frames in an HDF5 file, as behaviour laboratories keep it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from motioncopy.errors import DataError
from motioncopy.files.reading import reading
from motioncopy.footage.images import DEFAULT_FPS, as_uint8, check_fps, check_indices
from motioncopy.footage.storage import AGAIN, Storage

#: Datasets that are taken for the frames where none is named.
USUAL_NAMES = ("frames", "video")
_RATES = frozenset({"fps", "framerate", "frame_rate"})
_MOST_OBJECTS = 100_000  # groups and datasets looked at


class Stack:
    """A dataset ``(F, H, W)`` or ``(F, H, W, 3)``: uint8 as it is, bool as 0 and 255, uint16 divided by 257.

    Grey is repeated to three channels. Frames are read as they are asked for.

    Args:
        path: The HDF5 file.
        dataset: Path of the dataset within it. By default ``frames`` or ``video``, else the only one that can be
            frames.
        fps: Frames per second. By default what the file says (an attribute of the dataset or of a group above it, or
            a value anywhere, called fps, framerate or frame_rate), else 25.

    Attributes:
        states_fps: Whether the file says its rate.

    Raises:
        DataError: If the file is missing or damaged, there is no such dataset, or it holds no frames.
    """

    def __init__(self, path: str | Path, dataset: str | None = None, *, fps: float | None = None) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise DataError(f"there is no file {path}", remedy="check the path, or unpack the data set")
        with reading(self.path, DataError, "is damaged, or not an HDF5 file", remedy=AGAIN):
            self._file = h5py.File(self.path, "r")
            try:
                fitting, rates = _look(self._file, self.path)
                self._data = self._choose(fitting, dataset)
                self._storage = Storage(self._data, self.path)
                own = _stated_fps(self._data, rates, self.path)
                self.states_fps = own is not None
                stated = fps if fps is not None else own
                self.fps = check_fps(DEFAULT_FPS if stated is None else stated, path)
            except BaseException:
                self._file.close()
                raise
        self.dataset: str = self._data.name.lstrip("/")
        height, width = self._data.shape[1:3]
        self.size: tuple[int, int] = (int(height), int(width))
        self._length = int(self._data.shape[0])

    def __len__(self) -> int:
        return self._length

    def frames(self, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.uint8]:
        """See :class:`motioncopy.footage.Footage`.

        Raises:
            IndexError: If a number is out of range.
            DataError: If the file is damaged or closed.
        """
        wanted = check_indices(self, indices)
        if not wanted.size:
            return np.empty((0, *self.size, 3), np.uint8)
        numbers, places = np.unique(wanted, return_inverse=True)
        with reading(self.path, DataError, "cannot be read, or is closed", remedy=AGAIN):
            stored = as_uint8(self._storage.read(numbers), f"{self.path}:{self.dataset}")
            images = stored.reshape(len(numbers), *self.size, -1)
            return np.broadcast_to(images, (*images.shape[:3], 3))[places]

    def chunks(self, size: int) -> Iterator[NDArray[np.uint8]]:
        """See :class:`motioncopy.footage.Footage`."""
        for start in range(0, len(self), size):
            yield self.frames(range(start, min(start + size, len(self))))

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _choose(self, fitting: dict[str, Any], name: str | None) -> Any:
        if name is None:
            usual = [n for n in USUAL_NAMES if n in fitting]
            name = usual[0] if usual else next(iter(fitting)) if len(fitting) == 1 else None
        if name is None or name.strip("/") not in fitting:
            raise DataError(
                f"{self.path} has no frames" if name is None else f"{self.path} has no frames called {name}",
                expected="a dataset (F, H, W) or (F, H, W, 3) of uint8, uint16 or bool, called frames or video, or "
                "the only one, or named",
                found=", ".join(f"{n} {data.shape}" for n, data in list(fitting.items())[:10]) or "none such",
                remedy="name the dataset, or write the frames to such a one",
            )
        data = fitting[name.strip("/")]
        if 0 in data.shape:
            raise DataError(f"{self.path} holds no frames", found=f"{name} of shape {data.shape}")
        return data


def _look(file: Any, path: Path) -> tuple[dict[str, Any], list[Any]]:
    """The datasets that can be frames, by path, and those that can be a rate; no link to elsewhere is followed."""
    stacks, rates, count = {}, [], 0

    def visit(name: str, node: Any) -> None:
        nonlocal count
        count += 1
        if count > _MOST_OBJECTS:
            raise DataError(f"{path} holds too much", expected=f"at most {_MOST_OBJECTS} datasets and groups")
        if not isinstance(node, h5py.Dataset):
            return
        if (node.ndim == 3 or (node.ndim == 4 and node.shape[3] in (1, 3))) and node.dtype in (
            np.uint8, np.uint16, np.bool_,
        ):  # fmt: skip
            stacks[name] = node
        elif name.rpartition("/")[2].lower() in _RATES and node.size == 1 and node.dtype.kind in "iuf":
            rates.append(node)

    file.visititems(visit)
    return stacks, rates


def _stated_fps(data: Any, rates: list[Any], path: Path) -> float | None:
    """The rate that the dataset or a group above it bears, or else the only one that lies anywhere in the file."""
    node = data
    while True:
        for name in node.attrs:
            if name.lower() in _RATES:
                stored = node.attrs.get_id(name)
                if stored.shape is not None and math.prod(stored.shape) == 1 and stored.dtype.kind in "iuf":
                    return float(np.ravel(node.attrs[name])[0])
        if node.name == "/":
            break
        node = node.parent
    values = set()
    for rate in rates:
        Storage(rate, path)
        values.add(float(np.ravel(rate[()])[0]))
    return values.pop() if len(values) == 1 else None
