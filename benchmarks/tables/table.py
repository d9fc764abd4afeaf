"""A table: its data frame, and the grids and notes that it is laid out in; printed in any of the command's formats."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import rich.table
from rich.console import Console

from benchmarks.tables import grid
from benchmarks.tables.grid import Grid, Note
from motioncopy.files.names import printable


@dataclass(frozen=True)
class Table:
    """What is in a table, and how it looks.

    Attributes:
        frame: One line a cell, whole and unrounded.
        layout: Makes grids and notes of it.
        fold: Characters of a heading of a terminal's column before it is folded.
        turned: Whether a terminal shows columns downwards: metrics are many and have long names, which no terminal has
            room for side by side; methods are few.
    """

    frame: pd.DataFrame
    layout: Callable[[pd.DataFrame], tuple[Sequence[Grid], Sequence[Note]]]
    fold: int | None = None
    turned: bool = False

    def plain(self) -> pd.DataFrame:
        """The frame, fit to be printed: records come from anywhere, and none of their texts may command a terminal."""
        frame = self.frame
        for name, column in frame.items():
            shown = column.map(lambda value: printable(value) if isinstance(value, str) else value)
            if any(isinstance(value, str) and value != column.iloc[k] for k, value in enumerate(shown)):
                frame = frame.assign(**{str(name): shown.astype(column.dtype)})
        return frame

    def markdown(self) -> str:
        """As Markdown, methods downwards as in papers, footnotes below."""
        return grid.markdown(*self.layout(self.plain()))

    def latex(self) -> str:
        """As LaTeX, for the package booktabs: a float for each grid, and more where one is too wide."""
        return grid.latex(*self.layout(self.plain()))

    def terminal(self, width: int = 160) -> tuple[list[rich.table.Table], list[str]]:
        """For a terminal of so many columns: its parts, more where one is too wide; and the notes below."""
        grids, notes = self.layout(self.plain())
        shown = [one.transposed() if self.turned else one for one in grids]
        return [part for one in shown for part in grid.terminal(one, width, fold=self.fold)], list(map(str, notes))


def show(tables: Sequence[Table], style: str = "terminal") -> None:
    """Prints tables of one kind.

    Args:
        tables: At least one.
        style: ``terminal``, ``markdown``, ``latex``, ``svg``, ``csv`` or ``json``.
    """
    if style == "markdown":
        print("\n".join(table.markdown() for table in tables))
    elif style == "latex":
        print("\n".join(table.latex() for table in tables))
    elif style == "csv":
        frame = _frame(tables).map(lambda value: " ".join(value) if isinstance(value, list) else value)
        frame.to_csv(sys.stdout, index=False)
    elif style == "json":
        print(_frame(tables).to_json(orient="records", indent=1, force_ascii=False))
    else:
        _draw(tables, svg=style == "svg")


def cells(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The lines of a frame, each with its place in it as ``line``."""
    lines = zip(frame.index, frame.to_dict("records"), strict=True)
    return [{str(k): v for k, v in line.items()} | {"line": place} for place, line in lines]


def _frame(tables: Sequence[Table]) -> pd.DataFrame:
    return pd.concat([table.plain() for table in tables])


def _draw(tables: Sequence[Table], *, svg: bool) -> None:
    # A pipe has no width of its own, and a table that is folded to 80 cannot be read.
    width = 118 if svg else None if sys.stdout.isatty() else 160
    console = Console(highlight=False, width=width, record=svg, file=io.StringIO() if svg else None)
    for table in tables:
        parts, notes = table.terminal(console.width)
        for part in parts:
            console.print(part)
        for note in notes:
            console.print(note, markup=False)
    if svg:
        print(console.export_svg(title="motioncopy table"))
