"""Annotations that lie in a folder, one file a frame, and are read frame by frame beside the footage."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from motioncopy.errors import DataError
from motioncopy.footage import Footage, Framing
from motioncopy.footage.images import IMAGE_SUFFIXES
from motioncopy.footage.perception.backends import Images, Masks, Poses
from motioncopy.footage.sequence import digest, frame_files


class AnnotationFiles:
    """Hands out a folder's files in step with the footage.

    Args:
        folder: Where they lie, ordered as :func:`motioncopy.footage.sequence.frame_files` says.
        suffixes: Which files count.
        framing: From the frames that were annotated to the footage's; ``None`` where those are the same.
        names: Just these files, in this order.

    Raises:
        DataError: If there are none, or one is missing in the middle.
    """

    def __init__(
        self,
        folder: str | Path,
        suffixes: Iterable[str],
        *,
        framing: Framing | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        self.folder, self._given = Path(folder), framing
        self.paths = frame_files(folder, suffixes, names=names)
        self._next = 0
        self._framing: Framing | None = None

    @cached_property
    def digest(self) -> str:
        """Of names, content and framing."""
        return digest(self.paths, self._given)

    @property
    def framing(self) -> Framing:
        """From the frames that were annotated to the footage's; known from :meth:`start` on."""
        assert self._framing is not None, "start() comes first"
        return self._framing

    def start(self, footage: Footage) -> None:
        """The next files are those of this footage's first frames.

        Raises:
            DataError: If there are more or fewer files than frames, or the framing gives frames of another size.
        """
        if len(self.paths) != len(footage):
            raise DataError(
                f"{self.folder} does not belong to {footage.path}",
                expected=f"{len(footage)} files, one a frame",
                found=len(self.paths),
                remedy="unpack or download the data again",
            )
        self._framing = framing_for(footage, self._given)
        self._next = 0

    def take(self, count: int) -> list[Path]:
        """The files of the next ``count`` frames.

        Raises:
            DataError: If there are no more.
        """
        taken = self.paths[self._next : self._next + count]
        if len(taken) < count:
            raise DataError(f"{self.folder} has no more files", expected=count, found=len(taken))
        self._next += count
        return taken


class ImageAnnotations(ABC):
    """Annotations that are one image a frame, of the size of the annotated frames.

    Args:
        folder: One image a frame, of the size of the annotated frames.
        framing: From those frames to the footage's; ``None`` where they are the same.
        names: Just these files, in this order.

    Raises:
        DataError: If there are none, or one is missing in the middle.
    """

    #: What the backend is called.
    name: str

    def __init__(
        self, folder: str | Path, framing: Framing | None = None, *, names: Sequence[str] | None = None
    ) -> None:
        self.files = AnnotationFiles(folder, IMAGE_SUFFIXES, framing=framing, names=names)

    @property
    def version(self) -> str:
        """Changes with the images."""
        return f"1+{self.files.digest}"

    def start(self, footage: Footage) -> None:
        """See :meth:`AnnotationFiles.start`."""
        self.files.start(footage)

    @abstractmethod
    def read(self, file: Path) -> Masks:
        """What one image says: ``(h, w)`` labels, or a mask in [0, 255]."""

    def _next(self, count: int) -> Iterator[Masks]:
        height, width = self.files.framing.native
        for file in self.files.take(count):
            values = self.read(file)
            if values.shape != (height, width):
                raise DataError(
                    f"{file} is of another size than its frame",
                    expected=f"{width}x{height}",
                    found=f"{values.shape[1]}x{values.shape[0]}",
                )
            yield values


class MaskImages(ImageAnnotations):
    """A person segmenter that reads images; see :class:`ImageAnnotations` for its arguments."""

    def __call__(self, images: Images, poses: Poses) -> Masks:
        """See :class:`motioncopy.footage.perception.backends.PersonSegmenter`.

        Raises:
            DataError: If an image is damaged, of another size than the annotated frame, or no such image.
        """
        size, framing = images.shape[1:3], self.files.framing
        way = cv2.INTER_AREA if size[0] < framing.size[0] else cv2.INTER_LINEAR
        framed = (framing.images(native[None])[0] for native in self._next(len(images)))
        return np.stack([cv2.resize(f, size[::-1], interpolation=way) for f in framed])


def framing_for(footage: Footage, framing: Framing | None) -> Framing:
    """The framing, or the one that changes nothing.

    Raises:
        DataError: If it gives frames of another size than the footage has.
    """
    if framing is None:
        return Framing.whole(footage.size)
    if framing.size != footage.size:
        raise DataError(
            f"annotations of {footage.path} are framed otherwise than its frames",
            expected=f"(height, width) {footage.size}",
            found=framing.size,
        )
    return framing


def at_size(poses: Poses, size: tuple[int, int], images: Images) -> Poses:
    """Poses in frames of that (height, width) as poses in ``images``, untouched where these are as large."""
    height, width = images.shape[1:3]
    return poses if (height, width) == size else poses.scaled(width / size[1], height / size[0])


def single_channel(values: NDArray[np.uint8], file: Path) -> NDArray[np.uint8]:
    """``(H, W)`` of a grey image, or of a colour image that shows grey; alpha is left out.

    Raises:
        DataError: If the image has colours.
    """
    if values.ndim == 2:
        return values
    colours = values[..., : 1 if values.shape[2] == 2 else 3]
    if (colours != colours[..., :1]).any():
        raise DataError(f"{file} is a colour picture", expected="one value a pixel: grey, or palette indices")
    return colours[..., 0]
