"""Features of every clip on disk, and all clips' features together in an order that no process or machine changes.

Metrics over sets need the features of all frames at once; memory must not grow with them. Each clip leaves one
``.npy`` file a feature and side, so that processes share nothing but the folder. The global index of a row is its
clip's place in the sorted clip ids, then its place in the clip.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motioncopy.errors import BatchError, MotionCopyError
from motioncopy.files.names import file_name
from motioncopy.files.writing import unreadable, unwritable

#: The two sets that are held against one another.
Side = Literal["generated", "real"]
Array = NDArray[np.float32]


class FeatureStore:
    """Features in files of a folder.

    Args:
        folder: Made when the first clip is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, clip: str, feature: str, side: Side) -> Path:
        """Where the rows of one clip lie."""
        return self.folder / f"{file_name(clip)}.{feature}.{side}.npy"

    def writer(self, clip: str) -> FeatureWriter:
        """Takes the features of one clip."""
        return FeatureWriter(self, clip)

    def rows(self, feature: str, side: Side, clips: Sequence[str]) -> Rows | None:
        """The rows of these clips, by sorted clip id; ``None`` if one of them has none on this side.

        Raises:
            MotionCopyError: If a file is damaged.
        """
        parts = []
        for clip in sorted(clips):
            path = self.path(clip, feature, side)
            if not path.is_file():
                return None
            parts.append(Part(clip, _mapped(path)))
        return Rows(tuple(parts))


class FeatureWriter:
    """Writes the features of one clip as they come; under their names only once :meth:`commit` is called."""

    def __init__(self, store: FeatureStore, clip: str) -> None:
        self._store, self._clip = store, clip
        self._files: dict[tuple[str, Side], tuple[IO[bytes], list[int]]] = {}

    def append(self, feature: str, side: Side, rows: Tensor) -> None:
        """Adds rows ``(m, d)``; m may be 0.

        Raises:
            BatchError: If they are no rows, of another length than those before, or not finite.
            MotionCopyError: If they cannot be written.
        """
        if rows.ndim != 2:
            raise BatchError(f"features {feature} are no rows", expected="(m, d)", found=tuple(rows.shape))
        array = rows.detach().float().numpy(force=True)
        if not np.isfinite(array).all():
            raise BatchError(f"features {feature} of clip {self._clip} are not finite")
        try:
            if (feature, side) not in self._files:
                self._store.folder.mkdir(parents=True, exist_ok=True)
                new = self._partial(feature, side).open("wb")
                self._files[feature, side] = new, [0, array.shape[1]]
                new.write(_header(0, array.shape[1]))
            file, shape = self._files[feature, side]
            if array.shape[1] != shape[1]:
                raise BatchError(f"features {feature} change their length", expected=shape[1], found=array.shape[1])
            file.write(np.ascontiguousarray(array).tobytes())
            shape[0] += len(array)
        except OSError as error:
            raise unwritable(self._store.path(self._clip, feature, side), error) from error

    def commit(self) -> dict[str, int]:
        """Puts the files under their names.

        Returns:
            Rows by ``feature.side``.

        Raises:
            MotionCopyError: If they cannot be written.
        """
        counts = {}
        for (feature, side), (file, shape) in self._files.items():
            path = self._store.path(self._clip, feature, side)
            try:
                with file:
                    file.seek(0)
                    file.write(_header(*shape))
                self._partial(feature, side).replace(path)
            except OSError as error:
                raise unwritable(path, error) from error
            counts[f"{feature}.{side}"] = shape[0]
        self._files = {}
        return counts

    def discard(self) -> None:
        """Removes what was written."""
        for (feature, side), (file, _) in self._files.items():
            with suppress(OSError):  # what is still in its buffer has no place on a full disk
                file.close()
            self._partial(feature, side).unlink(missing_ok=True)
        self._files = {}

    def _partial(self, feature: str, side: Side) -> Path:
        return self._store.path(self._clip, feature, side).with_suffix(".npy.partial")


