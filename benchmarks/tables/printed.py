"""A paper's table as the paper prints it: nothing measured stands beside it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd

from benchmarks.papers import UNSTATED, PrintedTable
from benchmarks.tables.columns import direction, heading
from benchmarks.tables.comparison_layout import Doubts, Line, by_row, printed_cell
from benchmarks.tables.grid import Cell, Grid, Note
from benchmarks.tables.selection import ComparedRow, compared_rows
from benchmarks.tables.table import Table

COLUMNS = (
    "paper", "table", "id", "data", "row", "kind", "metric", "value", "method", "ablation", "compared", "flags",
)  # fmt: skip
#: Data set, kind of trial and metric.
Column = tuple[str, Any, str]


def printed(paper_table: PrintedTable) -> Table:
    """A paper's table.

    Returns:
        A table whose frame has one line a cell, with :data:`COLUMNS`. ``flags`` lists all that applies to the cell;
        ``value`` is ``None`` where the paper prints none; ``compared`` is the label of the row with which an ablation
        is compared.
    """
    lines = [
        {
            "paper": paper_table.paper,
            "table": paper_table.number,
            "id": paper_table.id,
            "row": row.label,
            "method": row.method,
            "ablation": row.ablation,
            "compared": paper_table.compared_with(row).label if row.ablation is not None else None,
            "data": cell.data,
            "kind": cell.kind,
            "metric": cell.metric,
            "value": cell.value,
            "flags": list(paper_table.flags_of(row, cell)),
        }
        for row in paper_table.rows
        for cell in row.cells
    ]
    return Table(pd.DataFrame(lines, columns=list(COLUMNS), dtype=object), partial(_layout, paper_table))


def printed_line(table: PrintedTable, row: ComparedRow, column: Column) -> dict[str, Any]:
    """What a paper prints in one place, as the columns of a comparison."""
    place, own = table.columns.index(column), row.printed
    cell = own.cells[place] if own is not None else None
    data, kind, metric = column
    found: dict[str, Any] = {name: getattr(row, name) for name in ("section", "label", "method", "variant", "ablation")}
    found |= {
        "table": table.id,
        "title": table.title,
        "data": data,
        "kind": kind,
        "metric": metric,
        "paper": cell.value if cell else None,
        "paper_text": cell.text or None if cell else None,
        "paper_best": False,
        "paper_protocol": table.protocol[data],
        "flags": ", ".join(cell.flags) or None if cell else None,
        "row_flags": ", ".join(own.flags) or None if own else None,
        "table_flags": ", ".join(table.flags) or None,
    }
    if cell is not None and own is not None and row.ablation is not None:
        other = table.compared_with(own)
        found["compared"] = other.label
        more, less = other.cells[place].value, cell.value
        if more is not None and less is not None and direction(metric):
            found["paper_worth"] = (more - less) * direction(metric)
    return found


def _layout(one: PrintedTable, _: pd.DataFrame) -> tuple[list[Grid], list[Note]]:
    """A grid for each data set, with a mark at every cell and row that a note below is about."""
    rows = compared_rows(one, [])
    lines: list[Line] = [printed_line(one, row, column) for column in one.columns for row in rows]
    doubts = Doubts(lines)
    grids = []
    for data in one.data:
        columns = [(kind, metric) for name, kind, metric in one.columns if name == data]
        kinds = {kind for kind, _ in columns}
        # A cost is of no kind of trials.
        below = "" if len(kinds) == 1 or one.kind == "cost" else "\n{}"
        headings = ("row", *(heading(metric) + below.format(kind) for kind, metric in columns))
        body = [
            (Cell(label, marks=doubts.of_row(cells[0])), *(printed_cell(cell, doubts) for cell in cells))
            for (_, label), cells in by_row(line for line in lines if line["data"] == data).items()
        ]
        where = (
            "" if data == UNSTATED else f": {data}" + (f", {columns[0][0]}" if not below and one.kind != "cost" else "")
        )
        grids.append(Grid(f"{one.id}: {one.title}{where}", headings, tuple(body)))
    return grids, doubts.notes()
