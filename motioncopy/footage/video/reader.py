"""``VideoReader``: a video as uint8 frames at a constant rate."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motioncopy.errors import VideoError
from motioncopy.files.reading import check_rate, reading
from motioncopy.footage.footage import DEFAULT_FPS, Footage
from motioncopy.footage.video.decoders import DecordDecoder, DecordFailed, PyAVDecoder
from motioncopy.footage.video.index import CONVERT, VideoIndex, read_index

_LOG = logging.getLogger(__name__)


class VideoReader(Footage):
    """Reads frames of a video by number, upright, at a constant rate.

    - *Rotation*: the display matrix is applied, mirror images too. Pixels count as square.
    - *Variable frame rate*: resampled to the rate that most of the file has (the median interval): frame i is the
      stored frame whose timestamp is nearest to i / fps, so gaps repeat frames and the duration stays. A rate counts
      as constant while no frame is half a frame or more from its place; then every stored frame is shown once.
    - *Truncated or damaged files*: the frames that can be decoded are the video; :attr:`missing` says how many the
      file promises beyond them, and a warning is logged. A frame damaged in the middle of a file that looks whole is
      a ``VideoError`` when it is asked for, unless what it was damaged to is a frame as well, or it is decord that
      reads (:meth:`frames`), which paints over. :meth:`chunks` never uses decord.
    - A file without usable timestamps (raw H.264, some AVI) is read by counting, at its stated rate.

    Keep it within one process: an open reader does not survive a fork.

    Args:
        path: The file.

    Raises:
        VideoError: If it is missing, unreadable, not a video, has no video stream, or holds no frame.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with reading(self.path, VideoError, "cannot be read as a video", remedy=CONVERT):
            self._index = read_index(self.path)
            self.fps, self._numbers = _constant_rate(self.path, self._index)
            self.size = self._index.size
            check_rate(self.fps, self.path, error=VideoError, remedy=CONVERT)
            self._decoder: DecordDecoder | PyAVDecoder | None = self._open_decoder()
        if self.missing:
            stored = len(self._index.stamps)
            _LOG.warning("%s is damaged: %d of %d frames can be decoded", path, stored, stored + self.missing)

    @property
    def missing(self) -> int:
        """How many frames the file promises that cannot be decoded."""
        return self._index.missing

    @property
    def resampled(self) -> bool:
        """Whether the frame rate varies, so that stored frames are repeated or left out."""
        return bool((np.diff(self._numbers) != 1).any())

    def __len__(self) -> int:
        return len(self._numbers)

    def frames(self, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.uint8]:
        """See :class:`motioncopy.footage.Footage`."""
        wanted = self._checked(indices)
        if not wanted.size:
            return np.empty((0, *self.size, 3), np.uint8)
        numbers, places = np.unique(self._numbers[wanted], return_inverse=True)
        with reading(self.path, VideoError, f"cannot be read at frame {wanted.min()}", remedy=CONVERT):
            images = self._decode(numbers)
            return images if np.array_equal(places, np.arange(len(images))) else images[places]

    def chunks(self, size: int) -> Iterator[NDArray[np.uint8]]:
        """See :class:`motioncopy.footage.Footage`."""
        if isinstance(self._decoder, DecordDecoder):
            # decord decodes ahead of a slow reader without bound: 5 GB for 2,160 frames of 1280x720.
            self._decoder.close()
            self._decoder = PyAVDecoder(self.path, self._index)
        yield from super().chunks(size)

    def close(self) -> None:
        """Lets go of the file."""
        if self._decoder is not None:
            self._decoder.close()
        self._decoder = None

    def _open_decoder(self) -> DecordDecoder | PyAVDecoder:
        if self._index.regular:
            try:
                return DecordDecoder(self.path, self._index)
            except DecordFailed as error:
                _LOG.info("PyAV reads %s, as decord fails: %s", self.path, error)
        return PyAVDecoder(self.path, self._index)

    def _decode(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        if self._decoder is None:
            raise VideoError(f"the reader of {self.path} is closed", remedy="read within its `with` block")
        try:
            return self._decoder.frames(numbers)
        except DecordFailed as error:
            _LOG.info("PyAV reads on in %s, as decord fails: %s", self.path, error)
            self._decoder.close()
            self._decoder = PyAVDecoder(self.path, self._index)
            return self._decoder.frames(numbers)


def _constant_rate(path: Path, index: VideoIndex) -> tuple[float, NDArray[np.int64]]:
    """The rate, and for each frame at that rate the number of the stored frame to show."""
    times = (index.stamps - index.stamps[0]) * index.seconds
    stored = np.arange(len(times))
    if len(times) < 2:
        return index.stated_fps or DEFAULT_FPS, stored
    # The stated rate is exact where it fits; the mean of rounded timestamps (Matroska: milliseconds) is not.
    mean = float(stored[-1] / times[-1])
    for fps in (index.stated_fps or mean, mean):
        if np.abs(times * fps - stored).max() < 0.5:
            return fps, stored
    usual = round(float(1 / np.median(np.diff(times))), 6)
    fps = index.stated_fps if index.stated_fps and abs(index.stated_fps / usual - 1) < 0.05 else usual
    count = round(times[-1] * fps) + 1
    if count > 2 * len(times):
        raise VideoError(
            f"the timestamps of {path} leave gaps",
            expected=f"{fps:.4g} frames a second, as most of it has",
            found=f"{len(times)} frames in {times[-1]:.4g} seconds",
            remedy=CONVERT,
        )
    grid = np.arange(count) / fps
    after = np.searchsorted(times, grid).clip(1, len(times) - 1)
    return fps, np.where(grid - times[after - 1] <= times[after] - grid, after - 1, after)
