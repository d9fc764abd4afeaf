"""How fast puppets are rendered: ``python -m benchmarks.speed.puppets``.

Prints frames a second with image, joints, mask and parsing, and with the optical flow besides. One thread, so that
the figures hold for a loader's worker; textures and backgrounds are made before the clock starts.
"""

from __future__ import annotations

import argparse
from functools import partial
from statistics import median

import cv2

from benchmarks.speed.timing import medians
from datamodules.puppets import PEOPLE, Performance, render


def frames_a_second(size: int, *, flow: bool, people: int, frames: int) -> float:
    """Median over people of the frames rendered a second.

    Args:
        size: Height and width.
        flow: Whether the optical flow is made too.
        people: How many of the cast to render.
        frames: Frames a person.
    """

    def film(person: str) -> None:
        clip = Performance(person, "groove", 0, frames, size=(size, size))
        for i in range(frames):
            render(clip, i, flow=flow)

    calls = {person: partial(film, person) for person in PEOPLE[:people]}
    return frames / median(medians(calls, 1).values())


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=5)
    parser.add_argument("--frames", type=int, default=40)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    print("size   frames/s   with flow")
    for size in (96, 128, 256):
        plain, with_flow = (
            frames_a_second(size, flow=flow, people=arguments.people, frames=arguments.frames) for flow in (False, True)
        )
        print(f"{size:4d} {plain:10.1f} {with_flow:11.1f}")


if __name__ == "__main__":
    main()
