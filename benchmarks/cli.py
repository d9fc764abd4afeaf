"""The console script ``motioncopy``: the one place that knows every method, data set and command."""

from __future__ import annotations

import argparse
import logging
import sys
import warnings
from collections.abc import Sequence

from benchmarks.commands import COMMANDS
from motioncopy.errors import MotionCopyError

_LIGHTNING = ("fit", "validate", "test", "predict")
_HELP = """\
Copy one person's motion onto another, and measure how well.

The usual way:
  motioncopy bench                        train, test and compare on the embedded puppets
  motioncopy copy --appearance A.mp4 --motion B.mp4 -o out.mp4
                                          one person moves like the other
  motioncopy evaluate --generated DIR --truth DIR
                                          scores of any system's videos
  motioncopy audit                        the metrics against other implementations

Videos:
  motioncopy check VIDEO...               what would go wrong with these videos
  motioncopy prepare VIDEO... --out DIR   joints, masks and backgrounds, once

Data sets:
  motioncopy sample NAME --out DIR        a miniature in a real data set's layout
  motioncopy protocol show NAME           who is trained on what, and what is asked of whom

Training by hand (each takes --config FILE, several times; later files win):
  motioncopy fit | validate | test | predict

Results:
  motioncopy table                        the records as a table

`motioncopy COMMAND --help` explains a command.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: What stands behind ``motioncopy``; ``None`` reads the command line.

    Returns:
        0 if all went well, 1 if something that the user can mend went wrong, 2 for a wrong call, 130 if stopped.
    """
    try:
        return _run(list(sys.argv[1:] if arguments is None else arguments))
    except MotionCopyError as error:
        print(f"motioncopy: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, SystemExit) as stop:
        # Lightning's trainers turn an interruption into an exit.
        if isinstance(stop, SystemExit) and not isinstance(stop.__context__, KeyboardInterrupt):
            return stop.code if isinstance(stop.code, int) else 0  # a parser has said what is wrong, or helped
        print("motioncopy: stopped; the same command goes on from here", file=sys.stderr)
        return 130


def _run(arguments: list[str]) -> int:
    if arguments and arguments[0] in _LIGHTNING:
        from benchmarks.training import run_lightning  # torch and lightning take seconds to import

        _quiet()
        run_lightning(arguments)
        return 0
    parser = argparse.ArgumentParser(
        prog="motioncopy", usage="motioncopy COMMAND ...", description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    subparsers = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands besides fit, validate, test, predict"
    )
    for command in COMMANDS:
        command.add_parser(subparsers)
    if not arguments:
        parser.print_help()
        return 0
    parsed = parser.parse_args(arguments)
    return int(parsed.run_command(parsed))


def _quiet() -> None:
    """Hides what Lightning says about itself at every start; what it says about our run stays."""
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    warnings.filterwarnings("ignore", ".*Checkpoint directory .* exists and is not empty.*")
    warnings.filterwarnings("ignore", ".*LightningCLI's args parameter is intended.*")
    warnings.filterwarnings("ignore", ".*smaller than the logging interval.*")
    warnings.filterwarnings("ignore", ".*It will use the implementation from `LightningModule` instance.*")
    warnings.filterwarnings("ignore", ".*isinstance\\(treespec, LeafSpec\\).*")
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators.cuda", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


if __name__ == "__main__":
    sys.exit(main())
