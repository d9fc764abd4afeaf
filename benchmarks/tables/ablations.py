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

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import pandas as pd

from benchmarks import papers
from benchmarks.bench import config_stack
from benchmarks.tables.columns import direction, heading, interval, number
from benchmarks.tables.grid import Cell, Grid, Note
from benchmarks.tables.measured import worth
from benchmarks.tables.selection import KINDS, in_order
from benchmarks.tables.table import Table, cells
from motioncopy.errors import ConfigError, RecordError
from motioncopy.metrics.bootstrap import NOTE, Difference
from motioncopy.records import Record

COLUMNS = (
    "data", "protocol", "subject", "method", "ablation", "part", "compared", "kind", "metric",
    "worth", "low", "high", "trials", "seeds", "paper",
)  # fmt: skip
_NOTE = Note(f"Worth: how much better the score is with the part than without it, trial by trial. {NOTE}")


@dataclass(frozen=True)
class Ablation:
    """What an overlay takes away.

    Attributes:
        part: Its name.
        compared: The overlay whose run has the part and is otherwise the same; ``None``: the whole method.
    """

    part: str
    compared: str | None = None


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
            found[name] = Ablation(**block)
        except TypeError as error:
            raise ConfigError(
                f"the block ablation of {method}'s overlay {name} is wrong",
                expected="part, compared",
                found=error,
            ) from error
    return found


def worth_in_papers(method: str, ablation: str) -> dict[tuple[str, str], dict[str, float]]:
    """What a part is worth by the papers' tables: for each kind of trial and metric, by data set; positive helps."""
    found: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for table in papers.tables().values():
        for row in (r for r in table.rows if (r.method, r.ablation) == (method, ablation)):
            for less, more in zip(row.cells, table.compared_with(row).cells, strict=True):
                if less.value is not None and more.value is not None:
                    # Two tables can print a row twice; the first one counts.
                    gain = direction(less.metric) * (more.value - less.value)
                    found[less.kind, less.metric].setdefault(less.data, gain)
    return found


def worth_of_parts(records: Iterable[Record]) -> Table:
    """Every ablation that was run, against the row with the part, for every metric and kind of trial.

    Args:
        records: Of any methods, data sets and protocols; failed ones and those of papers are left aside.

    Returns:
        A table whose frame has :data:`COLUMNS`. ``worth`` is the mean over trials of the score's gain by the part,
        positive where the part helps, with the 95% interval ``low`` to ``high`` (``None`` for fewer than two trials).

    Raises:
        RecordError: If an ablation was run, and no row with the part at the same seed.
    """
    runs: dict[tuple[Any, ...], dict[str | None, dict[int | None, Record]]] = defaultdict(lambda: defaultdict(dict))
    for r in in_order(records):
        if r.kind == "measured" and r.status == "finished" and not r.changed:
            same = (r.data, r.protocol, r.subject, r.method, r.variant, r.preset, r.overlays)
            runs[same][r.ablation][r.seed] = r
    lines = []
    for (data, protocol, subject, method, *_), rows in runs.items():
        for name, ablation in ablations(method).items():
            without, with_part = rows.get(name, {}), rows.get(ablation.compared, {})
            if not without:
                continue
            if not without.keys() & with_part.keys():
                raise RecordError(
                    f"{method}'s ablation {name} on {data} has nothing to be compared with",
                    expected=f"{ablation.compared or 'the whole method'} at seed {', '.join(map(str, without))}",
                    found=f"seeds {', '.join(map(str, with_part)) or 'none'}",
                    remedy=f"run `make bench METHOD={method} DATA={data} ABLATION={ablation.compared or ''} SEED=...`",
                )
            fixed = {"data": data, "protocol": protocol, "subject": subject, "method": method, "ablation": name}
            fixed |= {"part": ablation.part, "compared": ablation.compared}
            found = worth_in_papers(method, name)
            for line in _gains(list(with_part.values()), list(without.values())):
                gains = found.get((line["kind"], line["metric"]), {})
                paper = ", ".join(f"{gain:+.3g} ({place})" for place, gain in gains.items())
                lines.append(fixed | line | {"paper": paper})
    # As objects: pandas would turn the None of the whole method into a NaN beside another row's name.
    return Table(pd.DataFrame(lines, columns=list(COLUMNS), dtype=object), _layout)


def _gains(with_part: Sequence[Record], without: Sequence[Record]) -> list[dict[str, Any]]:
    """One line for each kind of trial and metric of which trials of both rows have values."""
    trials = [trial for record in without for trial in record.results.trials.values()]
    lines = []
    for kind in KINDS:
        for metric in sorted({key for trial in trials if trial.kind == kind for key in trial.scores}):
            gain = worth(with_part, without, kind, metric) if direction(metric) else {}
            if "trials" in gain:
                numbers = {name: gain[name] for name in ("worth", "low", "high", "trials", "seeds")}
                lines.append(numbers | {"kind": kind, "metric": metric})
    return lines


def verdict(line: Mapping[str, Any]) -> str:
    """Whether the part helped, by the interval."""
    found = Difference(line["worth"], line["low"], line["high"], line["trials"])
    if found.told_apart is None:
        return f"not tested ({found.untested})"
    return ("helps" if found.mean > 0 else "harms") if found.told_apart else "not shown"


def seeds(line: Mapping[str, Any]) -> str:
    """Over how many seeds a gain is."""
    return f"{line['seeds']} seed{'s' if line['seeds'] > 1 else ''}"


def _layout(frame: pd.DataFrame) -> tuple[list[Grid], list[Note]]:
    """A grid for each ablation, and the note."""
    headings = ("trials of", "metric", "worth", "over", "here it", "paper's worth")
    grids = []
    for _, of_ablation in frame.groupby(["data", "subject", "method", "ablation"], sort=False, dropna=False):
        lines = cells(of_ablation)
        one = lines[0]
        where = one["data"] + (f", {one['subject']}" if one["subject"] else "")
        against = f"{one['ablation']}, against {one['compared'] or 'the whole method'}"
        rows = tuple(
            (
                Cell(line["kind"]),
                Cell(heading(line["metric"], arrow=False)),
                gain(line),
                Cell(f"{line['trials']} trials, {seeds(line)}"),
                Cell(verdict(line)),
                Cell(line["paper"] or "–"),
            )
            for line in lines
        )
        grids.append(Grid(f"{where}: {one['method']}: {against} ({one['part']})", headings, rows, left=len(headings)))
    return grids, [_NOTE]


def gain(line: Mapping[str, Any]) -> Cell:
    """What the part is worth, with its interval."""
    metric = line["metric"]
    ends = interval(line["low"], line["high"], metric, signed=True)
    return Cell(number(line["worth"], metric, signed=True), ends)
