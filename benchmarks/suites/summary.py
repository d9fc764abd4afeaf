"""Shows a plan before it is run, and what came of it afterwards."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import rich.box
import rich.table
from rich.console import Console

from benchmarks.suites.estimate import own_training, spoken
from benchmarks.suites.plan import Plan, Planned
from benchmarks.suites.run import Outcome, time_left, title
from benchmarks.tables.comparison import comparison
from benchmarks.tables.results import results
from benchmarks.tables.table import Table, show
from motioncopy.errors import RecordError


def plan(found: Plan, console: Console) -> None:
    """Prints what will be run, what has finished, what cannot be run, and how long it will take."""
    names = ", ".join(suite.name for suite in found.suites)
    table = rich.table.Table(title=f"Plan of {names}", box=rich.box.SIMPLE_HEAD, title_justify="left")
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
    for why, left_out in found.left_out.items():
        console.print(f"Left out, {', '.join(left_out)}: {why}", markup=False)
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
    """What training cost: of each person and in total; what one run took over from another counts once."""
    whole: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    spent: dict[tuple[str, str], float] = defaultdict(float)
    for run in runs:
        record = came.finished[run.job.id]
        if not record.costs.train_seconds:
            continue
        if run.role == "whole":
            seconds = sum(record.costs.train_seconds.values())
            whole[record.method, record.data][record.subject or "all people"].append(seconds)
        spent[record.method, record.data] += own_training(record)
    for (method, data), total in spent.items():
        each = [f"{who} {spoken(statistics.fmean(t))}" for who, t in whole[method, data].items()]
        a_run = f"a run of the whole method {', '.join(each)}; " if each else ""
        console.print(f"Training of {method} on {data}: {a_run}all runs together {spoken(total)}")


def tables(found: Plan, came: Outcome, folder: Path) -> list[Path]:
    """Prints the tables of what has finished or failed, and keeps them as Markdown.

    A paper's table is shown with its own cells beside the measured ones; a suite of one's own as a table of results,
    one for each data set and regime. In the place of a table that cannot be made stands why; the others are made.

    Returns:
        The files.
    """
    written = []
    for suite in found.suites:
        own = [run for run in found.runs if suite.name in run.suites]
        records = [r for run in own if (r := came.finished.get(run.job.id) or came.failures.get(run.job.id))]
        if suite.table is None:
            parts = dict.fromkeys((r.data, r.regime) for r in records)
            chosen = {part: [r for r in records if (r.data, r.regime) == part] for part in parts}
            texts = {suite.name: [_made(" ".join(part), partial(results, of)) for part, of in chosen.items()]}
        else:
            places = {"-".join(filter(None, (suite.name, data))): data for data in found.options.data or (None,)}
            texts = {
                name: [_made(name, partial(comparison, suite.table, records, data))] for name, data in places.items()
            }
        _name_changed_rows(own, came)
        folder.mkdir(parents=True, exist_ok=True)
        for name, made in texts.items():
            path = folder / f"{name.replace('/', '-')}-{found.options.preset}.md"
            path.write_text("\n".join(made), encoding="utf-8")
            written.append(path)
    return written


def _made(name: str, make: Callable[[], Table]) -> str:
    """Prints a table, or why it cannot be made; and gives it as Markdown."""
    try:
        made = make()
    except RecordError as error:
        text = f"No table of {name}: {error}\n"
        print(text)
        return text
    show([made])
    return made.markdown()


def _name_changed_rows(runs: Sequence[Planned], came: Outcome) -> None:
    """Says which of several rows of one method is which: a table tells them apart by their configs' hashes alone."""
    for run in runs:
        record = came.finished.get(run.job.id)
        if run.job.changed and run.role != "baseline" and record is not None:
            print(f"#{record.config_sha256[:6]} is {run.label}, seed {run.job.seed}")
