"""Progress of fits and tests: a bar with the time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any

from lightning import Callback, LightningModule, Trainer
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
            from rich.console import Console

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


class StageProgress(Callback):
    """Shows a stage's steps, its time left and its losses."""

    reporter: Reporter | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Opens the bar."""
        if trainer.is_global_zero:
            total = int(trainer.num_training_batches) * (trainer.max_epochs or 1)
            self.reporter = Reporter(f"Stage {getattr(pl_module, 'name', '?')}", total)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Moves it."""
        if self.reporter is not None:
            losses = {k.rsplit("/", 1)[-1]: float(v) for k, v in trainer.callback_metrics.items()}
            note = " ".join(f"{k} {v:.3g}" for k, v in list(losses.items())[:5])
            self.reporter.update(getattr(pl_module, "steps", 0), note)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Closes it."""
        if self.reporter is not None:
            self.reporter.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Gives the terminal back."""
        self.on_train_end(trainer, pl_module)


class TrialProgress(Callback):
    """Shows how many trials are generated and scored."""

    reporter: Reporter | None = None

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Opens the bar."""
        if trainer.is_global_zero:
            self.reporter = Reporter("Trials", int(trainer.num_test_batches[0]))

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        """Moves it."""
        if self.reporter is not None:
            self.reporter.update(batch_idx + 1)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Closes it."""
        if self.reporter is not None:
            self.reporter.close()
