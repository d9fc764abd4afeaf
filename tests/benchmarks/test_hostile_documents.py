"""Documents from strangers that the benchmarks read: refused by name, or read; never anything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given

from benchmarks.bench import config_stack, dry_run
from benchmarks.cluster.submissions import Submissions
from benchmarks.inputs import protocol as shown_protocol
from benchmarks.loggers import workspace
from benchmarks.loggers.log import LogState
from benchmarks.papers.cells import parse
from benchmarks.perception.report import RESULTS, markdown, read
from benchmarks.suites.suite import of_file
from motioncopy.errors import ConfigError
from motioncopy.files.documents import read_yaml
from motioncopy.footage.perception import config as perception
from tests.benchmarks.papers.test_cells import content as paper
from tests.motioncopy.files.hostile import SEEDED, check, documents

_SUITE = {"name": "mine", "data": ["puppets"], "rows": [
    {"method": "static"}, {"method": "remot", "ablation": ["rgn"], "label": "x", "variant": "paper",
                           "overrides": {"model": {"init_args": {"crop": "follow"}}}}]}  # fmt: skip
_MEASURED = json.loads(sorted(RESULTS.glob("*.json"))[0].read_text())
_MEASURED["rows"] = _MEASURED["rows"][:2]
_JOBS = {"a": {"queue_id": "7", "submitted": "2025-01-31T12:00:00", "tries": 1}}
_NOTES = {"logged": ["record a"], "id": "run-1a2b3c", "parts": 1, "opened": 1.5, "labels": {"seed": 0}, "config": {},
          "scores": {"ssim": 0.5}}  # fmt: skip
_WORKSPACE = yaml.safe_load(workspace.text())
_WORKSPACE["sections"] = [{**section, "panels": section["panels"][:2]} for section in _WORKSPACE["sections"]]
_PERCEPTION = {
    "pose": {"class_path": "motioncopy.footage.perception.openpose.OpenPoseFolder", "init_args": {"folder": "."}}
}
_PROTOCOL = {"id": "x", "version": 1, "origin": "Nowhere.", "pairs": {"2": [[0, 1]]}, "held_out": [1],
             "trials": [{"id": "a", "kind": "imitation", "sources": [1]}]}  # fmt: skip


@SEEDED
@given(data=documents(_SUITE))
def test_suites(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(data)
    check(lambda: of_file(path), path)


@SEEDED
@given(data=documents({"model": {"class_path": "a.B", "init_args": {"x": [1, 2]}}}))
def test_configs(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(data)
    check(lambda: config_stack.merge(config_stack.read(path), config_stack.read(path)), path)


@SEEDED
@given(data=documents(paper()))
def test_papers(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(data)
    check(lambda: parse(read_yaml(path, error=ConfigError, as_text=True), path.name), path)


@SEEDED
@given(data=documents(_MEASURED))
def test_measurements(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "people.json"
    path.write_bytes(data)
    check(lambda: markdown(read(tmp_path)), path)


@SEEDED
@given(data=documents(_PERCEPTION))
def test_perception_configs(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "eyes.yaml"
    path.write_bytes(data)
    check(lambda: perception.load(path), "")


@SEEDED
@given(data=documents(_WORKSPACE))
def test_workspaces(data: bytes) -> None:
    def read() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(workspace, "text", lambda: data.decode("utf-8", "replace"))
            workspace.definition()

    check(read, "")


@SEEDED
@given(data=documents(_PROTOCOL))
def test_protocols_that_are_shown(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    check(lambda: shown_protocol._lines(shown_protocol._content("x", text)), "x.json")


@SEEDED
@given(data=documents(_JOBS))
def test_books(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "jobs.json").write_bytes(data)

    def read() -> None:
        entry = Submissions(tmp_path).get("a")
        assert entry is None or entry.queue_id.isdigit()

    check(read, tmp_path / "jobs.json")


@SEEDED
@given(data=documents(_NOTES))
def test_notes_are_used_or_passed_over(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "logs").mkdir(exist_ok=True)
    path = tmp_path / "logs" / "wandb.json"
    path.write_bytes(data)
    notes = LogState(tmp_path, "wandb")
    assert not notes.content or json.loads(data) == notes.content
    notes.note("test pictures")
    assert notes.logged("test pictures")


@SEEDED
@given(data=documents({"steps": 12, "key": "0a", "peak_memory_bytes": None}))
def test_stages_that_are_done(tmp_path: Path, data: bytes) -> None:
    place = tmp_path / "stages" / "00-face"
    place.mkdir(parents=True, exist_ok=True)
    (place / "done.json").write_bytes(data)
    stage: Any = type("Stage", (), {"name": "face"})
    check(lambda: dry_run._stage_state(tmp_path, 0, stage), place / "done.json")
