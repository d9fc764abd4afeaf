"""One process at a time works on a clip.

The lock is ``flock`` on ``.NAME.lock`` beside the clip. The system lets go of it when its process ends, however that
comes about.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_held: set[Path] = set()


@contextmanager
def locked(clip: Path, *, wait: bool = True) -> Iterator[bool]:
    """Keeps other processes off a clip, whether it is there already or not; the folder around it must be.

    A process that has the lock gets it again: what it calls may lock the same clip.

    Args:
        clip: The clip's folder.
        wait: Whether to wait for another process that has the lock.

    Yields:
        Whether this process has the lock now; it always has if it waits.

    Raises:
        OSError: If the folder around the clip cannot be written to.
    """
    clip = clip.absolute()
    if clip in _held:
        yield True
        return
    file = clip.with_name(f".{clip.name}.lock")
    descriptor = _acquire(file, wait)
    if descriptor is None:
        yield False
        return
    _held.add(clip)
    try:
        yield True
    finally:
        _held.discard(clip)
        with suppress(OSError):
            file.unlink()
        os.close(descriptor)


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
