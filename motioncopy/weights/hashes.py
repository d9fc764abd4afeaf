"""Hashes of weight files, and which of them the user vouched for.

Both are kept in the user's own ``~/.cache/motioncopy/weights`` and nowhere else: what lies beside a file was put there
by whoever put the file there. A note that another user can write is not believed either.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from io import BufferedReader
from pathlib import Path
from typing import Any

from motioncopy.errors import WeightsError
from motioncopy.files.documents import read_json
from motioncopy.files.writing import unwritable, write_whole

# A file system's clock ticks in milliseconds, or in seconds on some: a file that was changed just now can be changed
# again without another time, so that its hash is not kept.
_SETTLED_NS = 2_000_000_000
_WHOLE = re.compile(r"[0-9a-f]{64}")


def own_folder() -> Path:
    """Where the user's own notes lie."""
    return Path.home() / ".cache" / "motioncopy" / "weights"


def whole_hash(text: str) -> str:
    """A SHA-256 as a user types it, in lower case.

    Raises:
        WeightsError: If it is none.
    """
    if not _WHOLE.fullmatch(digest := text.strip().lower()):
        raise WeightsError("this is no whole SHA-256", expected="64 hexadecimal digits", found=text[:80])
    return digest


def trusted(name: str) -> str:
    """The whole hash that the user vouched for, empty where there is none.

    Raises:
        WeightsError: If the note is damaged, or others can write it.
    """
    digest = _notes().get(name, "")
    return digest if isinstance(digest, str) and _WHOLE.fullmatch(digest) else ""


def _notes() -> dict[str, Any]:
    path = own_folder() / "trusted.json"
    if not path.exists():
        return {}
    remedy = "delete it; whole hashes are then asked for again by `motioncopy weights add FILE --sha256 HASH`"
    if not _mine(path):
        raise WeightsError(f"others can write {path}", expected="a file of this user's alone", remedy=remedy)
    notes = read_json(path, error=WeightsError, remedy=remedy)
    if not isinstance(notes, dict):
        raise WeightsError(f"{path} is damaged", expected="names and hashes", found=type(notes).__name__, remedy=remedy)
    return notes


def trust(name: str, digest: str) -> None:
    """Keeps the whole hash that the user vouched for.

    Raises:
        WeightsError: If it cannot be written, or the note is damaged.
    """
    _write(own_folder() / "trusted.json", {**_notes(), name: digest})


def sha256_of(path: Path, file: BufferedReader) -> str:
    """The file's whole hash, which is read from the user's own note where the file is as it was.

    Reading half a gigabyte at every start takes seconds. A file is as it was if its inode, its size and both its times
    are; the time of the last change of the inode is set by the system alone.

    Args:
        path: The file's, for the note.
        file: The file, open; its position is put back to the start.
    """
    note = own_folder() / "hashes" / f"{hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:32]}.json"
    state = _state(file)
    known: dict[str, Any] = {"file": str(path.absolute()), "state": state}
    with contextlib.suppress(OSError, WeightsError):
        content = read_json(note, error=WeightsError) if _mine(note) else None
        if isinstance(content, dict) and known.items() <= content.items():
            return whole_hash(str(content.get("sha256")))
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    if state == _state(file) and time.time_ns() - max(state[-2:]) > _SETTLED_NS:
        with contextlib.suppress(WeightsError):  # read only, or full: it is computed again next time
            _write(note, {**known, "sha256": digest})
    return digest


def _state(file: BufferedReader) -> list[int]:
    stat = os.fstat(file.fileno())
    return [stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


def _mine(path: Path) -> bool:
    stat = path.stat()
    return stat.st_uid == os.getuid() and not stat.st_mode & 0o022


def _write(path: Path, content: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(content, indent=1) + "\n", error=WeightsError)
        path.chmod(0o600)
    except OSError as error:
        raise unwritable(path, error, WeightsError) from error
