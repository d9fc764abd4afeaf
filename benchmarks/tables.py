"""Tables of results: pure functions from records to a data frame, and from that to text.

A data frame has one line a cell, with the columns of :data:`COLUMNS`. Records that differ by nothing but the seed are
one row of the table, with their mean and standard deviation; of records that do not even differ by that, the newest
finished one counts.
"""

from __future__ import annotations

import json
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import rich.box
import rich.table
from rich.markup import escape
from rich.text import Text

from motioncopy.errors import ConfigError, RecordError
from motioncopy.metrics.catalogue import METRICS, definition
from motioncopy.metrics.definition import Definition, split_key
from motioncopy.metrics.scores import interval
from motioncopy.records import Record

#: The trivial baselines: a method that does not beat them has learnt nothing.
BASELINES = ("static", "nearest", "aligned")
COLUMNS = (
    "data", "protocol", "regime", "subject", "label", "method", "variant", "preset", "overlays", "ablation", "kind",
    "metric", "mean", "std", "low", "high", "seeds", "trials", "best", "weak", "reason",
)  # fmt: skip
_KINDS = ("reconstruction", "imitation")
#: In a terminal, of a table: characters of a method's name before it is folded, and between two columns.
_LABEL, _GAP = 16, 2
_WEAK = "° no better than the better one of the trivial baselines"


def table(records: Iterable[Record], *, intervals: bool = False) -> pd.DataFrame:
    """One line for every row (subject, method, ablation) and column (kind of trial, metric) of a table.

    Args:
        records: Of one data set, protocol and regime; those of papers are left aside.
        intervals: Whether to find the 95% bootstrap intervals over trials, which then stand in the cells in place of
            the deviations over seeds.

    Returns:
        A frame with :data:`COLUMNS`: ``mean`` and ``std`` over seeds (NaN where there is no value, or one seed),
        ``low`` and ``high`` of the interval (NaN without one), ``trials`` a seed, ``best`` (as good as the best that
        is shown for this subject), ``weak`` (not better than the trivial baselines), ``reason`` (why there is no
        value).

    Raises:
        RecordError: If there is no record, or records of several data sets, protocols, regimes, metric versions or
            trials.
    """
    records = sorted((r for r in records if r.kind != "paper"), key=lambda r: (r.created, r.id))
    _check_one("data set", {r.data for r in records}, "choose one with --data")
    _check_one("protocol", {r.protocol for r in records}, "choose one with --protocol")
    _check_one("regime", {r.regime for r in records}, "choose one with --regime")
    finished = [r for r in records if r.status == "finished"]
    metrics = _metrics(finished)
    kinds = [k for k in _KINDS if any(k in r.results.aggregates for r in finished)] or [_KINDS[0]]
    _check_trials(finished)

    lines = []
    for label, runs in _rows(records):
        for kind in kinds:
            lines += [_line(label, runs, kind, metric, intervals) for metric in metrics]
    frame = pd.DataFrame(lines, columns=list(COLUMNS))
    return _compared(frame)


def _check_one(what: str, found: set[str], remedy: str) -> None:
    if not found:
        raise RecordError("there is no record to make a table of", remedy="run `motioncopy bench` first")
    if len(found) > 1:
        raise RecordError(f"a table holds one {what}", found=", ".join(sorted(found)), remedy=remedy)


def _metrics(records: Sequence[Record]) -> list[str]:
    """The metric keys of the records, in the catalogue's order; the whole catalogue where there is no record."""
    found = {key for r in records for key in r.results.missing}
    found |= {key for r in records for by_key in r.results.aggregates.values() for key in by_key}
    versions: dict[tuple[str, str], set[str]] = defaultdict(set)
    for key in found:
        versions[split_key(key)[:2]].add(key)
    for keys in versions.values():
        if len(keys) > 1:
            raise RecordError(
                "a table holds one version of a metric",
                found=", ".join(sorted(keys)),
                remedy="score the kept outputs of the older runs again",
            )
    try:
        for key in found:
            definition(key)
    except ConfigError as error:
        raise RecordError(f"a record holds an {error.what}", expected=error.expected) from error
    return [key for key in METRICS if key in found or not found]


def _check_trials(records: Sequence[Record]) -> None:
    """Means over different trials cannot be compared."""
    seen: dict[tuple[str | None, str], tuple[set[str], str]] = {}
    for r in records:
        for kind in r.results.aggregates:
            trials = {name for name, trial in r.results.trials.items() if trial.kind == kind}
            first, other = seen.setdefault((r.subject, kind), (trials, r.id))
            if trials != first:
                raise RecordError(
                    f"records {other} and {r.id} were scored on different trials ({kind})",
                    expected=f"{len(first)} trials",
                    found=f"{len(trials)} trials, of which {len(trials - first)} are others",
                    remedy="run one of them again on the protocol's present trials",
                )


