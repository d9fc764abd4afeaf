"""``motioncopy fit|validate|test|predict``: named here, parsed and run by LightningCLI."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Any

from benchmarks import help_page

#: What Lightning says about itself at every start; what it says about our run stays.
_HIDDEN = (
    ".*does not have many workers.*",
    ".*`srun` command is available.*",
    ".*Checkpoint directory .* exists and is not empty.*",
    ".*LightningCLI's args parameter is intended.*",
    ".*smaller than the logging interval.*",
    ".*It will use the implementation from `LightningModule` instance.*",
    ".*isinstance\\(treespec, LeafSpec\\).*",
)


def add_parser(subparsers: Any) -> None:
    """Adds the commands to the console script, to be listed and completed; :func:`run` takes them unparsed."""
    for name in ("fit", "validate", "test", "predict"):
        one = subparsers.add_parser(name, help=help_page.summary(name))
        one.add_argument("--config", metavar="FILE", help="of the stack; several times, later files win")
        one.add_argument("--run", metavar="DIR", help="the run's folder")
        if name == "fit":
            one.add_argument("--stage", help="this stage alone")
        else:
            one.add_argument("--checkpoint", metavar="FILE", help="the method (default: the run's)")


def run(arguments: Sequence[str]) -> int:
    """Runs one of the four commands.

    Args:
        arguments: The command and its options.

    Returns:
        0.

    Raises:
        ConfigError: If an option or a config key is unknown or of a wrong type.
    """
    from benchmarks.training.motion_cli import run_lightning  # torch and lightning take seconds to import

    for message in _HIDDEN:
        warnings.filterwarnings("ignore", message)
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators.cuda", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    run_lightning(arguments)
    return 0
