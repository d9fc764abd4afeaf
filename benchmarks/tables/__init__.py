"""Tables of results: pure functions from records to a data frame, and from that to text."""

from benchmarks.tables.frame import BASELINES, COLUMNS, bounds, table, trial_means, trial_values
from benchmarks.tables.layouts import latex, markdown, terminal

__all__ = ["BASELINES", "COLUMNS", "bounds", "latex", "markdown", "table", "terminal", "trial_means", "trial_values"]
