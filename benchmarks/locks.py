"""One process at a time works in a folder; the lock goes with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from motioncopy.errors import BusyError, MotionCopyError


@contextmanager
def alone(folder: Path, busy: str, remedy: str) -> Iterator[int]:
    """Keeps other processes out of a folder, which is made if it is not there.

    Args:
        folder: The folder.
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
        opened = (folder / ".lock").open("w")
    except OSError as error:
        raise MotionCopyError(
            f"{folder} cannot be written to",
            found=error.strerror,
            remedy="make room there, or choose another folder",
        ) from error
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BusyError(busy, remedy=remedy) from error
        yield file.fileno()


#: The folder whose lock the starting process has handed on to this one.
HELD = "MOTIONCOPY_HELD_FOLDER"


@contextmanager
def held(run: Path) -> Iterator[None]:
    """Keeps other processes out of a run's folder, unless whoever started this one does so already.

    Raises:
        BusyError: If another process works there.
    """
    if os.environ.get(HELD) == str(run.resolve()):
        yield
        return
    with alone(run, f"another process works in {run}", "wait for it, or choose another folder by --run"):
        yield
