"""``motioncopy check``: what would go wrong with a video."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import left_out
from motioncopy.errors import MotionCopyError
from motioncopy.files.names import printable

if TYPE_CHECKING:
    from motioncopy.footage.check import Finding

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


def add_parser(subparsers: Any) -> None:
    """Adds the command to the console script."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "check",
        help="say what would go wrong with videos",
        description="Looks at a handful of frames of each video and says what would go wrong: nobody or several "
        "people in view, cuts, limbs out of the frame, too short, too dark, a moving camera.",
    )
    parser.add_argument("videos", nargs="+", type=Path, metavar="VIDEO", help="video files")
    parser.set_defaults(run_command=run)


def run(args: argparse.Namespace) -> int:
    """Prints the findings.

    Returns:
        0 if all videos can be used, 1 if one has a problem.
    """
    from motioncopy.footage.check import Finding, check  # OpenCV and PyAV take a moment to import
    from motioncopy.footage.perception.mediapipe import MediaPipePose

    pose, usable = MediaPipePose(still=True), True
    for video in args.videos:
        try:
            findings = check(video, pose=pose)
        except MotionCopyError as error:
            findings = [Finding("file", "problem", error.what, error.remedy or "")]
        except Exception as error:  # noqa: BLE001 -- whatever a file does to a library, the others are checked
            findings = [Finding("file", "problem", left_out.reason(error))]
        _show(video, findings)
        usable = usable and all(f.level != "problem" for f in findings)
    return 0 if usable else 1


def _show(video: Path, findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(printable(str(video))), title_justify="left", box=None, padding=(0, 2, 0, 0), show_header=False
    )
    for finding in findings:
        measured = Text(printable(finding.measured) + (f"\n-> {printable(finding.remedy)}" if finding.remedy else ""))
        table.add_row(finding.topic, Text(finding.level, style=_COLOURS[finding.level]), measured)
    console = Console(highlight=False)
    console.print(table)
    problems = [f.topic for f in findings if f.level == "problem"]
    warnings = [f.topic for f in findings if f.level == "warning"]
    verdict = f"cannot be used as it is: {', '.join(problems)}" if problems else "can be used"
    more = f" (warnings: {', '.join(warnings)})" if warnings else ""
    console.print(f"{printable(video.name)} {verdict}{more}\n", markup=False)
