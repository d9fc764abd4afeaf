"""Shows a plan before it is run, and what came of it afterwards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import rich.box
from rich.console import Console
from rich.table import Table

from benchmarks import comparison
from benchmarks import tables as results
from benchmarks.commands.table import Layout, show
from benchmarks.suites.estimate import spoken
from benchmarks.suites.plan import Plan, Planned
from benchmarks.suites.run import Outcome, time_left, title
from motioncopy.records import Record


def plan(found: Plan, console: Console) -> None:
    """Prints what will be run, what has finished, what cannot be run, and how long it will take."""
    names = ", ".join(suite.name for suite in found.suites)
    table = Table(title=f"Plan of {names}", box=rich.box.SIMPLE_HEAD, title_justify="left")
    for heading in ("row", "method", "data", "person", "seeds"):
        table.add_column(heading, overflow="fold")
    for heading in ("runs", "finished", "time left"):
        table.add_column(heading, justify="right", overflow="fold")
    groups: dict[tuple[str, ...], list[Planned]] = defaultdict(list)
    for run in found.runs:
        groups[run.job.stack.data, run.role, run.label, run.job.stack.method].append(run)
    for (data, role, label, method), runs in groups.items():
        people = list(dict.fromkeys(run.person for run in runs if run.person))
        shown = f"{len(people)} people" if len(people) > 3 else ", ".join(people)
        seeds = ", ".join(map(str, sorted({run.job.seed for run in runs})))
        left = [run for run in runs if run.done is None]
        made_at = sorted(
            {run.done.code.commit[:7] for run in runs if run.done and run.done.code and run.done.code.commit}
        )
        finished = f"{len(runs) - len(left)}" + (f" at {', '.join(made_at)}" if made_at else "")
        table.add_row(
            label if role != "baseline" else "(baseline)", method, data, shown, seeds, str(len(runs)), finished,
            time_left(left) if left else "",
        )  # fmt: skip
    console.print(table)
    reasons: dict[str, list[str]] = defaultdict(list)
    for _, what, why in found.left_out:
        reasons[why].append(what)
    for why, left_out in reasons.items():
        rows = f"{len(left_out)} row{'s' if len(left_out) > 1 else ''}"
        console.print(f"Left out, {rows}: {', '.join(dict.fromkeys(left_out))}: {why}", markup=False)
    count = len(found.open)
    console.print(f"{count} of {len(found.runs)} runs to do: {time_left(found.open)}" if count else "All has finished.")


def outcome(found: Plan, came: Outcome, console: Console) -> None:
    """Prints what each person cost, what failed, and why."""
    _costs([run for run in found.runs if run.job.id in came.finished], came, console)
    failed = [run for run in found.runs if run.job.id in came.failed]
    console.print(f"\n{len(came.finished)} of {len(found.runs)} runs have finished, {len(failed)} failed.")
    for run in failed:
        console.print(f"  {title(run)}: {came.failed[run.job.id]}", markup=False)


def _costs(runs: Sequence[Planned], came: Outcome, console: Console) -> None:
    """What the trained methods cost: personal ones for each person, and in total."""
    costs: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        record = came.finished[run.job.id]
        if record.costs.train_seconds:
            person = record.subject or "all people"
            costs[record.method, record.data][person].append(sum(record.costs.train_seconds.values()))
    for (method, data), by_person in costs.items():
        total = sum(map(sum, by_person.values()))
        each = [f"{who} {spoken(sum(t) / len(t))}" for who, t in by_person.items()]
        console.print(f"Training of {method} on {data}, a run: {', '.join(each)}; all runs together {spoken(total)}")


def tables(found: Plan, came: Outcome, folder: Path) -> list[Path]:
    """Prints the tables of what has finished or failed, and keeps them as Markdown.

    A paper's table is shown with its own cells beside the measured ones; a suite of one's own as a table of results.

    Returns:
        The files.
    """
    records = [came.finished[run.job.id] for run in found.runs if run.job.id in came.finished] + came.failures
    written = []
    for suite in found.suites:
        places = found.options.data or (None,)
        for data in places if suite.table is not None else ("",):
            layout: Layout = results if suite.table is None else comparison
            frames = _own_tables(records) if suite.table is None else [comparison.compare(suite.table, records, data)]
            show(frames, layout)
            name = "-".join(filter(None, (suite.name.replace("/", "-"), data, found.options.preset)))
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{name}.md"
            path.write_text("\n".join(map(layout.markdown, frames)), encoding="utf-8")
            written.append(path)
    return written


def _own_tables(records: Sequence[Record]) -> list[pd.DataFrame]:
    parts = dict.fromkeys((r.data, r.regime) for r in records)
    return [results.table([r for r in records if (r.data, r.regime) == part]) for part in parts]
