"""What a command over many files says where it had to leave some out, and the exit status that follows."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TextIO

from motioncopy.errors import MotionCopyError
from motioncopy.files.names import printable

#: Exit status: it was done but for some, which were named.
PARTLY = 3
_MOST_NAMED = 20


def status(done: int, failed: int) -> int:
    """0 if all was done, :data:`PARTLY` if some, 1 if nothing."""
    if not failed:
        return 0
    return PARTLY if done else 1


def reason(error: Exception) -> str:
    """Why something was left out, for a reader: our errors say it themselves, others begin with their kind."""
    return str(error) if isinstance(error, MotionCopyError) else f"{type(error).__name__}: {error}"


def name(failures: Iterable[tuple[object, str]], what: str, file: TextIO | None = None) -> None:
    """Prints a line for each file that was left out, with the reason.

    Args:
        failures: What it was, and why.
        what: What begins each line, such as ``not scored``.
        file: Where to; by default to standard error, where no table is.
    """
    file = sys.stderr if file is None else file
    failures = list(failures)
    for one, reason in failures[:_MOST_NAMED]:
        print(printable(f"{what}: {one}: {reason}"), file=file)
    if len(failures) > _MOST_NAMED:
        print(f"... and {len(failures) - _MOST_NAMED} more", file=file)
