"""One process at a time works on a clip, a download or in a run's folder.

The lock is ``flock`` on a file beside or in what is locked. The system lets go of it when the last process that has it
ends, however that comes about. (The package ``filelock`` waits by polling, and gives no descriptor that a started
process could go on holding the lock by.)
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from motioncopy.errors import BusyError, MotionCopyError

#: The folder whose lock the starting process has handed on to this one, for :func:`held`.
HELD = "MOTIONCOPY_HELD_FOLDER"
_own: set[Path] = set()


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Keeps other processes off a file or folder, whether it is there already or not; the folder around it must be.

    The lock's file is ``.NAME.lock`` beside it, and goes with the lock. A process that has the lock gets it again: what
    it calls may lock the same path.

    Args:
        path: What is worked on.
        wait: Whether to wait for another process that has the lock.

    Yields:
        Whether this process has the lock now; it always has if it waits.

    Raises:
        OSError: If the folder around it cannot be written to.
    """
    path = path.absolute()
    if path in _own:
        yield True
        return
    file = path.with_name(f".{path.name}.lock")
    descriptor = _acquire(file, wait)
    if descriptor is None:
        yield False
        return
    _own.add(path)
    try:
        yield True
    finally:
        _own.discard(path)
        with suppress(OSError):
            file.unlink()
        os.close(descriptor)


@contextmanager
def alone(folder: Path, busy: str, remedy: str) -> Iterator[int]:
    """Keeps other processes out of a folder, which is made if it is not there.

    Args:
        folder: The folder; the lock's file ``.lock`` stays in it.
        busy: What another process is doing there, for the error.
        remedy: What can be done then.

    Yields:
        The lock's file descriptor. A process that it is handed on to holds the lock too.

    Raises:
        BusyError: If another process has the lock.
        MotionCopyError: If the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _acquire(folder / ".lock", wait=False)
    except OSError as error:
        raise MotionCopyError(
            f"{folder} cannot be written to",
            found=error.strerror,
            remedy="make room there, or choose another folder",
        ) from error
    if descriptor is None:
        raise BusyError(busy, remedy=remedy)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def held(folder: Path, remedy: str) -> Iterator[None]:
    """:func:`alone`, unless whoever started this process has the lock and has said so by :data:`HELD`.

    Raises:
        BusyError: If another process works there.
        MotionCopyError: If the folder cannot be written to.
    """
    if os.environ.get(HELD) == str(folder.resolve()):
        yield
        return
    with alone(folder, f"another process works in {folder}", remedy):
        yield


def _acquire(file: Path, wait: bool) -> int | None:
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            # Who had it before may have removed the file: a lock on that one keeps nobody off.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), file.stat()):
                    return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
