"""What the commands that run benchmarks share: how to train and score, and where data sets lie."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from motioncopy.errors import ConfigError

_MINIATURES = Path("data/miniatures")


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options; :func:`run_options` reads them."""
    parser.add_argument("--devices", type=int, default=1, help="processes to train with: GPUs where there are some")
    parser.add_argument(
        "--precision", choices=("32", "bf16-mixed", "16-mixed"), default="32",
        help="what training computes in (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--accumulate", type=int, default=1, help="take each batch in so many parts, one after the other"
    )
    parser.add_argument("--minutes", type=float, default=None, help="a time budget for training")
    parser.add_argument(
        "--metrics", default="", help="what to score by, separated by commas: all, tcm, ssim/uniform (default: default)"
    )
    parser.add_argument("--compiled", action="store_true", help="time networks translated by torch.compile too")
    parser.add_argument(
        "--logger", choices=("tensorboard", "wandb", "none"), default="tensorboard",
        help="where to watch it; wandb is offline unless you are logged in (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where runs go (default: %(default)s)")


def run_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The arguments of :class:`benchmarks.bench.jobs.Job` that they stand for; ``runs`` is not among them."""
    return {
        "devices": arguments.devices,
        "precision": arguments.precision,
        "accumulate": arguments.accumulate,
        "minutes": arguments.minutes,
        "metrics": tuple(filter(None, arguments.metrics.split(","))),
        "compiled": arguments.compiled,
        "logger": arguments.logger,
    }


def data_roots(given: Sequence[str], data: Sequence[str]) -> dict[str, str]:
    """Roots by data set.

    Args:
        given: ``DIR``, where there is one data set, or ``NAME=DIR``; one text may hold several, with spaces between.
        data: The data sets that are run on.

    Raises:
        ConfigError: If a root names no data set that is run on, or none and there are several.
    """
    roots: dict[str, str] = {}
    # Folders may have spaces in their names; what follows one of these and looks like NAME= is another root.
    for text in (part for words in given for part in re.split(r"\s+(?=\w+=)", words.strip())):
        name, separator, folder = text.partition("=")
        if not separator and len(data) == 1:
            name, folder = data[0], text
        elif not separator or name not in data:
            raise ConfigError(
                f"DATA_ROOT={text} does not say of which data set",
                expected=f"NAME=DIR, where NAME is one of {', '.join(data)}",
                remedy="correct DATA_ROOT",
            )
        if name in roots:
            raise ConfigError(f"DATA_ROOT gives two roots of {name}", found=f"{roots[name]}, {folder}")
        roots[name] = folder
    return roots


def miniature(name: str, *, written: bool = True) -> str:
    """The root of the miniature of a data set; written if it is not there.

    Args:
        name: The data set's name.
        written: ``False`` says only where it lies or would lie.

    Raises:
        ConfigError: If the data set has none.
    """
    from datamodules import miniatures

    if name not in miniatures.names():
        raise ConfigError(
            f"there is no miniature of {name}",
            expected=f"DATA one of {', '.join(miniatures.names())}",
            remedy="leave SAMPLE away" if name == "puppets" else "give DATA_ROOT",
        )
    root = _MINIATURES / name
    if not written:
        return str(root)
    if not root.exists():
        print(f"Writing a miniature of {name} to {root}", flush=True)
    miniatures.write(name, root)
    return str(root)
