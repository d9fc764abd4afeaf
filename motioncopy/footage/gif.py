"""Footage from a GIF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from motioncopy.errors import VideoError
from motioncopy.footage.images import check_indices


class Gif:
    """The frames of a GIF, as a viewer shows them: laid over one another, transparency over black.

    Args:
        path: The file.

    Raises:
        VideoError: If it is no GIF, damaged, or its frames are shown for different times.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            with Image.open(self.path, formats=["GIF"]) as image:
                self.size: tuple[int, int] = (image.height, image.width)
                self._count = int(getattr(image, "n_frames", 1))
                delays = set()
                for number in range(self._count):
                    image.seek(number)
                    delays.add(int(image.info.get("duration", 0)))
        except (OSError, EOFError, ValueError, SyntaxError) as error:
            raise VideoError(f"{self.path} is no readable GIF", found=error, remedy="write it again") from error
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
        """See :class:`motioncopy.footage.Footage`.

        Raises:
            IndexError: If a number is out of range.
            VideoError: If the file is damaged there.
        """
        wanted = check_indices(self, indices)
        images = np.empty((len(wanted), *self.size, 3), np.uint8)
        # Every frame changes the one before: in order, each is decoded once.
        order = np.argsort(wanted, kind="stable")
        for place, image in zip(order, self._in_order(wanted[order]), strict=True):
            images[place] = image
        return images

    def chunks(self, size: int) -> Iterator[NDArray[np.uint8]]:
        """See :class:`motioncopy.footage.Footage`."""
        frames = self._in_order(range(len(self)))
        while images := list(islice(frames, size)):
            yield np.stack(images)

    def _in_order(self, numbers: Iterable[int]) -> Iterator[NDArray[np.uint8]]:
        """Frames of ascending numbers, in one pass through the file."""
        number = 0
        try:
            with Image.open(self.path, formats=["GIF"]) as image:
                for number in map(int, numbers):
                    image.seek(number)
                    yield np.asarray(image.convert("RGB"))
        except (OSError, EOFError, ValueError, SyntaxError) as error:
            raise VideoError(
                f"{self.path} is damaged at frame {number}", found=error, remedy="write it again"
            ) from error

    def close(self) -> None:
        """Nothing is open between two reads."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
