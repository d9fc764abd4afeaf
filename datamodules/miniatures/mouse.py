"""A miniature of Mouse: three mice, as a video with poses, as a stack of heights with poses and camera, and without.

The camera of the video has to be fitted; the third mouse comes in after some empty frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from datamodules.miniatures._animals import Take, write_take
from datamodules.puppets.animals import Walk

TAKES: Sequence[Take] = (
    Take("agouti", "arena", "video", 43, poses=True),
    Take("brindle", "arena", "stack", 41, poses=True, camera=True),
    Take("cinnamon", "arena", "stack", 42, empty=12),
)


def write(out: Path, takes: Sequence[Take] = TAKES, *, frames: int = 140, size: tuple[int, int] = (160, 160)) -> None:
    """Writes it.

    Args:
        out: The root; an empty folder.
        takes: The recordings.
        frames: Of each recording in which the mouse is seen.
        size: (height, width) of the frames.
    """
    for take in takes:
        performance = Walk(take.animal, take.seed, frames, size=size)
        write_take(out, take, performance, dataset="frames", heights=True, tail_first=True)
