"""What an HDF5 dataset claims, held to what the file stores before anything is read."""

from __future__ import annotations

import math
import zlib
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from h5py.h5z import FILTER_DEFLATE, FILTER_FLETCHER32, FILTER_NBIT, FILTER_SCALEOFFSET, FILTER_SHUFFLE
from numpy.typing import NDArray

from motioncopy.errors import DataError
from motioncopy.files.limits import check_limit

#: What mends most files.
AGAIN = "copy it again, or write it again with h5repack -f GZIP=4"
# gzip packs 1032 bytes into one at best; a chunk stored in less than this cannot unpack to more than a gigabyte.
_GZIP_RATIO, _SMALL_CHUNK = 1032, 2**20
# Claims of so many bytes need no proof.
_HARMLESS = 64 * 2**20
# Elements of a chunk, for each pixel that a frame may have: chunks hold several frames.
_CHUNK_FRAMES = 4


class Storage:
    """Reads frames of a dataset whose claims were found to hold.

    HDF5 unpacks a chunk to whatever its gzip stream holds: a gigabyte for a megabyte, though it be 4 kB of frames. So
    chunks that are large enough for that are unpacked here, as far as they should go.

    Args:
        data: An open ``h5py.Dataset``.
        path: Its file, for messages.

    Raises:
        DataError: If it lies in other files, or claims more than is stored or than the limits.
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
        """Values as they are stored, ``(n, H, W)`` or ``(n, H, W, C)``.

        Args:
            numbers: ``(n,)``, ascending, each once, n > 0.

        Raises:
            DataError: If a chunk unpacks to more than it should. Whatever h5py and zlib raise on damage, too.
        """
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
                    remedy=AGAIN,
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
                remedy=AGAIN,
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
                remedy=AGAIN,
            )
        if FILTER_SHUFFLE in used:  # all first bytes, then all second ones
            content = np.frombuffer(content, np.uint8).reshape(dtype.itemsize, -1).T.tobytes()
        return np.frombuffer(content, dtype).reshape(self._data.chunks)
