"""``motioncopy weights``: pretrained networks, listed, downloaded, or taken in by hand."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from motioncopy.errors import WeightsError


def add_parser(subparsers: Any) -> None:
    """Adds the command to the console script."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "weights",
        help="list, download or add pretrained networks",
        description="Pretrained networks of losses, metrics and perception. The puppets' quick presets need none.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="what there is, what it serves, under which licence, and whether it is here")
    fetch = actions.add_parser("fetch", help="download weights, unless they are here")
    fetch.add_argument("names", nargs="+", metavar="NAME", help="see `motioncopy weights list`")
    add = actions.add_parser("add", help="take in files that were downloaded by hand")
    add.add_argument("files", nargs="+", type=Path, metavar="FILE", help="known by their SHA-256, whatever their names")
    parser.set_defaults(run_command=run)


def run(args: argparse.Namespace) -> int:
    """Lists, downloads or adds.

    Returns:
        0.

    Raises:
        WeightsError: If a name is unknown, a download fails, or a file is not what its hash promises.
    """
    from motioncopy import weights  # torch takes seconds to import

    if args.action == "list":
        for name, entry in weights.WEIGHTS.items():
            try:
                state = f"here: {weights.find(name)}"
            except WeightsError as error:
                state = f"{error.what}\n  its place: {weights.target(name)}"
            print(f"{name}: {entry.purpose}\n  {entry.url}\n  {entry.licence}\n  {state}")
    for name in args.names if args.action == "fetch" else ():
        print(f"{name}: {weights.fetch(name)}")
    for file in args.files if args.action == "add" else ():
        print(f"{file}: {weights.add(file)}")
    return 0
