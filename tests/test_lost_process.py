"""A process that is killed in the middle of a step stands for a lost GPU: the run ends, says which, and goes on."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
import torch

from benchmarks.bench import runner
from benchmarks.bench.config_stack import ConfigStack
from benchmarks.bench.jobs import Job
from motioncopy.errors import TrainingError
from tests.toys import write_clip

pytestmark = pytest.mark.ddp


def toy_job(folder: Path) -> Job:
    clips = folder / "runs/clips"
    for name in ("ann", "bob"):
        write_clip(clips, name, frames=24)
    toys = {
        "model": {"class_path": "tests.toys.ToyMethod", "init_args": {"epochs": 3, "batches": 2}},
        "data": {"class_path": "tests.toys.ToyData", "init_args": {"root": str(clips)}},
        "trainer": {"accelerator": "cpu", "logger": False},
    }
    return Job(ConfigStack("static", "folder", "trivial", ""), folder / "runs", devices=2, overrides=toys)


def kill_in_the_middle(job: Job, rank: int, pids: Path) -> None:
    """Kills a process of the first stage behind its first checkpoint."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if list(job.folder.glob("stages/00-paint/last.ckpt")):
            time.sleep(0.5)
            os.kill(int((pids / f"{rank}.pid").read_text()), signal.SIGKILL)
            (pids / "killed").write_text(str(time.monotonic()))
            return
        time.sleep(0.1)


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(("rank", "again"), [(0, False), (1, False), pytest.param(1, True, marks=pytest.mark.slow)])
def test_a_lost_process_ends_the_run_and_the_same_call_goes_on(
    rank: int, again: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = toy_job(tmp_path)
    monkeypatch.setenv("TOY_PIDS", str(tmp_path))
    monkeypatch.setenv("TOY_PAUSE", "1")
    killer = threading.Thread(target=kill_in_the_middle, args=(job, rank, tmp_path))
    killer.start()
    with pytest.raises(TrainingError, match=rf"fit failed.*process of rank {rank} was ended by SIGKILL"):
        runner.run(job)
    took = time.monotonic() - float((tmp_path / "killed").read_text())
    killer.join()
    assert took < 20, "nobody waits for a process that is not there"
    for pid in (int((tmp_path / f"{k}.pid").read_text()) for k in (0, 1)):
        deadline = time.monotonic() + 20
        while is_there(pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not is_there(pid), "a process was left behind"
    (failed,) = (json.loads(p.read_text()) for p in (job.runs / "records").glob("*.json"))
    assert failed["status"] == "failed"
    assert f"rank {rank} was ended by SIGKILL" in failed["reason"]
    kept = torch.load(job.folder / "stages/00-paint/last.ckpt", weights_only=True)["motioncopy_stage"]["steps"]
    assert kept in (2, 4)

    if again:
        monkeypatch.setenv("TOY_PAUSE", "0")
        record = runner.run(job)
        assert record.status == "finished"
        assert record.costs.steps == {"paint": 6, "touch": 6}
        assert {stage: (t.processes, t.effective_batch) for stage, t in record.training.items()} == {
            "paint": (2, 2), "touch": (2, 2),
        }  # fmt: skip
        assert not list(job.folder.glob("failure.txt"))
