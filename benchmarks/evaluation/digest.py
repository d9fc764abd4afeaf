"""What the true frames are, in eight digits: the protocol of files that follow none."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from benchmarks.evaluation.scoring import CHUNK
from motioncopy.errors import MotionCopyError
from motioncopy.footage import open_footage


def protocol_of(truth: Mapping[str, Path]) -> str:
    """``files@`` and the first 8 digits of a SHA-256 over names, sizes, counts and decoded contents.

    The same frames as PNGs or as an array give the same digits, and it does not matter which of them a system has
    generated. A clip that cannot be decoded counts by its name and its failure.

    Args:
        truth: All true clips, by name.
    """
    digest = hashlib.sha256()
    for name, path in sorted(truth.items()):
        content = hashlib.sha256()
        try:
            with open_footage(path) as footage:
                content.update(repr((len(footage), footage.size)).encode())
                for images in footage.chunks(CHUNK):
                    content.update(images.tobytes())
        except MotionCopyError:
            content = hashlib.sha256(b"cannot be decoded")
        digest.update(repr((name, content.hexdigest())).encode())
    return f"files@{digest.hexdigest()[:8]}"
