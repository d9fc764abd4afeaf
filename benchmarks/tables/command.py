"""``motioncopy table``: the records as tables."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import left_out
from benchmarks.bench.config_stack import data_sets
from benchmarks.records import RESULTS
from motioncopy.errors import ConfigError, RecordError

if TYPE_CHECKING:
    from motioncopy.records import Record


def add_parser(subparsers: Any) -> None:
    """Adds the command to the ``motioncopy`` parser."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "table",
        help="show records as tables",
        description="Shows records as tables, one for each data set and regime (one model a person, or one for all). "
        "Records that are damaged or fit no table are named, the others shown, and the exit status is 3.",
    )
    parser.add_argument(
        "--results", type=Path, default=RESULTS, metavar="DIR", help="folder of records (default: the committed ones)"
    )
    parser.add_argument(
        "--source",
        choices=("records", "paper"),
        default="records",
        help="what was measured, or the papers' own cells (%(default)s)",
    )
    parser.add_argument(
        "--table",
        metavar="ID",
        help="one table of a paper, such as remot/table4: its cells beside what was measured on the paper's data, or "
        "on --data; with --source paper its cells alone",
    )
    parser.add_argument("--data", help="only this data set")
    parser.add_argument("--preset", help="only this preset: how large and how long, such as quick")
    parser.add_argument(
        "--overlays", metavar="NAMES", help="only runs with just these overlays, such as stabilised; '' for none"
    )
    parser.add_argument("--protocol", metavar="ID@VERSION", help="only this protocol")
    parser.add_argument("--regime", choices=("personal", "general"), help="only models of one person, or for all")
    parser.add_argument("--ablations", action="store_true", help="what each part is worth, beside what the paper found")
    parser.add_argument(
        "--intervals",
        action="store_true",
        help="95%% bootstrap intervals over trials in place of deviations over seeds",
    )
    parser.add_argument("--whole", action="store_true", help="only methods as a whole: without their ablations")
    parser.add_argument("--format", choices=("terminal", "markdown", "latex", "svg", "csv", "json"), default="terminal")
    parser.set_defaults(run_command=run)


def run(args: argparse.Namespace) -> int:
    """Prints the tables.

    Returns:
        0, 3 if records were left out, or 1 if all were.

    Raises:
        ConfigError: If there is no such table of a paper, or an option belongs to the other source.
        RecordError: If there is no such record, or those that there are cannot stand in any table.
    """
    if args.source == "paper":
        return _show_papers(args)
    from benchmarks.records import inventory  # torch takes seconds to import

    if not args.results.is_dir():
        raise RecordError(f"there is no folder {args.results}", remedy="correct --results, or leave it out")
    found, bad = inventory.load(args.results)
    failures = [(str(entry.path), entry.why) for entry in bad]
    records = [r for r in found if r.kind != "paper"]
    try:
        failures += _show_records(args, records)
    finally:
        left_out.name(failures, "left out")
    return left_out.status(len(records), len(failures))


def _show_records(args: argparse.Namespace, records: Sequence[Record]) -> list[tuple[str, str]]:
    """Shows the tables that can be made, and returns the others with the reason."""
    from benchmarks.tables.ablations import worth_of_parts  # pandas and torch take seconds to import
    from benchmarks.tables.results import results
    from benchmarks.tables.table import show

    presets = {r.preset for r in records if r.preset is not None}
    if args.preset is not None and args.preset not in presets:
        raise RecordError(
            f"no record is of --preset {args.preset}", expected=f"one of {', '.join(sorted(presets)) or 'none'}"
        )
    if args.table is not None:
        _compare(args, records)
        return []
    chosen = [r for r in records if args.data in (None, r.data) and _asked_for(r, args)]
    if not chosen:
        raise RecordError(
            f"{args.results} holds no such record",
            found=", ".join(sorted({f"{r.data} ({r.protocol})" for r in records})) or "no record at all",
            remedy="choose one of those found" if records else "run `motioncopy bench`, or name another folder",
        )
    if args.ablations:
        table = worth_of_parts(chosen)
        if table.frame.empty:
            raise RecordError(
                f"{args.results} holds no run of an ablation", remedy="run `motioncopy bench --ablation NAME`"
            )
        show([table], args.format)
        return []
    parts = sorted({(r.data, r.regime) for r in chosen}, key=lambda part: (part[0], part[1] == "general"))
    tables, failures = [], []
    for data, regime in parts:
        try:
            members = [r for r in chosen if (r.data, r.regime) == (data, regime)]
            tables.append(results(members, intervals=args.intervals))
        except Exception as error:
            if isinstance(error, RecordError) and len(parts) == 1:
                raise
            failures.append((f"the table of {data}, {regime}", left_out.reason(error)))
    if not tables:
        raise RecordError(
            "no table can be made of these records", found="; ".join(f"{what}: {why}" for what, why in failures)
        )
    show(tables, args.format)
    return failures


def _asked_for(record: Record, args: argparse.Namespace) -> bool:
    """Whether the options leave a record in; the baselines have no preset and no overlays."""
    overlays = None if args.overlays is None else tuple(name for name in args.overlays.split(",") if name)
    trained = record.preset is not None
    return (
        args.protocol in (None, record.protocol)
        and not (args.whole and record.ablation is not None)
        and args.regime in (None, record.regime)
        and not (trained and args.preset not in (None, record.preset))
        and not (trained and overlays is not None and sorted(overlays) != sorted(record.overlays))
    )


def _compare(args: argparse.Namespace, records: Sequence[Record]) -> None:
    from benchmarks import papers
    from benchmarks.tables.comparison import comparison
    from benchmarks.tables.table import show

    if args.ablations or args.intervals:
        raise ConfigError(
            "--table shows intervals and what parts are worth anyway", remedy="leave out --ablations and --intervals"
        )
    printed = papers.table(args.table)
    places = sorted({r.data for r in records if r.method in {row.method for row in printed.rows}})
    known = {*data_sets(), *printed.data, *places}
    if args.data is not None and args.data not in known:
        raise ConfigError(f"there is no data set {args.data}", expected=f"one of {', '.join(sorted(known))}")
    table = comparison(printed, [r for r in records if _asked_for(r, args)], args.data)
    show([table], args.format)
    if table.frame["mean"].isna().all() and args.format == "terminal":
        print(
            "Nothing was measured beside these cells. "
            + (f"There are records on {', '.join(places)}: `--data {places[0]}` shows those." if places else "")
        )


def _show_papers(args: argparse.Namespace) -> int:
    from benchmarks import papers

    of_records = (args.ablations, args.intervals, args.whole, args.preset is not None, args.overlays is not None)
    if any(of_records):
        raise ConfigError(
            "--ablations, --intervals, --whole, --preset and --overlays are about records",
            remedy="leave out --source paper",
        )
    chosen = papers.choose(args.table, data=args.data, regime=args.regime, protocol=args.protocol)
    from benchmarks.tables.printed import printed  # pandas and torch take seconds to import
    from benchmarks.tables.table import show

    show([printed(table) for table in chosen], args.format)
    return 0
