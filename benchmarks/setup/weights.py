"""``motioncopy weights``: pretrained networks, listed, downloaded, or taken in by hand."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motioncopy.errors import ConfigError, WeightsError

if TYPE_CHECKING:
    from motioncopy.weights import Weights

_CONFIRMED_DIGITS = 8


def add_parser(subparsers: Any) -> None:
    """Adds the command to the console script."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "weights",
        help="list, download or add pretrained networks",
        description="Pretrained networks of losses, metrics and perception. The puppets' quick presets need none. A "
        "file is trusted by its whole SHA-256; where only the first digits are published, it is asked for once.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="what there is, what it serves, under which licence, and whether it is here")
    fetch = actions.add_parser("fetch", help="download weights, unless they are here; goes on where it was cut off")
    fetch.add_argument("names", nargs="+", metavar="NAME", help="see `motioncopy weights list`")
    add = actions.add_parser("add", help="take in files that were downloaded by hand")
    add.add_argument("files", nargs="+", type=Path, metavar="FILE", help="known by their SHA-256, whatever their names")
    for action in (fetch, add):
        action.add_argument(
            "--sha256",
            metavar="HASH",
            help="of one file: its whole SHA-256, as you have it from a source that you trust",
        )
    parser.set_defaults(run_command=run)


def run(args: argparse.Namespace) -> int:
    """Lists, downloads or adds.

    Raises:
        WeightsError: If a name is unknown, a download fails, a file is not what its hash promises, or nobody vouches
            for its hash.
        ConfigError: If one hash is given for several files.
    """
    from motioncopy import weights  # torch takes seconds to import

    if args.action == "list":
        for name, entry in weights.WEIGHTS.items():
            try:
                state = f"here: {weights.find(name)}"
            except WeightsError as error:
                state = f"{error.what}\n  its place: {weights.target(name)}"
            rest = "" if entry.sha256 else " (the whole SHA-256 is asked for once)"
            print(f"{name}: {entry.purpose}\n  {entry.url}\n  {entry.promised}{rest}\n  {entry.licence}\n  {state}")
        return 0
    wanted = args.names if args.action == "fetch" else args.files
    if args.sha256 and len(wanted) > 1:
        raise ConfigError("--sha256 is of one file", found=f"{len(wanted)} files", remedy="give them one by one")
    for item in wanted:
        take = weights.fetch if args.action == "fetch" else weights.add
        print(f"{item}: {take(item, sha256=args.sha256, confirm=_confirm)}")
    return 0


def _confirm(weights: Weights, digest: str) -> bool:
    """Asks the user, where there is one, whether a hash is the right one; it is kept then."""
    if not sys.stdin.isatty():
        return False
    print(
        f"{weights.file}\n  has the SHA-256 {digest}\n  which agrees with {weights.promised}, all that is published.\n"
        "Look the whole hash up at a source that you trust."
    )
    try:
        typed = input(f"The last {_CONFIRMED_DIGITS} digits that stand there (nothing to stop): ")
    except EOFError:
        return False
    return typed.strip().lower() == digest[-_CONFIRMED_DIGITS:]
