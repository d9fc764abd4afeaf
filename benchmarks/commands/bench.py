"""``motioncopy bench``: train, test, compare with the trivial baselines, and show it."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from benchmarks import roots, run_options
from benchmarks.stack import Stack, data_sets, methods
from motioncopy.errors import ConfigError

if TYPE_CHECKING:
    from benchmarks.jobs import Job


def add_parser(subparsers: Any) -> None:
    """Adds the command to the console script."""
    parser = subparsers.add_parser(
        "bench",
        help="train, test and compare with the trivial baselines",
        description="Prepares the data if needed, fits, tests, scores the trivial baselines by the same path, and "
        "writes a record, a table, a side-by-side video and a contact sheet. A finished run is not run again.",
    )
    parser.add_argument("--method", default="fakemotion", help=f"one of {', '.join(methods())} (default: %(default)s)")
    parser.add_argument("--data", default="puppets", help=f"one of {', '.join(data_sets())} (default: %(default)s)")
    parser.add_argument("--variant", default="paper", help="what is computed: paper, released (default: %(default)s)")
    parser.add_argument("--preset", default="quick", help="how large and how long: quick, full (default: %(default)s)")
    parser.add_argument("--ablation", default="", help="overlays of the method, separated by commas")
    parser.add_argument(
        "--person",
        default=None,
        help="whom a personal method shows; of folder, who is tested (default: the data set's own)",
    )
    parser.add_argument("--data-root", default=None, help="where the data lies")
    parser.add_argument(
        "--sample", action="store_true", help="run on a miniature of the data set, written to data/miniatures if needed"
    )
    parser.add_argument("--seed", type=int, default=0)
    run_options.add(parser)
    parser.add_argument("--rerun", action="store_true", help="run it even if it has finished")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.set_defaults(run_command=run)


def _dry_run(job: Job, *, again: bool, data: bool) -> int:
    from benchmarks import dry_run

    found = dry_run.of(job, again=again, data=data)
    print("\n".join(found.lines))
    if found.refusal is not None:
        raise found.refusal
    return 0


def run(arguments: argparse.Namespace) -> int:
    """Runs the benchmark and says where all lies, or with ``--dry-run`` what it would do.

    Raises:
        MotionCopyError: If something fails; of a dry run, if the method cannot be built here.
    """
    overlays = list(filter(None, arguments.ablation.split(",")))
    stack = Stack.asked_for(arguments.method, arguments.data, arguments.variant, arguments.preset, overlays)
    stack.files()  # a wrong name is refused before torch is imported
    from benchmarks import bench, jobs, show

    start = time.perf_counter()
    if arguments.sample and arguments.data_root is not None:
        raise ConfigError("SAMPLE=1 and DATA_ROOT contradict each other", remedy="give one of them")
    data_root = arguments.data_root
    if arguments.sample:
        data_root = roots.miniature(arguments.data, written=not arguments.dry_run)
    how = run_options.of(arguments)
    job = jobs.Job(stack, arguments.runs, arguments.seed, arguments.person, data_root, **how)
    baselines = jobs.baselines(job)
    if arguments.dry_run:
        return _dry_run(job, again=arguments.rerun, data=not arguments.sample)
    if arguments.rerun or job.record() is None:
        job.data()  # prepared, or refused, before anything is written
    names = [arguments.method, *(b.stack.method for b in baselines)]
    print(f"Bench {job.id}: {', '.join(names)} on {arguments.data}; the run's folder is {job.folder}", flush=True)
    found = [bench.run(b, again=arguments.rerun) for b in baselines]
    found.append(bench.run(job, again=arguments.rerun))
    show.table(found, job.folder / "table.md")
    for ran in (*baselines, job):
        show.nearness(ran)
    show.waiting(job)
    files = show.pictures(job, baselines)
    print(f"\nDone in {(time.perf_counter() - start) / 60:.1f} min. All of it lies in {job.folder}:")
    for name, what in (("table.md", "the table"), *files, ("record.json", "the record")):
        print(f"  {name:<16} {what}")
    return 0
