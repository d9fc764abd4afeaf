"""Files that are there whole or not at all, whatever ends the process that writes them."""

from __future__ import annotations

import errno
import os
import resource
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from motioncopy.errors import MotionCopyError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def write_whole(path: Path, text: str, *, error: type[MotionCopyError] = MotionCopyError) -> None:
    """Writes a text file aside and puts it in place, over an older one.

    Args:
        path: The file; its folder must be there.
        text: What it holds, written as UTF-8.
        error: What is raised.

    Raises:
        MotionCopyError: Of class ``error``, if it cannot be written; an older file is then untouched.
    """
    with whole_file(path, error=error) as file:
        file.write(text.encode())


@contextmanager
def whole_file(path: Path, *, error: type[MotionCopyError] = MotionCopyError) -> Iterator[BinaryIO]:
    """A new file to write into, which takes its name when the block ends without an exception.

    Args:
        path: The file; its folder must be there.
        error: What is raised.

    Raises:
        MotionCopyError: Of class ``error``, if it cannot be written; an older file is then untouched.
    """
    partial = aside(path)
    try:
        try:
            with partial.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())  # or a machine that loses its power may keep the name and not the content
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except OSError as failure:
        raise unwritable(path, failure, error) from failure


@contextmanager
def explained(
    what: object, *, error: type[MotionCopyError], failures: tuple[type[Exception], ...] = (OSError,)
) -> Iterator[None]:
    """Turns what the system says to bit by bit writing into one error of ours.

    Args:
        what: What is written.
        error: What is raised.
        failures: What is turned; each bears the system's ``errno``.
    """
    try:
        yield
    except failures as failure:
        full = getattr(failure, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        raise error(
            f"cannot write {what}" + (": the disk is full" if full else ""),
            found=None if full else getattr(failure, "strerror", None) or failure,
            remedy="make room or choose another folder" if full else "check the folder's permissions",
        ) from failure


def aside(path: Path) -> Path:
    """A name beside a path for what is not whole yet, which nobody else uses: hidden, and ends in ``.partial``."""
    return path.with_name(f".{path.name[:40]}-{secrets.token_hex(6)}.partial")


def unwritable(path: Path, failure: OSError, error: type[MotionCopyError] = MotionCopyError) -> MotionCopyError:
    """What to raise where a file or folder could not be written."""
    return error(f"{path} cannot be written", found=failure.strerror or failure, remedy=_remedy(failure))


def unreadable(path: Path, failure: OSError, error: type[MotionCopyError] = MotionCopyError) -> MotionCopyError:
    """What to raise where a file or folder could not be read."""
    return error(f"{path} cannot be read", found=failure.strerror or failure, remedy=_remedy(failure))


def check_writable(folder: Path, *, error: type[MotionCopyError] = MotionCopyError) -> None:
    """Makes a folder, and sees whether files can be made in it: better known before an hour's work than after.

    Raises:
        MotionCopyError: Of class ``error``, if they cannot.
    """
    probe = aside(folder / "probe")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            probe.write_bytes(b"\n")
        finally:
            probe.unlink(missing_ok=True)
    except OSError as failure:
        raise unwritable(folder, failure, error) from failure


def _remedy(failure: OSError) -> str:
    if failure.errno in _FULL:
        return "free some disk space, or choose another folder"
    if failure.errno in _FORBIDDEN:
        return "choose another folder, or change its permissions"
    if failure.errno == errno.ENAMETOOLONG:
        return "choose a shorter name"
    if failure.errno in (errno.EMFILE, errno.ENFILE):
        return f"allow more open files than {resource.getrlimit(resource.RLIMIT_NOFILE)[0]}, by `ulimit -n`"
    return "choose another folder"
