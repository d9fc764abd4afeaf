"""Speed and memory of ``motioncopy prepare``: ``python -m benchmarks.speed.prepare [--video FILE]``.

A video is looped to each of the lengths, and prepared in a process of its own. Goals on two cores, at 256 pixels with
MediaPipe's pose and mask: at least 20 frames a second for the whole pipeline, and memory that does not grow with the
length. The first length is also prepared with one stage after the other, as a peer in the same run. Without a video, a
puppet is filmed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from itertools import cycle, islice
from pathlib import Path

from benchmarks.speed.harness import in_a_process, options, peak_gib
from datamodules.puppets import PEOPLE, Performance, render
from motioncopy.footage.perception import config
from motioncopy.footage.prepare import prepare
from motioncopy.footage.video import VideoReader, VideoWriter


def film_puppet(path: Path, size: int, frames: int) -> None:
    """A puppet that grooves, square, as a video."""
    performance = Performance(PEOPLE[0], "groove", 0, frames, size=(size, size))
    with VideoWriter(path, performance.fps, performance.size) as writer:
        for frame in range(frames):
            writer.write(render(performance, frame).image[None])


def loop(source: Path, path: Path, frames: int) -> None:
    """A video of that many frames: the source, over and over."""
    with VideoReader(source) as reader, VideoWriter(path, reader.fps, reader.size) as writer:
        for frame in islice(cycle(range(len(reader))), frames):
            writer.write(reader.frames([frame]))


def measure(arguments: argparse.Namespace) -> None:
    """Prepares one video in this process, and prints what it took as JSON."""
    (result,) = prepare(
        [arguments.video],
        arguments.out,
        max_size=arguments.max_size,
        parts=tuple(arguments.parts.split(",")),
        backends=config.load(arguments.perception),
        overlap=not arguments.in_turn,
    )
    print(json.dumps({"frames": result.frames, "seconds": result.elapsed, "stages": result.seconds, "gib": peak_gib()}))


def main() -> None:
    """Prints the table."""
    parser = options(__doc__, lengths=[150, 1500], size=512, max_size=256, parts="mask", perception="mediapipe")
    parser.add_argument("--video", type=Path, help="what is looped, instead of a puppet of --size")
    parser.add_argument("--in-turn", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.out:
        measure(arguments)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        source = arguments.video or folder / "puppet.mp4"
        if arguments.video is None:
            film_puppet(source, arguments.size, min(50, *arguments.lengths))
        print(f"{'frames':>7} {'stages':<10} {'frames/s':>8} {'peak MiB':>9}  each stage while at work, frames/s")
        for length in arguments.lengths:
            video = folder / f"{length}.mp4"
            loop(source, video, length)
            for way in ("at once", "in turn") if length == arguments.lengths[0] else ("at once",):
                got = in_a_process(
                    "benchmarks.speed.prepare", "--video", video, "--out", folder / f"{length}-{way}", "--parts",
                    arguments.parts, "--perception", arguments.perception, "--max-size", arguments.max_size,
                    *(["--in-turn"] if way == "in turn" else []),
                )  # fmt: skip
                speed, memory = got["frames"] / got["seconds"], 1024 * got["gib"]
                stages = ", ".join(f"{name} {got['frames'] / taken:.0f}" for name, taken in got["stages"].items())
                print(f"{got['frames']:>7} {way:<10} {speed:>8.1f} {memory:>9.0f}  {stages}", flush=True)


if __name__ == "__main__":
    main()
