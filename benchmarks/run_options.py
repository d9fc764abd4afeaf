"""Options of the commands that train and score: how, and where the results go."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the options; :func:`of` reads them."""
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


def of(arguments: argparse.Namespace) -> dict[str, Any]:
    """The arguments of :class:`benchmarks.jobs.Job` that they stand for; ``runs`` is not among them."""
    return {
        "devices": arguments.devices,
        "precision": arguments.precision,
        "accumulate": arguments.accumulate,
        "minutes": arguments.minutes,
        "metrics": tuple(filter(None, arguments.metrics.split(","))),
        "compiled": arguments.compiled,
        "logger": arguments.logger,
    }
