"""``motioncopy records``: what was recorded, listed, shown and verified."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import left_out
from benchmarks.records import RESULTS
from motioncopy.errors import RecordError
from motioncopy.files.names import printable

if TYPE_CHECKING:
    from motioncopy.records import Record

_COLUMNS = ("id", "method", "ablation", "protocol", "subject", "seed", "preset", "status", "commit")


def add_parser(subparsers: Any) -> None:
    """Adds the command to the console script."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "records",
        help="list, show or verify records",
        description="A record is what a run leaves behind: scores, costs, config, code and device. Records are written "
        "once and never edited.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="which there are")
    _add_results(listing)
    listing.add_argument("--method", help="only this method")
    listing.add_argument("--data", help="only this data set")
    listing.add_argument("--protocol", metavar="ID[@VERSION]", help="only this protocol")
    listing.add_argument("--kind", choices=("measured", "external", "paper"), help="only records of this kind")
    listing.add_argument("--status", choices=("finished", "failed"), help="only runs that ended so")
    listing.add_argument("--seed", type=int, help="only this seed")
    listing.add_argument("--format", choices=("terminal", "csv", "json"), default="terminal")
    showing = actions.add_parser("show", help="all of one record")
    showing.add_argument(
        "id", metavar="ID", help="its beginning or its last word are enough; or the path of a record's file"
    )
    _add_results(showing)
    showing.add_argument("--config", action="store_true", help="its config alone, as YAML")
    showing.add_argument("--trials", action="store_true", help="the values of every trial too")
    showing.add_argument("--json", action="store_true", help="the file as it is")
    verifying = actions.add_parser(
        "verify",
        help="whether records are whole, unedited and in themselves consistent",
        description="Reads every record and says of each bad one in a line what is wrong: its hash, its schema, its "
        "name, another of the same id, networks or scores that are missing, means that are none. Exit status 3 if some "
        "are bad, 1 if all are.",
    )
    verifying.add_argument(
        "places", nargs="*", type=Path, default=[RESULTS], metavar="DIR|FILE", help="default: the committed records"
    )
    verifying.add_argument("--code", action="store_true", help="commits must be in the history of this checkout too")
    parser.set_defaults(run_command=run)


def _add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--results", type=Path, default=RESULTS, metavar="DIR",
        help="where to look: a folder of records, or of runs (default: the committed records)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Lists, shows or verifies.

    Returns:
        0, 3 if some records are bad, 1 if all are.

    Raises:
        RecordError: If there is no such record or folder.
    """
    return {"list": _list, "show": _show, "verify": _verify}[args.action](args)


# -- list -------------------------------------------------------------------------------------------------------------


def _list(args: argparse.Namespace) -> int:
    from benchmarks.records import inventory

    good, bad, known = [], [], set[str]()
    for entry in inventory.read(inventory.record_files([args.results])):
        if entry.record is None:
            bad.append(entry)
        else:
            known.add(entry.record.method)
            good += [entry] if _wanted(args, entry.record) else []
    good.sort(key=lambda entry: (entry.record.created, entry.record.id) if entry.record else ("", ""))
    rows = [_row(entry.record, entry.path) for entry in good if entry.record]
    if args.format == "json":
        print(json.dumps(rows, indent=1, ensure_ascii=False))
    elif args.format == "csv":
        _csv(rows)
    elif rows:
        _table(rows)
        print(f"{len(rows)} records")
    elif not bad:
        found = f"; there are records of {', '.join(sorted(known))}" if known else ""
        print(printable(f"{args.results} holds no such record{found}"), file=sys.stderr)
    for entry in bad:
        print(printable(f"{entry.path}: {entry.why}"), file=sys.stderr)
    return left_out.status(len(known), len(bad))


def _wanted(args: argparse.Namespace, record: Record) -> bool:
    asked = {name: getattr(args, name) for name in ("method", "data", "kind", "status", "seed")}
    exact = all(value is None or value == getattr(record, name) for name, value in asked.items())
    return exact and args.protocol in (None, record.protocol, record.protocol.partition("@")[0])


def _row(record: Record, path: Path) -> dict[str, Any]:
    names = ("id", "created", "kind", "method", "variant", "ablation", "data", "protocol", "subject", "seed", "preset")
    code = record.code
    commit, dirty = (code.commit, code.dirty) if code else (None, None)
    row = {name: getattr(record, name) for name in names}
    row |= {"status": record.status, "commit": commit, "dirty": dirty, "path": str(path)}
    return {name: printable(value) if isinstance(value, str) else value for name, value in row.items()}


def _csv(rows: Sequence[dict[str, Any]]) -> None:
    names = [*_COLUMNS, "created", "data", "dirty", "kind", "variant", "path"]
    writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _table(rows: Sequence[dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in _COLUMNS:
        table.add_column(
            name, overflow="fold", justify="right" if name == "seed" else "left", no_wrap=name == "id"
        )  # an id that is folded cannot be searched for
    for row in rows:
        cells = {name: "–" if row[name] is None else str(row[name]) for name in _COLUMNS}
        if row["commit"] is not None:
            cells["commit"] = row["commit"][:7] + ("*" if row["dirty"] else "")
        table.add_row(*(escape(cells[name]) for name in _COLUMNS))
    # A pipe has no width of its own.
    Console(highlight=False, width=None if sys.stdout.isatty() else 180).print(table)
    if any(row["dirty"] for row in rows):
        print("* with changes that are in no commit")


# -- show -------------------------------------------------------------------------------------------------------------


def _show(args: argparse.Namespace) -> int:
    from benchmarks.records import inventory
    from motioncopy import records

    path = inventory.resolve(args.id, [args.results])
    # A run keeps a copy whose name is not its id.
    record = records.parse(path) if path.name == "record.json" else records.read(path)
    if args.json:
        print(path.read_text(encoding="utf-8"), end="")
    elif args.config:
        import yaml

        print(yaml.safe_dump(record.config, sort_keys=False, allow_unicode=True), end="")
    else:
        from benchmarks.records.description import describe

        print("\n".join(map(printable, describe(record, trials=args.trials))))
    return 0


# -- verify -----------------------------------------------------------------------------------------------------------


def _verify(args: argparse.Namespace) -> int:
    from benchmarks.records import inventory

    paths = inventory.record_files(args.places)
    if not paths:
        raise RecordError(
            f"there is no record in {', '.join(map(str, args.places))}", remedy="give a folder that holds some"
        )
    bad = 0
    for entry in inventory.verify(inventory.read(paths), code=args.code):
        bad += 1
        print(printable(f"{entry.path}: {entry.why}"), flush=True)
    for path in inventory.partial_files(args.places):
        print(
            f"{printable(str(path))}: not read, as its writer is at work or was stopped; if none is at work, delete it"
        )
    print(f"{len(paths)} records verified, " + (f"{bad} of them bad" if bad else "all of them good"))
    return left_out.status(len(paths) - bad, bad)
