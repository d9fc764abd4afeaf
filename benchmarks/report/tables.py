"""Tables as the page shows them: the grids and frames of :mod:`benchmarks.tables`, with links into the page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from motioncopy.metrics.definition import Definition
from motioncopy.records import Record

#: The fragments that open measured cells, by all that a line of a comparison says of them.
Links = Mapping[tuple[str | None, ...], Sequence[str]]


@dataclass(frozen=True)
class ResultRow:
    """A row of a table: what it is called, over how many seeds, and its cells, each with the link to its provenance."""

    row: ReportRow
    seeds: int
    cells: tuple[tuple[Cell, str], ...]


@dataclass(frozen=True)
class ResultTable:
    """The table of one kind of trial.

    Attributes:
        kind: ``reconstruction`` or ``imitation``.
        columns: The metrics that have a value in some row.
        bodies: The rows, by the person shown (empty where the trials show several).
        trials: Trials a seed.
    """

    kind: str
    columns: tuple[Definition, ...]
    bodies: Mapping[str, Sequence[ResultRow]]
    trials: int


def results(group: RecordGroup) -> tuple[list[ResultTable], Sequence[Note]]:
    """The tables of a group, and the notes below them."""
    frame = group.table.frame
    grids, notes = group.table.layout(frame)
    lines = cells(frame)
    found = []
    for grid in grids:
        bodies: dict[str, list[ResultRow]] = defaultdict(list)
        for row, (_, *values) in zip(group.rows, grid.rows, strict=True):
            shown = [lines[int(str(cell.line))] for cell in values]
            links = [_link(group, row, line) for line in shown]
            seeds = max(line["seeds"] for line in shown)
            bodies[row.subject or ""].append(ResultRow(row, seeds, tuple(zip(values, links, strict=True))))
        trials = max(line["trials"] for line in lines if line["kind"] == shown[0]["kind"])
        columns = tuple(definition(line["metric"]) for line in shown)
        found.append(ResultTable(shown[0]["kind"], columns, bodies, trials))
    return found, notes


def _link(group: RecordGroup, row: ReportRow, line: Line) -> str:
    place = {"t": group.id, "r": row.id, "k": line["kind"], "m": line["metric"]}
    return "cell?" + urlencode(place, safe="/@")


@dataclass(frozen=True)
class Worth:
    """What a part is worth by one metric and kind of trial.

    Attributes:
        gain: The gain with its interval.
        verdict: ``helps``, ``harms``, ``not shown`` or ``not tested``.
        why: Why it was not tested; empty where it was.
        mark: Where interval and gain lie between -1 and 1, for the drawing: (low, gain, high); ``None`` without one.
    """

    gain: Cell
    verdict: str
    why: str
    mark: tuple[float, ...] | None


@dataclass(frozen=True)
class AblationTable:
    """One ablation: for each metric what its part is worth by kind of trial, beside what the paper found."""

    data: str
    subject: str
    method: str
    ablation: str
    compared: str
    part: str
    trials: str
    kinds: tuple[str, ...]
    rows: tuple[tuple[Definition, tuple[Worth | None, ...], str], ...]


def worths(group: RecordGroup) -> tuple[list[AblationTable], str | None]:
    """The ablations of a group, and what hinders their comparison (``None`` if nothing does)."""
    try:
        frame = ablations.worth_of_parts(group.records).frame
    except RecordError as error:
        return [], str(error)
    found = []
    for _, of_ablation in frame.groupby(["method", "ablation", "subject"], sort=False, dropna=False):
        lines = cells(of_ablation)
        one, kinds = lines[0], tuple(dict.fromkeys(line["kind"] for line in lines))
        by_metric: dict[str, dict[str, Line]] = defaultdict(dict)
        for line in lines:
            by_metric[line["metric"]][line["kind"]] = line
        rows = []
        for metric, by_kind in by_metric.items():
            ends = (line[name] for line in by_kind.values() for name in ("low", "worth", "high"))
            scale = max((abs(end) for end in ends if end is not None), default=0.0) or 1.0
            gains = tuple(_worth(by_kind[kind], scale) if kind in by_kind else None for kind in kinds)
            rows.append((definition(metric), gains, next((x["paper"] for x in by_kind.values() if x["paper"]), "")))
        compared, trials = (
            one["compared"] or "the whole method",
            f"{one['trials']} trials a kind, {ablations.seeds(one)}",
        )
        named = (group.data, one["subject"] or "", one["method"], one["ablation"], compared, one["part"])
        found.append(AblationTable(*named, trials, kinds, tuple(rows)))
    return found, None


def _worth(line: Line, scale: float) -> Worth:
    verdict, _, why = ablations.verdict(line).rstrip(")").partition(" (")
    mark = None if line["low"] is None else tuple(line[name] / scale for name in ("low", "worth", "high"))
    return Worth(ablations.gain(line), verdict, why, mark)


@dataclass(frozen=True)
class Beside:
    """One place of a paper's table.

    Attributes:
        printed: What the paper prints.
        here: What was measured, if anything was.
        below: The measured value's distance from the paper's, or else its interval; may be empty.
        link: The fragment that opens the measured value's provenance; empty where several rows are behind it.
    """

    printed: Cell
    here: Cell | None = None
    below: str = ""
    link: str = ""


@dataclass(frozen=True)
class ComparedTableRow:
    """A row: its label with marks, the section it is of, how it was run here or why not, and its places."""

    label: Cell
    section: str
    details: str
    places: tuple[Beside, ...]


@dataclass(frozen=True)
class ComparedTable:
    """One table of a paper.

    Attributes:
        title: What it shows.
        number: As the paper numbers it.
        heads: Data set and kind of trial, and over how many columns they reach.
        columns: Headings of the metrics.
        rows: The rows.
        notes: The footnotes.
        hindrance: Why nothing stands beside the paper's cells; empty where nothing hinders.
    """

    title: str
    number: str
    heads: tuple[tuple[str, int], ...]
    columns: tuple[str, ...]
    rows: tuple[ComparedTableRow, ...]
    notes: Sequence[Note]
    hindrance: str


def beside_papers(groups: Sequence[RecordGroup]) -> list[tuple[papers.Paper, list[ComparedTable]]]:
    """Every table of the papers, and beside each cell what was measured here."""
    records = [r for group in groups for r in group.records]
    links = _links(groups)
    return [(paper, [_compared(table, records, links) for table in paper.tables]) for paper in papers.papers()]


def _links(groups: Sequence[RecordGroup]) -> Links:
    found: dict[tuple[str | None, ...], list[str]] = {}
    for group in groups:
        for part in results(group)[0]:
            for row in (row for rows in part.bodies.values() for row in rows):
                one = row.row.records[0]
                for metric, (_, link) in zip(part.columns, row.cells, strict=True):
                    place = (group.data, group.protocol, one.method, one.variant, one.ablation, part.kind, metric.key)
                    found.setdefault(place, []).append(link)
    return found


def _compared(table: papers.PrintedTable, records: Sequence[Record], links: Links) -> ComparedTable:
    hindrance = ""
    try:
        frame = comparison(table, records).frame
    except Exception as error:  # noqa: BLE001 -- a record may hold numbers of which no mean can be taken
        frame, hindrance = comparison(table, []).frame, left_out.reason(error)
    lines = cells(frame)
    doubts = Doubts(lines)
    rows = []
    for (section, label), by_column in by_row(lines).items():
        found = list(by_column.values())
        name = Cell(label, marks=doubts.of_row(found[0]))
        places = tuple(_beside(line, doubts, links) for line in found)
        rows.append(ComparedTableRow(name, section, _details(found), places))
    heads = [(f"{data}, {kind}", len(list(same))) for (data, kind), same in groupby(table.columns, lambda c: c[:2])]
    columns = tuple(heading(metric) for _, _, metric in table.columns)
    return ComparedTable(table.title, table.number, tuple(heads), columns, tuple(rows), doubts.notes(), hindrance)


def _beside(line: Line, doubts: Doubts, links: Links) -> Beside:
    printed = printed_cell(line, doubts) if line["section"] == "paper" else Cell()
    here = measured_cell(line, doubts)
    if here is None:
        return Beside(printed)
    # Of the comparison of rows among themselves the tables of results tell.
    marks = here.marks.strip("≈°") + (doubts.because(line["withheld"]) if line["withheld"] else "")
    here = Cell(here.value, here.interval, marks=marks)
    difference = difference_cell(line)
    names = ("measured_on", "protocol", "method", "variant", "ablation", "kind", "metric")
    behind = links.get(tuple(line[name] for name in names), ())
    below = f"Δ {difference.value}" if difference else here.interval
    return Beside(printed, here, below, behind[0] if len(behind) == 1 else "")


def _details(lines: Sequence[Mapping[str, Any]]) -> str:
    """How a row was run; or, of this project's methods, the one reason for which it was not."""
    ran = next((line for line in lines if line["mean"] is not None), None)
    if ran is not None:
        return ", ".join(str(ran[name]) for name in ("variant", "preset", "overlays") if ran[name])
    reasons = list(dict.fromkeys(str(line["reason"]) for line in lines if line["reason"]))
    return short("; ".join(reasons)) if lines[0]["method"] in papers.OURS else ""
