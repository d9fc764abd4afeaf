"""Tables as the page shows them: plain values for the template, every number already a text."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pandas as pd

from benchmarks import ablations
from benchmarks.report.groups import Group, Row
from motioncopy.errors import RecordError
from motioncopy.metrics.catalogue import definition
from motioncopy.metrics.definition import Definition


@dataclass(frozen=True)
class Cell:
    """One value of a table.

    Attributes:
        link: The fragment that opens its provenance.
        value: The mean, or a dash.
        spread: The deviation over seeds; empty where there is one seed.
        bounds: The interval over trials; empty where there is none.
        best: Whether it is the best of its column.
        weak: Whether the better trivial baseline is as good.
        tied: Whether it is not told apart from the best.
        note: Number of the footnote that says why there is no value; 0 where there is one.
    """

    link: str
    value: str
    spread: str = ""
    bounds: str = ""
    best: bool = False
    weak: bool = False
    tied: bool = False
    note: int = 0


@dataclass(frozen=True)
class Line:
    """A row of a table: what it is called, over how many seeds, and its cells."""

    row: Row
    seeds: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Part:
    """The table of one kind of trial.

    Attributes:
        kind: ``reconstruction`` or ``imitation``.
        columns: The metrics that have a value in some row.
        bodies: The rows, by the person shown (empty where the trials show several).
        trials: Trials a seed.
    """

    kind: str
    columns: tuple[Definition, ...]
    bodies: Mapping[str, Sequence[Line]]
    trials: int


@dataclass(frozen=True)
class Table:
    """All that is shown of a group.

    Attributes:
        group: The group.
        parts: One a kind of trial.
        notes: Why single cells have no value, in the order of their numbers.
        absent: Titles of metrics without any value, and why.
        untested: Titles of metrics whose differences were not tested, and why.
        weak: Whether a cell is marked so.
        tied: Whether a cell is marked so.
    """

    group: Group
    parts: tuple[Part, ...]
    notes: tuple[str, ...]
    absent: tuple[tuple[str, str], ...]
    untested: tuple[tuple[str, str], ...]
    weak: bool
    tied: bool


@dataclass(frozen=True)
class Worth:
    """What a part is worth by one metric and kind of trial.

    Attributes:
        text: The gain, signed, in the metric's unit.
        bounds: Its interval, or empty.
        verdict: ``helps``, ``harms``, ``not shown`` or ``not tested``.
        why: Why it was not tested; empty where it was.
        mark: Where gain and interval lie between -1 and 1, for the drawing: (low, gain, high); ``None`` without one.
    """

    text: str
    bounds: str
    verdict: str
    why: str
    mark: tuple[float, float, float] | None


@dataclass(frozen=True)
class Comparison:
    """One ablation: for each metric what its part is worth, beside what the paper found."""

    data: str
    subject: str
    method: str
    ablation: str
    compared: str
    part: str
    trials: str
    kinds: tuple[str, ...]
    lines: tuple[tuple[Definition, tuple[Worth | None, ...], str], ...]


def table(group: Group) -> Table:
    """What the page shows of a group."""
    frame = group.frame
    filled = frame.groupby(["kind", "metric"])["seeds"].transform("max").gt(0)
    shown = frame[filled] if filled.any() else frame
    notes = list(dict.fromkeys(short(str(r)) for r in shown["reason"].dropna()))
    parts = []
    for kind, lines in shown.groupby("kind", sort=False):
        metrics = list(dict.fromkeys(lines["metric"]))
        by_place = {(_key(x["subject"]), x["label"], x["metric"]): x for x in lines.to_dict("records")}
        bodies: dict[str, list[Line]] = defaultdict(list)
        for row in group.rows:
            found = [by_place[row.subject or "", row.label, m] for m in metrics]
            cells = tuple(_cell(group, row, str(kind), x, notes) for x in found)
            bodies[row.subject or ""].append(Line(row, max(int(x["seeds"]) for x in found), cells))
        columns = tuple(definition(m) for m in metrics)
        parts.append(Part(str(kind), columns, bodies, int(lines["trials"].max())))
    hidden = frame[~frame.index.isin(shown.index)]
    return Table(
        group,
        tuple(parts),
        tuple(notes),
        _titles(frame, hidden, "reason"),
        _titles(shown, shown[shown["untested"].notna()], "untested"),
        bool(shown["weak"].any()),
        bool(shown["tied"].any()),
    )


def short(reason: str) -> str:
    """A reason without the paths and addresses behind it; the panel of the cell has the whole."""
    return reason.split(" Expected:")[0]


def number(value: float, metric: Definition, *, signed: bool = False) -> str:
    """A value as tables show it: decibels with two digits, all else with three."""
    digits = 2 if metric.unit == "dB" else 3
    return f"{value:{'+' if signed else ''}.{digits}f}".replace("-", "−")


def _cell(group: Group, row: Row, kind: str, line: Mapping[Any, Any], notes: Sequence[str]) -> Cell:
    metric = definition(line["metric"])
    link = "cell?" + urlencode({"t": group.id, "r": row.id, "k": kind, "m": metric.key}, safe="/@")
    if not line["seeds"]:
        return Cell(link, "–", note=notes.index(short(str(line["reason"]))) + 1)
    several, bounded = not math.isnan(line["std"]), not math.isnan(line["low"])
    return Cell(
        link,
        number(line["mean"], metric),
        number(line["std"], metric) if several else "",
        f"{number(line['low'], metric)}, {number(line['high'], metric)}" if bounded else "",
        bool(line["best"]),
        bool(line["weak"]),
        bool(line["tied"]),
    )


def _titles(frame: pd.DataFrame, lines: pd.DataFrame, column: str) -> tuple[tuple[str, str], ...]:
    """The metrics of lines by what a column says of them, with their kinds of trials where these are not all."""
    found: dict[str, list[str]] = defaultdict(list)
    for metric, of_metric in lines.groupby("metric", sort=False):
        kinds = list(dict.fromkeys(of_metric["kind"]))
        everywhere = len(kinds) == frame["kind"].nunique()
        title = definition(str(metric)).title + ("" if everywhere else f" ({', '.join(kinds)})")
        found["; ".join(dict.fromkeys(short(str(r)) for r in of_metric[column]))].append(title)
    return tuple((", ".join(titles), reason) for reason, titles in found.items())


def comparisons(group: Group) -> tuple[list[Comparison], str | None]:
    """The ablations of a group, and what hinders their comparison (``None`` if nothing does)."""
    try:
        frame = ablations.compare(group.records)
    except RecordError as error:
        return [], str(error)
    found = []
    for (_, ablation, subject), lines in frame.fillna({"subject": ""}).groupby(
        ["method", "ablation", "subject"], sort=False
    ):
        kinds = tuple(dict.fromkeys(lines["kind"]))
        rows = []
        for key, of_metric in lines.groupby("metric", sort=False):
            by_kind = {x["kind"]: x for x in of_metric.to_dict("records")}
            ends = [abs(x[n]) for x in by_kind.values() for n in ("low", "worth", "high") if _known(x[n])]
            scale, metric = max(ends, default=0.0) or 1.0, definition(str(key))
            worths = tuple(_worth(by_kind[k], metric, scale) if k in by_kind else None for k in kinds)
            rows.append((metric, worths, next((x["paper"] for x in by_kind.values() if x["paper"]), "")))
        one = lines.iloc[0]
        seeds = f"{one['seeds']} seed{'s' if one['seeds'] > 1 else ''}"
        compared = str(one["compared"]) if _key(one["compared"]) else "the whole method"
        found.append(
            Comparison(
                group.data, str(subject), str(one["method"]), str(ablation), compared, str(one["part"]),
                f"{one['trials']} trials a kind, {seeds}", kinds, tuple(rows),
            )
        )  # fmt: skip
    return found, None


def _worth(line: Mapping[Any, Any], metric: Definition, scale: float) -> Worth:
    text = number(line["worth"], metric, signed=True)
    verdict, _, why = ablations.verdict(line).rstrip(")").partition(" (")
    if not _known(line["low"]):
        return Worth(text, "", verdict, why, None)
    bounds = f"{number(line['low'], metric, signed=True)}, {number(line['high'], metric, signed=True)}"
    return Worth(text, bounds, verdict, why, (line["low"] / scale, line["worth"] / scale, line["high"] / scale))


def _known(value: Any) -> bool:
    return value is not None and not math.isnan(value)


def _key(value: Any) -> str:
    return "" if value is None or value != value else str(value)
