"""What the five papers print: every quantitative cell of their tables as data, with what is doubtful about it."""

from __future__ import annotations

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

__all__ = [
    "FLAGS", "OURS", "UNSTATED", "Paper", "PrintedCell", "PrintedRow", "PrintedTable", "choose", "papers", "table",
    "tables",
]  # fmt: skip
