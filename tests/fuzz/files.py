"""The files of one input: what lies in a folder when a reader is let loose on it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import Enum
from pathlib import Path


class Odd(Enum):
    """What can lie in a file's place."""

    FOLDER = "folder"
    PIPE = "pipe"
    ITSELF = "a link to itself"
    ENDLESS = "a link to /dev/zero"


#: By relative path; names are file system names, undecodable bytes of which are surrogates.
Files = Mapping[str, bytes | Odd]


def write(files: Files, folder: Path) -> None:
    """Writes an input to a folder that is there; what the file system does not take is left out."""
    for name, content in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            elif content is Odd.FOLDER:
                path.mkdir()
            elif content is Odd.PIPE:
                os.mkfifo(path)
            else:
                path.symlink_to(path.name if content is Odd.ITSELF else "/dev/zero")
        except OSError:
            continue


def read(path: Path) -> Files:
    """The input that lies in a folder, or that a file is."""
    if not path.is_dir():
        return {path.name: path.read_bytes()}
    found: dict[str, bytes | Odd] = {}
    for place in sorted(path.rglob("*")):
        name = str(place.relative_to(path))
        if place.is_symlink():
            found[name] = Odd.ENDLESS if str(place.readlink()) == "/dev/zero" else Odd.ITSELF
        elif place.is_fifo():
            found[name] = Odd.PIPE
        elif place.is_file():
            found[name] = place.read_bytes()
        elif not any(place.iterdir()):
            found[name] = Odd.FOLDER
    return found


def described(files: Files) -> str:
    """In a line, for messages."""
    parts = [f"{n[:40]!a} ({len(c)} bytes)" if isinstance(c, bytes) else f"{n[:40]!a} ({c.value})"
             for n, c in files.items()]  # fmt: skip
    return ", ".join(parts[:3]) + (f" and {len(parts) - 3} more" if len(parts) > 3 else "") or "no file"
