"""How a metric stands in a table: its heading, which direction is better, and how its values are written."""

from __future__ import annotations

import math

from motioncopy.metrics.catalogue import definition

#: The one column of papers' tables that is no metric of frames, but a cost.
FPS = "fps"


def title(metric: str) -> str:
    """The metric's name."""
    return "FPS" if metric == FPS else definition(metric).title


def heading(metric: str, *, arrow: bool = True) -> str:
    """What the metric's column is called, with its unit and, unless this is left out, its direction."""
    if metric == FPS:
        return "FPS ↑" if arrow else "FPS"
    found = definition(metric)
    parts = (found.title, found.arrow if arrow else "", f"({found.unit})" if found.unit else "")
    return " ".join(filter(None, parts))


def direction(metric: str) -> int:
    """1 where higher is better, -1 where lower is, 0 where neither is."""
    return {"higher": 1, "lower": -1, "none": 0}["higher" if metric == FPS else definition(metric).direction]


def digits(metric: str) -> int:
    """Digits behind the point of the metric's values."""
    return 2 if metric == FPS or definition(metric).unit == "dB" else 3


def number(value: float, metric: str, *, signed: bool = False) -> str:
    """A value of the metric."""
    return f"{value:{'+' if signed else ''}.{digits(metric)}f}".replace("-", "−")


def interval(low: float | None, high: float | None, metric: str, *, signed: bool = False) -> str:
    """The ends of an interval of the metric; empty without one."""
    if low is None or high is None or math.isnan(low):
        return ""
    return f"{number(low, metric, signed=signed)}, {number(high, metric, signed=signed)}"


def short(reason: str) -> str:
    """A reason as a footnote gives it: without the paths and addresses behind it, which the record keeps."""
    return reason.split(" Expected:")[0]
