"""Ends a run on several processes at once when one of them is lost, and says which.

A lost GPU, a full memory or a kill takes one process; the others then wait for it in the middle of a step: half an hour
until the communication gives up, or for ever. Lightning's launcher looks after its processes every five seconds and
kills the first, which then cannot say what has happened.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from lightning import Callback, LightningModule, Trainer

from benchmarks.bench.processes import ending

_PATIENCE = 3.0  # seconds in which a process may say itself what is wrong
_GLANCE = 0.5  # seconds between two looks at whether the first process is there


class Watchdog(Callback):
    """Watches the other processes from the first one, and the first one from the others.

    Where something else than Lightning has started the processes (torchrun, a cluster), that watches them.

    Args:
        run: The run's folder, into which the reason is written; ``None`` keeps it to the terminal.
    """

    def __init__(self, run: Path | None) -> None:
        self.run = run
        self.parent = os.getppid()
        self.others: list[subprocess.Popen[bytes]] = []
        self.stopping = False
        self._child = int(os.environ.get("LOCAL_RANK", "0")) > 0
        if self._child:
            threading.Thread(target=self._watch_first, daemon=True, name="watch-first").start()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Called when the launcher has started the other processes: by the first trainer of several only."""
        started = list(getattr(trainer.strategy.launcher, "procs", ()))
        if started and not self.others:
            self.others = started
            for rank, process in enumerate(started, start=trainer.global_rank + 1):
                # A thread that waits learns of an end at once, and before Lightning's own observer.
                watch = threading.Thread(target=self._watch_other, args=(rank, process), daemon=True)
                watch.start()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Who is interrupted stops the other processes himself."""
        if not isinstance(exception, Exception):
            self.stopping = True

    def wait(self) -> None:
        """Called with an error that the loss of another process may have brought about: its watcher speaks first."""
        if self.others or self._child:
            time.sleep(_PATIENCE / 2)

    def _watch_other(self, rank: int, process: subprocess.Popen[bytes]) -> None:
        status = process.wait()
        if status > 0:
            time.sleep(_PATIENCE)  # it has said itself what is wrong, and most errors are everybody's
        if status != 0 and not self.stopping:
            self._end(f"The process of rank {rank} {ending(status)}.")

    def _watch_first(self) -> None:
        while os.getppid() == self.parent:
            time.sleep(_GLANCE)
        print("motioncopy: what started this process has gone, and so it goes too", file=sys.stderr, flush=True)
        os._exit(1)

    def _end(self, reason: str) -> None:
        if self.run is not None and self.run.is_dir() and not (failure := self.run / "failure.txt").exists():
            failure.write_text(reason)
        print(f"motioncopy: {reason}", file=sys.stderr, flush=True)
        for process in self.others:
            process.kill()
        # No way out through the main thread: it waits, in a library, for a process that is not there.
        os._exit(1)
