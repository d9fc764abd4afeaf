"""``motioncopy bench``: train, test, compare with the trivial baselines, and show it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.bench.config_stack import ConfigStack, data_sets, methods
from benchmarks.bench.options import add_run_options, miniature, run_options
from motioncopy.errors import ConfigError, RecordError
from motioncopy.files.documents import read_json
from motioncopy.files.writing import write_whole

if TYPE_CHECKING:
    from benchmarks.bench.jobs import Job
    from motioncopy.records import Record


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
    add_run_options(parser)
    parser.add_argument("--rerun", action="store_true", help="run it even if it has finished")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the benchmark and says where all lies, or with ``--dry-run`` what it would do.

    Raises:
        MotionCopyError: If something fails; of a dry run, if the method cannot be built here.
    """
    overlays = list(filter(None, arguments.ablation.split(",")))
    stack = ConfigStack.asked_for(arguments.method, arguments.data, arguments.variant, arguments.preset, overlays)
    stack.files()  # a wrong name is refused before torch is imported
    from benchmarks.bench import jobs, runner
    from benchmarks.loggers.results import log_record
    from benchmarks.pictures.trials import write_pictures

    start = time.perf_counter()
    if arguments.sample and arguments.data_root is not None:
        raise ConfigError("SAMPLE=1 and DATA_ROOT contradict each other", remedy="give one of them")
    data_root = arguments.data_root
    if arguments.sample:
        data_root = miniature(arguments.data, written=not arguments.dry_run)
    how = run_options(arguments)
    job = jobs.Job(stack, arguments.runs, arguments.seed, arguments.person, data_root, **how)
    baselines = jobs.baselines(job)
    if arguments.dry_run:
        from benchmarks.bench import dry_run

        for line in dry_run.of(job, again=arguments.rerun, data=not arguments.sample):
            print(line)
        return 0
    if arguments.rerun or job.record() is None:
        job.data()  # prepared, or refused, before anything is written
    names = [stack.method, *(b.stack.method for b in baselines)]
    print(f"Bench {job.id}: {', '.join(names)} on {arguments.data}; the run's folder is {job.folder}", flush=True)
    ran = [*baselines, job]
    _show_table([runner.run(one, again=arguments.rerun, listeners=[log_record]) for one in ran], job.folder)
    for one in ran:
        _show_nearness(one)
    _show_waiting(job)
    trials, outputs = job.test_trials()
    generated = {one.stack.method: one.folder / outputs.relative_to(job.folder) for one in (job, *baselines)}
    files = write_pictures(trials, generated, job.folder)
    print(f"\nDone in {(time.perf_counter() - start) / 60:.1f} min. All of it lies in {job.folder}:")
    for name, what in (("table.md", "the table"), *files, ("record.json", "the record")):
        print(f"  {name:<16} {what}")
    return 0


def _show_table(records: Sequence[Record], folder: Path) -> None:
    """Prints the table and keeps it as Markdown."""
    from benchmarks.tables.results import results
    from benchmarks.tables.table import show

    made = results(records)
    write_whole(folder / "table.md", made.markdown(), error=RecordError)
    show([made])


def _show_nearness(job: Job) -> None:
    """Prints how near the training poses of a finished ``nearest`` came to those asked for."""
    for path in sorted((job.folder / "outputs").glob("*/summary.json")):
        found: dict[str, list[float]] = {}
        for trial in read_json(path, error=RecordError)["trials"]:
            if "pose_distance" in trial.get("report", {}):
                found.setdefault(trial["kind"], []).append(trial["report"]["pose_distance"])
        for kind, distances in found.items():
            mean = sum(distances) / len(distances)
            print(f"nearest, {kind}: on average a joint was {mean:.3f} body heights from where it should be")


def _show_waiting(job: Job) -> None:
    """Prints how much of each stage's training time was spent waiting for data."""
    stages = read_json(job.folder / "fit.json", error=RecordError)["stages"]
    shares = [f"{s['stage']} {s['data_seconds'] / s['seconds']:.1%}" for s in stages if s["seconds"]]
    if shares:
        print(f"Waiting for data while training: {', '.join(shares)}")
