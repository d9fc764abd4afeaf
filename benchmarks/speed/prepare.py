"""Speed and memory of ``motioncopy prepare``: ``python -m benchmarks.speed.prepare [--video FILE]``.

A video is looped to each of the lengths, and prepared in a process of its own. Goals on two cores, at 256 pixels with
MediaPipe's pose and mask: at least 20 frames a second for the whole pipeline, and memory that does not grow with the
length. The first length is also prepared with one stage after the other, as a peer in the same run. Without a video, a
puppet is filmed.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

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


def measure(video: Path, out: Path, perception: str, max_size: int, parts: tuple[str, ...], overlap: bool) -> None:
    """Prepares one video in this process, and prints what it took as JSON; memory in MiB."""
    backends = config.load(perception)
    (result,) = prepare([video], out, max_size=max_size, parts=parts, backends=backends, overlap=overlap)
    # getrusage would give the parent's memory where that is larger: it is taken over until the program starts.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(next(iter(re.findall(r"VmHWM:\s*(\d+) kB", status)))) / 1024
    print(json.dumps({"frames": result.frames, "seconds": result.elapsed, "stages": result.seconds, "peak": peak}))


def in_a_process(video: Path, out: Path, arguments: argparse.Namespace, overlap: bool) -> dict[str, Any]:
    """What :func:`measure` prints."""
    command = [
        sys.executable, "-m", "benchmarks.speed.prepare", "--measure", "--video", video, "--out", out,
        "--perception", arguments.perception, "--max-size", arguments.max_size, "--parts", arguments.parts,
        *([] if overlap else ["--in-turn"]),
    ]  # fmt: skip
    ran = subprocess.run([str(c) for c in command], check=True, stdout=subprocess.PIPE, text=True)
    measured: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return measured


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, help="what is looped, instead of a puppet")
    parser.add_argument("--lengths", type=int, nargs="+", default=[150, 1500], metavar="FRAMES")
    parser.add_argument("--size", type=int, default=512, help="height and width of the puppet's video")
    parser.add_argument("--max-size", type=int, default=256)
    parser.add_argument("--parts", default="mask")
    parser.add_argument("--perception", default="mediapipe", help="a config's name, or a YAML file")
    for hidden in ("--measure", "--in-turn"):
        parser.add_argument(hidden, action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        parts = tuple(arguments.parts.split(","))
        measure(arguments.video, arguments.out, arguments.perception, arguments.max_size, parts, not arguments.in_turn)
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
            for overlap in (True, False) if length == arguments.lengths[0] else (True,):
                got = in_a_process(video, folder / f"{length}-{overlap}", arguments, overlap)
                speeds = np.divide(got["frames"], list(got["stages"].values()))
                stages = ", ".join(f"{name} {speed:.0f}" for name, speed in zip(got["stages"], speeds, strict=True))
                print(
                    f"{got['frames']:>7} {'at once' if overlap else 'in turn':<10} "
                    f"{got['frames'] / got['seconds']:>8.1f} {got['peak']:>9.0f}  {stages}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
