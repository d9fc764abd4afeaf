"""Readers of single JSON and YAML files of our own kinds, each with a valid one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.bench import dry_run
from benchmarks.cluster.run import Submissions
from benchmarks.inputs import protocol as shown_protocol
from benchmarks.loggers.log import LogState
from benchmarks.perception import report
from datamodules import protocols
from datamodules.puppets import protocol as puppets
from motioncopy.errors import DataError
from motioncopy.files.documents import read_json
from motioncopy.files.schema import validated
from tests.fuzz.files import Files

_STAGE: Any = SimpleNamespace(name="face")
_JOBS = {"a": {"queue_id": "7", "submitted": "2025-01-31T12:00:00", "tries": 1}}
_NOTES = {"logged": ["record a"], "id": "run-1a2b3c", "parts": 1, "opened": 1.5, "labels": {"seed": 0}, "config": {},
          "scores": {"ssim": 0.5}}  # fmt: skip
_PROTOCOL = {"id": "x", "version": 1, "origin": "Nowhere.", "pairs": {"2": [[0, 1]]}, "held_out": [1],
             "trials": [{"id": "a", "kind": "imitation", "sources": [1]}]}  # fmt: skip


def _text(path: Path) -> str:
    if not path.is_file():
        raise DataError(f"there is no {path}")
    return path.read_bytes().decode("utf-8", "replace")


def _measured() -> Any:
    content = json.loads(sorted(report.RESULTS.glob("*.json"))[0].read_text())
    return content | {"rows": content["rows"][:2]}


def _puppets() -> Any:
    content = json.loads((protocols._FOLDER / "puppets.json").read_text())
    return content | {name: content[name][:2] for name in ("train", "val", "reconstruction", "imitation")}


def _read_puppets(folder: Path) -> None:
    content = read_json(folder / "puppets.json", error=DataError)
    validated(puppets.Protocol, content, error=DataError, what="puppets.json is damaged")


def _read_measurements(folder: Path) -> None:
    report.markdown(report.read(folder))


def _read_jobs(folder: Path) -> None:
    entry = Submissions(folder).get("a")
    assert entry is None or entry.queue_id.isdigit()


def _read_notes(folder: Path) -> None:
    notes = LogState(folder, "wandb")
    notes.note("test pictures")
    assert notes.logged("test pictures")


#: What each reader calls its file, what a valid one holds, and how the folder around it is read.
DOCUMENTS: dict[str, tuple[str, Callable[[], Any], Callable[[Path], object]]] = {
    "jobs": ("jobs.json", lambda: _JOBS, _read_jobs),
    "measurements": ("people.json", _measured, _read_measurements),
    "notes": ("logs/wandb.json", lambda: _NOTES, _read_notes),
    "puppets": ("puppets.json", _puppets, _read_puppets),
    "shown-protocol": (
        "x.json",
        lambda: _PROTOCOL,
        lambda folder: shown_protocol._lines(shown_protocol._content("x", _text(folder / "x.json"))),
    ),
    "stage-done": (
        "stages/00-face/done.json",
        lambda: {"steps": 12, "key": "0a", "peak_memory_bytes": None},
        lambda folder: dry_run._stage_state(folder, 0, _STAGE),
    ),
}


def seed(name: str) -> Callable[[], list[Files]]:
    """Makes the valid input of a reader of :data:`DOCUMENTS`."""
    file, content, _ = DOCUMENTS[name]
    return lambda: [{file: json.dumps(content()).encode()}]
