"""Runs a benchmark job: fit, test, record, and tells who listens that it has finished."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import yaml

from benchmarks.bench.jobs import Job
from benchmarks.bench.processes import call
from benchmarks.bench.record import record_of
from motioncopy import records
from motioncopy.errors import TrainingError
from motioncopy.files.lock import alone
from motioncopy.files.writing import write_whole
from motioncopy.records import Record
from motioncopy.training.checkpoint import digest

#: Called with each job that has finished, now or before, and its record; loggers are.
Listener = Callable[[Job, Record], None]


class RunError(TrainingError):
    """A run that failed.

    Attributes:
        record: What it left behind.
    """

    def __init__(self, error: TrainingError, record: Record) -> None:
        super().__init__(error.what, expected=error.expected, found=error.found, remedy=error.remedy)
        self.record = record


def run(job: Job, *, again: bool = False, quiet: bool = False, listeners: Iterable[Listener] = ()) -> Record:
    """Fits and tests one job and writes its record; a finished one is only read.

    Args:
        job: What to run.
        again: Run it even if it has finished.
        quiet: Say nothing of a finished one.
        listeners: Are told that it has finished.

    Raises:
        RunError: If it fails; a record of the failure is kept.
        BusyError: If another process runs the same job.
    """
    with _locked(job.folder) as lock:
        data = job.data()
        content, kept = digest(data.content()), job.folder / "data.sha256"
        done = None if again else job.record()
        if done is not None and kept.is_file() and kept.read_text() != content:
            print(f"{job.stack.method}: the data have changed since it was run, running it anew")
            again = True
        if again:
            for name in ("stages", "outputs", "logs", "record.json", "method.ckpt", "failure.txt"):
                path = job.folder / name
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        elif done is not None and not _untimed(job, done):
            publish(done, job)  # a kill may have come between the two files
            _tell(listeners, job, done)
            if not quiet:
                print(f"{job.stack.method}: finished before, see {job.folder} (RERUN=1 runs it again)")
            return done
        kept.write_text(content)
        config = job.folder / "stack.yaml"
        config.write_text(yaml.safe_dump(job.config, sort_keys=False))
        start, logging = time.perf_counter(), job.log_options
        try:
            call("fit", config, job.folder, lock, *logging, *(["--fresh", "true"] if again else []))
            call("test", config, job.folder, lock, *logging, *(["--compiled", "true"] if job.compiled else []))
        except TrainingError as error:
            failed = record_of(job, data, failure=str(error))
            publish(failed, job)
            raise RunError(error, failed) from error
        record = record_of(job, data, seconds=time.perf_counter() - start)
        # First the one that says that the run has finished: published twice would be a run that nobody made.
        write_whole(job.folder / "record.json", json.dumps(record.to_dict(), indent=1, ensure_ascii=False) + "\n")
        publish(record, job)
        _tell(listeners, job, record)
        return record


def _untimed(job: Job, done: Record) -> bool:
    """Whether the compiled networks are still to be timed: the stages are then taken over, and the test is repeated."""
    return job.compiled and bool(done.costs.parameters) and done.costs.fps_compiled is None


def predict(job: Job, checkpoint: Path) -> None:
    """Generates a job's test trials by a method that has been fitted before; nothing is trained or recorded.

    Raises:
        TrainingError: If it fails.
        BusyError: If another process runs the same job.
    """
    with _locked(job.folder) as lock:
        config = job.folder / "stack.yaml"
        config.write_text(yaml.safe_dump(job.config, sort_keys=False))
        call("predict", config, job.folder, lock, "--checkpoint", str(checkpoint))


def publish(record: Record, job: Job) -> None:
    """Puts a record beside those of the other runs; does nothing if it is there already."""
    if not (job.runs / "records" / f"{record.id}.json").exists():
        records.write(record, job.runs / "records")


def _locked(folder: Path) -> AbstractContextManager[int]:
    """One process a run folder, with those it starts."""
    return alone(folder, f"another process is running {folder.name}", "wait for it, or choose another RUNS folder")


def _tell(listeners: Iterable[Listener], job: Job, record: Record) -> None:
    for listener in listeners:
        listener(job, record)
