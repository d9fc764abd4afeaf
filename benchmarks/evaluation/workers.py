"""Processes that open files from anywhere: a file that kills its decoder costs its own result and no other's."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, NamedTuple, Self, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
#: What every process is given before its first item.
Given = TypeVar("Given")

# Its import takes seconds, which one process spends once for all that are forked from it.
_PRELOADED = ["benchmarks.evaluation.run"]

#: What is said of an item whose process died.
DIED = (
    "the process that read or scored it died, of a fault in a decoder or for want of memory. "
    "Remedy: write the file anew, with another program"
)


def prepare() -> None:
    """Starts what the processes are forked from: the sooner, the less is waited for it."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(_PRELOADED)
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"  # or it would import what lies in the working directory
    try:
        forkserver.ensure_running()
    finally:
        os.environ.pop("PYTHONSAFEPATH")
        if before is not None:
            os.environ["PYTHONSAFEPATH"] = before


class _Worker(NamedTuple):
    process: BaseProcess
    connection: Connection

    def end(self) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.join()


class Workers(Generic[Given]):
    """Processes that each take one item at a time, so that it is known over which one of them died.

    A context manager. (``ProcessPoolExecutor`` breaks as a whole, without saying over what, and may then wait for ever
    for a process that it has just started.)

    Args:
        processes: How many work side by side.
        begin: Called with ``given`` once in each process.
        given: For ``begin``.
    """

    def __init__(self, processes: int, begin: Callable[[Given], None], given: Given) -> None:
        self.processes, self._begin, self._given = processes, begin, given
        self._idle: list[_Worker] = []

    def each(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[tuple[Item, Result | None]]:
        """Every item with its result, which is never ``None``, as they are done; ``None`` where its process died.

        Raises:
            Exception: What ``work`` raises.
        """
        waiting = deque(items)
        busy: dict[Connection, tuple[_Worker, Item]] = {}
        try:
            while waiting or busy:
                while waiting and len(busy) < self.processes:
                    worker = self._idle.pop() if self._idle else self._started()
                    with suppress(OSError):  # it died meanwhile, which is noticed below
                        worker.connection.send((work, waiting[0]))
                    busy[worker.connection] = worker, waiting.popleft()
                for connection in wait(list(busy)):
                    assert isinstance(connection, Connection)
                    worker, item = busy.pop(connection)
                    try:
                        done, error = connection.recv()
                    except (EOFError, OSError):
                        worker.end()
                        yield item, None
                        continue
                    self._idle.append(worker)
                    if error is not None:
                        raise error
                    yield item, done
        finally:
            for worker, _ in busy.values():
                worker.end()

    def _started(self) -> _Worker:
        prepare()
        context = multiprocessing.get_context("forkserver")
        ours, theirs = context.Pipe()
        with theirs:
            arguments = (theirs, self._begin, self._given, dict(os.environ))
            process = context.Process(target=_serve, args=arguments, daemon=True)
            process.start()
        return _Worker(process, ours)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the processes."""
        while self._idle:
            self._idle.pop().end()


def _serve(connection: Connection, begin: Callable[[Any], None], given: Any, environment: Mapping[str, str]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    os.environ.clear()  # that of the process it was forked from may be older
    os.environ.update(environment)
    begin(given)
    with suppress(EOFError):
        while True:
            work, item = connection.recv()
            try:
                connection.send((work(item), None))
            except Exception as error:  # noqa: BLE001 -- raised where the result is waited for
                connection.send((None, error))


def _end_with_parent() -> None:
    """At once, and not only when the item is done."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
