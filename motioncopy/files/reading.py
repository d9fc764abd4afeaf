"""What a library raises while it reads a file from anywhere, said in one way: as our error, with the file's name."""

from __future__ import annotations

import errno
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from motioncopy.errors import MotionCopyError

#: Frames per second that a file may state: from one in three hours to ten times what high-speed cameras do.
_SLOWEST, _FASTEST = 1e-4, 1e6


@contextmanager
def reading(
    path: Path, error: type[MotionCopyError], what: str, *, expected: str | None = None, remedy: str
) -> Iterator[None]:
    """Turns whatever is raised within it into one error of ours.

    Libraries that decode damaged or hostile files raise nearly anything: OpenCV's and HDF5's own errors, IndexError
    and AttributeError out of their insides, MemoryError for what a few bytes claim.

    Args:
        path: The file.
        error: What is raised instead. Our own errors pass as they are.
        what: What is said of the file: ``is no readable GIF``.
        expected: What would have been right.
        remedy: What the user can do.
    """
    try:
        yield
    except MotionCopyError:
        raise
    except Exception as cause:
        known = _known(path, error, cause)
        raise known or error(f"{path} {what}", expected=expected, found=_text(cause), remedy=remedy) from cause


def check_rate(fps: float, path: str | Path, *, error: type[MotionCopyError], remedy: str) -> float:
    """A frame rate that is one.

    Raises:
        MotionCopyError: Of class ``error``, if it is not finite, not positive, or no camera's.
    """
    if not _SLOWEST <= fps <= _FASTEST:  # false for NaN
        raise error(
            f"the frame rate of {path} is none",
            expected=f"{_SLOWEST:g} to {_FASTEST:g} frames a second",
            found=f"{fps:g}",
            remedy=remedy,
        )
    return float(fps)


def _known(path: Path, error: type[MotionCopyError], cause: Exception) -> MotionCopyError | None:
    """What says nothing about the file itself."""
    number = getattr(cause, "errno", None)  # FFmpeg's and HDF5's errors bear the system's numbers too
    if number in (errno.EMFILE, errno.ENFILE):
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return error(
            f"{path} cannot be opened: too many open files",
            expected=f"at most {most} at once in this process, which is its `ulimit -n`",
            remedy=f"raise it: ulimit -n {max(4096, 4 * most)}",
        )
    if number in (errno.EACCES, errno.EPERM):
        return error(f"{path} cannot be read", found="permission denied", remedy="check its permissions")
    return None


def _text(cause: Exception) -> str:
    if isinstance(cause, MemoryError):
        return "a claim to more memory than there is"
    text = " ".join(str(getattr(cause, "strerror", None) or cause).split())[:200]
    return text if text and isinstance(cause, OSError | ValueError) else f"{type(cause).__name__}: {text}"
