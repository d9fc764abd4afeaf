"""What the page's script knows of the records: enough to show where each cell comes from, and small.

What many records share (configs, packages, devices, networks, reasons) stands once, in lists that records point into;
values of trials are lists in the order of their group's trials.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report.groups import RecordGroup
from motioncopy.metrics.catalogue import METRICS, definition
from motioncopy.records import Record
from motioncopy.records.provenance import redacted


class SharedValues:
    """A list in which equal things stand once."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self._places: dict[str, int] = {}

    def place(self, item: Any) -> int:
        """Where it stands; it is added if it is new."""
        key = json.dumps(item, sort_keys=True)
        if key not in self._places:
            self._places[key] = len(self.items)
            self.items.append(item)
        return self._places[key]


def rounded(value: float | None, digits: int = 6) -> float | int | None:
    """A number of so many significant digits, as short as JSON can say it."""
    short = float(f"{value:.{digits}g}") if value is not None else math.nan
    if not math.isfinite(short):  # the largest numbers are rounded to none
        return None
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def content(groups: Sequence[RecordGroup]) -> dict[str, Any]:
    """Metrics, tables and records for the page's script: plain JSON values."""
    pools = {name: SharedValues() for name in ("configs", "packages", "devices", "networks", "reasons")}
    records: dict[str, Any] = {}
    tables = []
    for group in groups:
        order = {name: i for i, name in enumerate(group.trials)}
        for row in group.rows:
            records |= {r.id: _record(r, order, pools) for r in row.records}
        cells: dict[str, dict[str, dict[str, Any]]] = {}
        for line in group.table.frame.to_dict("records"):
            found = [rounded(line[n]) for n in ("mean", "std", "low", "high")]
            flags = int(bool(line["best"])) + 2 * int(bool(line["weak"])) + 4 * int(bool(line["tied"]))
            reason = pools["reasons"].place(redacted(line["reason"], {})) if line["seeds"] == 0 else None
            cell = [*found, int(line["seeds"]), int(line["trials"]), flags, reason]
            cells.setdefault(group.row(line).id, {}).setdefault(str(line["kind"]), {})[str(line["metric"])] = cell
        tables.append(
            {
                "id": group.id,
                "data": group.one.data,
                "protocol": group.one.protocol,
                "regime": group.one.regime,
                "trials": [[name, kind] for name, kind in group.trials.items()],
                "rows": [
                    {
                        "id": row.id,
                        "method": row.one.method,
                        "details": row.details,
                        "ablation": row.one.ablation,
                        "subject": row.one.subject,
                        "baseline": row.baseline,
                        "records": [r.id for r in row.records],
                        "cells": cells.get(row.id, {}),
                    }
                    for row in group.rows
                ],
            }
        )
    return {
        "metrics": metrics([key for g in groups for key in g.table.frame["metric"].unique()]),
        "tables": tables,
        "records": records,
    } | {name: pool.items for name, pool in pools.items()}


def metrics(keys: Sequence[str]) -> dict[str, Any]:
    """The written definitions of metrics, in the catalogue's order."""
    shown = ("title", "unit", "direction", "text", "source", "caution")
    return {key: {name: getattr(definition(key), name) for name in shown} for key in METRICS if key in keys}


def _record(record: Record, order: Mapping[str, int], pools: Mapping[str, SharedValues]) -> dict[str, Any]:
    values: dict[str, list[float | int | None]] = {}
    for name, trial in record.results.trials.items():
        for key, score in trial.scores.items():
            values.setdefault(key, [None] * len(order))[order[name]] = rounded(score.value, 5)
    aggregates = {
        kind: {key: [rounded(a.value), rounded(a.low), rounded(a.high)] for key, a in by_key.items()}
        for kind, by_key in record.results.aggregates.items()
    }
    c, code, device = record.costs, record.code, record.device
    return {
        "created": record.created,
        "kind": record.kind,
        "status": record.status,
        "reason": record.reason,
        "seed": record.seed,
        "split": record.split,
        "configs": list(record.configs),
        "config": pools["configs"].place(record.config),
        "sha": record.config_sha256,
        "code": [code.version, code.commit, code.dirty] if code else None,
        "packages": pools["packages"].place(record.packages),
        "device": pools["devices"].place([device.cpu, device.threads, device.gpu, device.gpus]) if device else None,
        "networks": pools["networks"].place(record.networks),
        "missing": {key: pools["reasons"].place(redacted(why, {})) for key, why in record.results.missing.items()},
        "aggregates": aggregates,
        "values": values,
        "costs": {
            "seconds": {stage: rounded(s) for stage, s in c.train_seconds.items()},
            "steps": c.steps,
            "wall": rounded(c.wall_seconds),
            "memory": c.peak_memory_bytes,
            "parameters": c.parameters,
            "fps": rounded(c.fps),
            "fps_single": rounded(c.fps_single),
            "fps_compiled": rounded(c.fps_compiled),
        },
    }
