"""A miniature of ComplexMotion: five videos of four puppets, and clips.csv."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datamodules.puppets.rendering import Performance, render
from motioncopy.footage.video import VideoWriter


@dataclass(frozen=True)
class Take:
    """One video.

    Attributes:
        clip: The file's stem.
        person: Who is in it.
        motion: What is done.
        split: ``train`` or ``test``.
        size: (height, width) of the frames.
        fps: Frames per second.
    """

    clip: str
    person: str
    motion: str
    split: str
    size: tuple[int, int] = (256, 256)
    fps: float = 25.0


TAKES: Sequence[Take] = (
    Take("boxing", "dan", "boxing", "train"),
    Take("street_dance", "eva", "disco", "train", (288, 384), 30.0),
    Take("kung_fu", "hugo", "kicks", "test"),
    Take("warm_up", "hugo", "lunges", "test", (320, 180)),
    Take("jumps", "ines", "jumping_jacks", "test"),
)


def write(out: Path, takes: Sequence[Take] = TAKES, *, frames: int = 60) -> None:
    """Writes it.

    Args:
        out: The root; an empty folder.
        takes: The videos.
        frames: Of each video.
    """
    for seed, take in enumerate(takes, start=21):
        performance = Performance(take.person, take.motion, seed, frames, take.fps, take.size)
        with VideoWriter(out / f"{take.clip}.mp4", take.fps, take.size) as video:
            video.write(np.stack([render(performance, i).image for i in range(frames)]))
    with (out / "clips.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("clip", "person", "split"))
        table.writerows((f"{take.clip}.mp4", take.person, take.split) for take in takes)
