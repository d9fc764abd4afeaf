"""One process at a time works in a folder; the lock goes with its process, however that ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from motioncopy.errors import BusyError


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
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BusyError(busy, remedy=remedy) from error
        yield file.fileno()
