"""What a suite asks for: rows of methods and ablations, on data sets. From a paper's table, or from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import papers, stack
from benchmarks.stack import Stack, read
from motioncopy.errors import ConfigError

#: Why a row of a paper's table cannot be run.
PLANNED = "not written yet"
FOREIGN = "no method of this project (motioncopy evaluate scores its videos)"

_KEYS = ("name", "data", "rows")
_ROW_KEYS = ("label", "method", "variant", "ablation", "overrides")


@dataclass(frozen=True)
class Row:
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

    def stack(self, data: str, preset: str) -> Stack:
        """Its config files on a data set.

        Raises:
            ConfigError: If one of them does not exist.
        """
        found = Stack.asked_for(self.method, data, self.variant, preset, self.overlays)
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
    rows: tuple[Row, ...]
    data: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    table: papers.Table | None = None


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


def of_table(table: papers.Table) -> Suite:
    """The rows of a paper's table that methods of this project produce.

    Raises:
        ConfigError: If a row names an overlay that its method, which is here, does not have.
    """
    rows: list[Row] = []
    left_out: list[tuple[str, str]] = []
    known = stack.methods()
    for row in table.rows:
        if row.method not in known:
            left_out.append((row.method, PLANNED if row.ours else FOREIGN))
            continue
        wanted = Row(row.label, row.method, (row.ablation,) if row.ablation else ())
        Stack(row.method, "puppets", preset="", overlays=wanted.overlays).files()
        if all((r.method, r.overlays) != (wanted.method, wanted.overlays) for r in rows):
            rows.append(wanted)
    return Suite(table.id, tuple(rows), table.data, tuple(left_out), table)


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
    content = read(path)
    _check_keys(content, _KEYS, ("data", "rows"), path.name)
    data, lines = content["data"], content["rows"]
    if not (isinstance(data, list) and data and isinstance(lines, list) and lines):
        raise ConfigError(f"{path.name}: data and rows are lists that are not empty", found=f"{data!r}, {lines!r}")
    rows = []
    for number, line in enumerate(lines, start=1):
        where = f"{path.name}, row {number}"
        if not isinstance(line, dict):
            raise ConfigError(f"{where} is no mapping", expected="{method: ..., ablation: ...}", found=repr(line))
        _check_keys(line, _ROW_KEYS, ("method",), where)
        overlays = line.get("ablation") or []
        overlays = tuple(overlays.split(",") if isinstance(overlays, str) else overlays)
        label = line.get("label") or ": ".join(filter(None, (line["method"], "+".join(overlays))))
        row = Row(label, line["method"], overlays, line.get("variant", "paper"), line.get("overrides") or {})
        try:
            for name in data:
                row.stack(name, preset="")
        except ConfigError as error:
            raise ConfigError(
                f"{where}: {error.what}", expected=error.expected, found=error.found, remedy=f"correct {path.name}"
            ) from None
        rows.append(row)
    return Suite(str(content.get("name") or path.stem), tuple(rows), tuple(data))


def _check_keys(content: Mapping[str, Any], known: Sequence[str], needed: Sequence[str], where: str) -> None:
    for key in content:
        if key not in known:
            raise ConfigError(f"{where}: key {key!r} is unknown", expected=f"one of {', '.join(known)}")
    for key in needed:
        if key not in content:
            raise ConfigError(f"{where}: key {key!r} is missing", expected=", ".join(needed))
