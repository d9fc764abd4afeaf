"""What a part of a method is worth, beside what the paper found: rows of ablation tables, compared in pairs.

A method's overlay says in its block ``ablation`` which part it takes away, and with which row it is compared (a paper's
rows need not all be compared with the whole method)::

    ablation:
      part: Global Alignment Module
      compared: rgn                       # another overlay; absent: the whole method

What the paper found is read from its tables, :mod:`benchmarks.papers`: the row of the method and the overlay, against
the row that this one is compared with.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import pandas as pd
import rich.table

from benchmarks import grids, papers, significance
from benchmarks.bench import config_stack
from benchmarks.grids import Cell, Grid, Note
from motioncopy.errors import ConfigError, RecordError
from motioncopy.metrics.catalogue import definition
from motioncopy.records import Record

COLUMNS = (
    "data", "protocol", "subject", "method", "ablation", "part", "compared", "kind", "metric",
    "worth", "low", "high", "trials", "seeds", "paper",
)  # fmt: skip
_NOTE = Note(f"Worth: how much better the score is with the part than without it, trial by trial. {significance.NOTE}")


@dataclass(frozen=True)
class Ablation:
    """What an overlay takes away.

    Attributes:
        part: Its name.
        compared: The overlay whose run has the part and is otherwise the same; ``None``: the whole method.
        paper: For each data set, kind of trial and metric key the paper's values without and with the part.
    """

    part: str
    compared: str | None = None
    paper: Mapping[tuple[str, str, str], tuple[float, float]] = field(default_factory=dict)

    def found_by_the_paper(self, kind: str, metric: str) -> str:
        """The paper's own differences, signed so that positive is better with the part; empty if it has none."""
        sign = 1 if definition(metric).direction == "higher" else -1
        pairs = {data: pair for (data, *rest), pair in self.paper.items() if rest == [kind, metric]}
        return ", ".join(f"{sign * (more - less):+.3g} ({data})" for data, (less, more) in pairs.items())


def ablations(method: str) -> dict[str, Ablation]:
    """The overlays of a method that take a part away, by name.

    Raises:
        ConfigError: If a block ``ablation`` says something else than it may.
    """
    found = {}
    for name in config_stack.ablations(method):
        block = config_stack.read(files("methods") / method / "ablations" / f"{name}.yaml").get("ablation")
        if block is None:
            continue
        try:
            found[name] = Ablation(**block, paper=_printed(method, name))
        except TypeError as error:
            raise ConfigError(
                f"the block ablation of {method}'s overlay {name} is wrong",
                expected="part, compared",
                found=error,
            ) from error
    return found


def _printed(method: str, ablation: str) -> dict[tuple[str, str, str], tuple[float, float]]:
    """What the papers' tables say of an overlay: each cell without the part, and the same cell with it."""
    found: dict[tuple[str, str, str], tuple[float, float]] = {}
    for table in papers.tables().values():
        for row in (r for r in table.rows if (r.method, r.ablation) == (method, ablation)):
            for less, more in zip(row.cells, table.compared_with(row).cells, strict=True):
                if less.value is not None and more.value is not None:
                    # Two tables can print a row twice; the first one counts.
                    found.setdefault((less.data, less.kind, less.metric), (less.value, more.value))
    return found


def compare(records: Iterable[Record]) -> pd.DataFrame:
    """Every ablation that was run, against the row with the part, for every metric and kind of trial.

    Args:
        records: Of any methods, data sets and protocols; failed ones and those of papers are left aside.

    Returns:
        A frame with :data:`COLUMNS`. ``worth`` is the mean over trials of the score's gain by the part, positive where
        the part helps, with the 95% interval ``low`` to ``high`` (NaN for fewer than two trials).

    Raises:
        RecordError: If an ablation was run, and no row with the part at the same seed.
    """
    runs: dict[tuple[Any, ...], dict[str | None, dict[int | None, Record]]] = defaultdict(lambda: defaultdict(dict))
    for r in sorted(records, key=lambda r: (r.created, r.id)):
        if r.kind == "measured" and r.status == "finished" and not r.changed:
            same = (r.data, r.protocol, r.subject, r.method, r.variant, r.preset, r.overlays)
            runs[same][r.ablation][r.seed] = r
    lines = []
    for (data, protocol, subject, method, *_), rows in runs.items():
        for name, ablation in ablations(method).items():
            without, with_ = rows.get(name, {}), rows.get(ablation.compared, {})
            if not without:
                continue
            seeds = sorted(without.keys() & with_.keys(), key=str)
            if not seeds:
                raise RecordError(
                    f"{method}'s ablation {name} on {data} has nothing to be compared with",
                    expected=f"{ablation.compared or 'the whole method'} at seed {', '.join(map(str, without))}",
                    found=f"seeds {', '.join(map(str, with_)) or 'none'}",
                    remedy=f"run `make bench METHOD={method} DATA={data} ABLATION={ablation.compared or ''} SEED=...`",
                )
            fixed = {"data": data, "protocol": protocol, "subject": subject, "method": method, "ablation": name}
            named = fixed | {"part": ablation.part, "compared": ablation.compared, "seeds": len(seeds)}
            lines += [named | line for line in _differences([(without[s], with_[s]) for s in seeds], ablation)]
    # As objects: pandas would turn the None of the whole method into a NaN beside another row's name.
    return pd.DataFrame(lines, columns=list(COLUMNS), dtype=object)