def _rows(records: Sequence[Record]) -> list[tuple[str, list[Record]]]:
    """Label and runs (one a seed) of every row: baselines last, an ablation behind its method."""
    groups: dict[tuple[Any, ...], dict[int | None, Record]] = defaultdict(dict)
    for r in records:
        names = (r.method in BASELINES, r.method, r.variant or "", r.preset or "", r.overlays, r.ablation or "")
        runs = groups[(r.subject or "", *names, json.dumps(_seedless(r.config), sort_keys=True))]
        if r.status == "finished" or r.seed not in runs or runs[r.seed].status == "failed":
            runs[r.seed] = r
    rows = [list(groups[key].values()) for key in sorted(groups)]
    labels = [(runs[0].subject, _label(runs[0])) for runs in rows]
    # Rows of one name differ in their configs, which a reader must see.
    return [
        (label if labels.count((subject, label)) == 1 else f"{label} #{runs[0].config_sha256[:6]}", runs)
        for (subject, label), runs in zip(labels, rows, strict=True)
    ]


def _seedless(config: Any) -> Any:
    if isinstance(config, dict):
        return {k: _seedless(v) for k, v in config.items() if k not in ("seed", "seed_everything")}
    return [_seedless(v) for v in config] if isinstance(config, list) else config


def _label(record: Record) -> str:
    details = ", ".join(part for part in (record.variant, record.preset, *record.overlays) if part)
    label = f"{record.method} ({details})" if details else record.method
    return f"{label}: {record.ablation}" if record.ablation else label


def _line(label: str, runs: Sequence[Record], kind: str, metric: str, intervals: bool) -> dict[str, Any]:
    one = runs[0]
    found = [r.results.aggregates.get(kind, {}).get(metric) for r in runs]  # type: ignore[call-overload]
    values = [a.value for a in found if a is not None]
    low, high = _interval(runs, kind, metric) if intervals else (None, None)
    return {
        "data": one.data,
        "protocol": one.protocol,
        "regime": one.regime,
        "subject": one.subject,
        "label": label,
        "method": one.method,
        "variant": one.variant,
        "preset": one.preset,
        "overlays": ", ".join(one.overlays) or None,
        "ablation": one.ablation,
        "kind": kind,
        "metric": metric,
        "mean": statistics.fmean(values) if values else float("nan"),
        "std": statistics.stdev(values) if len(values) > 1 else float("nan"),
        "low": float("nan") if low is None else low,
        "high": float("nan") if high is None else high,
        "seeds": len(values),
        "trials": max((a.clips or 0 for a in found if a is not None), default=0),
        "reason": None if values else _reason(runs[-1], kind, metric),
    }


def _interval(runs: Sequence[Record], kind: str, metric: str) -> tuple[float | None, float | None]:
    """Over trials, of each trial's mean over seeds; that of the record where a metric has no value of a trial."""
    by_trial: dict[str, list[float]] = defaultdict(list)
    for record in runs:
        for name, trial in record.results.trials.items():
            value = trial.scores[metric].value if trial.kind == kind and metric in trial.scores else None
            if value is not None:
                by_trial[name].append(value)
    if by_trial:
        return interval(np.array([statistics.fmean(values) for _, values in sorted(by_trial.items())]))
    whole = runs[0].results.aggregates.get(kind, {}).get(metric) if len(runs) == 1 else None  # type: ignore[call-overload]
    return (whole.low, whole.high) if whole is not None else (None, None)


def _reason(record: Record, kind: str, metric: str) -> str:
    if record.status == "failed":
        return f"the run failed: {record.reason}"
    if kind not in record.results.aggregates:
        return f"no trial of {kind} was scored"
    if metric in record.results.missing:
        return record.results.missing[metric]
    if any(metric in trial.scores for trial in record.results.trials.values() if trial.kind == kind):
        return "no frame had a value"
    return "not computed by this run"


def _compared(frame: pd.DataFrame) -> pd.DataFrame:
    """Fills in ``best`` and ``weak``, both by what is shown: a difference that is not shown decides nothing."""
    sign = frame["metric"].map(lambda key: 1 if definition(key).direction == "higher" else -1)
    shown = (
        frame["mean"].round(3).where(frame["metric"].map(lambda k: definition(k).unit != "dB"), frame["mean"].round(2))
    )
    score = shown * sign
    column = [frame["subject"].fillna(""), frame["kind"], frame["metric"]]
    baseline = frame["method"].isin(BASELINES)
    judged = frame["metric"].map(lambda key: definition(key).direction != "none")
    frame["best"] = judged & score.eq(score.groupby(column).transform("max"))
    frame["weak"] = judged & ~baseline & score.le(score.where(baseline).groupby(column).transform("max"))
    return frame


def markdown(frame: pd.DataFrame) -> str:
    """The table in Markdown: a part for each kind of trial, methods downwards as in papers, footnotes below."""
    cells, notes = _cells(frame, bold=lambda text: f"**{text}**")
    parts = []
    for kind, metrics in _columns(frame):
        lines = [["", *(_heading(definition(metric)) for metric in metrics)], ["---", *("--:" for _ in metrics)]]
        lines += [[label, *(row[kind, metric] for metric in metrics)] for label, row in cells.items()]
        parts += [f"**{_title(frame)}: {kind}**", "\n".join("| " + " | ".join(line) + " |" for line in lines)]
    return "\n\n".join([*parts, *notes]) + "\n"


