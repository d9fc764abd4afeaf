"""A paper's table beside what was measured: one line for each row and column of it, and for each row besides.

A difference is given only where what was measured is what the paper says it measured: the same data set, in the
protocol of this project that comes nearest to the paper's, at the paper's size and length, and for personal models of
everybody whom the protocol tests. On another data set values cannot be compared; what can is
whether a part helps, that is the sign of an ablation.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from benchmarks.papers import PrintedTable
from benchmarks.tables import measured
from benchmarks.tables.columns import FPS, direction, short
from benchmarks.tables.comparison_layout import FOLD, layout
from benchmarks.tables.measured import BySeed, whole_value
from benchmarks.tables.printed import Column, printed_line
from benchmarks.tables.selection import (
    BASELINES,
    Candidates,
    ComparedRow,
    Runs,
    candidates,
    compared_rows,
    in_order,
    not_run,
    runs_of,
)
from benchmarks.tables.table import Table
from datamodules.protocols import protocol
from motioncopy.errors import DataError, RecordError
from motioncopy.records import Record

COLUMNS = (
    "table", "title", "section", "label", "method", "variant", "ablation", "compared", "data", "kind", "metric",
    "paper", "paper_text", "paper_best", "paper_worth", "flags", "row_flags", "table_flags",
    "paper_protocol", "measured_on", "protocol", "preset", "overlays", "subjects", "device", "not_averaged",
    "mean", "low", "high", "seeds", "trials", "difference", "withheld", "best", "weak", "tied", "untested",
    "sign", "worth", "worth_low", "worth_high", "worth_trials", "worth_seeds", "worth_untested",
    "reason", "failed", "aside", "changed", "left_out",
)  # fmt: skip
#: The preset of the paper's own size and length.
_FULL = "full"


def comparison(printed: PrintedTable, records: Iterable[Record], data: str | None = None) -> Table:
    """A paper's table beside what was measured here.

    Args:
        printed: The paper's.
        records: Any; which of them fit a row, :mod:`benchmarks.tables.selection` says.
        data: What to show beside the paper's cells: one of the paper's data sets, whose columns alone are then shown,
            or another one, beside all columns; ``None``: beside each column what was measured on its data set.

    Returns:
        A table whose frame has :data:`COLUMNS`, all objects, ``None`` where there is nothing. ``paper`` is the paper's
        value; ``mean``, ``low`` and ``high`` are the measured mean over trials and seeds and its 95% interval over
        trials; ``difference`` is ``mean - paper`` where the two can be compared, ``withheld`` why there is none though
        data set and protocol are the paper's. ``not_averaged``: devices whose frames a second do not count, since only
        those of the newest run's ``device`` do. ``tied``: not told apart from the best of the column, seed by seed
        where both rows have a value at a seed, else by means over seeds; ``untested`` why that is not known. For an
        ablation, ``worth`` and its like are what :func:`benchmarks.tables.measured.worth` says of the part that it
        lacks; ``paper_worth`` is the same difference of the paper's two values. ``reason``: why there is no measured
        value. ``failed``: runs that broke off, and why. ``aside``: finished runs of older configs that do not count.
        ``changed``: how many runs on the data do not count, since a user changed their values. ``left_out``: people
        whom not every row has, and why.

    Raises:
        RecordError: If the records are of several protocols, presets or metric versions, or of trials or subjects
            that cannot be compared.
    """
    records = list(records)
    columns = [c for c in printed.columns if data is None or data not in printed.data or c[0] == data]
    places = {name: data or name for name, _, _ in columns}
    found = {place: candidates(printed, records, place) for place in dict.fromkeys(places.values())}
    rows = compared_rows(printed, found.values())
    chosen = {place: _same_subjects(rows, [runs_of(row, one) for row in rows], place) for place, one in found.items()}
    cells = []
    for column in columns:
        place = places[column[0]]
        runs, left_out = chosen[place]
        ours = {"changed": len(found[place].changed), "left_out": left_out}
        cells += [cell | ours for cell in _column(printed, column, rows, runs, found[place])]
    return Table(pd.DataFrame(cells, columns=list(COLUMNS), dtype=object), layout, fold=FOLD)


def _same_subjects(rows: Sequence[ComparedRow], found: Sequence[Runs], data: str) -> tuple[list[Runs], str | None]:
    """Personal models: only people whom every row that was run shows, since others are harder or easier to show.

    Returns:
        The runs of them, with all failures, and who is left out and for which rows, or ``None`` for nobody.
    """
    people = [{r.subject for r in one.finished} for one in found if one.finished]
    common = set.intersection(*people) if people else set()
    if people and not common:
        raise RecordError(
            f"the rows were run on {data} for different people",
            found=", ".join(sorted({str(p) for group in people for p in group})),
            remedy="run all rows for one and the same person",
        )
    left_out = []
    for person in sorted({str(p) for group in people for p in group - common}):
        lacking = [
            f"{row.method if row.section == 'paper' and row.ablation is None else row.label} {_lacks(one, person)}"
            for row, one in zip(rows, found, strict=True)
            if one.finished and person not in {r.subject for r in one.finished}
        ]
        left_out.append(f"{person} ({', '.join(lacking)})")
    # All that failed stay: no failure is passed over.
    kept = [replace(one, finished=tuple(r for r in one.finished if r.subject in common)) for one in found]
    return kept, "; ".join(left_out) or None


def _lacks(one: Runs, person: str) -> str:
    """Why a row has no result of a person."""
    reasons = dict.fromkeys(short(r.reason or "").rstrip(".") for r in one.failed if r.subject == person)
    return f"failed: {'; '.join(reasons)}" if reasons else "not run"


def _column(
    table: PrintedTable, column: Column, rows: Sequence[ComparedRow], found: Sequence[Runs], place: Candidates
) -> list[dict[str, Any]]:
    data, kind, metric = column
    comparable = place.data == data and place.protocol is not None and place.protocol == table.protocol[data]
    values = [measured.trial_values(one.finished, kind, metric) for one in found]
    cells = []
    for row, one, by_trial in zip(rows, found, values, strict=True):
        cell: dict[str, Any] = dict.fromkeys(COLUMNS)
        cell |= printed_line(table, row, column) | _measured_cell(row, one, column, by_trial, place)
        if comparable and metric != FPS and cell["mean"] is not None and cell["paper"] is not None:
            people = {r.subject for r in one.finished if whole_value(r, kind, metric) is not None}
            cell["withheld"] = _withheld(table, place, cell["preset"], len(people))
            cell["difference"] = cell["mean"] - cell["paper"] if cell["withheld"] is None else None
        cells.append(cell)
    measured.judge(cells, values, [row.section == "baseline" for row in rows], metric)
    if (better := direction(metric)) and metric != FPS:
        best = max((cell["paper"] * better for cell in cells if cell["paper"] is not None), default=None)
        for row, one, cell in zip(rows, found, cells, strict=True):
            cell["paper_best"] = cell["paper"] is not None and cell["paper"] * better == best
            if row.compared is not None and cell["mean"] is not None:
                gain = measured.worth(found[row.compared].finished, one.finished, kind, metric)
                cell |= {name if name in ("worth", "sign") else f"worth_{name}": v for name, v in gain.items()}
    return cells


def _withheld(table: PrintedTable, place: Candidates, preset: str | None, people: int) -> str | None:
    """Why a value is not held against the paper's though data set and protocol are the paper's."""
    reasons = [] if preset == _FULL else [f"preset {preset}" if preset else "no preset"]
    if table.regime == "personal":
        whole = _people(str(place.protocol))
        if whole is None:
            reasons.append(f"how many people {place.protocol} has is not known")
        elif people < whole:
            reasons.append(f"{people} of {whole} people")
    return f"no difference: {', '.join(reasons)}" if reasons else None


def _people(name: str) -> int | None:
    """Of how many people a protocol tests personal models, or ``None`` where that is not known."""
    try:
        found = protocol(name.partition("@")[0])
    except DataError:  # a data set without such a file
        return None
    return found.people if found.name == name else None


def _measured_cell(row: ComparedRow, one: Runs, column: Column, by_seed: BySeed, place: Candidates) -> dict[str, Any]:
    _, kind, metric = column
    counted, not_averaged = _on_one_device(one.finished) if metric == FPS else (one.finished, [])
    values = {(r.subject, r.seed): v for r in counted if (v := whole_value(r, kind, metric)) is not None}
    by_trial = measured.over_seeds(by_seed)
    mean = statistics.fmean((by_trial or values).values()) if by_trial or values else None
    low, high = measured.bounds(one.finished, kind, metric, by_trial) if values and metric != FPS else (None, None)
    trials = [a.clips or 0 for r in one.finished if (a := r.results.aggregates.get(kind, {}).get(metric)) is not None]
    ran = one.finished or one.failed
    reason = measured.reason_of(ran[-1], kind, metric) if ran else not_run(row, place)
    return {
        "measured_on": place.data,
        "protocol": place.protocol if ran else None,
        "preset": place.preset if ran and row.method not in BASELINES else None,
        "overlays": ", ".join(one.finished[0].overlays) or None if one.finished else None,
        "subjects": ", ".join(sorted({r.subject for r in one.finished if r.subject})) or None,
        "mean": mean,
        "low": low,
        "high": high,
        "seeds": len({seed for _, seed in values}),
        "device": _device(counted[-1]) if counted and metric == FPS else None,
        "not_averaged": "; ".join(not_averaged) or None,
        "trials": len(by_trial) or max(trials, default=0),
        "reason": None if mean is not None else reason,
        "failed": "; ".join(_failure(r) for r in one.failed) or None,
        "aside": one.aside,
    }


def _on_one_device(records: Sequence[Record]) -> tuple[Sequence[Record], list[str]]:
    """Frames a second of several devices have no mean: the runs on the newest one's, and the other devices."""
    timed = in_order(r for r in records if r.costs.fps is not None)
    devices = list(dict.fromkeys(_device(r) for r in reversed(timed)))
    return [r for r in timed if _device(r) == devices[0]] if timed else records, devices[1:]


def _device(record: Record) -> str:
    found = record.costs.device or record.device
    return "an unknown device" if found is None else found.gpu or f"{found.cpu}, threads: {found.threads}"


def _failure(record: Record) -> str:
    who = f" of {record.subject}" if record.subject else ""
    return f"seed {record.seed}{who} failed: {record.reason}"
