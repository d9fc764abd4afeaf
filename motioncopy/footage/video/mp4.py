"""What an MP4 or QuickTime file claims to hold, held to its length before FFmpeg believes it.

A table of samples may be no more than their number: FFmpeg then takes some 75 bytes for each, 1.5 GB for the twenty
million that a file of 5 kB claims. Edit lists multiply the table (a file of 100 kB became ten million packets), and a
packed header can hide it. Boxes are those of ISO/IEC 14496-12.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from motioncopy.errors import VideoError

_CONTAINERS = frozenset({b"edts", b"mdia", b"minf", b"moof", b"moov", b"stbl", b"traf", b"trak"})
# Where a box says how many entries it has, of those that do.
_COUNTS = {b"stsz": 8, b"stz2": 8, b"trun": 4, b"elst": 4}
_MARKS = frozenset({b"trak", b"hdlr", b"cmov"})
_DEEPEST = 12
# Bytes that a sample takes at least, where it is a frame; one of sound may be a single byte.
_FRAME_BYTES = 8
# Entries of an edit list, times the samples that each may repeat: what is passed through in some ten seconds.
_MOST_REPEATED = 4_000_000


def check_mp4(path: Path) -> None:
    """Refuses a file whose boxes claim more samples than it has room for. Whatever is no MP4 passes.

    Raises:
        VideoError: If they do, or repeat them too often, or the header is packed.
    """
    with path.open("rb") as file:
        length = os.fstat(file.fileno()).st_size
        room, samples, edits, each, packed = length, 0, 1, 1, False
        for kind, body in _boxes(file, 0, length, 0):
            count = int.from_bytes(body[_COUNTS[kind] :][:4]) if kind in _COUNTS else 0
            if kind == b"trak":
                samples, edits, each = 0, 1, 1
            elif kind == b"hdlr":
                each = _FRAME_BYTES if body[8:12] == b"vide" else each
            elif kind == b"elst":
                edits = max(1, count)
            elif count:
                samples, room = count, room - count * each
            packed = packed or kind == b"cmov"
            if room < 0 or packed or (edits > 1 and samples * edits > _MOST_REPEATED):
                raise VideoError(
                    f"the index of {path} cannot be right",
                    expected=f"samples that fit into {length} bytes, and few edits of them",
                    found="a packed index" if packed else f"{samples} samples, {edits} times",
                    remedy="copy or download it anew, or convert it with a tool that you trust",
                )


def _boxes(file: BinaryIO, start: int, end: int, depth: int) -> Iterator[tuple[bytes, bytes]]:
    """Kind and first bytes of the boxes that matter. As for FFmpeg, a box ends where the one around it does."""
    while start + 8 <= end:
        file.seek(start)
        head = file.read(32)
        size, kind, body = int.from_bytes(head[:4]), head[4:8], 8
        if size == 1:
            size, body = int.from_bytes(head[8:16]), 16
        stop = min(start + size, end) if size else end
        if stop < start + body:
            return
        if kind in _COUNTS or kind in _MARKS:
            yield kind, head[body:]
        if kind in _CONTAINERS and depth < _DEEPEST:
            yield from _boxes(file, start + body, stop, depth + 1)
        start = stop
