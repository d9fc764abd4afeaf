"""The two ways to get frames out of a file; both return frames upright, by their number in the index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import av
import cv2  # noqa: F401 -- before decord, whose libraries would otherwise break OpenCV's PNG decoder
import decord
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from motioncopy.errors import VideoError
from motioncopy.footage.video.index import CONVERT, VideoIndex, decode, open_video

decord.logging.set_level(decord.logging.QUIET)  # what is wrong with a file is said once, by VideoError


class DecordFailed(Exception):
    """decord will not read this file; PyAV may."""


class DecordDecoder:
    """decord, which applies rotation by itself.

    Raises:
        DecordFailed: If decord cannot open the file, or counts other frames than the index.
    """

    def __init__(self, path: Path, index: VideoIndex) -> None:
        try:
            self._reader = decord.VideoReader(str(path.absolute()))
        except Exception as error:
            raise DecordFailed(str(error)) from error
        if len(self._reader) != len(index.stamps):
            raise DecordFailed(f"decord counts {len(self._reader)} frames, the index {len(index.stamps)}")

    def frames(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Frames as ``(n, H, W, 3)`` uint8 RGB.

        Args:
            numbers: ``(n,)``, ascending, each once.

        Raises:
            DecordFailed: If a frame cannot be decoded.
        """
        try:
            images: NDArray[np.uint8] = self._reader.get_batch(numbers.tolist()).asnumpy()
        except Exception as error:
            raise DecordFailed(str(error)) from error
        return images

    def close(self) -> None:
        """Lets go of the file."""
        del self._reader


class PyAVDecoder:
    """PyAV, which decodes from the keyframe before a wanted frame until that frame's own timestamp comes by."""

    def __init__(self, path: Path, index: VideoIndex) -> None:
        self._path, self._index = path, index
        self._container, self._stream = open_video(path)
        self._stamped = self._stamp(self._container.demux(self._stream))
        self._next = 0  # the number of the frame that decoding comes to next

    def frames(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        """See :meth:`DecordDecoder.frames`.

        Raises:
            VideoError: If a frame cannot be decoded, or has another size than the first.
        """
        images = np.empty((len(numbers), *self._index.size, 3), np.uint8)
        for image, number in zip(images, numbers, strict=True):
            stored = self._frame(int(number)).to_ndarray(format="rgb24").astype(np.uint8, copy=False)
            upright = self._index.orientation.apply(stored)
            if upright.shape != image.shape:
                raise VideoError(
                    f"{self._path} changes its size at frame {number}",
                    expected=self._index.size,
                    found=upright.shape[:2],
                    remedy="cut it there into two files",
                )
            image[:] = upright
        return images

    def close(self) -> None:
        """Lets go of the file."""
        self._container.close()
        self._stamped = iter(())  # the generator refers back to this object: the codec would wait for the collector

    def _frame(self, number: int) -> VideoFrame:
        nearest = int(self._index.keyframes[np.searchsorted(self._index.keyframes, number, "right") - 1])
        on_the_way = nearest <= self._next <= number or self._enter(nearest)
        frame = self._go_on_to(number) if on_the_way else None
        if frame is None:  # not every keyframe is a clean entry: then all the way from the first
            self._restart()
            frame = self._go_on_to(number)
        if frame is None:
            raise VideoError(f"frame {number} of {self._path} cannot be decoded", remedy=CONVERT)
        self._next = number + 1
        return frame

    def _go_on_to(self, number: int) -> VideoFrame | None:
        wanted = int(self._index.stamps[number])
        for stamp, frame in self._stamped:
            if stamp >= wanted:
                return frame if stamp == wanted else None
        return None

    def _restart(self) -> None:
        self._container.close()
        self._container, self._stream = open_video(self._path)
        self._stamped = self._stamp(self._container.demux(self._stream))

    def _enter(self, keyframe: int) -> bool:
        """Seeks to a keyframe; False if that led elsewhere."""
        if keyframe == 0:
            self._restart()
            return True
        stamp = int(self._index.stamps[keyframe])
        self._container.seek(stamp, stream=self._stream)
        packets = self._container.demux(self._stream)
        try:
            first = next(packets)
        except (StopIteration, av.error.FFmpegError):
            return False
        self._stamped = self._stamp(chain([first], packets))
        return first.pts == stamp

    def _stamp(self, packets: Iterable[Packet[VideoStream]]) -> Iterator[tuple[int, VideoFrame]]:
        for count, frame in enumerate(decode(packets)):
            yield (frame.pts if self._index.timed and frame.pts is not None else count), frame
