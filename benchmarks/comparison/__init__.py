"""A paper's table beside what was measured here: frames from papers and records, and text from frames."""

from benchmarks.comparison.frame import COLUMNS, compare
from benchmarks.comparison.layouts import latex, markdown, terminal

__all__ = ["COLUMNS", "compare", "latex", "markdown", "terminal"]