def _differences(pairs: Sequence[tuple[Record, Record]], ablation: Ablation) -> list[dict[str, Any]]:
    """One line for each kind of trial and metric that every run of both rows has values of."""
    gains: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for without, with_ in pairs:
        for name in without.results.trials.keys() & with_.results.trials.keys():
            a, b = without.results.trials[name], with_.results.trials[name]
            for key in a.scores.keys() & b.scores.keys():
                less, more, direction = a.scores[key].value, b.scores[key].value, definition(key).direction
                if less is not None and more is not None and direction != "none":
                    gains[a.kind, key][name].append(more - less if direction == "higher" else less - more)
    lines = []
    for (kind, key), by_trial in gains.items():
        values = {name: statistics.fmean(v) for name, v in by_trial.items() if len(v) == len(pairs)}
        if not values:
            continue
        found = significance.paired(values, dict.fromkeys(values, 0.0))
        line = {"kind": kind, "metric": key, "worth": found.mean, "trials": found.trials}
        paper = ablation.found_by_the_paper(kind, key)
        lines.append(line | {"low": found.low, "high": found.high, "paper": paper})
    return sorted(lines, key=lambda line: (line["kind"] != "reconstruction", str(line["metric"])))


def verdict(line: Mapping[Any, Any]) -> str:
    """Whether the part helped, by the interval."""
    found = significance.Difference(line["worth"], line["low"], line["high"], line["trials"])
    if found.told_apart is None:
        return f"not tested ({found.untested})"
    return ("helps" if found.mean > 0 else "harms") if found.told_apart else "not shown"


def _cells(frame: pd.DataFrame) -> list[list[str]]:
    cells = []
    for line in frame.to_dict("records"):
        metric = definition(line["metric"])
        digits = grids.digits(line["metric"])
        bounds = "" if line["low"] is None else f" [{line['low']:+.{digits}f}, {line['high']:+.{digits}f}]"
        where = line["data"] + (f", {line['subject']}" if line["subject"] else "")
        row = f"{line['method']}: {line['ablation']}, against {line['compared'] or 'the whole method'}"
        seeds = f"{line['seeds']} seed{'s' if line['seeds'] > 1 else ''}"
        counted = f"{line['trials']} trials, {seeds}"
        worth = f"{line['worth']:+.{digits}f}{bounds}"
        name = f"{metric.title}{f' ({metric.unit})' if metric.unit else ''}"
        cells.append(
            [where, row, line["part"], line["kind"], name, worth, counted, verdict(line), line["paper"] or "–"]
        )
    return cells


_HEADINGS = ("data", "ablation", "part", "trials of", "metric", "worth", "over", "here it", "paper's worth")


def markdown(frame: pd.DataFrame) -> str:
    """The comparison in Markdown."""
    lines = [list(_HEADINGS), ["---"] * len(_HEADINGS), *_cells(frame)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + f"\n\n{_NOTE}\n"


def latex(frame: pd.DataFrame) -> str:
    """The comparison in LaTeX, for the package booktabs: a float for each ablation, with the note below."""
    return grids.latex(_layout(frame), [_NOTE])


def terminal(frame: pd.DataFrame, width: int = 160) -> tuple[list[rich.table.Table], list[str]]:
    """The comparison for a terminal: a part for each ablation, and the note."""
    return [part for grid in _layout(frame) for part in grids.terminal(grid, width)], [str(_NOTE)]


def _layout(frame: pd.DataFrame) -> list[Grid]:
    """A grid for each ablation."""
    found = []
    for _, lines in frame.groupby(["data", "method", "ablation"], sort=False):
        cells = _cells(lines)
        where, row, part, *_ = cells[0]
        rows = tuple(tuple(map(Cell, cell[3:])) for cell in cells)
        found.append(Grid(f"{where}: {row} ({part})", _HEADINGS[3:], rows, left=len(_HEADINGS[3:])))
    return found
