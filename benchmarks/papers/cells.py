"""The papers' tables, read from the YAML files beside this module: one file a paper."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from motioncopy.errors import ConfigError
from motioncopy.files.documents import read_yaml
from motioncopy.files.schema import PlainName, Text, validated

Kind = Literal["reconstruction", "imitation"]

#: Data set of cells of which the paper does not say where they were measured.
UNSTATED = "unstated"
#: Methods that this project has or plans; all others are systems of other people.
OURS = ("cocosnet", "cpfnet", "fakemotion", "fakevideo", "remot")

_NONE = "~"
_ROMAN = {"i": "1", "ii": "2", "iii": "3"}


@dataclass(frozen=True)
class PrintedCell:
    """One number of a paper.

    Attributes:
        data: The data set's name; :data:`UNSTATED` where the paper does not say.
        kind: Of the trials.
        metric: A key of :mod:`motioncopy.metrics.catalogue`, or ``fps``.
        value: In the metric's unit; ``None`` where the paper prints a dash, or nothing.
        flags: Doubts about this cell alone, of :data:`benchmarks.papers.FLAGS`.
        text: The value with as many digits as the paper prints; empty without one.
    """

    data: str
    kind: Kind
    metric: str
    value: float | None
    flags: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class PrintedRow:
    """One row of a table.

    Attributes:
        label: As the paper prints it, without references and in plain letters.
        method: Folder under ``methods``, present or planned, or another system's short name.
        ablation: Overlay of the method, present or planned; ``None`` for the whole method.
        ours: Whether a method of this project, present or planned, would produce the row.
        flags: Doubts about the whole row.
        cells: One a column of the table.
        compared: For an ablation: the label of the row that has the part; ``None``: the whole method's row.
    """

    label: str
    method: str
    ablation: str | None
    ours: bool
    flags: tuple[str, ...]
    cells: tuple[PrintedCell, ...]
    compared: str | None = None


@dataclass(frozen=True)
class PrintedTable:
    """One table of a paper.

    Attributes:
        id: ``remot/table4``.
        paper: The file's name here.
        number: As the paper numbers it: ``4``, ``III``.
        title: What it shows, in our words.
        kind: Systems compared, parts taken away, or what it costs.
        method: Whose paper it is.
        regime: Of that method: one model a person, or one for all.
        protocol: For each data set the protocol of this project, ``<id>@<version>``, that comes nearest to producing
            the cells; ``None`` where the data are not public or not named.
        rows: In the paper's order.
        columns: (data, kind, metric) in the paper's order.
        flags: Doubts about all of it.
    """

    id: str
    paper: str
    number: str
    title: str
    kind: Literal["comparison", "ablation", "cost"]
    method: str
    regime: Literal["personal", "general"]
    protocol: Mapping[str, str | None]
    rows: tuple[PrintedRow, ...]
    columns: tuple[tuple[str, Kind, str], ...]
    flags: tuple[str, ...] = ()

    @property
    def data(self) -> tuple[str, ...]:
        """The data sets, in the order of the columns."""
        return tuple(dict.fromkeys(data for data, _, _ in self.columns))

    def compared_with(self, row: PrintedRow) -> PrintedRow:
        """The row that an ablation is compared with: the named one, else the whole method's.

        Raises:
            ConfigError: If the table has no such row.
        """
        for other in self.rows:
            whole = (other.method, other.ablation) == (row.method, None)
            if other.label == row.compared if row.compared else whole:
                return other
        wanted = repr(row.compared) if row.compared else f"of the whole method {row.method}"
        raise ConfigError(f"{self.id} has no row {wanted}", expected=f"one of {', '.join(r.label for r in self.rows)}")

    def flags_of(self, row: PrintedRow, cell: PrintedCell | None = None) -> tuple[str, ...]:
        """All doubts that hold for a cell, or for a whole row: the table's, the row's, the cell's own."""
        return tuple(dict.fromkeys((*self.flags, *row.flags, *(cell.flags if cell else ()))))


@dataclass(frozen=True)
class Paper:
    """One paper.

    Attributes:
        name: As in ``PrintedTable.paper``.
        title: Its title.
        venue: Where it appeared.
        published: Year, or year and month; papers sort by it.
        entered: UTC, when its cells were typed in; what :func:`benchmarks.papers.rows.records` says of their creation.
        tables: In the paper's order.
    """

    name: str
    title: str
    venue: str
    published: str
    entered: str
    tables: tuple[PrintedTable, ...] = field(default=(), repr=False)


@cache
def papers() -> tuple[Paper, ...]:
    """All papers, the oldest first.

    Raises:
        ConfigError: If a file is damaged; the message says where.
    """
    sources = [f for f in files("benchmarks.papers").iterdir() if f.name.endswith(".yaml")]
    found = [parse(read_yaml(f, error=ConfigError, as_text=True), f.name) for f in sources]
    return tuple(sorted(found, key=lambda paper: (paper.published, paper.name)))


