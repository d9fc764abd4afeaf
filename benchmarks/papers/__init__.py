"""What the five papers print: every quantitative cell of their tables as data, with what is doubtful about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.papers.cells import (
    OURS,
    UNSTATED,
    Paper,
    PrintedCell,
    PrintedRow,
    PrintedTable,
    choose,
    papers,
    table,
    tables,
)
from benchmarks.papers.flags import FLAGS

if TYPE_CHECKING:
    from motioncopy.records import Record

__all__ = [
    "FLAGS", "OURS", "UNSTATED", "Paper", "PrintedCell", "PrintedRow", "PrintedTable", "choose", "papers", "records",
    "table", "tables",
]  # fmt: skip


def records() -> list[Record]:
    """One record a (table, row, data set), of kind "paper": see :func:`benchmarks.papers.rows.records`."""
    from benchmarks.papers import rows  # torch takes seconds to import

    return rows.records()
