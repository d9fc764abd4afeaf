"""The papers' cells in the schema of every other result."""

from __future__ import annotations

import re

from benchmarks.papers.cells import Paper, PrintedRow, PrintedTable, papers
from motioncopy.metrics.scores import Aggregate
from motioncopy.records import Costs, PaperRow, Record, Results


def records() -> list[Record]:
    """One record a (table, row, data set), of kind "paper", in the order of the tables.

    Their protocol is the paper's own, ``<paper>-paper@1``: none of them ran a protocol of this project. Values stand in
    ``results.aggregates`` without interval or counts, frames a second in ``costs.fps``; what the paper leaves open is
    named in ``results.missing``.
    """
    ordered = sorted(papers(), key=lambda paper: paper.name)
    return [
        _record(paper, table, row, data)
        for paper in ordered
        for table in paper.tables
        for row in table.rows
        for data in table.data
    ]


def _record(paper: Paper, table: PrintedTable, row: PrintedRow, data: str) -> Record:
    cells = [cell for cell in row.cells if cell.data == data]
    flags = dict.fromkeys(flag for cell in cells for flag in table.flags_of(row, cell))
    results = Results()
    fps = None
    for cell in cells:
        if cell.value is None:
            results.missing[cell.metric] = "the paper prints no value"
        elif cell.metric == "fps":
            fps = cell.value
        else:
            results.aggregates.setdefault(cell.kind, {})[cell.metric] = Aggregate(cell.value)
    return Record(
        id=f"paper-{table.id.replace('/', '-')}-{_slug(row.label)}-{data}",
        created=paper.entered,
        kind="paper",
        method=row.method,
        data=data,
        regime=table.regime,
        protocol=f"{paper.name}-paper@1",
        variant="paper" if row.ours else None,
        ablation=row.ablation,
        results=results,
        costs=Costs(fps=fps),
        paper=PaperRow(paper.name, table.number, row.label, tuple(flags)),
    )


def _slug(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")