def tables() -> dict[str, PrintedTable]:
    """All tables by id, the papers in the order of their names."""
    return {table.id: table for paper in sorted(papers(), key=lambda p: p.name) for table in paper.tables}


def table(id: str) -> PrintedTable:
    """The table of an id, however its number is written: ``cpfnet/table3``, ``cpfnet/3``, ``cpfnet/III``.

    Raises:
        ConfigError: If there is none; the message lists the known ids.
    """
    known = tables()
    paper, _, number = id.strip().lower().partition("/")
    number = number.removeprefix("table").strip()
    found = known.get(f"{paper}/table{_ROMAN.get(number, number)}")
    if found is None:
        near = difflib.get_close_matches(id, known, n=1)
        raise ConfigError(
            f"there is no paper table {id!r}",
            expected=f"one of {', '.join(known)}",
            remedy=f"did you mean {near[0]}?" if near else "see docs/suites.md",
        )
    return found


def choose(
    id: str | None = None, *, data: str | None = None, regime: str | None = None, protocol: str | None = None
) -> list[PrintedTable]:
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


Flags = tuple[Text, ...]


@dataclass(frozen=True)
class _FileRow:
    label: Text
    method: PlainName
    values: tuple[Text, ...]
    ablation: PlainName | None = None
    compared: Text | None = None
    flags: Flags = ()
    cells: dict[Text, Flags] = field(default_factory=dict)


@dataclass(frozen=True)
class _FileTable:
    number: PlainName
    title: Text
    kind: Literal["comparison", "ablation", "cost"]
    columns: tuple[tuple[PlainName, Kind, tuple[Text, ...]], ...]
    rows: tuple[_FileRow, ...]
    protocol: dict[Text, Text] = field(default_factory=dict)
    flags: Flags = ()
    data_flags: dict[Text, Flags] = field(default_factory=dict)


@dataclass(frozen=True)
class _File:
    """What a file holds."""

    paper: PlainName
    title: Text
    venue: Text
    published: Text
    entered: Text
    method: PlainName
    regime: Literal["personal", "general"]
    tables: tuple[_FileTable, ...]


def parse(content: Any, source: str) -> Paper:
    """A paper from the content of its file, in which every scalar is still text, as the paper prints it.

    Args:
        content: What the file holds.
        source: What an error message calls it.

    Raises:
        ConfigError: If a field is missing or unknown, or a row has not one value a column.
    """
    file = validated(_File, content, error=ConfigError, what=source)
    found = tuple(_table(file, table, source) for table in file.tables)
    return Paper(file.paper, file.title, file.venue, file.published, file.entered, found)


def _table(file: _File, table: _FileTable, source: str) -> PrintedTable:
    columns = tuple((data, kind, metric) for data, kind, metrics in table.columns for metric in metrics)
    id = f"{file.paper}/table{_ROMAN.get(table.number.lower(), table.number)}"
    return PrintedTable(
        id,
        file.paper,
        table.number,
        table.title,
        table.kind,
        file.method,
        file.regime,
        {data: table.protocol.get(data) for data in dict.fromkeys(data for data, _, _ in columns)},
        tuple(_row(row, columns, table.data_flags, f"{source}, {id}") for row in table.rows),
        columns,
        table.flags,
    )


def _row(
    row: _FileRow, columns: Sequence[tuple[str, Kind, str]], by_data: Mapping[str, Flags], source: str
) -> PrintedRow:
    if len(row.values) != len(columns):
        raise ConfigError(
            f"{source}: row {row.label} has not one value a column", expected=len(columns), found=len(row.values)
        )
    if unknown := row.cells.keys() - {_short(data, metric) for data, _, metric in columns}:
        raise ConfigError(f"{source}: row {row.label} flags a cell that it has not", found=", ".join(sorted(unknown)))
    cells = tuple(
        _cell(column, text, (*by_data.get(column[0], ()), *row.cells.get(_short(column[0], column[2]), ())), source)
        for column, text in zip(columns, row.values, strict=True)
    )
    return PrintedRow(row.label, row.method, row.ablation, row.method in OURS, row.flags, cells, row.compared)


def _cell(column: tuple[str, Kind, str], text: str, flags: tuple[str, ...], source: str) -> PrintedCell:
    data, kind, metric = column
    if text == _NONE:
        return PrintedCell(data, kind, metric, None, flags)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(f"{source}: a value of {data} {metric} is no number", found=repr(text[:80]))
    return PrintedCell(data, kind, metric, value, flags, text)


def _short(data: str, metric: str) -> str:
    """How a row's ``cells`` names a cell: ``iper tcm``."""
    return f"{data} {metric.partition('/')[0]}"
