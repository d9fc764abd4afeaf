"""Opens footage of any kind by what its path names."""

from __future__ import annotations

from pathlib import Path

from motioncopy.errors import DataError
from motioncopy.files.reading import reading
from motioncopy.footage.array import ArrayFile
from motioncopy.footage.footage import DEFAULT_FPS, Footage
from motioncopy.footage.gif import Gif
from motioncopy.footage.hdf5 import HDF5File
from motioncopy.footage.images import ImageFolder
from motioncopy.footage.video import VideoReader

#: Files with these suffixes are taken for videos.
VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"})
#: Files with these suffixes are taken for HDF5 stacks.
STACK_SUFFIXES = frozenset({".h5", ".hdf5"})
#: All files that are footage.
FILE_SUFFIXES = VIDEO_SUFFIXES | STACK_SUFFIXES | {".gif", ".npy"}


def open_footage(path: str | Path, *, fps: float | None = None) -> Footage:
    """A video file, a GIF, an HDF5 stack, a NumPy file or a folder of images.

    Args:
        path: The file or folder; a file's suffix, in any case, says what it is.
        fps: Frames per second of a stack, an array or of images; a video and a GIF bear their own.

    Raises:
        DataError: If there is nothing, or nothing of these kinds.
        VideoError: If the video cannot be read.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    with reading(path, DataError, "cannot be read", remedy="check the path"):
        if path.is_dir():
            return ImageFolder(path, fps=DEFAULT_FPS if fps is None else fps)
        if not path.is_file():  # a pipe would be waited for
            raise DataError(f"there is no footage at {path}", remedy="check the path")
    if suffix in VIDEO_SUFFIXES:
        return VideoReader(path)
    if suffix in STACK_SUFFIXES:
        return HDF5File(path, fps=fps)
    if suffix == ".gif":
        return Gif(path)
    if suffix == ".npy":
        return ArrayFile(path, fps=DEFAULT_FPS if fps is None else fps)
    raise DataError(
        f"{path} is no footage",
        expected="a folder of images, or a file that ends in " + ", ".join(sorted(FILE_SUFFIXES)),
        found=suffix or "no suffix",
    )
