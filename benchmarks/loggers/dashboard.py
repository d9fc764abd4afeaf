"""``motioncopy dashboard``: the W&B workspace that compares methods, made of ``workspace.yaml``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from motioncopy.errors import ConfigError
from motioncopy.files.documents import parse_yaml

if TYPE_CHECKING:
    import wandb_workspaces.workspaces as ws


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
        ConfigError: If the package that speaks W&B's format is not installed, nobody is logged in to W&B, or W&B cannot
            be reached or refuses.
    """
    if arguments.print:
        print(text(), end="")
        return 0
    from benchmarks.loggers.weights_and_biases import PROJECT, mode_for

    made = _workspace(arguments.entity or "", arguments.project or os.environ.get("WANDB_PROJECT") or PROJECT)
    mode, why = mode_for()
    if mode != "online":
        raise ConfigError(
            "a dashboard is saved at W&B, and there is no way to it",
            found=why,
            remedy="run `wandb login` and unset WANDB_MODE; or make the workspace by hand from "
            "`motioncopy dashboard --print`",
        )
    print(f"Dashboard: {_save(made, arguments.update)}")
    return 0


def text() -> str:
    """The definition as it stands in the file, comments included."""
    return (files("benchmarks.loggers") / "workspace.yaml").read_text(encoding="utf-8")


def _workspace(entity: str, project: str) -> ws.Workspace:
    """The workspace of a user's or team's project, not yet saved."""
    try:
        import wandb_workspaces.expr as expr
        import wandb_workspaces.workspaces as ws
    except ImportError as error:
        raise ConfigError(
            "saving a dashboard takes the package wandb-workspaces",
            remedy="install it: .venv/bin/pip install -c constraints.txt '.[dashboard]'; or make the workspace by hand "
            "from `motioncopy dashboard --print`",
        ) from error
    content = parse_yaml(text(), error=ConfigError, what="workspace.yaml")
    sections = [
        ws.Section(
            name=one["name"], panels=[_panel(**panel) for panel in one["panels"]], is_open=one.get("open", False)
        )
        for one in content["sections"]
    ]
    runs = ws.RunsetSettings(
        groupby=[expr.Config(key) for key in content["group"]],
        pinned_columns=["run:displayName", *map(_column, content["columns"])],
    )
    return ws.Workspace(
        entity=entity,
        project=project,
        name=content["name"],
        sections=sections,
        runset_settings=runs,
        auto_generate_panels=True,  # whatever else a method logs, below these
    )


def _column(key: str) -> str:
    """As W&B stores a config: what stands on top is wrapped."""
    top, dot, rest = key.partition(".")
    return f"config:{top}.value{dot}{rest}"


def _panel(title: str, *, log_x: bool | None = None, **shown: Any) -> Any:
    """A panel: its kind, what it shows, and its title."""
    import wandb_workspaces.reports.v2 as wr

    ((kind, what),) = shown.items()
    makers: dict[str, Callable[[], Any]] = {
        "bar": lambda: wr.BarPlot(title=title, metrics=what),  # grouped as the list of runs is: a mean over seeds
        "scatter": lambda: wr.ScatterPlot(
            title=title, x=wr.SummaryMetric(what[0]), y=wr.SummaryMetric(what[1]), log_x=log_x
        ),
        "lines": lambda: wr.LinePlot(title=title, metric_regex=what, x=None),
        "media": lambda: wr.MediaBrowser(title=title, media_keys=what, num_columns=2),
        "table": lambda: wr.WeavePanelSummaryTable(table_name=what),
        "compare": lambda: wr.RunComparer(diff_only=True),
    }
    return makers[kind]()


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
