"""How fast puppets are rendered: ``python -m benchmarks.speed.puppets``.

A frame with image, joints, mask and parsing, and with the optical flow besides. One thread, so that the figures hold
for a loader's worker; textures and backgrounds are made before the clock starts.
"""

from __future__ import annotations

from functools import partial

from benchmarks.speed.harness import compare, options, set_threads
from datamodules.puppets import PEOPLE, Performance, render


def film(clip: Performance, *, flow: bool) -> None:
    """Renders all frames of a clip."""
    for i in range(clip.frames):
        render(clip, i, flow=flow)


def main() -> None:
    """Prints the table."""
    arguments = options(__doc__, people=5, frames=40).parse_args()
    set_threads(1)
    for size in (96, 128, 256):
        for person in PEOPLE[: arguments.people]:
            clip = Performance(person, "groove", 0, arguments.frames, size=(size, size))
            ways = {"with flow" if flow else "plain": partial(film, clip, flow=flow) for flow in (False, True)}
            compare(f"{size}x{size}, {person}", ways, 1, per=clip.frames)


if __name__ == "__main__":
    main()