def terminal(frame: pd.DataFrame, width: int = 160) -> tuple[list[rich.table.Table], list[str]]:
    """The table for a terminal: a part for each kind of trial, metrics downwards; and the footnotes.

    Metrics are many and have long names, which no terminal has room for side by side; methods are few.

    Args:
        frame: See :func:`table`.
        width: Columns of the terminal; where the methods do not fit, those that are left follow in further parts.
    """
    cells, notes = _cells(frame, bold=lambda text: f"[bold]{text}[/bold]")
    parts = []
    for kind, metrics in _columns(frame):
        headings = [_heading(definition(metric)) for metric in metrics]
        widest = max((len(Text.from_markup(row[kind, m])) for row in cells.values() for m in metrics), default=0)
        abreast = max(1, (width - max(map(len, headings)) - _GAP) // (max(widest, _LABEL) + _GAP))
        for methods in (list(cells)[i : i + abreast] for i in range(0, len(cells), abreast)):
            title = f"{_title(frame)}: {kind}"
            part = rich.table.Table(title=title, box=rich.box.SIMPLE_HEAD, title_justify="left", min_width=len(title))
            part.add_column("")
            for label in methods:
                limit = max(widest, _LABEL)
                part.add_column(escape(label), justify="right", overflow="fold", min_width=widest, max_width=limit)
            for heading, metric in zip(headings, metrics, strict=True):
                part.add_row(heading, *(cells[label][kind, metric] for label in methods))
            parts.append(part)
    return parts, notes


def _columns(frame: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """Each kind of trial with the metrics that have a value there."""
    kinds = _with_values(frame).groupby("kind", sort=False)["metric"]
    return [(str(kind), list(dict.fromkeys(metrics))) for kind, metrics in kinds]


def _title(frame: pd.DataFrame) -> str:
    one = frame.iloc[0]
    return f"{one['data']}, protocol {one['protocol']}, {one['regime']}"


def _heading(metric: Definition) -> str:
    return f"{metric.title} {metric.arrow}" + (f" ({metric.unit})" if metric.unit else "")


def _cells(frame: pd.DataFrame, bold: Callable[[str], str]) -> tuple[dict[str, dict[tuple[str, str], str]], list[str]]:
    """The texts of the cells, by row and (kind, metric); and the footnotes."""
    absent, frame = _absent(frame), _with_values(frame)
    reasons = list(dict.fromkeys(frame["reason"].dropna()))
    several = frame["subject"].nunique(dropna=False) > 1
    cells: dict[str, dict[tuple[str, str], str]] = {}
    for (subject, label), lines in frame.groupby([frame["subject"].fillna(""), "label"], sort=False):
        seeds = lines["seeds"].max()
        name = (f"{subject}: " if several and subject else "") + str(label) + (f", {seeds} seeds" if seeds > 1 else "")
        cells[name] = {(line["kind"], line["metric"]): _cell(line, reasons, bold) for line in lines.to_dict("records")}
    notes = [f"{_superscript(i)} {_short(reason)}" for i, reason in enumerate(reasons, start=1)]
    notes += absent
    return cells, [*notes, _WEAK] if frame["weak"].any() else notes


def _with_values(frame: pd.DataFrame) -> pd.DataFrame:
    """The lines of those columns that have a value in any row; all of them where no column has one."""
    filled = frame.groupby(["kind", "metric"])["seeds"].transform("max").gt(0)
    return frame[filled] if filled.any() else frame


def _absent(frame: pd.DataFrame) -> list[str]:
    """Notes on the columns that are not shown: which metrics have no value at all, and why."""
    hidden = frame[~frame.index.isin(_with_values(frame).index)]
    by_reason: dict[str, list[str]] = defaultdict(list)
    for metric, lines in hidden.groupby("metric", sort=False):
        kinds = list(dict.fromkeys(lines["kind"]))
        everywhere = len(kinds) == frame["kind"].nunique()
        title = definition(str(metric)).title + ("" if everywhere else f" ({', '.join(kinds)})")
        by_reason["; ".join(dict.fromkeys(map(_short, lines["reason"])))].append(title)
    return [f"Without a value: {', '.join(titles)}. {reason}" for reason, titles in by_reason.items()]


def _short(reason: str) -> str:
    """The record keeps the whole reason; a footnote needs no paths and addresses."""
    return reason.split(" Expected:")[0]


def _cell(line: dict[Any, Any], reasons: Sequence[str], bold: Callable[[str], str]) -> str:
    if not line["seeds"]:
        return "–" + _superscript(reasons.index(line["reason"]) + 1)
    digits = 2 if definition(line["metric"]).unit == "dB" else 3
    text = f"{line['mean']:.{digits}f}"
    if not math.isnan(line["low"]):
        text += f" [{line['low']:.{digits}f}, {line['high']:.{digits}f}]"
    elif line["seeds"] > 1:
        text += f" ± {line['std']:.{digits}f}"
    return (bold(text) if line["best"] else text) + ("°" if line["weak"] else "")


def _superscript(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
