"""Two gloo processes log what one would: one run, each loss once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.benchmarks.loggers.wandb_files import read
from tests.toys import write_clip

ROOT = Path(__file__).parents[3]
pytestmark = [pytest.mark.ddp, pytest.mark.slow]


def test_two_processes_are_one_run(tmp_path: Path) -> None:
    for name in ("ann", "bob", "cid"):
        write_clip(tmp_path / "clips", name, frames=24)
    run, config = tmp_path / "run", tmp_path / "input.yaml"
    content = {
        "seed_everything": 1,
        "model": {"class_path": "tests.toys.ToyMethod", "init_args": {"epochs": 2, "batches": 3}},
        "data": {"class_path": "tests.toys.ToyData", "init_args": {"root": str(tmp_path / "clips")}},
        "trainer": {"accelerator": "cpu", "devices": 2, "strategy": "ddp_find_unused_parameters_true"},
    }
    config.write_text(yaml.safe_dump(content))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}
    for command in ("fit", "test"):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.cli", command, "--config", str(config), "--run", str(run),
             "--logger", "wandb"],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    fit, test = read(run)
    assert fit.id == test.id
    for stage, loss in (("paint", "painter"), ("touch", "touch")):
        steps = [row[f"stage/{stage}/step"] for row in fit.rows if f"stage/{stage}/{loss}" in row]
        assert steps == list(range(6)), "the first process alone"
    (trials,) = [row for row in test.rows if "test/trials.nrows" in row]
    assert trials["test/trials.nrows"] > 3
    videos = [row for row in test.rows if any(key.endswith("/video.path") for key in row)]
    assert len(videos) == 2, "one of each kind"
