"""What a step of an optimiser goes by is the same on one process and on two, and for whole batches and parts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

from benchmarks.bench.config_stack import ConfigStack, merge
from benchmarks.cli import main
from tests.methods.tiny import TINY
from tests.toys import write_clip

ROOT = Path(__file__).parents[1]
#: Four windows a batch: two for each process, for the crops' networks learn from two at least.
_LENGTH = {"epochs": 1, "batches": 1, "batch_size": 4}
_FAKEMOTION = {"schedule": _LENGTH, "local": {"schedule": _LENGTH}}
_REMOT = {stage: {"schedule": _LENGTH} for stage in ("layout", "region", "whole")}
_STAGES = {"fakemotion": ("foreground", "local"), "remot": ("layout", "region", "whole")}


def config(method: str, folder: Path, name: str, model: dict[str, Any], **top: Any) -> Path:
    """A tiny config of a method in double precision, whose gradients are kept under this name."""
    clips = folder / "clips"
    if not clips.exists():
        clips.mkdir()
        for person in ("ann", "bob", "cid"):
            write_clip(clips, person, frames=24, parsed=method == "remot")
    size = _FAKEMOTION if method == "fakemotion" else _REMOT
    small = merge(merge({"init_args": TINY[method]["paper", "quick"]}, {"init_args": size}), {"init_args": model})
    content = merge(ConfigStack(method, "folder").resolve({"model": small}), {"data": None})
    regime = "general" if method == "remot" else "personal"
    content["data"] = {"class_path": "tests.toys.ToyData", "init_args": {"root": str(clips), "regime": regime}}
    keeps = {"class_path": "tests.toys.Gradients", "init_args": {"folder": str(folder), "name": name}}
    digests = {"class_path": "tests.toys.Digests", "init_args": {"folder": str(folder)}}
    content["trainer"] = {"accelerator": "cpu", "logger": False, "callbacks": [keeps, digests]} | top.pop("trainer", {})
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content | top))
    return path


def gradients(folder: Path, name: str, stage: str, rank: int = 0) -> list[dict[str, Tensor]]:
    found: list[dict[str, Tensor]] = torch.load(folder / f"{name}-{stage}-{rank}.pt", weights_only=True)
    return found


def assert_equal(found: list[dict[str, Tensor]], wanted: list[dict[str, Tensor]], what: str) -> None:
    assert len(found) == len(wanted) > 0
    for step, (a, b) in enumerate(zip(found, wanted, strict=True)):
        assert a.keys() == b.keys()
        largest = max(float(g.abs().max()) for g in b.values())
        assert largest > 0
        for name, gradient in b.items():
            apart = float((a[name] - gradient).abs().max())
            assert apart <= 1e-9 * largest, f"{what}, step {step}, {name}: {apart:.3g} of {largest:.3g}"


def fit(path: Path, devices: int) -> None:
    run = path.parent / path.stem
    if devices == 1:
        assert main(["fit", "--config", str(path), "--run", str(run), "--fresh", "true"]) == 0
        return
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.cli", "fit", "--config", str(path), "--run", str(run), "--fresh", "true"],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.ddp
@pytest.mark.parametrize("method", sorted(_STAGES))
def test_two_processes_step_by_the_gradients_of_one(method: str, tmp_path: Path) -> None:
    """All parameters of all stages, in all steps of a batch; no layer of these configs couples the batch.

    The Gromov-Wasserstein loss does, and is gathered.
    """
    model: dict[str, Any] = {"gromov_wasserstein": {"batch": "gathered"}} if method == "fakemotion" else {}
    two = {"devices": 2, "strategy": "ddp_find_unused_parameters_true"}
    fit(config(method, tmp_path, "one", model), 1)
    fit(config(method, tmp_path, "two", model, trainer=two), 2)
    for stage in _STAGES[method]:
        one = gradients(tmp_path, "one", stage)
        assert_equal(gradients(tmp_path, "two", stage), one, stage)
        assert_equal(gradients(tmp_path, "two", stage, rank=1), one, stage)
        weights = [(tmp_path / f"{stage}-{rank}.txt").read_text() for rank in (0, 1)]
        assert weights[0] == weights[1], f"the processes differ after stage {stage}"


@pytest.mark.parametrize("method", ["fakemotion", pytest.param("remot", marks=pytest.mark.slow)])
def test_a_batch_in_parts_gives_the_gradient_of_the_whole(method: str, tmp_path: Path) -> None:
    """Where losses are means over samples: these leave out means over a person's pixels, and optimal transport."""
    model: dict[str, Any] = {"losses": {"l1": 0.0}, "gromov_wasserstein": {"weight": 0.0}}
    if method == "remot":
        model = {"region": {"losses": {"inside": 0.0}}, "whole": {"losses": {"inside": 0.0}}}
    fit(config(method, tmp_path, "whole", model), 1)
    fit(config(method, tmp_path, "parts", model, accumulate=2), 1)
    for stage in _STAGES[method]:
        assert_equal(gradients(tmp_path, "parts", stage), gradients(tmp_path, "whole", stage), stage)


@pytest.mark.ddp
def test_processes_that_take_their_share_in_parts(tmp_path: Path) -> None:
    """Gradients travel with the last part only; of five windows one process has three, in parts of one and two."""
    write_clip(tmp_path / "clips", "ann", frames=24)
    content: dict[str, Any] = {
        "model": {"class_path": "tests.toys.ToyMethod", "init_args": {"batch_size": 5, "epochs": 1, "batches": 2}},
        "data": {"class_path": "tests.toys.ToyData", "init_args": {"root": str(tmp_path / "clips")}},
        "trainer": {"accelerator": "cpu", "logger": False},
    }
    for name, devices in (("one", 1), ("two", 2)):
        keeps = {"class_path": "tests.toys.Gradients", "init_args": {"folder": str(tmp_path), "name": name}}
        strategy = "ddp_find_unused_parameters_true" if devices > 1 else "auto"
        content["trainer"] |= {"devices": devices, "strategy": strategy, "callbacks": [keeps]}
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(content | {"accumulate": devices}))
        fit(path, devices)
    for stage in ("paint", "touch"):
        for rank in (0, 1):
            assert_equal(gradients(tmp_path, "two", stage, rank), gradients(tmp_path, "one", stage), stage)
