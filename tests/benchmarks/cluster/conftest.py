"""Tiny jobs, and a queue that does what a test tells it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.bench.config_stack import ConfigStack
from benchmarks.bench.jobs import Job
from benchmarks.cluster.slurm import Slurm, State
from motioncopy import records
from motioncopy.records import Record
from motioncopy.records.provenance import Code, Device
from tests.methods.tiny import tiny
from tests.toys import write_clip


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    for name in ("ann", "bob"):
        write_clip(folder, name, frames=24)
    return folder


def tiny_job(clips: Path, *overlays: str, seed: int = 0, devices: int = 1, **init_args: Any) -> Job:
    """FakeMotion at its tiniest, on a CPU."""
    overrides = {
        "model": tiny("fakemotion", "paper", *overlays, **init_args),
        "trainer": {"accelerator": "cpu", "logger": False},
    }
    stack = ConfigStack("fakemotion", "folder", overlays=overlays)
    return Job(stack, clips.parent / "runs", seed, None, str(clips), devices, overrides=overrides)


def record_of(job: Job, status: str = "finished") -> Record:
    created = records.now()
    return Record(
        id=records.new_id(created, job.stack.method, job.stack.data, f"seed{job.seed}"), created=created,
        kind="measured", method=job.stack.method, data=job.stack.data, regime="personal", protocol="folder@1",
        split="folder@1", status="finished" if status == "finished" else "failed", seed=job.seed,
        code=Code("0.1.0", None, None), device=Device("a processor", 1),
        reason=None if status == "finished" else "it fell over",
    )  # fmt: skip


class Scripted(Slurm):
    """A queue whose jobs do what the test says, and which writes what submitit would.

    Attributes:
        submitted: Job id and dependencies of each submission, in order.
        states: What the queue shows of each of its ids; those that are over are not in it.
        answers: Whether it answers.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.submitted: list[tuple[str, tuple[str, ...]]] = []
        self.jobs: dict[str, Job] = {}
        self.states: dict[str, State] = {}
        self.answers = True

    def submit(self, job: Job, after: Sequence[str]) -> str:
        queue_id = str(100 + len(self.submitted))
        self.submitted.append((job.id, tuple(after)))
        self.jobs[queue_id], self.states[queue_id] = job, "queued"
        return queue_id

    def live(self) -> dict[str, tuple[str, State]] | None:
        if not self.answers:
            return None
        return {queue_id: (self.jobs[queue_id].id, state) for queue_id, state in self.states.items()}

    def ending(self, queue_id: str) -> str:
        return "its node failed"

    def advice(self, queue_ids: Sequence[str]) -> str:
        return f"`squeue --jobs={','.join(queue_ids)}` shows them"

    def finish(self, queue_id: str) -> None:
        """As a job that ends well leaves it."""
        job = self.jobs[queue_id]
        job.folder.mkdir(parents=True, exist_ok=True)
        (job.folder / "record.json").write_text(json.dumps(record_of(job).to_dict()))
        self.lose(queue_id)

    def fail(self, queue_id: str, trace: str) -> None:
        """As a job that raises leaves it."""
        from submitit.core.utils import JobPaths, cloudpickle_dump

        path = JobPaths(self.folder / self.jobs[queue_id].id, queue_id, 0).result_pickle
        path.parent.mkdir(parents=True, exist_ok=True)
        cloudpickle_dump(("error", trace), path)
        self.lose(queue_id)

    def lose(self, queue_id: str) -> None:
        """As a job leaves it whose node fails."""
        del self.states[queue_id]


@pytest.fixture
def queue(clips: Path) -> Scripted:
    return Scripted(clips.parent / "runs" / "cluster")


@pytest.fixture
def child() -> Any:
    """A process with a child of its own, both of which would go on for a minute."""
    script = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"
    started = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    yield started
    started.kill()
    started.wait()
