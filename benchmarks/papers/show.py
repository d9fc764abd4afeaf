"""The papers' tables as text, as the papers print them: nothing measured stands beside them."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from benchmarks.papers.cells import UNSTATED, Cell, Row, Table, table, tables
from benchmarks.papers.flags import FLAGS
from motioncopy.errors import ConfigError

if TYPE_CHECKING:
    import rich.table

_NO_VALUE = "–"
COLUMNS = (
    "paper", "table", "id", "data", "row", "kind", "metric", "value", "method", "ablation", "compared", "flags",
)  # fmt: skip


def choose(
    id: str | None = None, *, data: str | None = None, regime: str | None = None, protocol: str | None = None
) -> list[Table]:
    """The tables that a command line asks for, reduced to the data sets that it asks for.

    Args:
        id: Of one table; ``None`` for all.
        data: Only this data set's columns.
        regime: Only tables of methods of this regime.
        protocol: Only columns that this protocol comes nearest to.

    Raises:
        ConfigError: If nothing is left.
    """
    asked = [table(id)] if id is not None else list(tables().values())
    found = []
    for one in asked:
        kept = {d for d in one.data if data in (None, d) and protocol in (None, one.protocol[d])}
        if kept and regime in (None, one.regime):
            rows = tuple(replace(row, cells=tuple(c for c in row.cells if c.data in kept)) for row in one.rows)
            found.append(replace(one, rows=rows, columns=tuple(c for c in one.columns if c[0] in kept)))
    if not found:
        known = sorted({d for one in asked for d in one.data})
        what = "the papers' tables have" if id is None else f"{id} has"
        raise ConfigError(
            f"{what} no such cells",
            expected=f"cells on {', '.join(known)}",
            remedy="leave out --data, --regime and --protocol; without --source paper, what was measured is shown",
        )
    return found


def cells(chosen: Iterable[Table]) -> list[dict[str, Any]]:
    """One dict with :data:`COLUMNS` a cell.

    ``flags`` holds all that applies to the cell; ``value`` is ``None`` where the paper prints none; ``compared`` is the
    label of the row with which an ablation is compared.
    """
    found = []
    for one in chosen:
        for row in one.rows:
            named: dict[str, Any] = {
                "paper": one.paper,
                "table": one.number,
                "id": one.id,
                "row": row.label,
                "method": row.method,
            }
            compared = one.compared_with(row).label if row.ablation is not None else None
            named |= {"ablation": row.ablation, "compared": compared}
            for cell in row.cells:
                value = {"data": cell.data, "kind": cell.kind, "metric": cell.metric, "value": cell.value}
                line = named | value | {"flags": list(one.flags_of(row, cell))}
                found.append({name: line[name] for name in COLUMNS})
    return found


@dataclass(frozen=True)
class _Part:
    """The columns of one data set, as text; and the sentences below."""

    title: str
    headings: list[str]
    rows: list[list[str]]


def _layout(one: Table) -> tuple[list[_Part], list[str]]:
    """A part a data set, with a mark at every cell, row and data set that a note below is about."""
    whole = {
        data: [flag for flag in _common(one, data) if flag not in one.flags] for data in one.data
    }  # what all cells of a data set have is said once
    marked = [f for flags in whole.values() for f in flags]
    marked += [f for row in one.rows for f in (*row.flags, *(f for cell in row.cells for f in cell.flags))]
    marks = dict(zip(dict.fromkeys(marked), ascii_lowercase, strict=False))

    def mark(flags: Iterable[str]) -> str:
        letters = ", ".join(marks[flag] for flag in dict.fromkeys(flags))
        return f" ({letters})" if letters else ""

    parts = []
    for data in one.data:
        columns = [(kind, metric) for name, kind, metric in one.columns if name == data]
        kinds = {kind for kind, _ in columns}
        shared = f", {kinds.pop()}" if len(kinds) == 1 and one.kind != "cost" else ""
        headings = [_title(metric) + ("" if shared or one.kind == "cost" else f"\n{kind}") for kind, metric in columns]
        rows = [
            [row.label + mark(row.flags)]
            + [
                (c.text or _NO_VALUE) + mark(f for f in c.flags if f not in whole[data])
                for c in row.cells
                if c.data == data
            ]
            for row in one.rows
        ]
        where = "" if data == UNSTATED else f": {data}{shared}"
        parts.append(_Part(f"{one.id}: {one.title}{where}{mark(whole[data])}", ["row", *headings], rows))
    notes = [f"All cells: {FLAGS[flag]}" for flag in one.flags]
    return parts, notes + [f"({letter}) {FLAGS[flag]}" for flag, letter in marks.items()]


def _common(one: Table, data: str) -> list[str]:
    """The flags that all of a data set's cells bear themselves."""
    bearers: list[tuple[Row, Cell]] = [(row, cell) for row in one.rows for cell in row.cells if cell.data == data]
    first = bearers[0][1].flags
    return [flag for flag in first if all(flag in cell.flags for _, cell in bearers)]


