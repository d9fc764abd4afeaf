"""The papers' tables, read from the YAML files beside this module: one file a paper."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

from motioncopy.errors import ConfigError

Kind = Literal["reconstruction", "imitation"]

#: Data set of cells of which the paper does not say where they were measured.
UNSTATED = "unstated"
#: Methods that this project has or plans; all others are systems of other people.
OURS = ("cocosnet", "cpfnet", "fakemotion", "fakevideo", "remot")

_NONE = "~"
_ROMAN = {"i": "1", "ii": "2", "iii": "3"}


@dataclass(frozen=True)
class Cell:
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
class Row:
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
    cells: tuple[Cell, ...]
    compared: str | None = None


@dataclass(frozen=True)
class Table:
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
    rows: tuple[Row, ...]
    columns: tuple[tuple[str, Kind, str], ...]
    flags: tuple[str, ...] = ()

    @property
    def data(self) -> tuple[str, ...]:
        """The data sets, in the order of the columns."""
        return tuple(dict.fromkeys(data for data, _, _ in self.columns))

    def row(self, label: str) -> Row:
        """The row of this label.

        Raises:
            ConfigError: If there is none; the message lists those there are.
        """
        for row in self.rows:
            if row.label == label:
                return row
        raise ConfigError(f"{self.id} has no row {label!r}", expected=f"one of {', '.join(r.label for r in self.rows)}")

    def compared_with(self, row: Row) -> Row:
        """The row that an ablation is compared with: the named one, else the whole method's.

        Raises:
            ConfigError: If the table has no such row.
        """
        if row.compared is not None:
            return self.row(row.compared)
        for other in self.rows:
            if (other.method, other.ablation) == (row.method, None):
                return other
        raise ConfigError(f"{self.id} has no row of the whole method {row.method}")

    def flags_of(self, row: Row, cell: Cell | None = None) -> tuple[str, ...]:
        """All doubts that hold for a cell, or for a whole row: the table's, the row's, the cell's own."""
        return tuple(dict.fromkeys((*self.flags, *row.flags, *(cell.flags if cell else ()))))


@dataclass(frozen=True)
class Paper:
    """One paper.

    Attributes:
        name: As in ``Table.paper``.
        title: Its title.
        venue: Where it appeared.
        published: Year, or year and month; papers sort by it.
        entered: UTC, when its cells were typed in; what :func:`benchmarks.papers.records` says of their creation.
        tables: In the paper's order.
    """

    name: str
    title: str
    venue: str
    published: str
    entered: str
    tables: tuple[Table, ...] = field(default=(), repr=False)


@cache
def papers() -> tuple[Paper, ...]:
    """All papers, the oldest first.

    Raises:
        ConfigError: If a file is damaged; the message says where.
    """
    sources = [f for f in files("benchmarks.papers").iterdir() if f.name.endswith(".yaml")]
    found = [parse(yaml.load(f.read_text(encoding="utf-8"), yaml.BaseLoader), f.name) for f in sources]
    return tuple(sorted(found, key=lambda paper: (paper.published, paper.name)))


def tables() -> dict[str, Table]:
    """All tables by id, the papers in the order of their names."""
    return {table.id: table for paper in sorted(papers(), key=lambda p: p.name) for table in paper.tables}


def table(id: str) -> Table:
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


def parse(content: Mapping[str, Any], source: str) -> Paper:
    """A paper from the content of its file, in which every scalar is still text, as the paper prints it.

    Args:
        content: What the file holds.
        source: What an error message calls it.

    Raises:
        ConfigError: If a field is missing or unknown, or a row has not one value a column.
    """
    content = dict(content)
    try:
        listed = content.pop("tables")
        name, method, regime = content.pop("paper"), content.pop("method"), content.pop("regime")
        found = tuple(_table(name, method, regime, table, source) for table in listed)
        return Paper(name, tables=found, **content)
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{source} has a wrong or missing field", found=repr(error)) from error


def _table(paper: str, method: str, regime: Any, content: Mapping[str, Any], source: str) -> Table:
    content = dict(content)
    number, groups, rows = content.pop("number"), content.pop("columns"), content.pop("rows")
    columns = tuple((data, kind, metric) for data, kind, metrics in groups for metric in metrics)
    by_data, protocols = content.pop("data_flags", {}), content.pop("protocol", {})
    id = f"{paper}/table{_ROMAN.get(number.lower(), number)}"
    return Table(
        id,
        paper,
        number,
        content.pop("title"),
        content.pop("kind"),
        method,
        regime,
        {data: protocols.get(data) for data in dict.fromkeys(data for data, _, _ in columns)},
        tuple(_row(dict(row), columns, by_data, f"{source}, {id}") for row in rows),
        columns,
        tuple(content.pop("flags", ())),
        **content,
    )


def _row(
    content: dict[str, Any], columns: Sequence[tuple[str, Kind, str]], by_data: Mapping[str, Any], source: str
) -> Row:
    label, method, values = content.pop("label"), content.pop("method"), content.pop("values")
    if len(values) != len(columns):
        raise ConfigError(f"{source}: row {label} has not one value a column", expected=len(columns), found=len(values))
    own = content.pop("cells", {})
    if unknown := own.keys() - {_short(data, metric) for data, _, metric in columns}:
        raise ConfigError(f"{source}: row {label} flags a cell that it has not", found=", ".join(sorted(unknown)))
    cells = tuple(
        _cell(column, text, (*by_data.get(column[0], ()), *own.get(_short(column[0], column[2]), ())), source)
        for column, text in zip(columns, values, strict=True)
    )
    return Row(
        label,
        method,
        content.pop("ablation", None),
        method in OURS,
        tuple(content.pop("flags", ())),
        cells,
        **content,
    )


def _cell(column: tuple[str, Kind, str], text: str, flags: tuple[str, ...], source: str) -> Cell:
    data, kind, metric = column
    if text == _NONE:
        return Cell(data, kind, metric, None, flags)
    try:
        return Cell(data, kind, metric, float(text), flags, text)
    except ValueError as error:
        raise ConfigError(f"{source}: a value of {data} {metric} is no number", found=repr(text)) from error


def _short(data: str, metric: str) -> str:
    """How a row's ``cells`` names a cell: ``iper tcm``."""
    return f"{data} {metric.partition('/')[0]}"
