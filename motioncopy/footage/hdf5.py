"""Footage from frames in an HDF5 file, as behaviour laboratories keep it.

What a dataset claims is held to what the file stores before anything is read.
"""

from __future__ import annotations

import math
import zlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py.h5z import FILTER_DEFLATE, FILTER_FLETCHER32, FILTER_NBIT, FILTER_SCALEOFFSET, FILTER_SHUFFLE
from numpy.typing import NDArray

from motioncopy.errors import DataError
from motioncopy.files.limits import check_limit
from motioncopy.files.reading import reading
from motioncopy.footage.footage import DEFAULT_FPS, Footage
from motioncopy.footage.images import as_uint8, check_fps

#: Datasets that are taken for the frames where none is named.
USUAL_NAMES = ("frames", "video")
_RATES = frozenset({"fps", "framerate", "frame_rate"})
_MOST_OBJECTS = 100_000  # groups and datasets looked at
# What mends most files.
_AGAIN = "copy it again, or write it again with h5repack -f GZIP=4"
# gzip packs 1032 bytes into one at best; a chunk stored in less than this cannot unpack to more than a gigabyte.
_GZIP_RATIO, _SMALL_CHUNK = 1032, 2**20
# Claims of so many bytes need no proof.
_HARMLESS = 64 * 2**20
# Elements of a chunk, for each pixel that a frame may have: chunks hold several frames.
_CHUNK_FRAMES = 4


class HDF5File(Footage):
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
        with reading(self.path, DataError, "is damaged, or not an HDF5 file", remedy=_AGAIN):
            self._file = h5py.File(self.path, "r")
            try:
                fitting, rates = _look(self._file, self.path)
                self._data = self._choose(fitting, dataset)
                self._storage = _Storage(self._data, self.path)
                own = _stated_fps(self._data, rates, self.path)
                self.states_fps = own is not None
                stated = fps if fps is not None else own
                self.fps = check_fps(DEFAULT_FPS if stated is None else stated, path)
            except BaseException:
                self._file.close()
                raise
        self.dataset: str = self._data.name.lstrip("/")
        height, width = self._data.shape[1:3]
        self.size = (int(height), int(width))
        self._length = int(self._data.shape[0])

    def __len__(self) -> int:
        return self._length

    def frames(self, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.uint8]:
        """See :class:`motioncopy.footage.Footage`."""
        wanted = self._checked(indices)
        if not wanted.size:
            return np.empty((0, *self.size, 3), np.uint8)
        numbers, places = np.unique(wanted, return_inverse=True)
        with reading(self.path, DataError, "cannot be read, or is closed", remedy=_AGAIN):
            stored = as_uint8(self._storage.read(numbers), f"{self.path}:{self.dataset}")
            images = stored.reshape(len(numbers), *self.size, -1)
            return np.broadcast_to(images, (*images.shape[:3], 3))[places]

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()

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
        _Storage(rate, path)
        values.add(float(np.ravel(rate[()])[0]))
    return values.pop() if len(values) == 1 else None


