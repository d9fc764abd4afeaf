"""``motioncopy report``: records and clips as a page that opens from disk."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks import left_out
from benchmarks.records import RESULTS
from motioncopy.files.names import printable


def add_parser(subparsers: Any) -> None:
    """Adds the command to the ``motioncopy`` parser."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "report",
        help="records and clips as a page that opens from disk",
        description="Writes a folder of static HTML: tables, ablations, quality against cost, the clips of finished "
        "runs playing in step with their scores, and where every value comes from. It needs no server and no network. "
        "Clips show frames of the data set beside generated ones: pass them on only where its licence allows that.",
    )
    parser.add_argument(
        "--results", type=Path, default=RESULTS, metavar="DIR", help="folder of records (default: the committed ones)"
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="folder of runs, for the clips (%(default)s)"
    )
    parser.add_argument("--no-clips", action="store_true", help="tables and plots only")
    parser.add_argument("--data", action="append", metavar="NAME", help="only this data set; may be repeated")
    parser.add_argument(
        "--out", type=Path, default=Path("report"), metavar="DIR", help="the report's folder (%(default)s)"
    )
    parser.add_argument("--title", default="motioncopy", help="the page's heading (%(default)s)")
    parser.set_defaults(run_command=run)


def run(args: argparse.Namespace) -> int:
    """Writes the report.

    Returns:
        0, or 3 if records or clips were left out.

    Raises:
        RecordError: If there is nothing to report, something else lies at ``--out``, or it cannot be written.
    """
    from benchmarks.records import inventory
    from benchmarks.report.build import build  # torch and pandas take seconds to import

    found, bad = inventory.load(args.results) if args.results.is_dir() else ([], [])
    records = [r for r in found if args.data is None or r.data in args.data]
    runs = None if args.no_clips else args.runs
    failures = [(str(entry.path), entry.why) for entry in bad]
    try:
        built = build(records, args.out, runs=runs, title=args.title, data=args.data)
        failures += [*built.failures, *((f"clips of {name}", reason) for name, reason in built.aside)]
    finally:
        left_out.name(failures, "left out")
    size = sum(p.stat().st_size for p in args.out.rglob("*") if p.is_file())
    print(f"{built.tables} tables, {built.clips} clips, {size / 1e6:.1f} MB.", end=" ")
    print(f"Open {printable(str(built.page))} in a browser.")
    return left_out.status(1, len(failures))
