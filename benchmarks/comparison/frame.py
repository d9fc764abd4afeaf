"""The data frame behind a comparison: one line for each row and column of a paper's table, and for each row besides.

A difference is given only where what was measured is what the paper says it measured: the same data set, in the
protocol of this project that comes nearest to the paper's, at the paper's size and length, and for personal models of
everybody whom the protocol tests. On another data set values cannot be compared; what can is
whether a part helps, that is the sign of an ablation.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from benchmarks import significance
from benchmarks.comparison.runs import Line, Pool, Runs, lines, not_run, pool, runs
from benchmarks.comparison.seeds import BySeed, over_seeds, pair
from benchmarks.grids import FPS, digits
from benchmarks.papers import Table
from benchmarks.tables.frame import BASELINES, Trial, bounds, reason_of, trial_values
from datamodules.protocols import protocol
from motioncopy.errors import DataError, RecordError
from motioncopy.metrics.catalogue import definition
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
        ``difference`` is ``mean - paper`` where the two can be compared, ``withheld`` why there is none though data
        set and protocol are the paper's. ``not_averaged``: devices whose frames a second do not count, since only
        those of the newest run's ``device`` do. ``tied``: not told apart from the best of the column, seed by seed
        where both rows have a value at a seed, else by means over seeds; ``untested`` why that is not known. For an
        ablation, ``worth`` is the gain by the part that it lacks, formed subject by subject, trial by trial and seed
        by seed, with its 95% interval, positive where the part helps; ``sign`` is "+" or "-", or "≈" where the
        interval holds 0, in parentheses where ``worth_untested`` says why there was no test; ``paper_worth`` is the
        same difference of the paper's two values. ``reason``: why there is no measured value. ``failed``: runs that
        broke off, and why. ``aside``: finished runs of older configs that do not count. ``changed``: how many runs on
        the data do not count, since a user changed their values. ``left_out``: people whom not every row has, and why.

    Raises:
        RecordError: If the records are of several protocols, presets or metric versions, or of trials or subjects
            that cannot be compared.
    """
    records = list(records)
    columns = [c for c in table.columns if data is None or data not in table.data or c[0] == data]
    places = {name: data or name for name, _, _ in columns}
    pools = {place: pool(table, records, place) for place in dict.fromkeys(places.values())}
    rows = lines(table, pools.values())
    chosen = {place: _same_subjects(rows, [runs(row, found) for row in rows], place) for place, found in pools.items()}
    cells = []
    for column in columns:
        place = places[column[0]]
        found, left_out = chosen[place]
        ours = {"changed": len(pools[place].changed), "left_out": left_out}
        cells += [cell | ours for cell in _column(table, column, rows, found, pools[place])]
    return pd.DataFrame(cells, columns=list(COLUMNS), dtype=object)


def _same_subjects(rows: Sequence[Line], found: Sequence[Runs], data: str) -> tuple[list[Runs], str | None]:
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
    return [one.only(common) for one in found], "; ".join(left_out) or None


def _lacks(one: Runs, person: str) -> str:
    """Why a row has no result of a person."""
    reasons = dict.fromkeys(
        (r.reason or "").split(" Expected:")[0].rstrip(".") for r in one.failed if r.subject == person
    )
    return f"failed: {'; '.join(reasons)}" if reasons else "not run"


def _column(
    table: Table, column: tuple[str, Any, str], rows: Sequence[Line], found: Sequence[Runs], place: Pool
) -> list[dict[str, Any]]:
    _, kind, metric = column
    comparable = place.data == column[0] and place.protocol is not None and place.protocol == table.protocol[column[0]]
    values = [trial_values(one.finished, kind, metric) for one in found]
    cells = []
    for row, one, by_trial in zip(rows, found, values, strict=True):
        cell: dict[str, Any] = dict.fromkeys(COLUMNS)
        cell |= _paper_cell(table, row, column) | _measured_cell(row, one, column, by_trial, place)
        if comparable and metric != FPS and cell["mean"] is not None and cell["paper"] is not None:
            people = {r.subject for r in one.finished if _value(r, kind, metric) is not None}
            cell["withheld"] = _withheld(table, place, cell["preset"], len(people))
            cell["difference"] = cell["mean"] - cell["paper"] if cell["withheld"] is None else None
        cells.append(cell)
    better = direction(metric)
    # Copying a picture is fast: frames a second are no contest with the baselines.
    if better and metric != FPS:
        _judge(cells, rows, found, values, better, column)
    return cells


