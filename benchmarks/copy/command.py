"""``motioncopy copy``: one person moves like another."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks.bench.config_stack import ConfigStack, methods, variants
from motioncopy.errors import ConfigError, MotionCopyError

_CONSENT = """\
The result will show a real person doing what they did not do.
Does the person in {name} agree to this video being made? [yes/no] """


def add_parser(subparsers: Any) -> None:
    """Adds the command to the console script."""
    parser = subparsers.add_parser(
        "copy",
        help="one person moves like another",
        description="Prepares both videos, trains on the person of the first (unless --checkpoint gives a method that "
        "has been trained), fits the motion of the second to their body, and writes a video of the person performing "
        "it, marked as synthetic.",
    )
    parser.add_argument("--appearance", type=Path, required=True, metavar="VIDEO", help="shows the person")
    parser.add_argument("--motion", type=Path, required=True, metavar="VIDEO", help="shows the motion")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="MP4", help="the result")
    parser.add_argument("--method", default="fakemotion", help=f"one of {', '.join(methods())} (default: %(default)s)")
    parser.add_argument(
        "--checkpoint",
        type=Path,
        metavar="CKPT",
        help="runs/<run>/method.ckpt: nothing is trained. Methods for all people, such as remot, need it",
    )
    parser.add_argument("--variant", default="paper", help="what is computed: paper, released (default: %(default)s)")
    parser.add_argument("--preset", default="quick", help="how large and how long: quick, full (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=None, help="a time budget for training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--i-have-consent", action="store_true", help="the person shown has agreed")
    parser.add_argument("--no-visible-mark", action="store_true", help="mark the file in its metadata only")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), help="where preparation and training go (default: %(default)s)"
    )
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> int:
    """Makes the video and says where it lies."""
    for path in (arguments.appearance, arguments.motion):
        if not path.is_file():
            raise MotionCopyError(f"there is no video {path}", remedy="correct the path")
    if arguments.output.suffix.lower() != ".mp4":
        raise MotionCopyError("the result is an MP4 file", found=arguments.output, remedy="let -o end in .mp4")
    if arguments.checkpoint is not None:
        method = _method(arguments.checkpoint)
        stack = ConfigStack(method, "pair", variants(method)[0], preset="")  # what was trained, the checkpoint knows
    else:
        stack = ConfigStack.asked_for(arguments.method, "pair", arguments.variant, arguments.preset)
        if stack.resolve()["data"].get("init_args", {}).get("regime") == "general":
            raise ConfigError(
                f"{arguments.method} is one model for all people, which one person's video cannot train",
                remedy=f"train it once, for instance by `make bench METHOD={arguments.method}`, and give "
                "--checkpoint runs/<run>/method.ckpt",
            )
    stack.files()
    _confirm(arguments.i_have_consent, arguments.appearance.name)
    from benchmarks.copy.reenact import copy_motion  # torch takes seconds to import

    made = copy_motion(
        arguments.appearance,
        arguments.motion,
        arguments.output,
        stack=stack,
        runs=arguments.runs,
        checkpoint=arguments.checkpoint,
        seed=arguments.seed,
        minutes=arguments.minutes,
        visible_mark=not arguments.no_visible_mark,
    )
    print("Done, and marked as synthetic:")
    for path, what in made:
        print(f"  {path}  {what}")
    return 0


def _method(checkpoint: Path) -> str:
    """Of which method a checkpoint is: the folder below ``methods``."""
    from motioncopy.training.checkpoint import read

    package, name, *_ = read(checkpoint).class_path.split(".")
    if package != "methods" or name not in methods():
        raise ConfigError(
            f"{checkpoint} is of no method that can be shown on two videos",
            expected=f"one of {', '.join(methods())}",
            found=f"{package}.{name}",
        )
    return name


def _confirm(given: bool, name: str) -> None:
    if given:
        return
    if not sys.stdin.isatty():
        raise MotionCopyError(
            "the consent of the person shown is not confirmed", remedy="ask them, then give --i-have-consent"
        )
    if input(_CONSENT.format(name=name)).strip().lower() not in ("y", "yes"):
        raise MotionCopyError("without the consent of the person shown nothing is made", remedy="ask them")
