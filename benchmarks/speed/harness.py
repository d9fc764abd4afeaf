"""What all speed benchmarks share: their options, calls that are timed beside one another, and a process to itself."""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import torch
from torch.utils.benchmark import Timer

Calls = Mapping[str, Callable[[], object]]


def options(description: str | None, **defaults: Any) -> argparse.ArgumentParser:
    """A parser whose description is a module's docstring, with an option for each default and of its type."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in defaults.items():
        kind, count = (type(default[0]), "+") if isinstance(default, list) else (type(default), None)
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=kind, nargs=count, default=default, help="default: %(default)s"
        )
    return parser


def set_threads(threads: int) -> None:
    """Holds torch and OpenCV to so many threads."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


def compare(case: str, calls: Calls, rounds: int, *, per: int = 1, seconds: float | None = None) -> None:
    """Times calls and prints a line for each, with how many times as long as the first it takes.

    Args:
        case: What they have in common; begins each line.
        calls: By name. They are taken in turn, so that a busy machine slows all alike, on as many threads as PyTorch
            has now; :mod:`torch.utils.benchmark` warms up and waits for a GPU.
        rounds: How often each has its turn; the median counts.
        per: How many frames, samples or windows a call works on.
        seconds: For how long it is called in a turn; by default it is called once.
    """
    timers = {
        name: Timer("call()", globals={"call": call}, num_threads=torch.get_num_threads())
        for name, call in calls.items()
    }
    turns: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, timer in timers.items():
            turn = timer.timeit(1) if seconds is None else timer.blocked_autorange(min_run_time=seconds)
            turns[name].append(turn.median / per)
    times = {name: statistics.median(found) for name, found in turns.items()}
    first = next(iter(times.values()))
    for name, time in times.items():
        ratio = f"{time / first:8.1f} times as long" if time is not first else ""
        print(f"{case:<24} {name:<42} {1000 * time:10.3f} ms {1 / time:10,.1f}/s {ratio}".rstrip(), flush=True)


def in_a_process(module: str, *arguments: object) -> dict[str, Any]:
    """What a module prints as its last line, JSON, in a process that has a memory of its own."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def peak_gib() -> float:
    """The most memory that this process has held, in GiB."""
    # getrusage would give the parent's where that is larger: it is taken over until the program starts.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s*(\d+) kB", status)[0]) / 2**20
