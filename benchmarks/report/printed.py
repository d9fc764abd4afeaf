"""The papers' tables, and beside each cell what was measured here: frames of :mod:`benchmarks.comparison`, as shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from benchmarks import comparison, grids, left_out, papers
from benchmarks.report import measured
from benchmarks.report.groups import Group
from benchmarks.report.page import Section
from motioncopy.records import Record


@dataclass(frozen=True)
class Value:
    """A cell.

    Attributes:
        text: What the paper prints.
        notes: Numbers of its footnotes.
        mean: What was measured beside it; empty if nothing was.
        spread: The measured value's distance from the paper's, or else its interval; may be empty.
        link: The fragment that opens the measured value's provenance; empty where several rows are behind it.
    """

    text: str
    notes: tuple[int, ...]
    mean: str = ""
    spread: str = ""
    link: str = ""


@dataclass(frozen=True)
class Line:
    """A row.

    Attributes:
        label: As the paper prints it, or the method's name.
        section: ``paper``, ``other`` or ``baseline``.
        details: How it was run here, or why a method of this project has no value beside the paper's; may be empty.
        values: Its cells.
    """

    label: str
    section: str
    details: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Printed:
    """One table of a paper.

    Attributes:
        title: What it shows.
        number: As the paper numbers it.
        heads: Data set and kind of trial, and over how many columns they reach.
        columns: Headings of the metrics.
        rows: The rows.
        notes: The footnotes, by their numbers from 1.
        doubts: What is doubtful about all of it.
        hindrance: Why nothing stands beside the paper's cells; empty where nothing hinders.
    """

    title: str
    number: str
    heads: tuple[tuple[str, int], ...]
    columns: tuple[str, ...]
    rows: tuple[Line, ...]
    notes: tuple[str, ...]
    doubts: tuple[str, ...]
    hindrance: str


def section(groups: Sequence[Group]) -> Section:
    """The page's section with every table of the papers."""
    records = [r for group in groups for r in group.records]
    links = _links(groups)
    content = [(paper, [_printed(table, records, links) for table in paper.tables]) for paper in papers.papers()]
    return Section("papers", "Papers", "papers.html.j2", content)


_Links = Mapping[tuple[str | None, ...], Sequence[str]]


def _links(groups: Sequence[Group]) -> _Links:
    """The fragments of the measured cells, by all that a line of a comparison says of them."""
    found: dict[tuple[str | None, ...], list[str]] = {}
    for group in groups:
        for part in measured.table(group).parts:
            for line in (line for lines in part.bodies.values() for line in lines):
                one = line.row.records[0]
                for metric, cell in zip(part.columns, line.cells, strict=True):
                    place = (group.data, group.protocol, one.method, one.variant, one.ablation, part.kind, metric.key)
                    found.setdefault(place, []).append(cell.link)
    return found


def _printed(table: papers.Table, records: Sequence[Record], links: _Links) -> Printed:
    hindrance = ""
    try:
        frame = comparison.compare(table, records)
    except Exception as error:  # noqa: BLE001 -- a record may hold numbers of which no mean can be taken
        frame, hindrance = comparison.compare(table, []), left_out.reason(error)
    cells = [{str(k): v for k, v in line.items()} for line in frame.to_dict("records")]
    notes: list[str] = []
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for cell in cells:
        rows.setdefault((cell["section"], cell["label"]), []).append(cell)
    lines = [
        Line(label, part, _details(found), tuple(_value(c, notes, links) for c in found))
        for (part, label), found in rows.items()
    ]
    heads = [(f"{data}, {kind}", len(list(same))) for (data, kind), same in groupby(table.columns, lambda c: c[:2])]
    return Printed(
        table.title,
        table.number,
        tuple(heads),
        tuple(grids.heading(metric) for _, _, metric in table.columns),
        tuple(lines),
        tuple(papers.FLAGS.get(note, note) for note in notes),
        tuple(papers.FLAGS[flag] for flag in table.flags),
        hindrance,
    )


def _value(cell: Mapping[str, Any], notes: list[str], links: _Links) -> Value:
    flags = [f for text in (cell["row_flags"], cell["flags"]) for f in _listed(text)]
    flags = [f for f in flags if f not in _listed(cell["table_flags"])]
    notes += [f for f in flags if f not in notes]
    printed = cell["paper_text"] or ("–" if cell["section"] == "paper" else "")
    numbers = tuple(notes.index(f) + 1 for f in flags)
    if cell["mean"] is None:
        return Value(printed, numbers)
    if withheld := cell["withheld"]:
        notes += [withheld] if withheld not in notes else []
        numbers = (*numbers, notes.index(withheld) + 1)
    spread = ""
    if cell["difference"] is not None:
        spread = "Δ " + _number(cell["difference"], cell["metric"], signed=True)
    elif cell["low"] is not None:
        spread = f"{_number(cell['low'], cell['metric'])}, {_number(cell['high'], cell['metric'])}"
    names = ("measured_on", "protocol", "method", "variant", "ablation", "kind", "metric")
    behind = links.get(tuple(cell[n] for n in names), ())
    return Value(printed, numbers, _number(cell["mean"], cell["metric"]), spread, behind[0] if len(behind) == 1 else "")


def _details(cells: Sequence[Mapping[str, Any]]) -> str:
    """How a row was run; or, of this project's methods, the one reason for which it was not."""
    ran = next((c for c in cells if c["mean"] is not None), None)
    if ran is not None:
        return ", ".join(str(ran[n]) for n in ("variant", "preset", "overlays") if ran[n])
    reasons = list(dict.fromkeys(str(c["reason"]) for c in cells if c["reason"]))
    return measured.short("; ".join(reasons)) if cells[0]["method"] in papers.OURS else ""


def _number(value: float, metric: str, *, signed: bool = False) -> str:
    return f"{value:{'+' if signed else ''}.{grids.digits(metric)}f}".replace("-", "−")


def _listed(flags: str | None) -> list[str]:
    return flags.split(", ") if flags else []
