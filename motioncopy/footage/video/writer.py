"""``VideoWriter``: frames to an H.264 file that is there in whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream
from numpy.typing import NDArray

from motioncopy.errors import VideoError
from motioncopy.files.writing import explained
from motioncopy.footage.video.index import open_video

#: Containers that are written, by suffix.
SUFFIXES = (".mp4", ".mov", ".mkv")
#: Metadata keys that all of them keep.
METADATA_KEYS = ("artist", "comment", "copyright", "date", "description", "title")


class VideoWriter:
    """Writes H.264 with PyAV; a context manager.

    The file is written aside in the same folder (``.NAME.partial-PID.SUFFIX``) and takes its name when the ``with``
    block ends without an exception, replacing an older file; otherwise it is removed.

    By default the file plays everywhere: yuv420p, BT.709, index in front. yuv420p halves the colour planes, so odd
    heights and widths are padded to even ones by repeating the last row or column. ``lossless=True`` keeps size and
    every value (RGB at constant quality 0), but browsers and many players do not show it.

    Args:
        path: Where; the suffix chooses the container: ``.mp4``, ``.mov`` or ``.mkv``.
        fps: Frames per second.
        size: (height, width) of the frames in pixels.
        crf: x264's constant rate factor, 0 (best) to 51; 18 looks like the original.
        lossless: See above; ``crf`` is then ignored.
        metadata: Container metadata, keys of :data:`METADATA_KEYS`; :func:`read_metadata` gives it back.

    Raises:
        VideoError: On a wrong argument, a folder that is not there, a full disk, or frames that do not fit.
    """

    def __init__(
        self,
        path: str | Path,
        fps: float,
        size: tuple[int, int],
        *,
        crf: int = 18,
        lossless: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.path, self.size = Path(path), size
        self._fps, self._crf, self._lossless = fps, crf, lossless
        self._metadata = dict(metadata or {})
        self._check()
        self._partial = self.path.with_name(f".{self.path.stem}.partial-{os.getpid()}{self.path.suffix}")

    def write(self, frames: NDArray[np.uint8]) -> None:
        """Appends frames.

        Args:
            frames: ``(n, H, W, 3)`` uint8 RGB.

        Raises:
            VideoError: If they have another shape or type, or the disk is full.
        """
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[1:] != (*self.size, 3):
            raise VideoError(
                f"frames do not fit {self.path}",
                expected=f"uint8 {('n', *self.size, 3)}",
                found=f"{frames.dtype} {frames.shape}",
            )
        padding = ((0, self._stream.height - self.size[0]), (0, self._stream.width - self.size[1]), (0, 0))
        with self._explained():
            for image in frames:
                frame = av.VideoFrame.from_ndarray(np.pad(image, padding, "edge"), format="rgb24")
                if not self._lossless:
                    frame = frame.reformat(
                        format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
                    )
                frame.pts = self._count
                self._count += 1
                self._container.mux(self._stream.encode(frame))

    def __enter__(self) -> Self:
        with self._explained():
            faststart = {} if self.path.suffix == ".mkv" else {"movflags": "+faststart"}
            self._container = av.open(str(self._partial), "w", options=faststart)
        self._container.metadata.update(self._metadata)
        self._stream = self._add_stream()
        self._count = 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            with suppress(av.error.FFmpegError, OSError):  # closing writes the index, which a full disk refuses
                self._container.close()
            self._partial.unlink(missing_ok=True)

    def _add_stream(self) -> VideoStream:
        rate = Fraction(self._fps).limit_denominator(10_000)
        height, width = self.size
        if self._lossless:
            stream = self._container.add_stream("libx264rgb", rate=rate, options={"crf": "0"})
            stream.height, stream.width, stream.pix_fmt = height, width, "rgb24"
            return stream
        stream = self._container.add_stream("libx264", rate=rate, options={"crf": str(self._crf)})
        stream.height, stream.width, stream.pix_fmt = height + height % 2, width + width % 2, "yuv420p"
        context = stream.codec_context
        context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
        context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        return stream

    def _finish(self) -> None:
        if self._count == 0:
            raise VideoError(f"no frame was written to {self.path}")
        with self._explained():
            self._container.mux(self._stream.encode())
            self._container.close()
            with self._partial.open("rb") as file:
                os.fsync(file.fileno())
            self._partial.replace(self.path)

    def _check(self) -> None:
        if self.path.suffix not in SUFFIXES:
            raise VideoError(f"cannot write {self.path}", expected=f"a name that ends in {', '.join(SUFFIXES)}")
        if not self.path.parent.is_dir():
            raise VideoError(f"cannot write {self.path}: its folder is not there", remedy=f"make {self.path.parent}")
        if not 0 < self._fps <= 1000 or min(self.size) < 1 or not 0 <= self._crf <= 51:
            raise VideoError(
                f"cannot write {self.path}",
                expected="0 < fps <= 1000, a size of at least 1x1, 0 <= crf <= 51",
                found=f"fps {self._fps}, size {self.size}, crf {self._crf}",
            )
        if unknown := set(self._metadata) - set(METADATA_KEYS):
            raise VideoError(
                f"metadata of {self.path} would be lost",
                expected=f"keys among {', '.join(METADATA_KEYS)}",
                found=", ".join(sorted(unknown)),
            )

    def _explained(self) -> AbstractContextManager[None]:
        return explained(self.path, error=VideoError, failures=(av.error.FFmpegError, OSError))


def read_metadata(path: str | Path) -> dict[str, str]:
    """The container metadata of a video, with keys in lower case.

    Raises:
        VideoError: If the file cannot be opened as a video.
    """
    container, _ = open_video(Path(path))
    with container:
        return {key.lower(): value for key, value in container.metadata.items()}
