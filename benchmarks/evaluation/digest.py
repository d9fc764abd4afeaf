"""What the true frames are, in eight digits: the protocol of files that follow none."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.evaluation.scoring import CHUNK
from benchmarks.evaluation.workers import Workers
from motioncopy.footage import open_footage


def protocol_of(truth: Mapping[str, Path], workers: Workers[Any]) -> str:
    """``files@`` and the first 8 digits of a SHA-256 over names, sizes, counts and decoded contents.

    The same frames as PNGs or as an array give the same digits, and it does not matter which of them a system has
    generated. A clip that cannot be decoded counts by its name and its failure.

    Args:
        truth: All true clips, by name.
        workers: Decode them.
    """
    contents = dict(workers.each(_content, truth.values()))
    digest = hashlib.sha256()
    for name, path in sorted(truth.items()):
        digest.update(repr((name, contents[path] or _UNREADABLE)).encode())
    return f"files@{digest.hexdigest()[:8]}"


_UNREADABLE = hashlib.sha256(b"cannot be decoded").hexdigest()


def _content(path: Path) -> str:
    content = hashlib.sha256()
    try:
        with open_footage(path) as footage:
            content.update(repr((len(footage), footage.size)).encode())
            for images in footage.chunks(CHUNK):
                content.update(images.tobytes())
    except Exception:  # noqa: BLE001 -- what is wrong is said when the clip is scored
        return _UNREADABLE
    return content.hexdigest()
