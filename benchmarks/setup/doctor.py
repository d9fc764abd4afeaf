"""``motioncopy doctor``: is this machine ready?"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motioncopy.errors import ConfigError

if TYPE_CHECKING:
    from benchmarks.setup.examinations import Finding

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}
_INDENT = 32


def add_parser(subparsers: Any) -> None:
    """Adds the command to the console script."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "doctor",
        help="say whether this machine is ready, and if not, what to do",
        description="Looks at versions, devices, video decoders, perception, weights, folders, data sets and tools, "
        "and changes nothing. A warning concerns what some runs need, a problem all of them. Exit status 1 if there is "
        "a problem.",
    )
    parser.add_argument(
        "--data-root", action="append", default=[], metavar="NAME=DIR", help="whether this data set lies there, whole"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where runs go (default: %(default)s)")
    parser.add_argument("--data", type=Path, default=Path("data"), help="where prepared data go (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="the findings as JSON")
    parser.set_defaults(run_command=run)


def run(args: argparse.Namespace) -> int:
    """Examines the machine and prints what was found.

    Returns:
        0 if there is no problem, else 1.

    Raises:
        ConfigError: If a data root has another form than ``NAME=DIR``.
    """
    from benchmarks.setup import examinations

    roots: dict[str, Path] = {}
    for text in args.data_root:
        name, equals, root = text.partition("=")
        if not (name and equals and root):
            raise ConfigError("a data root has a wrong form", expected="NAME=DIR, such as iper=DIR", found=text)
        roots[name] = Path(root)
    findings = examinations.examine(args.runs, args.data, roots)
    found = list(findings) if args.json else _show(findings)
    levels = [finding.level for finding in found]
    if args.json:
        print(json.dumps([asdict(finding) for finding in found], indent=1, ensure_ascii=False))
    else:
        verdict = "this machine is not ready" if "problem" in levels else "this machine is ready"
        print(f"\n{verdict}: {levels.count('problem')} problems, {levels.count('warning')} warnings")
    return 1 if "problem" in levels else 0


def _show(findings: Iterable[Finding]) -> list[Finding]:
    """Prints each finding as it comes: some take seconds."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    width, shown = max(20, console.width - _INDENT - 1), []
    for finding in findings:
        lines = textwrap.wrap(finding.found, width)
        lines += textwrap.wrap(finding.remedy, width, initial_indent="-> ", subsequent_indent="   ")
        head = Text(finding.level.ljust(9), style=_COLOURS[finding.level]).append(finding.topic, style="default")
        head.pad_right(max(1, _INDENT - len(head)))
        console.print(head.append("\n".ljust(_INDENT + 1).join(lines), style="default"), soft_wrap=True)
        shown.append(finding)
    return shown
