"""Two gloo processes: equal weights on both after every stage, and the test scores of one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from tests.toys import write_clip

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.ddp


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for name in ("ann", "bob", "cid"):  # an odd number of trials for two processes
        write_clip(folder, name, frames=24)
    return folder


def call(command: str, clips: Path, run: Path, devices: int, **environment: str) -> None:
    run.mkdir(parents=True, exist_ok=True)
    config = run / "input.yaml"
    strategy = "ddp_find_unused_parameters_true" if devices > 1 else "auto"
    config.write_text(
        yaml.safe_dump(
            {
                "seed_everything": 1,
                "model": {"class_path": "tests.toys.ToyMethod", "init_args": {"epochs": 2, "batches": 3}},
                "data": {"class_path": "tests.toys.ToyData", "init_args": {"root": str(clips)}},
                "trainer": {"accelerator": "cpu", "devices": devices, "strategy": strategy, "logger": False},
            }
        )
    )
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.cli", command, "--config", str(config), "--run", str(run)],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1", **environment}, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def scores(run: Path) -> dict[str, Any]:
    content = json.loads((run / "outputs/toy@1-test/summary.json").read_text())
    return {t["id"]: t["scores"]["values"] for t in content["trials"]}


def test_two_processes_fit_equal_weights_and_test_like_one(clips: Path, tmp_path: Path) -> None:
    two = tmp_path / "two"
    call("fit", clips, two, 2, TOY_DIGESTS=str(tmp_path))
    for stage in ("paint", "touch"):
        a, b = ((tmp_path / f"{stage}-{rank}.txt").read_text() for rank in (0, 1))
        assert a == b, f"the ranks differ after stage {stage}"
    done = json.loads((two / "stages/00-paint/done.json").read_text())
    assert (done["steps"], done["world_size"]) == (6, 2)

    call("test", clips, two, 2)
    shared = scores(two)
    frames = {p.stem: np.load(p) for p in (two / "outputs/toy@1-test").glob("*.npy")}
    call("test", clips, two, 1)
    alone = scores(two)
    assert list(shared) == list(alone) == ["ann", "bob", "cid"]
    for trial, expected in alone.items():
        assert expected
        assert shared[trial].keys() == expected.keys()
        for key, values in expected.items():
            # As floats: a frame without a value is None.
            np.testing.assert_allclose(np.array(shared[trial][key], float), np.array(values, float), rtol=1e-6)
    for path in (two / "outputs/toy@1-test").glob("*.npy"):
        np.testing.assert_array_equal(np.load(path), frames[path.stem])


def test_a_loss_that_is_not_finite_on_one_process_stops_both(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="not finite"):
        call("fit", clips, tmp_path / "run", 2, TOY_POISON_RANK="1")
    assert not (tmp_path / "run/method.ckpt").exists()


def fit_and_test(method: str, regime: str, folder: Path, *, parsed: bool) -> list[dict[str, Any]]:
    """Fits a tiny method on two processes, and tests it on two and on one; gives the stages' summaries."""
    from benchmarks.bench.config_stack import ConfigStack, merge
    from tests.methods.tiny import TINY

    clips, run = folder / "clips", folder / "run"
    for path in (clips, run):
        path.mkdir()
    for name in ("ann", "bob", "cid"):  # an odd number of trials for two processes
        write_clip(clips, name, frames=24, parsed=parsed)
    tiny = {"model": {"init_args": TINY[method]["paper", "quick"]}}
    config = merge(ConfigStack(method, "folder").resolve(tiny), {"data": None})
    config["data"] = {"class_path": "tests.toys.ToyData", "init_args": {"root": str(clips), "regime": regime}}
    config["trainer"] = {"accelerator": "cpu", "logger": False}
    (run / "one.yaml").write_text(yaml.safe_dump(config))
    digests = {"class_path": "tests.toys.Digests", "init_args": {"folder": str(folder)}}
    config["trainer"] |= {"devices": 2, "strategy": "ddp_find_unused_parameters_true", "callbacks": [digests]}
    (run / "two.yaml").write_text(yaml.safe_dump(config))
    shared: dict[str, Any] = {}
    for command, devices in (("fit", "two"), ("test", "two"), ("test", "one")):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.cli", command, "--config", str(run / f"{devices}.yaml"),
             "--run", str(run)],
            cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=400,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        if (command, devices) == ("test", "two"):
            shared = scores(run)
    alone = scores(run)
    assert list(shared) == list(alone) == ["ann", "bob", "cid"]
    for trial, expected in alone.items():
        assert shared[trial].keys() == expected.keys()
        for key, values in expected.items():
            np.testing.assert_allclose(np.array(shared[trial][key], float), np.array(values, float), rtol=1e-6)
    stages = [json.loads(p.read_text()) for p in sorted(run.glob("stages/*/done.json"))]
    for stage in stages:
        assert stage["world_size"] == 2
        first, second = ((folder / f"{stage['stage']}-{rank}.txt").read_text() for rank in (0, 1))
        assert first == second, f"the ranks differ after stage {stage['stage']}"
    return stages


@pytest.mark.slow
def test_fakemotion_on_two_processes(tmp_path: Path) -> None:
    """Three kinds of discriminators, and crops that one process may lack and the other not."""
    stages = fit_and_test("fakemotion", "personal", tmp_path, parsed=False)
    assert [s["stage"] for s in stages] == ["foreground", "local"]


@pytest.mark.slow
def test_remot_on_two_processes(tmp_path: Path) -> None:
    """One model for all, sequences with a cut gradient, and heads that one process may lack and the other not."""
    stages = fit_and_test("remot", "general", tmp_path, parsed=True)
    assert [s["stage"] for s in stages] == ["layout", "region", "composition"]


def test_one_process_and_two_see_the_same_batches(clips: Path) -> None:
    from datamodules.windows import ResumableBatches
    from motioncopy.request import DataRequest

    request = DataRequest(4, (16, 16), batches=5)
    whole = list(ResumableBatches(13, request, 0, 0, 1))
    halves = [list(ResumableBatches(13, request, 0, rank, 2)) for rank in (0, 1)]
    for together, left, right in zip(whole, *halves, strict=True):
        assert sorted(together) == sorted(left + right)
    assert torch.tensor([w for batch in whole for w, _ in batch]).unique().numel() == 13