def _title(metric: str) -> str:
    if metric == "fps":
        return "FPS ↑"
    from motioncopy.metrics.catalogue import definition  # torch takes seconds to import

    found = definition(metric)
    return f"{found.title} {found.arrow}"


def markdown(one: Table) -> str:
    """A table in Markdown, one a data set, with its notes."""
    parts, notes = _layout(one)
    blocks = []
    for part in parts:
        lines = [part.headings, ["---", *["---:"] * (len(part.headings) - 1)], *part.rows]
        text = ["| " + " | ".join(cell.replace("\n", ", ") for cell in line) + " |" for line in lines]
        blocks.append(f"**{part.title}**\n\n" + "\n".join(text))
    return "\n\n".join([*blocks, "\n".join(f"- {note}" for note in notes)]) + "\n"


def terminal(one: Table) -> tuple[list[rich.table.Table], list[str]]:
    """A table for a terminal: a part a data set, and the notes."""
    import rich.box
    import rich.table
    from rich.text import Text

    parts, notes = _layout(one)
    found = []
    for part in parts:
        drawn = rich.table.Table(
            title=Text(part.title), box=rich.box.SIMPLE_HEAD, title_justify="left", min_width=len(part.title)
        )
        for i, heading in enumerate(part.headings):
            drawn.add_column(Text(heading), justify="right" if i else "left")
        for row in part.rows:
            drawn.add_row(*map(Text, row))
        found.append(drawn)
    return found, notes


def show(chosen: Sequence[Table], style: str = "terminal") -> None:
    """Prints tables in one of the formats of ``motioncopy table``.

    Raises:
        ConfigError: If the papers' tables alone have no such format.
    """
    if style == "json":
        print(json.dumps(cells(chosen), indent=1, ensure_ascii=False))
    elif style == "csv":
        writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(line | {"flags": " ".join(line["flags"])} for line in cells(chosen))
    elif style == "markdown":
        print("\n".join(map(markdown, chosen)))
    elif style in ("terminal", "svg"):
        _draw(chosen, svg=style == "svg")
    else:
        raise ConfigError(
            f"the papers' tables alone are not printed as {style}", expected="terminal, markdown, svg, csv or json"
        )


def _draw(chosen: Sequence[Table], *, svg: bool) -> None:
    from rich.console import Console

    # A pipe has no width of its own, and a table that is folded to 80 cannot be read.
    width = 118 if svg else None if sys.stdout.isatty() else 160
    console = Console(highlight=False, width=width, record=svg, file=io.StringIO() if svg else None)
    for one in chosen:
        parts, notes = terminal(one)
        for part in parts:
            console.print(part)
        for note in notes:
            console.print(note, markup=False)
    if svg:
        print(console.export_svg(title="motioncopy table"))
