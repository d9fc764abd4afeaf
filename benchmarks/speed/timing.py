"""Times calls beside one another, by :mod:`torch.utils.benchmark`, which warms up and waits for a GPU."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping

import torch
from torch.utils.benchmark import Timer


def medians(calls: Mapping[str, Callable[[], object]], rounds: int, seconds: float | None = None) -> dict[str, float]:
    """Median seconds of each call; they are taken in turn, so that a busy machine slows all alike.

    Args:
        calls: By name. They run on as many threads as PyTorch has now.
        rounds: How often each has its turn.
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
            turns[name].append(turn.median)
    return {name: statistics.median(times) for name, times in turns.items()}
