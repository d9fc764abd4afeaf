"""The table of what was measured: rows of methods, columns of metrics, for each kind of trial."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from benchmarks.tables import measured
from benchmarks.tables.columns import heading, interval, number, short, title
from benchmarks.tables.grid import Cell, Footnotes, Grid, Note, raised
from benchmarks.tables.selection import BASELINES, KINDS, check_one, check_trials, in_order, metrics_of, rows_of
from benchmarks.tables.table import Table, cells
from motioncopy.metrics.bootstrap import NOTE
from motioncopy.records import Record

COLUMNS = (
    "data", "protocol", "regime", "subject", "label", "method", "variant", "preset", "overlays", "ablation", "kind",
    "metric", "mean", "std", "low", "high", "seeds", "trials", "best", "weak", "tied", "untested", "reason",
)  # fmt: skip
_SPREAD = Note("± deviation over seeds, of which the baselines know nothing; --intervals shows intervals over trials")
_WEAK = Note("no better than the better one of the trivial baselines", "°")
_TIED = Note(f"not told apart from the best of its column ({NOTE.rstrip('.')})", "≈")


def results(records: Iterable[Record], *, intervals: bool = False) -> Table:
    """One line for every row (subject, method, ablation) and column (kind of trial, metric) of a table.

    Args:
        records: Of one data set, protocol and regime; those of papers are left aside.
        intervals: Whether to find the 95% intervals over trials, which then stand in the cells in place of the
            deviations over seeds.

    Returns:
        A table whose frame has :data:`COLUMNS`: ``mean`` and ``std`` over seeds (NaN where there is no value, or one
        seed), ``low`` and ``high`` of the interval (NaN without one), ``trials`` a seed, ``best`` (as good as the best
        that is shown for this subject), ``weak`` (not better than the trivial baselines), ``tied`` (not the best, and
        not told apart from it: :mod:`motioncopy.metrics.bootstrap`), ``untested`` (why that is not known), ``reason``
        (why there is no value).

    Raises:
        RecordError: If there is no record, or records of several data sets, protocols, regimes, metric versions or
            trials.
    """
    records = in_order(r for r in records if r.kind != "paper")
    check_one("data set", {r.data for r in records}, "choose one with --data")
    check_one("protocol", {r.protocol for r in records}, "choose one with --protocol")
    check_one("regime", {r.regime for r in records}, "choose one with --regime")
    finished = [r for r in records if r.status == "finished"]
    metrics = metrics_of(finished)
    kinds = [k for k in KINDS if any(k in r.results.aggregates for r in finished)] or KINDS[:1]
    check_trials(finished)

    lines: list[dict[str, Any]] = []
    columns: dict[tuple[str, str, str], list[tuple[dict[str, Any], measured.BySeed]]] = defaultdict(list)
    for label, runs in rows_of(records):
        for kind in kinds:
            for metric in metrics:
                means = measured.over_seeds(measured.trial_values(runs, kind, metric))
                lines.append(_line(label, runs, kind, metric))
                if intervals:
                    lines[-1]["low"], lines[-1]["high"] = measured.bounds(runs, kind, metric, means)
                # Seeds are averaged before rows are compared.
                averaged: measured.BySeed = {trial: {None: mean} for trial, mean in means.items()}
                columns[runs[0].subject or "", kind, metric].append((lines[-1], averaged))
    for (_, _, metric), found in columns.items():
        column, values = zip(*found, strict=True)
        measured.judge(column, values, [line["method"] in BASELINES for line in column], metric)
    frame = pd.DataFrame(lines, columns=list(COLUMNS))
    numbers = ["mean", "std", "low", "high"]
    return Table(frame.astype(dict.fromkeys(numbers, float)), _layout, fold=16, turned=True)


def _line(label: str, runs: Sequence[Record], kind: str, metric: str) -> dict[str, Any]:
    one = runs[0]
    found = [r.results.aggregates.get(kind, {}).get(metric) for r in runs]  # type: ignore[call-overload]
    values = [a.value for a in found if a is not None]
    own = ("data", "protocol", "regime", "subject", "method", "variant", "preset", "ablation")
    return {name: getattr(one, name) for name in own} | {
        "label": label,
        "overlays": ", ".join(one.overlays) or None,
        "kind": kind,
        "metric": metric,
        "mean": statistics.fmean(values) if values else None,
        "std": statistics.stdev(values) if len(values) > 1 else None,
        "seeds": len(values),
        "trials": max((a.clips or 0 for a in found if a is not None), default=0),
        "reason": None if values else measured.reason_of(runs[-1], kind, metric),
    }


def _layout(frame: pd.DataFrame) -> tuple[list[Grid], list[Note]]:
    """A grid for each kind of trial, of the metrics that have a value there, and the notes."""
    # A column that has no value in any row is a note; but a table without any value shows its reasons.
    filled = frame.groupby(["kind", "metric"])["seeds"].transform("max").gt(0)
    shown, hidden = (frame[filled], frame[~filled]) if filled.any() else (frame, frame[filled])
    several = frame["subject"].nunique(dropna=False) > 1
    reasons = Footnotes(raised)
    rows: dict[str, dict[tuple[str, str], Cell]] = {}
    for (subject, label), lines in shown.groupby([shown["subject"].fillna(""), "label"], sort=False):
        seeds = lines["seeds"].max()
        name = (f"{subject}: " if several and subject else "") + str(label) + (f", {seeds} seeds" if seeds > 1 else "")
        rows[name] = {(line["kind"], line["metric"]): _cell(line, reasons) for line in cells(lines)}
    one = frame.iloc[0]
    grids = []
    for kind, lines in shown.groupby("kind", sort=False):
        metrics = list(dict.fromkeys(lines["metric"]))
        body = tuple((Cell(name), *(row[str(kind), metric] for metric in metrics)) for name, row in rows.items())
        caption = f"{one['data']}, protocol {one['protocol']}, {one['regime']}: {kind}"
        grids.append(Grid(caption, ("", *map(heading, metrics)), body))
    notes = reasons.notes()
    notes += [_SPREAD] if shown["std"].notna().any() and shown["low"].isna().all() else []
    notes += [_WEAK] if shown["weak"].any() else []
    notes += [_TIED] if shown["tied"].any() else []
    untested = _grouped(shown, shown[shown["untested"].notna()], "untested")
    for reason, titles in untested:
        everywhere = len(untested) == 1 and len(titles) == shown["metric"].nunique()
        which = "" if everywhere else f" in {', '.join(titles)}"
        notes.append(Note(f"Differences not tested{which}: {reason}"))
    absent = _grouped(frame, hidden, "reason")
    return grids, notes + [Note(f"Without a value: {', '.join(titles)}. {reason}") for reason, titles in absent]


def _cell(line: dict[str, Any], reasons: Footnotes) -> Cell:
    if not line["seeds"]:
        return Cell("–", marks=reasons.mark(short(line["reason"])), line=line["line"])
    metric = line["metric"]
    return Cell(
        number(line["mean"], metric),
        interval(line["low"], line["high"], metric),
        "" if math.isnan(line["std"]) else number(line["std"], metric),
        bool(line["best"]),
        ("≈" if line["tied"] else "") + ("°" if line["weak"] else ""),
        line["line"],
    )


def _grouped(frame: pd.DataFrame, lines: pd.DataFrame, column: str) -> list[tuple[str, list[str]]]:
    """For each reason in a column the metrics it is one for, with the kinds of trials where these are not all."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for metric, found in lines.groupby("metric", sort=False):
        kinds = list(dict.fromkeys(found["kind"]))
        everywhere = len(kinds) == frame["kind"].nunique()
        reason = "; ".join(dict.fromkeys(map(short, found[column])))
        by_reason[reason].append(title(str(metric)) + ("" if everywhere else f" ({', '.join(kinds)})"))
    return list(by_reason.items())
