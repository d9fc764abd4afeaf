"""Tables as the page shows them: the grids and frames of :mod:`benchmarks.tables`, with links into the page.

What is made here are plain mappings for the page's templates, which say what stands in them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from benchmarks import left_out, papers
from benchmarks.report.groups import RecordGroup, ReportRow
from benchmarks.tables import ablations
from benchmarks.tables.columns import heading, short
from benchmarks.tables.comparison import comparison
from benchmarks.tables.comparison_layout import Doubts, Line, by_row, difference_cell, measured_cell, printed_cell
from benchmarks.tables.grid import Cell, Note
from benchmarks.tables.table import cells
from motioncopy.errors import RecordError
from motioncopy.metrics.catalogue import definition
from motioncopy.records import Record

#: The fragments that open measured cells, by all that a line of a comparison says of them.
Links = Mapping[tuple[str | None, ...], Sequence[str]]
#: What a template shows.
Shown = dict[str, Any]


def results(group: RecordGroup) -> tuple[list[Shown], Sequence[Note]]:
    """The tables of a group, one for each kind of trial, with their rows by the person shown; and the notes below."""
    frame = group.table.frame
    grids, notes = group.table.layout(frame)
    lines = cells(frame)
    found = []
    for grid in grids:
        bodies: dict[str, list[Shown]] = defaultdict(list)
        for row, (_, *values) in zip(group.rows, grid.rows, strict=True):
            shown = [lines[int(str(cell.line))] for cell in values]
            linked = [(cell, _link(group, row, line)) for cell, line in zip(values, shown, strict=True)]
            seeds = max(line["seeds"] for line in shown)
            bodies[row.one.subject or ""].append({"row": row, "seeds": seeds, "cells": linked})
        kind = shown[0]["kind"]
        trials = max(line["trials"] for line in lines if line["kind"] == kind)
        columns = [definition(line["metric"]) for line in shown]
        found.append({"kind": kind, "columns": columns, "bodies": bodies, "trials": trials})
    return found, notes


def _link(group: RecordGroup, row: ReportRow, line: Line) -> str:
    place = {"t": group.id, "r": row.id, "k": line["kind"], "m": line["metric"]}
    return "cell?" + urlencode(place, safe="/@")


def worths(group: RecordGroup) -> tuple[list[Shown], str | None]:
    """The ablations of a group, and what hinders their comparison (``None`` if nothing does)."""
    try:
        frame = ablations.worth_of_parts(group.records).frame
    except RecordError as error:
        return [], str(error)
    found = []
    for _, of_ablation in frame.groupby(["method", "ablation", "subject"], sort=False, dropna=False):
        lines = cells(of_ablation)
        one, kinds = lines[0], tuple(dict.fromkeys(line["kind"] for line in lines))
        rows = []
        for metric in dict.fromkeys(line["metric"] for line in lines):
            by_kind = {line["kind"]: line for line in lines if line["metric"] == metric}
            ends = (line[name] for line in by_kind.values() for name in ("low", "worth", "high"))
            scale = max((abs(end) for end in ends if end is not None), default=0.0) or 1.0
            gains = [_worth(by_kind[kind], scale) if kind in by_kind else None for kind in kinds]
            rows.append((definition(metric), gains, next((x["paper"] for x in by_kind.values() if x["paper"]), "")))
        found.append(
            one
            | {
                "compared": one["compared"] or "the whole method",
                "trials": f"{one['trials']} trials a kind, {ablations.seeds(one)}",
                "kinds": kinds,
                "rows": rows,
            }
        )
    return found, None


def _worth(line: Line, scale: float) -> Shown:
    """The gain and its verdict; ``mark`` is where interval and gain lie between -1 and 1, for the drawing."""
    verdict, _, why = ablations.verdict(line).rstrip(")").partition(" (")
    mark = None if line["low"] is None else [line[name] / scale for name in ("low", "worth", "high")]
    return {"gain": ablations.gain(line), "verdict": verdict, "why": why, "mark": mark}


def beside_papers(groups: Sequence[RecordGroup]) -> list[tuple[papers.Paper, list[Shown]]]:
    """Every table of the papers, and beside each cell what was measured here."""
    records = [r for group in groups for r in group.records]
    links = _links(groups)
    return [(paper, [_compared(table, records, links) for table in paper.tables]) for paper in papers.papers()]


def _links(groups: Sequence[RecordGroup]) -> Links:
    found: dict[tuple[str | None, ...], list[str]] = defaultdict(list)
    for group in groups:
        for line in cells(group.table.frame):
            row = group.row(line)
            one = row.one
            place = (one.data, one.protocol, one.method, one.variant, one.ablation, line["kind"], line["metric"])
            found[place].append(_link(group, row, line))
    return found


def _compared(table: papers.PrintedTable, records: Sequence[Record], links: Links) -> Shown:
    hindrance = ""
    try:
        frame = comparison(table, records).frame
    except Exception as error:  # noqa: BLE001 -- a record may hold numbers of which no mean can be taken
        frame, hindrance = comparison(table, []).frame, left_out.reason(error)
    lines = cells(frame)
    doubts = Doubts(lines)
    rows = []
    for (section, label), found in by_row(lines).items():
        name = Cell(label, marks=doubts.of_row(found[0]))
        places = [_beside(line, doubts, links) for line in found]
        rows.append({"label": name, "section": section, "details": _details(found), "places": places})
    heads = [(f"{data}, {kind}", len(list(same))) for (data, kind), same in groupby(table.columns, lambda c: c[:2])]
    return {
        "title": table.title,
        "number": table.number,
        "heads": heads,
        "columns": [heading(metric) for _, _, metric in table.columns],
        "rows": rows,
        "notes": doubts.notes(),
        "hindrance": hindrance,
    }


def _beside(line: Line, doubts: Doubts, links: Links) -> Shown:
    """What the paper prints; what was measured; below it the distance from the paper's, or else its interval."""
    printed = printed_cell(line, doubts) if line["section"] == "paper" else Cell()
    here = measured_cell(line, doubts)
    if here is None:
        return {"printed": printed, "here": None}
    # Of the comparison of rows among themselves the tables of results tell.
    marks = here.marks.strip("≈°") + (doubts.because(line["withheld"]) if line["withheld"] else "")
    difference = difference_cell(line)
    names = ("measured_on", "protocol", "method", "variant", "ablation", "kind", "metric")
    behind = links.get(tuple(line[name] for name in names), ())
    return {
        "printed": printed,
        "here": Cell(here.value, marks=marks),
        "below": f"Δ {difference.value}" if difference else here.interval,
        "link": behind[0] if len(behind) == 1 else "",
    }


def _details(lines: Sequence[Line]) -> str:
    """How a row was run; or, of this project's methods, the one reason for which it was not."""
    ran = next((line for line in lines if line["mean"] is not None), None)
    if ran is not None:
        return ", ".join(str(ran[name]) for name in ("variant", "preset", "overlays") if ran[name])
    reasons = list(dict.fromkeys(str(line["reason"]) for line in lines if line["reason"]))
    return short("; ".join(reasons)) if lines[0]["method"] in papers.OURS else ""
