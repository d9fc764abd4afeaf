"""Lets the readers loose on valid, hostile and mutated inputs, in processes that may die, and counts what happens."""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import re
import shutil
import signal
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.fuzz import files, hostile
from tests.fuzz.broken import reader_of
from tests.fuzz.child import BYTES, KINDS, OFFENCES, SECONDS, Verdict, serve, trace_file
from tests.fuzz.files import Files
from tests.fuzz.mutate import mutated

# Importing what readers import takes seconds: once, in a process that has done nothing else before its children begin.
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["tests.fuzz.child", "tests.fuzz.stages", "tests.fuzz.broken"])
_PAGE = os.sysconf("SC_PAGE_SIZE")
_INPUTS_A_CHILD = 500
_KEPT = 3  # inputs of each kind of offence


@dataclass
class Task:
    """One input.

    Attributes:
        reader: A name of :data:`tests.fuzz.readers.READERS`.
        files: What it is given.
        valid: Whether it has to be accepted.
        name: What it is called in messages.
    """

    reader: str
    files: Files
    valid: bool
    name: str


class Worker:
    """A child that reads one input after another; a new one stands in where it dies or is ended."""

    def __init__(self, base: Path) -> None:
        self.base, self._number = base, 0
        self.task: Task | None = None
        self._process: multiprocessing.process.BaseProcess | None = None
        self.connection: Connection | None = None
        self._began, self._done = 0.0, 0

    def give(self, task: Task) -> None:
        """Starts on an input."""
        if self._process is None:
            self._start()
        assert self.connection is not None
        self.task, self._began = task, time.monotonic()
        self.connection.send((task.reader, task.files))

    def verdict(self) -> Verdict | None:
        """Of the input that it was given, once there is one. What takes too long or too much is ended."""
        assert self.connection is not None
        assert self._process is not None
        found: Verdict | None = None
        if self.connection.poll():
            try:
                found = self.connection.recv()
            except (EOFError, ConnectionError):
                self._process.join()
                code = self._process.exitcode or 0
                by = signal.Signals(-code).name if code < 0 else f"exit {code}"
                found = Verdict("crashed", f"{self._trace()}\nended by {by}")
                self.stop()
        elif time.monotonic() - self._began > SECONDS:
            found = Verdict("hang", f"{self._trace()}\nmore than {SECONDS:.0f} s")
            self.stop()
        elif (held := self._held()) > BYTES:
            found = Verdict("too large", f"{self._trace()}\n{held // 2**20} MiB and rising", megabytes=held // 2**20)
            self.stop()
        if found is not None:
            self.task, self._done = None, self._done + 1
            if self._done >= _INPUTS_A_CHILD:
                self.stop()
        return found

    def _trace(self) -> str:
        """Where the child is, or was when it crashed: the innermost calls first."""
        assert self._process is not None
        if self._process.is_alive() and self._process.pid is not None:
            os.kill(self._process.pid, signal.SIGUSR1)
        written = ""
        for _ in range(50):  # until it is written, and whole
            time.sleep(0.1)
            before = written
            with suppress(OSError):
                written = trace_file(self._folder).read_text()
            if (written and written == before) or not self._process.is_alive():
                break
        return "\n".join(written.splitlines()[:12])

    def stop(self) -> None:
        """Ends the child and takes its folder away."""
        if self._process is not None and self.connection is not None:
            self._process.kill()
            self._process.join()
            self.connection.close()
            shutil.rmtree(self._folder, ignore_errors=True)
            trace_file(self._folder).unlink(missing_ok=True)
        self._process, self.connection, self._done = None, None, 0

    @property
    def _folder(self) -> Path:
        return self.base / str(self._number)

    def _start(self) -> None:
        self._number += 1
        self._folder.mkdir(parents=True)
        self.connection, theirs = _SERVER.Pipe()
        self._process = _SERVER.Process(target=serve, args=(theirs, self._folder), daemon=True)
        self._process.start()
        theirs.close()
        self.connection.recv()  # it is ready: the time of an input is that of its reading, however loaded the machine

    def _held(self) -> int:
        assert self._process is not None
        with suppress(OSError, IndexError):
            return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * _PAGE
        return 0


@dataclass
class Report:
    """What came of all inputs.

    Attributes:
        counts: For each reader, how often each kind of verdict.
        offences: For each (reader, kind, where), how often, one that stands for all, and where inputs were kept.
        doubts: Refusals that are poorly said: for each (reader, doubt), how often and one of them.
        slowest: For each reader, the longest that an input took, in seconds.
        largest: For each reader, the most memory, in MiB.
    """

    counts: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    offences: dict[tuple[str, str, str], tuple[int, str, list[Path]]] = field(default_factory=dict)
    doubts: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    slowest: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    largest: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def take(self, task: Task, verdict: Verdict, seconds: float, keep: Path) -> None:
        """Counts an input, and keeps an offending one."""
        kind, detail = verdict.kind, verdict.detail
        if task.valid and kind == "refused":
            kind, detail = "uncaught", f"a valid input was refused: {detail}"
        self.counts[task.reader][kind] += 1
        self.slowest[task.reader] = max(self.slowest[task.reader], seconds)
        self.largest[task.reader] = max(self.largest[task.reader], verdict.megabytes)
        if verdict.doubt and kind == "refused":
            count, first = self.doubts.get((task.reader, verdict.doubt), (0, detail))
            self.doubts[task.reader, verdict.doubt] = (count + 1, first)
        if kind in OFFENCES:
            where = (task.reader, kind, _place(detail))
            count, first, kept = self.offences.get(where, (0, detail, []))
            if len(kept) < _KEPT:
                folder = keep / f"{task.reader}-{task.name}"
                folder.mkdir(parents=True, exist_ok=True)
                files.write(task.files, folder)
                (keep / f"{folder.name}.why").write_text(
                    f"{kind}\n{files.described(task.files)}\n{detail}\n", errors="replace"
                )
                kept = [*kept, folder]
            self.offences[where] = (count + 1, first, kept)

    def table(self) -> str:
        """The counts, a line a reader."""
        rows = [["reader", *KINDS, "slowest s", "most MiB"]]
        for reader in sorted(self.counts):
            counts = self.counts[reader]
            rows.append([reader, *(str(counts[kind] or ".") for kind in KINDS), f"{self.slowest[reader]:.1f}",
                         str(self.largest[reader])])  # fmt: skip
        total = sum(self.counts.values(), Counter())
        rows.append(["all", *(str(total[kind]) for kind in KINDS), f"{max(self.slowest.values(), default=0):.1f}",
                     str(max(self.largest.values(), default=0))])  # fmt: skip
        widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        return "\n".join(
            "  ".join(
                cell.ljust(w) if k == 0 else cell.rjust(w) for k, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        )


def _place(detail: str) -> str:
    """What offences are counted together by: the error, and the line of our own that is nearest to it."""
    lines = detail.rstrip().splitlines() or [""]
    ours = [line.strip() for line in lines if line.lstrip().startswith("File ") and "site-packages" not in line]
    nearest = (ours[0] if "most recent call first" in detail else ours[-1]) if ours else ""
    return f"{nearest} {re.sub(r'[0-9]+|/[^ ]*', '', lines[-1].partition(':')[0])[:60]}"


@dataclass(frozen=True)
class Supply:
    """What is given to a reader.

    Attributes:
        valid: What it must accept, and what mutations begin with.
        hostile: What was made to harm.
    """

    valid: list[Files]
    hostile: list[Files]


def supplies(readers: Sequence[str], *, hostile_too: bool = True) -> dict[str, Supply]:
    """The inputs of readers, made in a process of its own: here, it would leave threads and memory behind."""
    ours, theirs = _SERVER.Pipe(duplex=False)
    process = _SERVER.Process(target=_make, args=(theirs, readers, hostile_too), daemon=True)
    process.start()
    theirs.close()
    try:
        made: dict[str, Supply] = ours.recv()
    except EOFError:
        raise RuntimeError("the inputs cannot be made; what failed stands above") from None
    finally:
        process.join()
    return made


def _make(connection: Connection, readers: Sequence[str], hostile_too: bool) -> None:
    logging.disable()
    warnings.simplefilter("ignore")
    with TemporaryDirectory() as home:
        os.environ["HOME"] = home
        made = {}
        for reader in readers:
            valid = reader_of(reader).seeds()
            made[reader] = Supply(valid, hostile.inputs(reader, valid) if hostile_too else [])
        connection.send(made)


def tasks(given: Mapping[str, Supply], inputs: int, seed: int) -> Iterator[Task]:
    """All inputs: the valid ones, the hostile ones, then mutated ones of all readers in turn.

    Args:
        given: For each reader.
        inputs: How many altogether, at least; the valid and the hostile ones are not left out.
        seed: Of the mutations.
    """
    fixed = [Task(reader, made, number < len(supply.valid), f"fixed-{number}")
             for reader, supply in given.items()
             for number, made in enumerate([*supply.valid, *supply.hostile])]  # fmt: skip
    yield from fixed
    for number in range(math.ceil((inputs - len(fixed)) / len(given))):
        for reader, supply in given.items():
            rng = Random(f"{seed}/{reader}/{number}")
            yield Task(reader, mutated(supply.valid, rng), False, f"{seed}-{number}")


def run(work: Iterator[Task], total: int, keep: Path, *, jobs: int = 2, quiet: bool = False) -> Report:
    """Has all inputs read.

    Args:
        work: The inputs.
        total: How many, for the time left.
        keep: Where offending ones are put.
        jobs: How many processes read.
        quiet: Show no progress.
    """
    report, begun, shown, done = Report(), time.monotonic(), 0.0, 0
    with TemporaryDirectory(prefix="motioncopy-fuzz-") as base:
        workers = [Worker(Path(base) / str(k)) for k in range(jobs)]
        started: dict[int, float] = {}
        try:
            more = True
            while more or any(worker.task for worker in workers):
                for k, worker in enumerate(workers):
                    if worker.task is None and more:
                        task = next(work, None)
                        if task is None:
                            more = False
                        else:
                            started[k] = time.monotonic()
                            worker.give(task)
                wait([w.connection for w in workers if w.connection is not None and w.task], timeout=0.05)
                for k, worker in enumerate(workers):
                    given = worker.task
                    if given is not None and (verdict := worker.verdict()) is not None:
                        report.take(given, verdict, time.monotonic() - started[k], keep)
                        done += 1
                if not quiet and time.monotonic() - shown > 5:
                    shown = time.monotonic()
                    _show(report, done, total, shown - begun)
        finally:
            for worker in workers:
                worker.stop()
    return report


def _show(report: Report, done: int, total: int, seconds: float) -> None:
    left = max(0.0, seconds / max(done, 1) * (total - done))
    offences = sum(count for count, _, _ in report.offences.values())
    print(
        f"{done} of {max(total, done)} inputs, {offences} offences, {seconds:.0f} s, about {left:.0f} s left",
        file=sys.stderr, flush=True,
    )  # fmt: skip
