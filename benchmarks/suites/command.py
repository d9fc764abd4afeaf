"""``motioncopy suite``: runs a paper's table, or a list of one's own, and shows what came of it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.bench.config_stack import data_sets
from benchmarks.bench.options import add_run_options, data_roots, miniature, run_options
from benchmarks.cluster.options import ClusterOptions, add_cluster_options, cluster_options
from motioncopy.errors import ConfigError, RecordError

if TYPE_CHECKING:
    from benchmarks.suites.estimate import Estimator
    from benchmarks.suites.plan import Options, Plan
    from benchmarks.suites.run import Outcome
    from benchmarks.suites.suite import Suite

#: Some runs failed; the others have finished.
FAILED = 3


def add_parser(subparsers: Any) -> None:
    """Adds the command to the console script."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "suite",
        help="run a table of a paper: methods x data x people x ablations x seeds",
        description="Runs the rows of a paper's table that methods of this project produce, with the trivial baselines "
        "beside them, and shows the paper's cells beside the measured ones. First comes the plan and how long it will "
        "take. What has finished is not run again, down to single stages; a run that fails does not stop the others; "
        "stopped at any moment, the same command goes on. Called in two terminals, the two share the work. Exit status "
        f"{FAILED}: some runs failed.",
    )
    parser.add_argument(
        "table", nargs="+", metavar="TABLE", help="remot/table4, all, or a YAML file: see docs/suites.md"
    )
    parser.add_argument("--preset", default="quick", help="how large and how long: quick, full (default: %(default)s)")
    parser.add_argument("--data", default="", help="in place of the table's data sets, separated by commas")
    parser.add_argument(
        "--people", default=None, help="whom personal methods show: names with commas, all, or one: the data set's own "
        "choice (default: one with preset quick, else all)",
    )  # fmt: skip
    parser.add_argument("--seeds", default="0,1,2", help="of whole methods (default: %(default)s)")
    parser.add_argument("--row-seeds", default="0", help="of ablations (default: %(default)s)")
    parser.add_argument(
        "--data-root", action="append", default=[], metavar="[NAME=]DIR", help="where a data set lies; may be repeated"
    )
    parser.add_argument("--sample", action="store_true", help="run on miniatures of the data sets")
    add_run_options(parser)
    parser.add_argument("--dry-run", action="store_true", help="show the plan, and run nothing")
    add_cluster_options(parser)
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> int:
    """Plans, runs, and shows the tables."""
    from rich.console import Console

    from benchmarks.suites import suite

    suites = suite.named(arguments.table)  # what is wrong with the call is said before torch is imported
    cluster = cluster_options(arguments)
    from benchmarks.suites import plan as planning
    from benchmarks.suites import summary

    # A pipe has no width of its own, and a table that is folded to 80 cannot be read.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    found = planning.plan(suites, _options(arguments, suites), _estimator(arguments.runs))
    summary.plan(found, console)
    if arguments.dry_run:
        return 0
    planning.prepare(found)
    came = _run(found, cluster if arguments.engine == "slurm" else None)
    summary.outcome(found, came, console)
    for path in summary.tables(found, came, arguments.runs / "tables"):
        console.print(f"  {path}")
    console.print(f"  {arguments.runs / 'records'}: a record of each run (motioncopy report shows them)")
    if came.stopped is not None:
        raise came.stopped
    return FAILED if came.failed else 0


def _run(found: Plan, cluster: ClusterOptions | None) -> Outcome:
    """Runs a plan here, or on a cluster."""
    if cluster is None:
        from benchmarks.suites import run as running

        return running.run(found)
    from benchmarks.cluster import run as cluster_run

    after = {run.job.id: run.after for run in found.runs if run.after}
    return cluster_run.run([run.job for run in found.runs], cluster, after)


def _options(arguments: argparse.Namespace, suites: Sequence[Suite]) -> Options:
    from benchmarks.suites.plan import Options

    data = _words(arguments.data)
    used = data or tuple(dict.fromkeys(name for suite in suites for name in suite.data))
    for name in data:
        if name not in data_sets():
            raise ConfigError(f"there is no DATA={name}", expected=f"one of {', '.join(data_sets())}")
    given = data_roots(arguments.data_root, used)
    if arguments.sample:
        if given:
            raise ConfigError("SAMPLE=1 and DATA_ROOT contradict each other", remedy="give one of them")
        from datamodules import miniatures

        written = not arguments.dry_run
        given = {name: miniature(name, written=written) for name in used if name in miniatures.names()}
    people = arguments.people or ("one" if arguments.preset == "quick" else "all")
    return Options(
        preset=arguments.preset,
        data=data,
        people=() if people == "one" else _words(people),
        seeds=_numbers("SEEDS", arguments.seeds),
        row_seeds=_numbers("ROW_SEEDS", arguments.row_seeds),
        runs=arguments.runs,
        roots=given,
        fixed=run_options(arguments),
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, text.replace(" ", ",").split(","))))


def _numbers(name: str, text: str) -> tuple[int, ...]:
    words = _words(text)
    if not words or not all(word.isdigit() for word in words):
        raise ConfigError(f"{name}={text} is no list of numbers", expected="such as 0,1,2")
    return tuple(map(int, words))


def _estimator(runs: Path) -> Estimator:
    """Knows the committed runs, and those of this folder."""
    import torch

    from benchmarks.records import RESULTS
    from benchmarks.suites.estimate import Estimator
    from motioncopy.records import read, read_all
    from motioncopy.records.provenance import device

    here = device(int(torch.cuda.is_available()))
    known = read_all(RESULTS)
    for path in sorted((runs / "records").glob("*.json")):
        with suppress(RecordError):  # a damaged one is of no use here, and named by `motioncopy records verify`
            known.append(read(path))
    return Estimator(known, here.cpu, here.gpu)
