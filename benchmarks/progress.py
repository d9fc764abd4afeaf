"""Progress of whatever takes long: a bar with the time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Reporter:
    """A rich bar where somebody watches; otherwise a line at every tenth of the way.

    Args:
        title: Of what.
        total: How many there are to do.
    """

    def __init__(self, title: str, total: int) -> None:
        self.title, self.total, self.count = title, max(1, total), 0
        self.begin, self.start = time.perf_counter(), 0
        self.bar: Progress | None = None
        if sys.stderr.isatty():
            self.bar = Progress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
                console=Console(stderr=True),
            )  # fmt: skip
            self.task = self.bar.add_task(title, total=self.total, note="")
            self.bar.start()

    def update(self, count: int, note: str = "") -> None:
        """So many are done."""
        if self.count == 0 and count > 1:
            self.start = count - 1  # resumed: the rate counts from here
        before, self.count = self.count, count
        if self.bar is not None:
            self.bar.update(self.task, completed=count, note=note)
        elif count * 10 // self.total > before * 10 // self.total or before == 0:
            elapsed = time.perf_counter() - self.begin
            left = elapsed / max(1, count - self.start) * (self.total - count)
            print(f"{self.title}: {count}/{self.total}, {elapsed:.0f} s, {left:.0f} s left {note}", flush=True)

    def close(self) -> None:
        """Leaves the bar as it is."""
        if self.bar is not None:
            self.bar.stop()
