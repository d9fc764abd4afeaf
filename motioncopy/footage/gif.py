"""Footage from a GIF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from motioncopy.errors import VideoError
from motioncopy.files.limits import check_limit
from motioncopy.files.reading import reading
from motioncopy.footage.footage import Footage
from motioncopy.footage.images import open_image

_AGAIN = "write it again"


class Gif(Footage):
    """The frames of a GIF, as a viewer shows them: laid over one another, transparency over black.

    Args:
        path: The file.

    Raises:
        VideoError: If it is no GIF, too large, or its frames are shown for different times.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with reading(self.path, VideoError, "is no readable GIF", remedy=_AGAIN):
            with open_image(self.path, self.path, formats=("GIF",), error=VideoError) as image:
                self.size = (image.height, image.width)
            with self.path.open("rb") as file:
                self._count, delays = _scan(file)
            if not delays:
                raise ValueError("no frame in it")
            check_limit("gif_frames", self._count, f"the frames of {self.path}", error=VideoError)
        if len(delays) > 1:
            raise VideoError(
                f"{self.path} shows its frames for different times",
                expected="one frame rate",
                found=", ".join(f"{d} ms" for d in sorted(delays)),
                remedy="write it with a constant rate",
            )
        # Hundredths of a second are all that a GIF knows; 0 is shown by browsers as a tenth of a second.
        self.fps = 1000 / (delays.pop() or 100)

    def __len__(self) -> int:
        return self._count

    def frames(self, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.uint8]:
        """See :class:`motioncopy.footage.Footage`."""
        wanted = self._checked(indices)
        with reading(self.path, VideoError, "cannot be read", remedy="read fewer frames at a time"):
            images = np.empty((len(wanted), *self.size, 3), np.uint8)
            # Every frame changes the one before: in order, each is decoded once.
            order = np.argsort(wanted, kind="stable")
            for place, image in zip(order, self._in_order(wanted[order]), strict=True):
                images[place] = image
            return images

    def chunks(self, size: int) -> Iterator[NDArray[np.uint8]]:
        """See :class:`motioncopy.footage.Footage`."""
        frames = self._in_order(range(len(self)))
        with reading(self.path, VideoError, "cannot be read", remedy="read fewer frames at a time"):
            while images := list(islice(frames, size)):
                yield np.stack(images)

    def _in_order(self, numbers: Iterable[int]) -> Iterator[NDArray[np.uint8]]:
        """Frames of ascending numbers, in one pass through the file."""
        with (
            reading(self.path, VideoError, "is no readable GIF", remedy=_AGAIN),
            open_image(self.path, self.path, formats=("GIF",), error=VideoError) as image,
        ):
            for number in map(int, numbers):
                with reading(self.path, VideoError, f"is damaged at frame {number}", remedy=_AGAIN):
                    image.seek(number)
                    frame = np.asarray(image.convert("RGB"))
                    if frame.shape[:2] != self.size:
                        raise ValueError(f"a frame that reaches out of {self.size[1]}x{self.size[0]} pixels")
                yield frame


def _scan(file: BinaryIO) -> tuple[int, set[int]]:
    """Passes over a GIF's blocks: to decode ten thousand frames takes hours where each is large and changes nothing.

    Returns:
        The number of frames, and the times in milliseconds for which they are shown.
    """

    def sub_blocks() -> Iterator[bytes]:
        while size := int.from_bytes(file.read(1)):
            yield file.read(size)

    def skip_palette(flags: int) -> None:
        file.seek(3 << (flags & 7) + 1 if flags & 128 else 0, 1)

    skip_palette((file.read(13) + bytes(13))[10])
    count, delay, delays = 0, 0, set()
    while (kind := file.read(1)) not in (b"", b";"):
        if kind == b"!":
            control = file.read(1) == b"\xf9"
            for block in sub_blocks():
                if control:
                    delay = 10 * int.from_bytes(block[1:3], "little")
        elif kind == b",":
            skip_palette((file.read(9) + bytes(9))[8])
            file.seek(1, 1)  # the width of the first codes
            for _ in sub_blocks():
                pass
            delays.add(delay)
            count, delay = count + 1, 0
    return count, delays
