"""A miniature of Fish: three fish, as a video with poses and camera, as images with poses, and as a stack without.

The fish of the stack swims in after some empty frames; the camera of the images has to be fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from datamodules.miniatures._animals import Take, write_take
from datamodules.puppets.animals import Swim

TAKES: Sequence[Take] = (
    Take("anemone", "tank", "video", 31, poses=True, camera=True),
    Take("carp", "carp", "images", 32, poses=True),
    Take("eel", "dish", "stack", 33, empty=12),
)


def write(out: Path, takes: Sequence[Take] = TAKES, *, frames: int = 140, size: tuple[int, int] = (160, 160)) -> None:
    """Writes it.

    Args:
        out: The root; an empty folder.
        takes: The recordings.
        frames: Of each recording in which the fish is seen.
        size: (height, width) of the frames.
    """
    for take in takes:
        write_take(out, take, Swim(take.animal, take.seed, frames, size=size), dataset="video")
