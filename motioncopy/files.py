"""Small files that are there whole or not at all, whatever ends the process that writes them."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Writes a text file aside and puts it in place, over an older one.

    Args:
        path: The file; its folder must be there.
        text: What it holds, written as UTF-8.

    Raises:
        OSError: If it cannot be written; an older file is then untouched.
    """
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())  # or a machine that loses its power may keep the name and not the content
    partial.replace(path)
