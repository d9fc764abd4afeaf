"""What a suite asks for: rows of methods and ablations, on data sets. From a paper's table, or from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from benchmarks import papers
from benchmarks.bench import config_stack
from benchmarks.bench.config_stack import ConfigStack, read
from motioncopy.errors import ConfigError
from motioncopy.files.schema import PlainName, validated

#: Why a row of a paper's table cannot be run.
PLANNED = "not written yet"
FOREIGN = "no method of this project (motioncopy evaluate scores its videos)"

_MOST_ROWS = 1000


@dataclass(frozen=True)
class SuiteRow:
    """One row of a suite.

    Attributes:
        label: As the table calls it.
        method: Folder under ``methods``.
        overlays: Its ablations.
        variant: What is computed.
        overrides: Laid over the stack; plain values.
    """

    label: str
    method: str
    overlays: tuple[str, ...] = ()
    variant: str = "paper"
    overrides: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def stack(self, data: str, preset: str) -> ConfigStack:
        """Its config files on a data set.

        Raises:
            ConfigError: If one of them does not exist.
        """
        found = ConfigStack.asked_for(self.method, data, self.variant, preset, self.overlays)
        found.files()
        return found


@dataclass(frozen=True)
class Suite:
    """Rows, the data sets they are run on, and what cannot be run here.

    Attributes:
        name: ``remot/table4``, or the file's own name.
        rows: What is run.
        data: On which data sets, unless the caller chooses others.
        left_out: Method of each row that cannot be run, and why.
        table: The paper's table, if it is one.
    """

    name: str
    rows: tuple[SuiteRow, ...]
    data: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    table: papers.PrintedTable | None = None


def named(names: Sequence[str]) -> list[Suite]:
    """The suites of these names.

    Args:
        names: Tables of papers (``remot/table4``), files ending in ``.yaml``, or ``all``: every table.

    Raises:
        ConfigError: If there is no such table or file, or a file names what does not exist.
    """
    found = []
    for name in names:
        if name == "all":
            found += [of_table(table) for table in papers.tables().values()]
        elif name.endswith((".yaml", ".yml")):
            found.append(of_file(Path(name)))
        else:
            found.append(of_table(papers.table(name)))
    return found


def of_table(table: papers.PrintedTable) -> Suite:
    """The rows of a paper's table that methods of this project produce.

    Raises:
        ConfigError: If a row names an overlay that its method, which is here, does not have.
    """
    rows: list[SuiteRow] = []
    left_out: list[tuple[str, str]] = []
    known = config_stack.methods()
    for row in table.rows:
        if row.method not in known:
            left_out.append((row.method, PLANNED if row.ours else FOREIGN))
            continue
        wanted = SuiteRow(row.label, row.method, (row.ablation,) if row.ablation else ())
        wanted.stack("puppets", preset="")
        if all((r.method, r.overlays) != (wanted.method, wanted.overlays) for r in rows):
            rows.append(wanted)
    return Suite(table.id, tuple(rows), table.data, tuple(left_out), table)


@dataclass(frozen=True)
class _SuiteFile:
    data: Annotated[tuple[PlainName, ...], Field(min_length=1, max_length=_MOST_ROWS)]
    rows: Annotated[tuple[Any, ...], Field(min_length=1, max_length=_MOST_ROWS)]
    name: Annotated[str, Field(max_length=100)] | None = None


@dataclass(frozen=True)
class _RowFile:
    """One of its rows."""

    method: PlainName
    label: Annotated[str, Field(max_length=100)] | None = None
    variant: PlainName = "paper"
    ablation: Annotated[str, Field(max_length=1000)] | tuple[PlainName, ...] | None = None
    overrides: dict[str, Any] | None = None


def of_file(path: Path) -> Suite:
    """A suite of one's own.

    ::

        name: faces
        data: [puppets]
        rows:
          - {method: fakemotion}
          - {method: fakemotion, ablation: no_face, label: without faces}

    Raises:
        ConfigError: If the file is missing or malformed, or names a method, overlay or data set that does not exist.
    """
    file = validated(_SuiteFile, read(path), error=ConfigError, what=path.name)
    rows = []
    for number, content in enumerate(file.rows, start=1):
        where = f"{path.name}, row {number}"
        line = validated(_RowFile, content, error=ConfigError, what=where)
        overlays = tuple(line.ablation.split(",")) if isinstance(line.ablation, str) else line.ablation or ()
        label = line.label or ": ".join(filter(None, (line.method, "+".join(overlays))))
        row = SuiteRow(label, line.method, overlays, line.variant, line.overrides or {})
        try:
            for name in file.data:
                row.stack(name, preset="").resolve(row.overrides)
        except ConfigError as error:
            raise ConfigError(
                f"{where}: {error.what}", expected=error.expected, found=error.found, remedy=f"correct {path.name}"
            ) from None
        rows.append(row)
    return Suite(file.name or path.stem, tuple(rows), file.data)
