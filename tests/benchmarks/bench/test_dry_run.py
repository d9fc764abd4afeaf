"""``motioncopy bench --dry-run``: says what would be done and leaves no trace."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.bench import dry_run, processes
from benchmarks.bench.config_stack import ConfigStack
from benchmarks.bench.jobs import Job
from benchmarks.cli import main
from motioncopy.records import write
from tests.methods.tiny import tiny
from tests.motioncopy.records.test_records import measured


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("nothing is started")

    monkeypatch.setattr(processes, "subprocess", SimpleNamespace(run=refuse))
    return tmp_path


def job(runs: Path, **changes: Any) -> Job:
    overrides = {"model": tiny("fakemotion", "paper"), "trainer": {"accelerator": "cpu"}}
    return Job(ConfigStack("fakemotion", "puppets"), runs, overrides=overrides, **changes)


def test_the_command_names_what_would_run_and_writes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--method", "fakemotion", "--dry-run", "--seed", "3", "--person", "kim"]) == 0
    said = capsys.readouterr().out
    for words in (
        "Bench fakemotion-paper-quick-puppets-kim-seed3-",
        "fakemotion, variant paper, preset quick",
        "stabilised (which the preset requires)",
        "puppets, one model of one person: kim",
        "methods/fakemotion/presets/quick_paper.yaml",
        "foreground: 20 epochs x 25 = 500 steps of 4 windows of 5 frames",
        "local: 4 epochs x 25 = 100 steps of 8 windows of 3 frames",
        "static (to do), nearest (to do)",
        "(to do)",
    ):
        assert words in said, words
    assert list(here.iterdir()) == []


def test_a_miniature_is_not_written(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--method", "static", "--data", "solodance", "--sample", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "data/miniatures/solodance, which is not there" in said
    assert "none: nothing is trained" in said
    assert list(here.iterdir()) == []


def test_a_wrong_name_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--method", "fakemoton", "--dry-run"]) == 1
    assert "METHOD=fakemoton" in capsys.readouterr().err


def test_weights_that_are_missing_are_told_of_before_anything_runs(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("HOME", "TORCH_HOME", "MOTIONCOPY_WEIGHTS"):
        monkeypatch.setenv(name, str(here))
    assert main(["bench", "--preset", "full", "--dry-run"]) == 1
    said = capsys.readouterr()
    assert "schedule: 120 epochs" in said.out
    assert "motioncopy weights fetch vgg19" in said.err


def test_what_is_done_and_begun_is_said(here: Path) -> None:
    own = job(here / "runs")
    first, second = (own.folder / "stages" / name for name in ("00-foreground", "01-local"))
    first.mkdir(parents=True)
    second.mkdir()
    (own.folder / "stack.yaml").touch()
    (first / "done.json").write_text(json.dumps({"steps": 7}))
    (second / "last.ckpt").touch()
    found = "\n".join(dry_run.of(own))
    assert f"{own.folder} (begun)" in found
    assert "frames; done before (7 steps)" in found
    assert "; begun" in found.partition("local: ")[2]
    again = "\n".join(dry_run.of(own, again=True))
    assert "done before" not in again


def test_a_finished_run_is_only_read(here: Path) -> None:
    own = job(here / "runs")
    own.folder.mkdir(parents=True)
    write(measured(), here).rename(own.folder / "record.json")
    assert f"{own.folder} (finished)" in "\n".join(dry_run.of(own))
    assert "(finished, and run again)" in "\n".join(dry_run.of(own, again=True))
