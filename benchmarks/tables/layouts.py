"""A table's frame as text: methods downwards as in papers; in a terminal metrics, of which there are more."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pandas as pd
import rich.table

from benchmarks import grids, significance
from benchmarks.grids import Cell, Grid, Note
from motioncopy.metrics.catalogue import definition

_SPREAD = Note("± deviation over seeds, of which the baselines know nothing; --intervals shows intervals over trials")
_WEAK = Note("no better than the better one of the trivial baselines", "°")
_TIED = Note(f"not told apart from the best of its column ({significance.NOTE.rstrip('.')})", "≈")


def markdown(frame: pd.DataFrame) -> str:
    """The table in Markdown: a part for each kind of trial, methods downwards as in papers, footnotes below."""
    return grids.markdown(*_layout(frame))


def latex(frame: pd.DataFrame) -> str:
    """The table in LaTeX, for the package booktabs: a float for each kind of trial, and more where one is too wide."""
    return grids.latex(*_layout(frame))


def terminal(frame: pd.DataFrame, width: int = 160) -> tuple[list[rich.table.Table], list[str]]:
    """The table for a terminal: a part for each kind of trial, metrics downwards; and the footnotes.

    Metrics are many and have long names, which no terminal has room for side by side; methods are few.

    Args:
        frame: See :func:`benchmarks.tables.frame.table`.
        width: Columns of the terminal; where the methods do not fit, those that are left follow in further parts.
    """
    found, notes = _layout(frame)
    parts = [part for grid in found for part in grids.terminal(grid.transposed(), width, fold=grids.FOLD)]
    return parts, [str(note) for note in notes]


def _layout(frame: pd.DataFrame) -> tuple[list[Grid], list[Note]]:
    """A grid for each kind of trial, and the notes."""
    cells, notes = _cells(frame)
    found = []
    for kind, metrics in _columns(frame):
        rows = tuple((Cell(label), *(row[kind, metric] for metric in metrics)) for label, row in cells.items())
        found.append(Grid(f"{_title(frame)}: {kind}", ("", *map(grids.heading, metrics)), rows))
    return found, notes


def _columns(frame: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """Each kind of trial with the metrics that have a value there."""
    kinds = _with_values(frame).groupby("kind", sort=False)["metric"]
    return [(str(kind), list(dict.fromkeys(metrics))) for kind, metrics in kinds]


def _title(frame: pd.DataFrame) -> str:
    one = frame.iloc[0]
    return f"{one['data']}, protocol {one['protocol']}, {one['regime']}"


def _cells(frame: pd.DataFrame) -> tuple[dict[str, dict[tuple[str, str], Cell]], list[Note]]:
    """The cells, by row and (kind, metric); and the footnotes."""
    absent, frame = _absent(frame), _with_values(frame)
    reasons = list(dict.fromkeys(frame["reason"].dropna()))
    several = frame["subject"].nunique(dropna=False) > 1
    cells: dict[str, dict[tuple[str, str], Cell]] = {}
    for (subject, label), lines in frame.groupby([frame["subject"].fillna(""), "label"], sort=False):
        seeds = lines["seeds"].max()
        name = (f"{subject}: " if several and subject else "") + str(label) + (f", {seeds} seeds" if seeds > 1 else "")
        cells[name] = {(line["kind"], line["metric"]): _cell(line, reasons) for line in lines.to_dict("records")}
    notes = [Note(_short(reason), grids.raised(i)) for i, reason in enumerate(reasons, start=1)]
    notes += [_SPREAD] if frame["std"].notna().any() and frame["low"].isna().all() else []
    notes += [_WEAK] if frame["weak"].any() else []
    notes += [_TIED] if frame["tied"].any() else []
    return cells, [*notes, *_untested(frame), *absent]


def _with_values(frame: pd.DataFrame) -> pd.DataFrame:
    """The lines of those columns that have a value in any row; all of them where no column has one."""
    filled = frame.groupby(["kind", "metric"])["seeds"].transform("max").gt(0)
    return frame[filled] if filled.any() else frame


def _absent(frame: pd.DataFrame) -> list[Note]:
    """Notes on the columns that are not shown: which metrics have no value at all, and why."""
    hidden = frame[~frame.index.isin(_with_values(frame).index)]
    reasons = {key: "; ".join(dict.fromkeys(map(_short, lines["reason"]))) for key, lines in _by_metric(hidden)}
    return [
        Note(f"Without a value: {', '.join(titles)}. {reason}") for reason, titles in _grouped(frame, hidden, reasons)
    ]


def _untested(frame: pd.DataFrame) -> list[Note]:
    """Notes on the columns whose differences were not tested, and why."""
    lines = frame[frame["untested"].notna()]
    reasons = {key: "; ".join(dict.fromkeys(found["untested"])) for key, found in _by_metric(lines)}
    notes = []
    for reason, titles in _grouped(frame, lines, reasons):
        whole = len(titles) == frame["metric"].nunique() and len(set(reasons.values())) == 1
        which = "" if whole else " in " + ", ".join(titles)
        notes.append(Note(f"Differences not tested{which}: {reason}"))
    return notes


def _by_metric(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(str(metric), lines) for metric, lines in frame.groupby("metric", sort=False)]


def _grouped(frame: pd.DataFrame, lines: pd.DataFrame, reasons: dict[str, str]) -> list[tuple[str, list[str]]]:
    """For each reason the titles of the metrics it is one for, with the kinds of trials where these are not all."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for metric, found in _by_metric(lines):
        kinds = list(dict.fromkeys(found["kind"]))
        everywhere = len(kinds) == frame["kind"].nunique()
        by_reason[reasons[metric]].append(definition(metric).title + ("" if everywhere else f" ({', '.join(kinds)})"))
    return list(by_reason.items())


def _short(reason: str) -> str:
    """The record keeps the whole reason; a footnote needs no paths and addresses."""
    return reason.split(" Expected:")[0]


def _cell(line: dict[Any, Any], reasons: Sequence[str]) -> Cell:
    if not line["seeds"]:
        return Cell("–", marks=grids.raised(reasons.index(line["reason"]) + 1))
    digits = grids.digits(line["metric"])
    text = f"{line['mean']:.{digits}f}"
    if not math.isnan(line["low"]):
        text += f" [{line['low']:.{digits}f}, {line['high']:.{digits}f}]"
    elif line["seeds"] > 1:
        text += f" ± {line['std']:.{digits}f}"
    return Cell(text, bool(line["best"]), ("≈" if line["tied"] else "") + ("°" if line["weak"] else ""))
