"""FakeMotion and the baselines on fish and mice, through the real command; the configs leave out what is human."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import cv2
import pytest

from benchmarks.bench import jobs
from benchmarks.bench.config_stack import ConfigStack
from benchmarks.bench.jobs import Job
from benchmarks.cli import main
from datamodules import miniatures
from datamodules.miniatures import fish, mouse
from datamodules.native import MINIATURE
from motioncopy import records
from tests.benchmarks.in_process import Started
from tests.methods.tiny import SIZE, TINY

WRITERS = {"fish": fish.write, "mouse": mouse.write}


@pytest.fixture(params=["fish", "mouse"])
def animal(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def root(animal: str, tmp_path: Path) -> Path:
    """A miniature of fewer and smaller frames."""
    root = tmp_path / animal
    root.mkdir()
    WRITERS[animal](root, frames=80, size=(64, 64))
    (root / MINIATURE).write_text(json.dumps({"data": animal, "miniature": miniatures.VERSION}))
    return root


@pytest.mark.parametrize("variant", ["paper", "released"])
@pytest.mark.parametrize("preset", ["quick", "full"])
def test_an_animal_has_neither_face_nor_parts(animal: str, variant: str, preset: str) -> None:
    args = ConfigStack("fakemotion", animal, variant, preset).resolve()["model"]["init_args"]
    assert (args["face"], args["local"], args.get("face_gan")) == (None, None, None)
    assert "l1" in args["foreground"]["losses"] or preset == "full", "what the preset requires is there all the same"


@pytest.mark.parametrize("variant", ["paper", pytest.param("released", marks=pytest.mark.slow)])
def test_a_bench_of_fakemotion_on_an_animal(
    animal: str,
    root: Path,
    variant: str,
    started: Started,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(root.parent)
    small = {"model": {"init_args": TINY["fakemotion"][variant, "quick"]}, "trainer": {"accelerator": "cpu"}}
    monkeypatch.setattr(jobs, "Job", partial(Job, overrides=small))
    options = ["--method", "fakemotion", "--variant", variant, "--data", animal, "--data-root", str(root)]
    assert main(["bench", *options]) == 0, capsys.readouterr().err
    assert started.commands == ["fit", "test"] * 3, "static, nearest, fakemotion"
    found = {r.method: r for r in records.read_all(Path("runs/records"))}
    assert set(found) == {"static", "nearest", "fakemotion"}
    assert {r.protocol for r in found.values()} == {f"{animal}-miniature@1"}
    stages = {"paper": ["foreground"], "released": ["foreground", "fusion"]}[variant]
    assert list(found["fakemotion"].costs.steps) == stages
    assert f"benchmarks/configs/fakemotion_{animal}.yaml" in found["fakemotion"].configs
    (run,) = Path("runs").glob("fakemotion-*")
    for kind in ("reconstruction", "imitation"):
        sheet = cv2.imread(str(run / f"{kind}.png"))
        assert sheet is not None
        assert sheet.std() > 10
        assert (run / f"{kind}.mp4").stat().st_size > 0
    assert found["nearest"].config["model"]["init_args"] == {
        "image_size": list(SIZE), "crop": "person", "normalisation": "global_height",
    }, "the baselines are given what FakeMotion is given"  # fmt: skip
