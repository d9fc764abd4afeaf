"""Real jobs: on a SLURM cluster of this one machine, and, where there is none, through submitit's local executor."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import submitit

from benchmarks.bench.jobs import Job
from benchmarks.cluster.options import ClusterOptions
from benchmarks.cluster.run import run
from benchmarks.cluster.slurm import Slurm, State
from benchmarks.cluster.task import ClusterTask
from motioncopy.errors import ClusterError
from tests.benchmarks.cluster.conftest import tiny_job

SCRIPT = Path(__file__).with_name("one_node.sh")
DAEMONS = ("sbatch", "srun", "slurmctld", "slurmd", "munged")
AGAIN = "queued again; it goes on from its last checkpoint"
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


@pytest.fixture
def one_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A SLURM cluster of this machine, which says that it has four cores."""
    if missing := [name for name in DAEMONS if shutil.which(name, path=PATH) is None]:
        pytest.skip(f"SLURM is not installed here: no {', '.join(missing)} (Debian: apt install slurm-wlm munge)")
    folder = tmp_path / "slurm"
    monkeypatch.setenv("PATH", PATH)
    try:
        # Daemons outlive the call, and would hold a pipe open.
        with (tmp_path / "one_node.log").open("w") as log:
            started = subprocess.run(
                ["bash", str(SCRIPT), "start", str(folder)], stdout=log, stderr=log, check=False, timeout=120,
                env={**os.environ, "CPUS": "4"},
            )  # fmt: skip
        if started.returncode:
            pytest.fail(f"SLURM does not start here: {(tmp_path / 'one_node.log').read_text()[-1000:]}")
        monkeypatch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        yield
        subprocess.run(["scancel", "--me"], check=False)
    finally:
        subprocess.run(["bash", str(SCRIPT), "stop", str(folder)], check=True)


def shown(queue_id: str) -> str:
    """State and reason of a job."""
    command = ["squeue", "--noheader", f"--jobs={queue_id}", "--format=%T %r"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def wait_for(what: Any, seconds: float = 900) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.2)


class Preemptions(threading.Thread):
    """Takes a running job off its node twice: as a time limit does, and as an administrator does."""

    def __init__(self, job: Job, total: int, said: list[str]) -> None:
        super().__init__(daemon=True)
        self.job, self.total, self.said = job, total, said
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self._preempt()
        except BaseException as error:  # noqa: BLE001 (it is raised in the test)
            self.error = error

    def starts(self) -> list[int]:
        """The step that the fit had reached whenever it said so."""
        logs = (self.job.runs / "cluster" / self.job.id).glob("*_log.out")
        found = [re.findall(rf"Stage foreground: (\d+)/{self.total}", path.read_text()) for path in logs]
        return [int(step) for steps in found for step in steps]

    def _preempt(self) -> None:
        book = self.job.runs / "cluster" / "jobs.json"
        last = self.job.folder / "stages/00-foreground/last.ckpt"
        wait_for(last.exists)
        queue_id = json.loads(book.read_text())[self.job.id]["queue_id"]
        commands = (["scancel", "--signal=USR2", queue_id], ["scontrol", "requeue", queue_id])
        for number, command in enumerate(commands, start=1):
            subprocess.run(command, check=True)
            wait_for(lambda number=number: self.said.count(f"{self.job.id}: {AGAIN}") == number)
            wait_for(lambda: "BeginTime" in shown(queue_id))
            lines = len(self.starts())
            # SLURM lets a requeued job wait for two minutes.
            subprocess.run(["scontrol", "update", f"jobid={queue_id}", "StartTime=now"], check=True)
            wait_for(lambda lines=lines: len(self.starts()) > lines)


@pytest.mark.slow
@pytest.mark.ddp
@pytest.mark.timeout(1800)  # it starts Python a dozen times, which takes a minute each where others work too
def test_three_jobs_on_a_real_cluster(one_node: None, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SCRIPT.parents[3])
    long = {"epochs": 20, "batches": 10, "batch_size": 2, "decay_epochs": 0}
    plain = tiny_job(clips)
    two = tiny_job(clips, seed=1, devices=2)
    preempted = tiny_job(clips, seed=2, foreground={"schedule": long})
    said: list[str] = []
    preemptions = Preemptions(preempted, 200, said)
    preemptions.start()
    options = ClusterOptions(gpus=0, cpus=1, memory_gb=1.5, minutes=30)
    came = run([plain, two, preempted], options, {two.id: [plain.id]}, poll=1.0, say=said.append)
    preemptions.join(10)
    if preemptions.error is not None:
        raise preemptions.error
    assert came.failed == {}
    assert set(came.finished) == {plain.id, two.id, preempted.id}

    done = json.loads((two.folder / "stages/00-foreground/done.json").read_text())
    assert done["world_size"] == 2, "Lightning started two processes in one task of SLURM's"
    assert said.index(f"{plain.id}: finished") < said.index(f"{two.id}: running")

    assert said.count(f"{preempted.id}: {AGAIN}") == 2
    steps = preemptions.starts()
    assert steps.count(1) == 1, f"it went on, and never began anew: {steps}"
    done = json.loads((preempted.folder / "stages/00-foreground/done.json").read_text())
    assert done["steps"] == 200
    records = list((preempted.runs / "records").glob("*.json"))
    assert len(records) == 3, "a preemption leaves no record"


@pytest.mark.slow
def test_what_slurm_refuses_is_said_in_its_words(one_node: None, clips: Path) -> None:
    job = tiny_job(clips)
    queue = Slurm(job.runs / "cluster", ClusterOptions(partition="nowhere", gpus=0))
    with pytest.raises(ClusterError, match="invalid partition specified: nowhere"):
        queue.submit(job, ())
    queue = Slurm(job.runs / "cluster", ClusterOptions(gpus=0, cpus=1, memory_gb=1, extra={"hold": True}))
    queue_id = queue.submit(job, ())
    assert queue.live() == {queue_id: (job.id, "held")}
    subprocess.run(["scancel", queue_id], check=True)
    wait_for(lambda: queue.live() == {})
    assert queue.ending(queue_id) == "it was cancelled"


class Local(Slurm):
    """submitit's processes on this machine, which know no dependencies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[str, Any] = {}

    def submit(self, job: Job, after: Sequence[str]) -> str:
        assert not after
        executor = submitit.AutoExecutor(self.folder / job.id, cluster="local")
        executor.update_parameters(timeout_min=10)
        started = executor.submit(ClusterTask(job))
        self.running[started.job_id] = job, started
        return str(started.job_id)

    def live(self) -> dict[str, tuple[str, State]] | None:
        return {name: (job.id, "running") for name, (job, started) in self.running.items() if not started.done()}

    def ending(self, queue_id: str) -> str:
        return "it ended without a word"

    def advice(self, queue_ids: Sequence[str]) -> str:
        return "ps"


@pytest.mark.slow
def test_submitit_runs_jobs_and_brings_their_failures_back(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SCRIPT.parents[3])
    good, bad = tiny_job(clips), tiny_job(clips, image_size=[30, 30])
    came = run([good, bad], ClusterOptions(), queue=Local(good.runs / "cluster"), poll=0.5)
    assert list(came.finished) == [good.id]
    assert came.finished[good.id] == good.record()
    reason = came.failed[bad.id]
    assert "fit failed. Found: DenseUNet cannot work at this image size" in reason
    log = re.search(r"\(log: (.+)\)$", reason)
    assert log is not None
    assert (good.runs / log[1]).is_file()
    assert [r.status for r in came.failures.values()] == ["failed"]
    assert str(clips.parent) not in json.dumps([r.to_dict() for r in came.failures.values()])