def _withheld(table: Table, place: Pool, preset: str | None, people: int) -> str | None:
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


def direction(metric: str) -> int:
    """1 where higher is better, -1 where lower is, 0 where neither is."""
    return {"higher": 1, "lower": -1, "none": 0}["higher" if metric == FPS else definition(metric).direction]


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


def _measured_cell(row: Line, one: Runs, column: tuple[str, Any, str], by_seed: BySeed, place: Pool) -> dict[str, Any]:
    _, kind, metric = column
    counted, not_averaged = _on_one_device(one.finished) if metric == FPS else (one.finished, [])
    values = {(r.subject, r.seed): v for r in counted if (v := _value(r, kind, metric)) is not None}
    by_trial = over_seeds(by_seed)
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
        "device": _device(counted[-1]) if counted and metric == FPS else None,
        "not_averaged": "; ".join(not_averaged) or None,
        "trials": len(by_trial) or max(trials, default=0),
        "difference": None,
        "best": False,
        "weak": False,
        "tied": False,
        "reason": None if mean is not None else _reason(row, one, kind, metric, place),
        "failed": "; ".join(_failure(r) for r in one.failed) or None,
        "aside": one.aside,
    }


def _on_one_device(records: Sequence[Record]) -> tuple[Sequence[Record], list[str]]:
    """Frames a second of several devices have no mean: the runs on the newest one's, and the other devices."""
    timed = sorted((r for r in records if r.costs.fps is not None), key=lambda r: (r.created, r.id))
    devices = list(dict.fromkeys(_device(r) for r in reversed(timed)))
    return [r for r in timed if _device(r) == devices[0]] if timed else records, devices[1:]


def _device(record: Record) -> str:
    found = record.costs.device or record.device
    return "an unknown device" if found is None else found.gpu or f"{found.cpu}, threads: {found.threads}"


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
    values: Sequence[BySeed],
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
            cell |= _against(values[best], values[k])
        if row.compared is not None:
            cell |= _worth(found[row.compared], found[k], better, column)


def _against(best: BySeed, other: BySeed) -> dict[str, Any]:
    """Whether a row is told apart from the best: at the seeds that both have, else by the means over seeds."""
    if not best or not other:
        return {"untested": _SETS}
    difference = significance.paired(*pair(best, other))
    return {"tied": difference.told_apart is False, "untested": difference.untested}


def _worth(with_part: Runs, without: Runs, better: int, column: tuple[str, Any, str]) -> dict[str, Any]:
    """What the part is worth: differences for each subject, trial and seed that both rows have, then means over seeds.

    A trial counts at the seeds at which both rows have a value of it, so that a seed that one row lacks moves nothing.
    """
    _, kind, metric = column
    both = (with_part.finished, without.finished)
    if not set.intersection(*({(r.subject, r.seed) for r in records} for records in both)):
        return {"worth_untested": "the row with the part was not run at the same seed"}
    more, less = (trial_values(records, kind, metric) for records in both)
    sets = not more or not less
    if sets:
        more, less = (_set_values(records, kind, metric) for records in both)
    if not more or not less:
        return {}
    means = pair(more, less, unpaired=False)
    if not means[0]:
        return {"worth_untested": "no trial has a value of both rows at the same seed"}
    found = significance.paired(*({trial: value * better for trial, value in one.items()} for one in means))
    seeds = {"worth_seeds": len({seed for trial in means[0] for seed in more[trial].keys() & less[trial].keys()})}
    if sets:
        return seeds | {"worth": found.mean, "sign": _in_parentheses(found.mean), "worth_untested": _SETS}
    sign = "≈" if found.told_apart is False else "+" if found.mean > 0 else "-"
    if found.told_apart is None:
        sign = _in_parentheses(found.mean)
    worth = {"worth": found.mean, "worth_low": found.low, "worth_high": found.high, "worth_trials": found.trials}
    return seeds | worth | {"sign": sign, "worth_untested": found.untested}


def _set_values(records: Iterable[Record], kind: str, metric: str) -> dict[Trial, dict[int | None, float]]:
    """For each subject the one value of all its trials together, at each seed."""
    found: dict[Trial, dict[int | None, float]] = {}
    for r in records:
        if (value := _value(r, kind, metric)) is not None:
            found.setdefault((r.subject or "", ""), {})[r.seed] = value
    return found


def _in_parentheses(gain: float) -> str:
    return "(+)" if gain > 0 else "(-)" if gain < 0 else "(=)"