class _Storage:
    """Reads frames of a dataset whose claims were found to hold.

    HDF5 unpacks a chunk to whatever its gzip stream holds: a gigabyte for a megabyte, though it be 4 kB of frames. So
    chunks that are large enough for that are unpacked here, as far as they should go.
    """

    def __init__(self, data: Any, path: Path) -> None:
        self._data, self._where = data, f"{path}:{data.name.lstrip('/')}"
        self._filters: list[int] = []
        self._places: dict[int, list[tuple[int, ...]]] = defaultdict(list)  # of chunks, by their first frame
        self._large = False
        if data.external or data.is_virtual:
            raise DataError(f"{self._where} lies in other files", remedy="copy them into one, with h5repack")
        elements = math.prod(data.shape)
        check_limit("array_elements", elements, f"the dataset {self._where}", error=DataError)
        check_limit("frame_pixels", math.prod(data.shape[1:3]), f"the frames of {self._where}", error=DataError)
        claimed, stored = elements * data.dtype.itemsize, min(data.id.get_storage_size(), path.stat().st_size)
        if claimed > (max(_HARMLESS, _GZIP_RATIO * stored) if data.chunks and stored else stored):
            raise DataError(
                f"{self._where} is not all there",
                expected=f"{data.shape}, {claimed} bytes, as they are or packed by gzip",
                found=f"{stored} bytes in the file",
                remedy="copy it again, or write only the frames that there are",
            )
        if data.chunks:
            self._check_chunks()

    def read(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Values as they are stored, ``(n, H, W)`` or ``(n, H, W, C)``, of ascending numbers, each once, n > 0."""
        if self._large:
            return self._unpack(numbers)
        neighbours = numbers[-1] - numbers[0] + 1 == len(numbers)  # one slice is read far faster than a list
        values: NDArray[Any] = self._data[numbers[0] : numbers[-1] + 1] if neighbours else self._data[numbers]
        return values

    @property
    def _chunk_bytes(self) -> int:
        return int(math.prod(self._data.chunks) * self._data.dtype.itemsize)

    def _check_chunks(self) -> None:
        chunk, size = self._data.chunks, self._chunk_bytes
        check_limit("frame_pixels", math.prod(chunk) // _CHUNK_FRAMES, f"the chunks of {self._where}", error=DataError)
        pipeline = self._data.id.get_create_plist()
        self._filters = [pipeline.get_filter(i)[0] for i in range(pipeline.get_nfilters())]

        def visit(stored: Any) -> None:
            if stored.size > size + size // 50 + 4096:
                raise DataError(
                    f"a chunk of {self._where} takes more room packed than unpacked",
                    expected=f"{size} bytes",
                    found=stored.size,
                    remedy=_AGAIN,
                )
            self._large = self._large or (stored.size > _SMALL_CHUNK and FILTER_DEFLATE in self._filters)
            self._places[stored.chunk_offset[0]].append(stored.chunk_offset)

        self._data.id.chunk_iter(visit)
        filters = set(self._filters)
        ours = [f for f in (FILTER_SHUFFLE, FILTER_DEFLATE, FILTER_FLETCHER32) if f in filters]
        repeated = len(filters) < len(self._filters)
        if repeated or filters & {FILTER_NBIT, FILTER_SCALEOFFSET} or (self._large and ours != self._filters):
            raise DataError(
                f"the chunks of {self._where} are packed in a way that is not taken",
                expected="shuffle, gzip and the like, each once",
                found=f"HDF5's filters {', '.join(map(str, self._filters))}",
                remedy=_AGAIN,
            )

    def _unpack(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        chunk, rest = self._data.chunks, self._data.shape[1:]
        values = np.full((len(numbers), *rest), self._data.fillvalue, self._data.dtype)
        for first in np.unique(numbers // chunk[0] * chunk[0]).tolist():
            inside = np.flatnonzero((numbers >= first) & (numbers < first + chunk[0]))
            for place in self._places.get(first, ()):
                there = [slice(p, p + c) for p, c in zip(place[1:], chunk[1:], strict=True)]
                window = values[(slice(None), *there)]  # ends where the frames do
                window[inside] = self._chunk(place)[(numbers[inside] - first, *map(slice, window.shape[1:]))]
        return values

    def _chunk(self, place: tuple[int, ...]) -> NDArray[Any]:
        skipped, packed = self._data.id.read_direct_chunk(place)
        size, dtype = self._chunk_bytes, self._data.dtype
        used = [f for i, f in enumerate(self._filters) if not skipped >> i & 1]
        content = zlib.decompressobj().decompress(packed, size + 1) if FILTER_DEFLATE in used else packed[:size]
        if len(content) != size:
            raise DataError(
                f"a chunk of {self._where} does not unpack to what it should",
                expected=f"{size} bytes",
                found="more" if len(content) > size else len(content),
                remedy=_AGAIN,
            )
        if FILTER_SHUFFLE in used:  # all first bytes, then all second ones
            content = np.frombuffer(content, np.uint8).reshape(dtype.itemsize, -1).T.tobytes()
        return np.frombuffer(content, dtype).reshape(self._data.chunks)
