"""The data frame behind a comparison: one line for each row and column of a paper's table, and for each row besides.

A difference is given only where what was measured is what the paper says it measured: the same data set, in the
protocol of this project that comes nearest to the paper's. On another data set values cannot be compared; what can is
whether a part helps, that is the sign of an ablation.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from benchmarks import significance
from benchmarks.comparison.runs import Line, Pool, Runs, lines, not_run, pool, runs
from benchmarks.grids import FPS, digits
from benchmarks.papers import Table
from benchmarks.tables import BASELINES, bounds, trial_means
from benchmarks.tables.frame import Trial, reason_of
from motioncopy.errors import RecordError
from motioncopy.metrics.catalogue import definition
from motioncopy.records import Record

COLUMNS = (
    "table", "title", "section", "label", "method", "variant", "ablation", "compared", "data", "kind", "metric",
    "paper", "paper_text", "paper_best", "paper_worth", "flags", "row_flags", "table_flags",
    "paper_protocol", "measured_on", "protocol", "preset", "overlays", "subjects", "device",
    "mean", "low", "high", "seeds", "trials", "difference", "best", "weak", "tied", "untested",
    "sign", "worth", "worth_low", "worth_high", "worth_trials", "worth_seeds", "worth_untested",
    "reason", "failed", "aside",
)  # fmt: skip
_SETS = "one value of all trials together"


def compare(table: Table, records: Iterable[Record], data: str | None = None) -> pd.DataFrame:
    """A paper's table beside what was measured here.

    Args:
        table: The paper's.
        records: Any; which of them fit a row, :mod:`benchmarks.comparison.runs` says.
        data: What to show beside the paper's cells: one of the paper's data sets, whose columns alone are then shown,
            or another one, beside all columns; ``None``: beside each column what was measured on its data set.

    Returns:
        A frame with :data:`COLUMNS`, all objects, ``None`` where there is nothing. ``paper`` is the paper's value;
        ``mean``, ``low`` and ``high`` are the measured mean over trials and seeds and its 95% interval over trials;
        ``difference`` is ``mean - paper`` where the two can be compared. ``tied``: not told apart from the best of the
        column, ``untested`` why that is not known. For an ablation, ``worth`` is the gain by the part that it lacks,
        with its 95% interval, positive where the part helps; ``sign`` is "+" or "-", or "≈" where the interval holds
        0, in parentheses where ``worth_untested`` says why there was no test; ``paper_worth`` is the same difference of
        the paper's two values. ``reason``: why there is no measured value. ``failed``: runs that broke off, and why.
        ``aside``: finished runs of older configs that do not count.

    Raises:
        RecordError: If the records are of several protocols, presets or metric versions, or of trials or subjects
            that cannot be compared.
    """
    records = list(records)
    columns = [c for c in table.columns if data is None or data not in table.data or c[0] == data]
    places = {name: data or name for name, _, _ in columns}
    pools = {place: pool(table, records, place) for place in dict.fromkeys(places.values())}
    rows = lines(table, pools.values())
    chosen = {place: _same_subjects([runs(row, found) for row in rows], place) for place, found in pools.items()}
    cells = []
    for column in columns:
        place = places[column[0]]
        cells += _column(table, column, rows, chosen[place], pools[place])
    return pd.DataFrame(cells, columns=list(COLUMNS), dtype=object)


def _same_subjects(found: Sequence[Runs], data: str) -> list[Runs]:
    """Personal models: only people whom every row that was run shows, since others are harder or easier to show."""
    people = [{r.subject for r in one.finished} for one in found if one.finished]
    common = set.intersection(*people) if people else set()
    if people and not common:
        raise RecordError(
            f"the rows were run on {data} for different people",
            found=", ".join(sorted({str(p) for group in people for p in group})),
            remedy="run all rows for one and the same person",
        )
    return [one.only(common) for one in found]


def _column(
    table: Table, column: tuple[str, Any, str], rows: Sequence[Line], found: Sequence[Runs], place: Pool
) -> list[dict[str, Any]]:
    _, kind, metric = column
    comparable = place.data == column[0] and place.protocol is not None and place.protocol == table.protocol[column[0]]
    means = [_means(one.finished, kind, metric) for one in found]
    cells = []
    for row, one, by_trial in zip(rows, found, means, strict=True):
        cell: dict[str, Any] = dict.fromkeys(COLUMNS)
        cell |= _paper_cell(table, row, column) | _measured_cell(row, one, column, by_trial, place)
        if comparable and metric != FPS and cell["mean"] is not None and cell["paper"] is not None:
            cell["difference"] = cell["mean"] - cell["paper"]
        cells.append(cell)
    better = direction(metric)
    # Copying a picture is fast: frames a second are no contest with the baselines.
    if better and metric != FPS:
        _judge(cells, rows, found, means, better, column)
    return cells


def direction(metric: str) -> int:
    """1 where higher is better, -1 where lower is, 0 where neither is."""
    return {"higher": 1, "lower": -1, "none": 0}["higher" if metric == FPS else definition(metric).direction]


def _means(records: Iterable[Record], kind: str, metric: str) -> dict[Trial, float]:
    return {} if metric == FPS else trial_means(records, kind, metric)


def _paper_cell(table: Table, row: Line, column: tuple[str, Any, str]) -> dict[str, Any]:
    cell = row.paper.cells[table.columns.index(column)] if row.paper is not None else None
    data, kind, metric = column
    found: dict[str, Any] = {
        "table": table.id,
        "title": table.title,
        "section": row.section,
        "label": row.label,
        "method": row.method,
        "variant": row.variant,
        "ablation": row.ablation,
        "data": data,
        "kind": kind,
        "metric": metric,
        "paper": cell.value if cell else None,
        "paper_text": cell.text or None if cell else None,
        "paper_best": False,
        "paper_protocol": table.protocol[data],
        "flags": ", ".join(cell.flags) or None if cell else None,
        "row_flags": ", ".join(row.paper.flags) or None if row.paper else None,
        "table_flags": ", ".join(table.flags) or None,
    }
    if cell is not None and row.paper is not None and row.ablation is not None:
        other = table.compared_with(row.paper)
        found["compared"] = other.label
        more, less = other.cells[table.columns.index(column)].value, cell.value
        if more is not None and less is not None and direction(metric):
            found["paper_worth"] = (more - less) * direction(metric)
    return found


def _measured_cell(
    row: Line, one: Runs, column: tuple[str, Any, str], by_trial: dict[Trial, float], place: Pool
) -> dict[str, Any]:
    _, kind, metric = column
    values = {(r.subject, r.seed): v for r in one.finished if (v := _value(r, kind, metric)) is not None}
    mean = statistics.fmean(by_trial.values()) if by_trial else statistics.fmean(values.values()) if values else None
    low, high = bounds(one.finished, kind, metric, by_trial) if values and metric != FPS else (None, None)
    trials = [a.clips or 0 for r in one.finished if (a := r.results.aggregates.get(kind, {}).get(metric)) is not None]
    ran = bool(one.finished or one.failed)
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
        "device": _device(one.finished[-1]) if one.finished and metric == FPS else None,
        "trials": len(by_trial) or max(trials, default=0),
        "difference": None,
        "best": False,
        "weak": False,
        "tied": False,
        "reason": None if mean is not None else _reason(row, one, kind, metric, place),
        "failed": "; ".join(_failure(r) for r in one.failed) or None,
        "aside": one.aside,
    }


def _device(record: Record) -> str | None:
    found = record.device
    return None if found is None else found.gpu or f"{found.cpu}, threads: {found.threads}"


def _value(record: Record, kind: Any, metric: str) -> float | None:
    if metric == FPS:
        return record.costs.fps
    found = record.results.aggregates.get(kind, {}).get(metric)
    return None if found is None else found.value


def _reason(row: Line, one: Runs, kind: str, metric: str, place: Pool) -> str:
    if one.finished:
        return "not measured by this run" if metric == FPS else reason_of(one.finished[-1], kind, metric)
    return reason_of(one.failed[-1], kind, metric) if one.failed else not_run(row, place)


def _failure(record: Record) -> str:
    who = f" of {record.subject}" if record.subject else ""
    return f"seed {record.seed}{who} failed: {record.reason}"


def _judge(
    cells: Sequence[dict[str, Any]],
    rows: Sequence[Line],
    found: Sequence[Runs],
    means: Sequence[dict[Trial, float]],
    better: int,
    column: tuple[str, Any, str],
) -> None:
    """Fills in what follows from comparing rows: the best, what is not told apart from it, and what a part is worth."""
    scores = {k: cell["mean"] * better for k, cell in enumerate(cells) if cell["mean"] is not None}
    printed = [cell["paper"] * better for cell in cells if cell["paper"] is not None]
    for cell in cells:
        cell["paper_best"] = cell["paper"] is not None and cell["paper"] * better == max(printed)
    best = max(scores, key=lambda k: scores[k], default=None)
    trivial = max((scores[k] for k in scores if rows[k].section == "baseline"), default=None)
    places = digits(column[2])
    for k, score in scores.items():
        row, cell = rows[k], cells[k]
        # By what is shown: a difference that is not shown decides nothing.
        cell["best"] = best is not None and round(score, places) == round(scores[best], places)
        cell["weak"] = (
            row.section != "baseline" and trivial is not None and round(score, places) <= round(trivial, places)
        )
        if best is not None and not cell["best"]:
            cell |= _against(means[best], means[k])
        if row.compared is not None:
            cell |= _worth(found[row.compared], found[k], better, column)


def _against(best: dict[Trial, float], other: dict[Trial, float]) -> dict[str, Any]:
    if not best or not other:
        return {"untested": _SETS}
    difference = significance.paired(best, other)
    return {"tied": difference.told_apart is False, "untested": difference.untested}


def _worth(with_part: Runs, without: Runs, better: int, column: tuple[str, Any, str]) -> dict[str, Any]:
    """What the part is worth: both rows at the subjects and seeds that both have."""
    _, kind, metric = column
    shared = {(r.subject, r.seed) for r in with_part.finished} & {(r.subject, r.seed) for r in without.finished}
    if not shared:
        return {"worth_untested": "the row with the part was not run at the same seed"}
    pair = [[r for r in one.finished if (r.subject, r.seed) in shared] for one in (with_part, without)]
    seeds = {"worth_seeds": len({seed for _, seed in shared})}
    more, less = (_means(records, kind, metric) for records in pair)
    if not more or not less:
        values = [[v for r in records if (v := _value(r, kind, metric)) is not None] for records in pair]
        if not all(values):
            return {}
        gain = (statistics.fmean(values[0]) - statistics.fmean(values[1])) * better
        return seeds | {"worth": gain, "sign": _in_parentheses(gain), "worth_untested": _SETS}
    scaled: list[dict[Trial, float]] = [{t: v * better for t, v in by_trial.items()} for by_trial in (more, less)]
    found = significance.paired(*scaled)
    sign = "≈" if found.told_apart is False else "+" if found.mean > 0 else "-"
    if found.told_apart is None:
        sign = _in_parentheses(found.mean)
    worth = {"worth": found.mean, "worth_low": found.low, "worth_high": found.high, "worth_trials": found.trials}
    return seeds | worth | {"sign": sign, "worth_untested": found.untested}


def _in_parentheses(gain: float) -> str:
    return "(+)" if gain > 0 else "(-)" if gain < 0 else "(=)"
