"""Stages that work at the same time, each in a thread of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

T = TypeVar("T")

_END = object()


def ahead(items: Generator[T, None, None], depth: int = 1) -> Generator[T, None, None]:
    """Yields the same items in the same order, but lets a thread make the next ones meanwhile.

    Generators that take from one another are thereby stages of a pipeline: all are at work at once, each on one item
    at a time, and none gets more than ``depth`` items ahead of the one behind it. What a stage raises is raised here.
    Closing this closes ``items``, and with them the stages before.

    Args:
        items: Runs in the thread only.
        depth: How many items are made before they are asked for.
    """
    with closing(items), ThreadPoolExecutor(1) as thread:
        made: deque[Future[T | object]] = deque()
        try:
            for _ in range(depth):
                made.append(thread.submit(next, items, _END))
            while (item := made.popleft().result()) is not _END:
                made.append(thread.submit(next, items, _END))
                yield item  # type: ignore[misc]
        finally:
            thread.shutdown(cancel_futures=True)
