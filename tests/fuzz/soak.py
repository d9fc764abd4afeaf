"""``python -m tests.fuzz.soak``: many clips with flat memory and few descriptors, and a report of many trials."""

from __future__ import annotations

import argparse
import gc
import resource
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.report.build import build
from motioncopy.errors import MotionCopyError
from motioncopy.footage import open_footage
from motioncopy.footage.clips import Clip
from motioncopy.footage.video import VideoWriter
from tests.benchmarks.report.made import SSIM, record, run_folder
from tests.toys import write_clip

#: What may be left behind by reading, however much: of memory in MiB, and of open files.
FLAT_MEGABYTES, FLAT_FILES = 40, 8


@dataclass(frozen=True)
class Held:
    """What a process holds: memory in MiB, and open files."""

    megabytes: float
    files: int

    @classmethod
    def now(cls) -> Held:
        """This one, at present."""
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return cls(pages * resource.getpagesize() / 2**20, len(list(Path("/proc/self/fd").iterdir())))


def growth(what: str, count: int, read: Callable[[int], None]) -> list[str]:
    """Reads one after another, and compares what is held after a tenth with what is held at the end.

    Returns:
        What is wrong.
    """
    for number in range(count // 10):
        read(number)
    first, begun = Held.now(), time.monotonic()
    for number in range(count // 10, count):
        read(number)
    last = Held.now()
    megabytes, files = last.megabytes - first.megabytes, last.files - first.files
    print(f"{count} {what}: {megabytes:+.1f} MiB, {files:+d} open files, {time.monotonic() - begun:.1f} s", flush=True)
    return [f"{what}: memory is not flat"] * (megabytes > FLAT_MEGABYTES) + [f"{what}: files stay open"] * (
        files > FLAT_FILES
    )


def clips_in_turn(place: Path, count: int) -> list[str]:
    """Clips, each opened, read in all parts, verified and let go."""
    made = [write_clip(place, f"turn-{k}", frames=8, parsed=True) for k in range(20)]

    def read(number: int) -> None:
        clip = Clip.open(made[number % len(made)])
        every = range(len(clip))
        for part in (clip.images, clip.mask, clip.parsing, clip.flow):
            part(every)
        clip.verify()

    return growth("clips in turn", count, read)


def videos_in_turn(place: Path, count: int) -> list[str]:
    """Videos, opened, read and closed; every third is damaged."""
    paths = []
    for k in range(6):
        paths.append(place / f"{k}.mp4")
        with VideoWriter(paths[-1], 25, (64, 64)) as writer:
            writer.write(np.full((8, 64, 64, 3), 20 * k, np.uint8))
        if k % 3 == 2:
            paths[-1].write_bytes(paths[-1].read_bytes()[: 300 * k])

    def read(number: int) -> None:
        try:
            with open_footage(paths[number % len(paths)]) as footage:
                next(footage.chunks(8))
        except MotionCopyError:
            assert number % 3 == 2

    return growth("videos in turn", count, read)


def clips_at_once(place: Path, count: int, descriptors: int) -> list[str]:
    """Clips that are all open at once, under a limit of files: they are read, or the message names the limit."""
    made = [write_clip(place, f"once-{k}", frames=3) for k in range(count)]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before, begun = Held.now(), time.monotonic()
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, hard))
    try:
        clips = [Clip.open(path) for path in made]
        for clip in clips:
            clip.images([0, 2]), clip.mask([1]), clip.joints, clip.background
        held = Held.now()
        print(
            f"{count} clips at once under ulimit -n {descriptors}: {held.megabytes - before.megabytes:+.1f} MiB, "
            f"{held.files - before.files:+d} open files, {time.monotonic() - begun:.1f} s"
        )
    except MotionCopyError as error:
        print(f"{count} clips at once under ulimit -n {descriptors}: {error}")
        return [] if "ulimit" in str(error) else ["clips at once: the message does not name the limit"]
    except OSError as error:
        return [f"clips at once: {error!r}"]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return []


def report(place: Path, trials: int) -> list[str]:
    """A report of runs with so many trials altogether."""
    names = [f"trial-{k}" for k in range(trials // 3)]
    records = [record(seed=seed, trials=names) for seed in range(3)]
    for its in records:
        run_folder(place / "runs", its, keys=(SSIM,))
    with ExitStack() as stack:
        out = Path(stack.enter_context(TemporaryDirectory())) / "report"
        begun = time.monotonic()
        built = build(records, out, runs=place / "runs")
        size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 1e6
    print(
        f"a report of {trials} trials: {built.clips} clips, {size:.1f} MB, {time.monotonic() - begun:.1f} s", flush=True
    )
    return [f"the report left out {built.aside[0]}"] if built.aside else []


def main() -> int:
    """Runs all of them.

    Returns:
        1 if something is not flat, or failed.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.soak", description=__doc__)
    parser.add_argument("--clips", type=int, default=500, help="and videos, one after another (default: %(default)s)")
    parser.add_argument("--at-once", type=int, default=1000, help="clips that are open at once (default: %(default)s)")
    parser.add_argument("--trials", type=int, default=300, help="of the report (default: %(default)s)")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        place = Path(folder)
        wrong = clips_in_turn(place, arguments.clips) + videos_in_turn(place, arguments.clips)
        wrong += clips_at_once(place, arguments.at_once, 1024) + report(place, arguments.trials)
    print("\n".join(wrong) or "all flat")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
