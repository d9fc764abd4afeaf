"""The report's folder: written aside and put in place whole, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from motioncopy.errors import RecordError
from motioncopy.files.writing import aside, unwritable

#: Stands in the page, and tells a report from anything else that may lie in the folder.
GENERATOR = "motioncopy report"
PAGE = "index.html"


def is_report(folder: Path) -> bool:
    """Whether a folder holds a report, and so may be replaced by a newer one."""
    page = folder / PAGE
    return page.is_file() and f'content="{GENERATOR}"' in page.read_text(encoding="utf-8", errors="replace")[:2000]


@contextmanager
def replaced(out: Path) -> Iterator[Path]:
    """A new folder to write into, which takes the name ``out`` when the block ends without an exception.

    Raises:
        RecordError: If something that is not a report lies at ``out``, or the folder cannot be made.
    """
    new, old = aside(out.absolute()), aside(out.absolute())  # which has a name, even of `.`
    try:
        if (out.exists() or out.is_symlink()) and not is_report(out) and not (out.is_dir() and not any(out.iterdir())):
            raise RecordError(f"{out} is there, and is no report", remedy="choose another folder with --out")
        new.mkdir(parents=True)
        try:
            yield new
            if out.exists():
                out.rename(old)
            try:
                new.rename(out)
            except OSError:
                if old.exists():
                    old.rename(out)
                raise
        finally:
            shutil.rmtree(new, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise unwritable(out, error, RecordError) from error
