"""What runs inside a SLURM job: signals end the fit, never the run; Lightning stays out of SLURM's affairs."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

from benchmarks.bench import runner
from benchmarks.bench.jobs import Job
from benchmarks.cluster import task
from benchmarks.cluster.task import ClusterTask
from motioncopy.errors import BusyError, TrainingError
from motioncopy.records import Record
from tests.benchmarks.cluster.conftest import record_of, tiny_job


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The variables and handlers that a SLURM job changes for itself."""
    for name in ("SLURM_JOB_NAME", "SLURM_NTASKS", "SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet has, too."""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_a_warned_job_ends_all_that_it_started_and_goes_on_if_it_is_spared(
    clips: Path, child: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job, calls = tiny_job(clips), []
    record = record_of(job)
    assert child.stdout is not None
    grandchild = int(child.stdout.readline())

    def run(given: Job, **_: Any) -> Record:
        calls.append(given)
        if len(calls) == 1:
            signal.raise_signal(signal.SIGTERM)
            pytest.fail("the warning did not reach the run")
        return record

    monkeypatch.setattr(runner, "run", run)
    monkeypatch.setattr(task, "PATIENCE", 0.0)
    assert ClusterTask(job)() == record.id
    assert calls == [job, job]
    assert child.wait(10) == -signal.SIGKILL
    assert gone(grandchild)


def test_a_failure_that_a_warning_caused_is_not_recorded(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fit gets the signal too, and may be down before this process hears of it."""
    job, calls = tiny_job(clips), []

    def call(command: str, *_: Any) -> None:
        calls.append(command)
        if len(calls) == 1:
            raise TrainingError("fit failed", found="it was ended by SIGTERM")
        raise BusyError("enough seen")

    def record(*_: Any, **__: Any) -> Record:
        signal.raise_signal(signal.SIGTERM)
        return record_of(job, "failed")

    monkeypatch.setattr(runner, "call", call)
    monkeypatch.setattr(runner, "record_of", record)
    monkeypatch.setattr(task, "PATIENCE", 0.0)
    monkeypatch.setattr(task, "LEFTOVER", 0.0)
    with pytest.raises(BusyError, match="enough seen"):
        ClusterTask(job)()
    assert calls == ["fit", "fit"]
    assert not (job.runs / "records").exists()


def test_a_requeued_job_waits_for_what_is_left_of_its_first_try(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = tiny_job(clips)
    calls: list[Job] = []
    slept: list[float] = []
    record = record_of(job)

    def run(given: Job, **_: Any) -> Record:
        calls.append(given)
        if len(calls) < 3:
            raise BusyError("another process is running it")
        return record

    monkeypatch.setattr(runner, "run", run)
    monkeypatch.setattr(time, "sleep", slept.append)
    assert ClusterTask(job)() == record.id
    assert len(slept) == 2
    monkeypatch.setattr(task, "LEFTOVER", -1.0)
    calls.clear()
    with pytest.raises(BusyError):
        ClusterTask(job)()


def test_before_a_requeue_all_is_ended_and_the_same_is_called_again(clips: Path, child: subprocess.Popen[str]) -> None:
    job = tiny_job(clips)
    assert child.stdout is not None
    grandchild = int(child.stdout.readline())
    one = ClusterTask(job)
    again = pickle.loads(pickle.dumps(one.checkpoint()))
    assert child.wait(10) == -signal.SIGKILL
    assert gone(grandchild)
    assert isinstance(again.function, ClusterTask)
    assert again.function.job.id == job.id
    assert (again.args, again.kwargs) == ((), {})
    one._warn(signal.SIGTERM, None)  # which SLURM sends while the job is being requeued: no second end


def test_lightning_does_not_take_a_job_for_a_task_of_slurm(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "1")
    monkeypatch.setenv("SLURM_JOB_NAME", "fakemotion")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "6")
    assert SLURMEnvironment.detect(), "else this test shows nothing"
    seen: dict[str, Any] = {}

    def run(job: Job, **_: Any) -> Record:
        seen.update(slurm=SLURMEnvironment.detect(), threads=os.environ["OMP_NUM_THREADS"])
        return record_of(job)

    monkeypatch.setattr(runner, "run", run)
    ClusterTask(tiny_job(clips, devices=2))()
    assert seen == {"slurm": False, "threads": "3"}


def test_a_failure_says_which_record_it_left(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = tiny_job(clips)
    record = record_of(job, "failed")

    def run(job: Job, **_: Any) -> Record:
        raise runner.RunError(TrainingError("fit failed", found="it fell over"), record)

    monkeypatch.setattr(runner, "run", run)
    with pytest.raises(runner.RunError) as caught:
        ClusterTask(job)()
    assert caught.value.__notes__ == [f"record: {record.id}"]
