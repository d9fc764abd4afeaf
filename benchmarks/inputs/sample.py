"""``motioncopy sample``: a small data set in a real one's layout."""

from __future__ import annotations

import argparse
import shlex
import time
from pathlib import Path
from typing import Any

from motioncopy.errors import DataError


def add_parser(subparsers: Any) -> None:
    """Adds the command to the console script."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "sample",
        help="write a miniature of a data set",
        description="Writes a small data set of puppets in exactly the layout in which the real one comes. Its scores "
        "say nothing about the real one: records and tables call it a miniature.",
    )
    parser.add_argument("name", metavar="NAME", help="iper, solodance, complexmotion, fish or mouse")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="its root: a new or empty folder")
    parser.set_defaults(run_command=run)


def run(args: argparse.Namespace) -> int:
    """Writes the miniature and says how it is used.

    Raises:
        DataError: If there is no such miniature, something else lies at the folder, or it cannot be made.
    """
    from datamodules import miniatures  # OpenCV and torch take a moment to import

    start = time.perf_counter()
    if args.name in miniatures.names():
        print(f"Drawing a miniature of {args.name}; this can take a minute", flush=True)
    try:
        miniatures.write(args.name, args.out)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise DataError(f"{args.out} cannot be made", found=error, remedy="choose another folder") from error
    files = [p for p in args.out.rglob("*") if p.is_file()]
    size = sum(p.stat().st_size for p in files)
    print(f"{len(files)} files, {size / 1e6:.1f} MB, in {time.perf_counter() - start:.0f} s. They lie in {args.out}:")
    for path in sorted(args.out.iterdir()):
        print(f"  {path.name}{'/' if path.is_dir() else ''}")
    root = shlex.quote(str(args.out))
    print(f"Use it with: make bench DATA={args.name} DATA_ROOT={root}   (SAMPLE=1 alone writes one and uses it)")
    return 0
