"""Footage from a folder of images, one a frame."""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import PREFIXES, ImageFileDirectory_v2

from motioncopy.errors import DataError, MotionCopyError
from motioncopy.files.limits import check_limit, limits
from motioncopy.files.reading import check_rate, reading
from motioncopy.footage.footage import DEFAULT_FPS, Footage
from motioncopy.footage.sequence import frame_files

#: Files that count as images. Only the content decides how they are read: PNG data under the name .jpg is fine.
IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
# What is taken for an image, by Pillow's names: others that it knows are no frames, and EPS makes it start a program.
_FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
# What a pixel takes at most in a file, and what a file holds beside pixels: profiles, previews.
_PIXEL_BYTES, _FURTHER_BYTES = 8, 64 * 2**20
# A progressive JPEG has some ten scans; each more takes the time of a whole image, and next to no bytes.
_MOST_SCANS = 100
_AGAIN = "unpack or download it again"


class ImageFolder(Footage):
    """The images of a folder; see :func:`motioncopy.footage.sequence.frame_files` for their order.

    Every image becomes 8-bit RGB: grey is repeated, transparency is left out, 16-bit values are divided by 257 (white
    stays white, whatever the frame holds). No image stays in memory.

    Args:
        path: The folder.
        fps: Frames per second, which images do not know.
        names: Just these files, in this order.

    Raises:
        DataError: If there is no image, one is missing in the middle, or the first cannot be read.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        fps: float = DEFAULT_FPS,
        names: Sequence[str] | None = None,
    ) -> None:
        self.path, self.fps = Path(path), check_fps(fps, path)
        self.files = frame_files(path, IMAGE_SUFFIXES, names=names)
        self.size = read_rgb(self.files[0]).shape[:2]

    def __len__(self) -> int:
        return len(self.files)

    def frames(self, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.uint8]:
        """See :class:`motioncopy.footage.Footage`."""
        wanted = self._checked(indices)
        with reading(self.path, DataError, "cannot be read", remedy="read fewer frames at a time"):
            images = np.empty((len(wanted), *self.size, 3), np.uint8)
            for image, i in zip(images, wanted, strict=True):
                image[:] = self._read(self.files[i])
            return images

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
        DataError: If the file is missing, damaged or too large, or holds floating-point numbers.
    """
    with reading(file, DataError, "is damaged, or not an image", remedy=_AGAIN):
        content = _content(file)
        _check_claims(content, file)
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
        if image is None:
            raise ValueError("OpenCV cannot decode it")
        rgb: NDArray[np.uint8] = cv2.cvtColor(as_uint8(image, str(file)), cv2.COLOR_BGR2RGB)
        return rgb


def read_values(file: Path) -> NDArray[np.uint8]:
    """An image's values as they are stored, ``(H, W)`` or ``(H, W, C)`` uint8: a palette's indices, not its colours.

    Raises:
        DataError: If the file is missing, damaged or too large, or holds values beyond 255.
    """
    with reading(file, DataError, "is damaged, or not an image", remedy=_AGAIN):
        content = _content(file)
        _check_claims(content, file)
        with open_image(BytesIO(content), file) as image:
            values = np.asarray(image)
    if values.dtype.kind not in "bui" or (values.size and not 0 <= values.min() <= values.max() <= 255):
        raise DataError(
            f"{file} holds other values than 8-bit ones", expected="0 to 255", found=f"{values.dtype}, {values.max()}"
        )
    return values.astype(np.uint8)


def open_image(
    content: BytesIO | Path,
    file: Path,
    *,
    formats: tuple[str, ...] = _FORMATS,
    error: type[MotionCopyError] = DataError,
) -> Image.Image:
    """Reads an image's header with Pillow, which decodes the rest when it is asked for pixels.

    Args:
        content: Where it is read.
        file: Its name, for messages.
        formats: What it may be.
        error: What is raised.

    Raises:
        MotionCopyError: Of class ``error``, if it has too many pixels. A damaged file makes Pillow raise nearly
            anything, here and later.
    """
    most = limits().frame_pixels
    if Image.MAX_IMAGE_PIXELS is not None and most > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = most  # or Pillow would refuse what --limit allows
    try:
        image = Image.open(content, formats=formats)
    except Image.DecompressionBombError as bomb:
        raise error(
            f"{file} is too large",
            expected=f"at most {most} frame pixels",
            found=bomb,
            remedy="if you trust the file, allow more by --limit frame_pixels=NUMBER",
        ) from bomb
    check_limit("frame_pixels", image.width * image.height, f"the image {file}", error=error)
    return image


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
        nearest: NDArray[np.uint16] = (np.minimum(values, 65535 - 128) + np.uint16(128)) // np.uint16(257)
        return nearest.astype(np.uint8)
    raise DataError(
        f"{where} holds {values.dtype} values",
        expected="uint8, uint16 or bool",
        remedy="convert it to 8 bits, so that nobody has to guess what is white",
    )


def check_fps(fps: float, path: str | Path) -> float:
    """A frame rate that is one.

    Raises:
        DataError: If it is not a positive, finite number.
    """
    return check_rate(fps, path, error=DataError, remedy="give fps")


def _content(file: Path) -> bytes:
    if not file.is_file():  # a pipe would be waited for
        raise DataError(f"there is no file {file}", remedy="unpack or download the rest of the data set")
    with file.open("rb") as opened:
        size = os.fstat(opened.fileno()).st_size
        check_limit("frame_pixels", (size - _FURTHER_BYTES) // _PIXEL_BYTES, f"the file {file}", error=DataError)
        content = opened.read()
    if not content:
        raise DataError(f"{file} is empty", expected="an image", remedy=_AGAIN)
    return content


def _check_claims(content: bytes, file: Path) -> None:
    """Refuses what would take far more memory or time than its bytes are worth, by its headers.

    OpenCV makes room for whatever size a header claims (6 GB for 124 KB of PNG) and for a PNG's chunks likewise.
    """
    stream = BytesIO(content)
    if content[:4] in PREFIXES:  # Pillow does not open all kinds of TIFF that OpenCV reads, but tells their size
        directory = ImageFileDirectory_v2(stream.read(16 if b"+" in content[:4] else 8))
        stream.seek(directory.next)
        directory.load(stream)
        check_limit("frame_pixels", int(directory[256]) * int(directory[257]), f"the image {file}", error=DataError)
        return
    with open_image(stream, file) as image:
        kind = image.format
    if kind == "PNG":
        place = 8
        while place < len(content):
            length = int.from_bytes(content[place : place + 4])
            if content[place + 4 : place + 8] == b"IEND":
                break
            place += 12 + length
            if place > len(content):
                raise ValueError(f"cut off within a chunk of {length} bytes")
    elif content.startswith(b"\xff\xd8") and content.count(b"\xff\xda") > _MOST_SCANS:
        raise ValueError(f"more than {_MOST_SCANS} scans in a JPEG")
