"""Footage from a folder of images, one a frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from motioncopy.errors import DataError
from motioncopy.footage.sequence import frame_files

#: Files that count as images. Only the content decides how they are read: PNG data under the name .jpg is fine.
IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
#: Frames per second of what does not say.
DEFAULT_FPS = 25.0


class ImageFolder:
    """The images of a folder; see :func:`motioncopy.footage.sequence.frame_files` for their order.

    Every image becomes 8-bit RGB: grey is repeated, transparency is left out, 16-bit values are divided by 257 (white
    stays white, whatever the frame holds). No image stays in memory.

    Args:
        path: The folder.
        fps: Frames per second, which images do not know.
        check_gaps: Whether a number that is missing between others is an error.
        names: Just these files, in this order.

    Raises:
        DataError: If there is no image, one is missing in the middle, or the first cannot be read.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        fps: float = DEFAULT_FPS,
        check_gaps: bool = True,
        names: Sequence[str] | None = None,
    ) -> None:
        self.path, self.fps = Path(path), check_fps(fps, path)
        self.files = frame_files(path, IMAGE_SUFFIXES, names=names, check_gaps=check_gaps)
        height, width = read_rgb(self.files[0]).shape[:2]
        self.size: tuple[int, int] = (height, width)

    def __len__(self) -> int:
        return len(self.files)

    def frames(self, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.uint8]:
        """See :class:`motioncopy.footage.Footage`.

        Raises:
            IndexError: If a number is out of range.
            DataError: If an image cannot be read, or is not of the first one's size.
        """
        wanted = check_indices(self, indices)
        images = np.empty((len(wanted), *self.size, 3), np.uint8)
        for image, i in zip(images, wanted, strict=True):
            image[:] = self._read(self.files[i])
        return images

    def chunks(self, size: int) -> Iterator[NDArray[np.uint8]]:
        """See :class:`motioncopy.footage.Footage`."""
        for start in range(0, len(self), size):
            yield self.frames(range(start, min(start + size, len(self))))

    def close(self) -> None:
        """Nothing is open between two frames."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, file: Path) -> NDArray[np.uint8]:
        image = read_rgb(file)
        if image.shape[:2] != self.size:
            raise DataError(
                f"{file} is of another size than {self.files[0].name}",
                expected=f"{self.size[1]}x{self.size[0]}",
                found=f"{image.shape[1]}x{image.shape[0]}",
            )
        return image


def read_rgb(file: Path) -> NDArray[np.uint8]:
    """An image as ``(H, W, 3)`` uint8 RGB, upright; :class:`ImageFolder` says how other kinds become that.

    Raises:
        DataError: If the file is missing or damaged, or holds floating-point numbers.
    """
    content = np.frombuffer(_content(file), np.uint8)
    image = cv2.imdecode(content, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if image is None:
        raise _damaged(file)
    rgb: NDArray[np.uint8] = cv2.cvtColor(as_uint8(image, str(file)), cv2.COLOR_BGR2RGB)
    return rgb


def read_values(file: Path) -> NDArray[np.uint8]:
    """An image's values as they are stored, ``(H, W)`` or ``(H, W, C)`` uint8: a palette's indices, not its colours.

    Raises:
        DataError: If the file is missing or damaged, or holds values beyond 255.
    """
    if not file.is_file():
        raise _missing(file)
    try:
        with Image.open(file) as image:
            values = np.asarray(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _damaged(file) from error
    if values.dtype.kind not in "bui" or (values.size and not 0 <= values.min() <= values.max() <= 255):
        raise DataError(
            f"{file} holds other values than 8-bit ones", expected="0 to 255", found=f"{values.dtype}, {values.max()}"
        )
    return values.astype(np.uint8)


def as_uint8(values: NDArray[Any], where: str) -> NDArray[np.uint8]:
    """8-bit values as they are, truth values as 0 and 255, 16-bit values divided by 257 and rounded.

    Raises:
        DataError: If they are of another type.
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * 255
    if values.dtype == np.uint16:
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    raise DataError(
        f"{where} holds {values.dtype} values",
        expected="uint8, uint16 or bool",
        remedy="convert it to 8 bits, so that nobody has to guess what is white",
    )


def check_indices(footage: Any, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.int64]:
    """Frame numbers as an array.

    Raises:
        IndexError: If one is not in 0 to F-1.
    """
    wanted = np.asarray(indices, np.int64)
    if wanted.size and (wanted.min() < 0 or wanted.max() >= len(footage)):
        raise IndexError(f"{footage.path} has frames 0 to {len(footage) - 1}, not {wanted.min()} to {wanted.max()}")
    return wanted


def check_fps(fps: float, path: str | Path) -> float:
    """A frame rate that is one.

    Raises:
        DataError: If it is not a positive, finite number.
    """
    if not (np.isfinite(fps) and fps > 0):
        raise DataError(f"the frame rate of {path} must be positive", found=fps, remedy="give fps")
    return float(fps)


def _content(file: Path) -> bytes:
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise _missing(file) from None
    except OSError as error:
        raise DataError(f"{file} cannot be read", found=error.strerror) from error
    if not content:
        raise DataError(f"{file} is empty", expected="an image", remedy="unpack or download it again")
    return content


def _missing(file: Path) -> DataError:
    return DataError(f"there is no file {file}", remedy="unpack or download the rest of the data set")


def _damaged(file: Path) -> DataError:
    return DataError(f"{file} is damaged, or not an image", remedy="unpack or download it again")
