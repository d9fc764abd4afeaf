"""Reads back what W&B keeps of an offline run, by W&B's own reader of its files."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2
from wandb.sdk.internal.datastore import DataStore


@dataclass
class Part:
    """What one process has logged.

    Attributes:
        folder: Of its files.
        id: The run's.
        project: The run's.
        group: The run's.
        name: The run's.
        tags: The last ones.
        config: As it was opened with, and what was changed later.
        rows: The history, nested keys joined by dots.
        summary: What was set by hand or by the history.
        steps: For each metric (a pattern may end in ``*``), what it is shown over.
        artifacts: (name, type).
        ended: The exit code, if it came to an end.
    """

    folder: Path
    id: str = ""
    project: str = ""
    group: str = ""
    name: str = ""
    tags: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    steps: dict[str, str] = field(default_factory=dict)
    artifacts: list[tuple[str, str]] = field(default_factory=list)
    ended: int | None = None


def read(run: Path) -> list[Part]:
    """All parts of a run that was logged offline, in their order, once W&B's own process has written them out."""
    deadline = time.monotonic() + 20
    while True:
        parts = [_part(path) for path in sorted(run.glob("wandb/offline-run-*/run-*.wandb"))]
        if all(part.ended is not None for part in parts) or time.monotonic() > deadline:
            return parts
        time.sleep(0.1)


def _part(path: Path) -> Part:
    part, store = Part(path.parent), DataStore()
    store.open_for_scan(str(path))
    while (data := store.scan_data()) is not None:
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run = record.run
            part.id, part.project, part.group, part.name = run.run_id, run.project, run.run_group, run.display_name
            part.tags = list(run.tags)
            part.config |= _items(run.config.update)
        elif kind == "config":
            part.config |= _items(record.config.update)
        elif kind == "history":
            part.rows.append(_items(record.history.item))
        elif kind == "summary":
            part.summary |= _items(record.summary.update)
        elif kind == "metric":
            part.steps[record.metric.name or record.metric.glob_name] = record.metric.step_metric
        elif kind == "artifact":
            part.artifacts.append((record.artifact.name, record.artifact.type))
        elif kind == "exit":
            part.ended = record.exit.exit_code
    return part


def _items(items: Any) -> dict[str, Any]:
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}