def _header(rows: int, size: int) -> bytes:
    """The head of an ``.npy`` file, of the same length for any number of rows: the number is known last."""
    body = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {size}), }}"
    return b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + body.ljust(117).encode() + b"\n"


_HEAD = len(_header(0, 0))
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00v\x00\{'descr': '<f4', 'fortran_order': False, 'shape': \((\d{1,15}), (\d{1,9})\), \} *\n"
)


def _mapped(path: Path) -> Array:
    """The rows ``(m, d)`` in a file, mapped. NumPy's maps keep their files open, and there may be thousands of them.

    Raises:
        MotionCopyError: If it is damaged, or cannot be opened.
    """
    try:
        with path.open("rb") as file:
            head = _HEADER.fullmatch(file.read(_HEAD))
            size = os.fstat(file.fileno()).st_size
        rows, width = (int(head[1]), int(head[2])) if head else (0, 0)
        if head is None or size != _HEAD + 4 * rows * width:
            found = f"{size} bytes" if head else "another head"
            raise MotionCopyError(f"{path.name} is damaged", found=found, remedy="score again with --fresh")
        if not str(path).isprintable():  # PyTorch takes no name that is not UTF-8
            return np.fromfile(path, np.float32, offset=_HEAD).reshape(rows, width)
        floats = torch.from_file(str(path), shared=False, size=size // 4)
    except OSError as error:
        raise unreadable(path, error) from error
    mapped: Array = floats[_HEAD // 4 :].reshape(rows, width).numpy()
    mapped.flags.writeable = False
    return mapped


@dataclass(frozen=True)
class Part:
    """The rows of one clip, or some of them.

    Attributes:
        clip: Its id.
        array: ``(m, d)``, in memory or mapped from a file.
        chosen: Which of them, ascending; ``None`` for all.
    """

    clip: str
    array: Array
    chosen: NDArray[np.integer] | None = None

    def __len__(self) -> int:
        return len(self.array) if self.chosen is None else len(self.chosen)

    def block(self, start: int, stop: int) -> Array:
        """Rows ``start`` to ``stop``, in memory."""
        picked = self.array[start:stop] if self.chosen is None else self.array[self.chosen[start:stop]]
        return np.asarray(picked, np.float32)


@dataclass(frozen=True)
class Rows:
    """The features of several clips, one after the other; a row's place is its global index."""

    parts: tuple[Part, ...]

    def __len__(self) -> int:
        """Number of rows."""
        return sum(map(len, self.parts))

    @property
    def size(self) -> int:
        """Numbers a row."""
        return int(self.parts[0].array.shape[1])

    @property
    def clips(self) -> tuple[str, ...]:
        """Ids of the clips, in order."""
        return tuple(part.clip for part in self.parts)

    def blocks(self, most: int = 1024) -> Iterator[Array]:
        """All rows in order, at most so many at a time."""
        for part in self.parts:
            for start in range(0, len(part), most):
                yield part.block(start, min(start + most, len(part)))

    def take(self, places: NDArray[np.integer]) -> Array:
        """The rows at these global places, in memory and in the order of ``places``."""
        ends = np.cumsum([len(part) for part in self.parts])
        owner = np.searchsorted(ends, places, side="right")
        taken = np.empty((len(places), self.size), np.float32)
        for k in np.unique(owner):
            part, mine = self.parts[k], np.flatnonzero(owner == k)
            local = np.asarray(places)[mine] - (ends[k] - len(part))
            taken[mine] = part.array[local if part.chosen is None else part.chosen[local]]
        return taken

    def only(self, places: NDArray[np.integer]) -> Rows:
        """The rows at these global places (ascending), still on disk."""
        start, parts = 0, []
        for part in self.parts:
            inside = places[(places >= start) & (places < start + len(part))] - start
            if len(inside):
                parts.append(Part(part.clip, part.array, inside if part.chosen is None else part.chosen[inside]))
            start += len(part)
        return Rows(tuple(parts))

    def drawn(self, places: NDArray[np.integer]) -> Rows:
        """The clips at these places, maybe several times: a bootstrap sample."""
        return Rows(tuple(self.parts[k] for k in places))
