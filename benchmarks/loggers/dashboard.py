"""``motioncopy dashboard``: the W&B workspace that compares methods."""

from __future__ import annotations

import argparse
import os
from typing import Any

from motioncopy.errors import ConfigError


def add_parser(subparsers: Any) -> None:
    """Adds the command to the ``motioncopy`` parser."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "dashboard",
        help="make the W&B workspace that compares methods",
        description="Saves a workspace to a W&B project: scores by method and data set, quality against cost, losses "
        "of each stage, videos side by side, provenance. It needs an account; --print needs none.",
    )
    parser.add_argument("--entity", help="user or team (default: the one who is logged in)")
    parser.add_argument("--project", help="where the runs are (default: $WANDB_PROJECT, else motioncopy)")
    parser.add_argument("--update", metavar="URL", help="an earlier dashboard, to be overwritten")
    parser.add_argument("--print", action="store_true", help="print the definition, and save nothing")
    parser.set_defaults(run_command=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints or saves the workspace.

    Raises:
        ConfigError: If nobody is logged in to W&B, or W&B cannot be reached or refuses.
    """
    from benchmarks.loggers import workspace

    if arguments.print:
        print(workspace.text(), end="")
        return 0
    from benchmarks.loggers.weights_and_biases import PROJECT, mode_for

    made = workspace.build(arguments.entity or "", arguments.project or os.environ.get("WANDB_PROJECT") or PROJECT)
    mode, why = mode_for(os.environ)
    if mode != "online":
        raise ConfigError(
            "a dashboard is saved at W&B, and there is no way to it",
            found=why,
            remedy="run `wandb login` and unset WANDB_MODE; or make the workspace by hand from "
            "`motioncopy dashboard --print`",
        )
    print(f"Dashboard: {_save(made, arguments.update)}")
    return 0


def _save(made: Any, update: str | None) -> str:
    import wandb

    try:
        made.entity = made.entity or wandb.Api().default_entity
        if update:
            import wandb_workspaces.workspaces as ws

            earlier = ws.Workspace.from_url(update)
            earlier.sections, earlier.runset_settings = made.sections, made.runset_settings
            made = earlier
        return str(made.save().url)
    except Exception as error:
        raise ConfigError(
            "W&B has not saved the dashboard",
            found=(str(error).strip() or type(error).__name__).splitlines()[0],
            remedy="check the network, `wandb login`, --entity and --project (it must have a run), and call again",
        ) from error
