"""``motioncopy table``: the records as tables."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from benchmarks import left_out
from benchmarks.bench.config_stack import data_sets
from benchmarks.records import RESULTS
from motioncopy.errors import ConfigError, RecordError
from motioncopy.files.names import printable

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

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
    from benchmarks import ablations  # pandas and torch take seconds to import
    from benchmarks.tables import layouts
    from benchmarks.tables.frame import table

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
        frame = ablations.compare(chosen)
        if frame.empty:
            raise RecordError(
                f"{args.results} holds no run of an ablation", remedy="run `motioncopy bench --ablation NAME`"
            )
        show([frame], ablations, args.format)
        return []
    parts = sorted({(r.data, r.regime) for r in chosen}, key=lambda part: (part[0], part[1] == "general"))
    frames, failures = [], []
    for data, regime in parts:
        try:
            members = [r for r in chosen if (r.data, r.regime) == (data, regime)]
            frames.append(table(members, intervals=args.intervals))
        except Exception as error:
            if isinstance(error, RecordError) and len(parts) == 1:
                raise
            failures.append((f"the table of {data}, {regime}", left_out.reason(error)))
    if not frames:
        raise RecordError(
            "no table can be made of these records", found="; ".join(f"{what}: {why}" for what, why in failures)
        )
    show(frames, layouts, args.format)
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
    from benchmarks import comparison, papers

    if args.ablations or args.intervals:
        raise ConfigError(
            "--table shows intervals and what parts are worth anyway", remedy="leave out --ablations and --intervals"
        )
    table = papers.table(args.table)
    places = sorted({r.data for r in records if r.method in {row.method for row in table.rows}})
    known = {*data_sets(), *table.data, *places}
    if args.data is not None and args.data not in known:
        raise ConfigError(f"there is no data set {args.data}", expected=f"one of {', '.join(sorted(known))}")
    frame = comparison.compare(table, [r for r in records if _asked_for(r, args)], args.data)
    show([frame], comparison, args.format)
    if frame["mean"].isna().all() and args.format == "terminal":
        print(
            "Nothing was measured beside these cells. "
            + (f"There are records on {', '.join(places)}: `--data {places[0]}` shows those." if places else "")
        )


def _show_papers(args: argparse.Namespace) -> int:
    from benchmarks.papers import show as papers

    of_records = (args.ablations, args.intervals, args.whole, args.preset is not None, args.overlays is not None)
    if any(of_records):
        raise ConfigError(
            "--ablations, --intervals, --whole, --preset and --overlays are about records",
            remedy="leave out --source paper",
        )
    if args.format == "latex":
        raise ConfigError("the papers' own cells are not written as LaTeX", remedy="leave out --source paper")
    chosen = papers.choose(args.table, data=args.data, regime=args.regime, protocol=args.protocol)
    papers.show(chosen, args.format)
    return 0


class Layout(Protocol):
    """The module of a table: how its frame becomes text."""

    def markdown(self, frame: pd.DataFrame) -> str:
        """As Markdown."""

    def latex(self, frame: pd.DataFrame) -> str:
        """As LaTeX."""

    def terminal(self, frame: pd.DataFrame, width: int) -> tuple[list[Table], list[str]]:
        """For a terminal of so many columns: its parts, and the notes below."""


def show(frames: Sequence[pd.DataFrame], layout: Layout, style: str = "terminal") -> None:
    """Prints tables in one of the command's formats."""
    import pandas as pd
    from rich.console import Console

    frames = [_printable(frame) for frame in frames]
    if style == "markdown":
        print("\n".join(map(layout.markdown, frames)))
    elif style == "latex":
        print("\n".join(map(layout.latex, frames)))
    elif style == "csv":
        pd.concat(frames).to_csv(sys.stdout, index=False)
    elif style == "json":
        print(pd.concat(frames).to_json(orient="records", indent=1, force_ascii=False))
    else:
        # A pipe has no width of its own, and a table that is folded to 80 cannot be read.
        drawn = style == "svg"
        width = 118 if drawn else None if sys.stdout.isatty() else 160
        console = Console(highlight=False, width=width, record=drawn, file=io.StringIO() if drawn else None)
        for frame in frames:
            parts, notes = layout.terminal(frame, console.width)
            for part in parts:
                console.print(part)
            for note in notes:
                console.print(note, markup=False)
        if drawn:
            print(console.export_svg(title="motioncopy table"))


def _printable(frame: pd.DataFrame) -> pd.DataFrame:
    """Records come from anywhere: none of their texts may command a terminal."""
    for name, column in frame.items():
        shown = column.map(lambda value: printable(value) if isinstance(value, str) else value).astype(column.dtype)
        if any(isinstance(value, str) and value != column.iloc[k] for k, value in enumerate(shown)):
            frame = frame.assign(**{str(name): shown})
    return frame
