"""A small clip with every part, for the tests of the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motioncopy.footage.clips import Backend, ClipWriter, Source

SIZE = (12, 10)
BACKENDS = {"joints": Backend("seer", "1"), "mask": Backend("cutter", "2")}


def arrays(frames: int, *, every_part: bool = False) -> dict[str, NDArray[Any]]:
    """Arguments of ``ClipWriter.append``."""
    rng = np.random.default_rng(frames)
    given: dict[str, NDArray[Any]] = {
        "images": rng.integers(0, 256, (frames, *SIZE, 3), dtype=np.uint8),
        "joints": rng.random((frames, 25, 3)),
        "mask": rng.integers(0, 256, (frames, *SIZE), dtype=np.uint8),
    }
    if every_part:
        given |= {
            "parsing": rng.integers(0, 6, (frames, *SIZE), dtype=np.uint8),
            "flow": rng.normal(0, 5, (frames, *SIZE, 2)).astype(np.float32),
            "hand_left": rng.random((frames, 21, 3)),
            "hand_right": rng.random((frames, 21, 3)),
            "face": rng.random((frames, 70, 3)),
        }
    return given


def background() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def new_writer(path: Path, **changes: Any) -> ClipWriter:
    arguments: dict[str, Any] = {
        "clip_id": "dance", "person": "ada", "fps": 25, "size": SIZE, "skeleton": "body25",
        "source": Source("dance.mp4", "abc"), "backends": BACKENDS,
    }  # fmt: skip
    return ClipWriter(path, **(arguments | changes))


def write_clip(path: Path, frames: int = 7, **changes: Any) -> Path:
    with new_writer(path, **changes) as writer:
        writer.append(**arrays(frames))
        writer.set_background(background())
    return path
