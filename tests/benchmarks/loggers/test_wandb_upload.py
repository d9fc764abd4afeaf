"""The parts of a run become one run at the server, whether they are sent at once or by ``wandb sync`` later."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb

from benchmarks.loggers.factory import open_log
from tests.benchmarks.loggers.wandb_server import Kept, Server, serving

pytestmark = pytest.mark.slow


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """A server of one's own, at which somebody is logged in."""
    with serving() as kept:
        wandb.teardown()  # it reads the environment once
        for name, value in {"API_KEY": "k" * 40, "BASE_URL": kept.url, "PROJECT": "motioncopy"}.items():
            monkeypatch.setenv(f"WANDB_{name}", value)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.chdir(tmp_path)  # where it keeps a log of the upload
        yield kept
        wandb.teardown()


def log_part(folder: Path, first: int) -> None:
    """Three steps; with the first ones comes what the run is and how good it was."""
    labels = {"method": "toy", "data": "clips", "variant": "paper", "preset": "quick", "seed": 0}
    log = open_log("wandb", folder, labels, {"model": 1} if first == 0 else None)
    for step in range(first, first + 3):
        log.attempt(lambda log, step=step: log.losses("paint", {"stage/paint/l1": 0.5}, step))  # type: ignore[misc]
    if first == 0:
        log.attempt(lambda log: log.summary({"protocol": "toy@1"}, {"reconstruction/ssim/gaussian@1": 0.9}))
    log.close()


def check(run: Kept) -> None:
    assert [row["stage/paint/step"] for row in run.history] == [0, 1, 2, 3, 4, 5], "none overwrites another"
    rows = [row["_step"] for row in run.history]
    assert rows == sorted(set(rows)), "in W&B's own count too"
    assert run.summary["reconstruction/ssim/gaussian@1"] == 0.9, "though it was the first part that said so"
    assert run.config["protocol"] == "toy@1"
    assert run.config["config"] == {"model": 1}
    assert run.group == "toy-clips"
    assert {"paper", "quick", "seed0"} <= set(run.tags)


def test_offline_parts_are_uploaded_as_one_run(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    for first in (0, 3):
        log_part(tmp_path / "toy-run", first)
    wandb.teardown()
    (said,) = [line for line in capfd.readouterr().out.splitlines() if line.startswith("W&B: offline")]
    command = said.rpartition("to upload it: ")[2].split()
    monkeypatch.delenv("WANDB_MODE")
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = server.runs.values()
    check(run)


def test_online_parts_resume_one_run(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")
    for first in (0, 3):
        log_part(tmp_path / "toy-run", first)
    assert f"W&B: {server.url}/me/motioncopy/runs/toy-run-" in capfd.readouterr().out
    (run,) = server.runs.values()
    check(run)
