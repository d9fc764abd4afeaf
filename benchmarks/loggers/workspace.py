"""Reads the definition, and makes a W&B workspace of it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from motioncopy.errors import ConfigError
from motioncopy.files.documents import parse_yaml
from motioncopy.files.schema import Text, validated

if TYPE_CHECKING:
    import wandb_workspaces.workspaces as ws

#: The panels that a definition can name, each with what else it takes besides ``title``.
PANELS: dict[str, frozenset[str]] = {
    "bar": frozenset(),
    "scatter": frozenset({"log_x"}),
    "lines": frozenset(),
    "media": frozenset(),
    "table": frozenset(),
    "compare": frozenset(),
}
# What a panel's first value is: keys that are logged, or one.
_TAKES = {"bar": tuple, "scatter": tuple, "media": tuple, "lines": str, "table": str, "compare": str}


def text() -> str:
    """The definition as it stands in the file, comments included."""
    return (files("benchmarks.loggers") / "workspace.yaml").read_text(encoding="utf-8")


def definition() -> dict[str, Any]:
    """The definition.

    Raises:
        ConfigError: If a panel is of no known kind, or has an unknown key.
    """
    content: dict[str, Any] = parse_yaml(text(), error=ConfigError, what="workspace.yaml")
    for section in validated(_Definition, content, error=ConfigError, what="workspace.yaml").sections:
        for panel in section.panels:
            kind, what = next(iter(panel.items()))
            unknown = panel.keys() - {kind, "title"} - PANELS.get(kind, frozenset())
            if not isinstance(what, _TAKES.get(kind, ())) or unknown:
                raise ConfigError(
                    f"workspace.yaml: a panel of section {section.name!r} is wrong",
                    expected=f"one of {', '.join(PANELS)} first, with its keys, then title",
                    found=repr(panel)[:200],
                )
    return content


@dataclass(frozen=True)
class _Section:
    name: Text
    panels: tuple[Annotated[dict[Text, bool | Text | tuple[Text, ...]], Field(min_length=1)], ...]
    open: bool = False


@dataclass(frozen=True)
class _Definition:
    """What the file holds."""

    name: Text
    sections: tuple[_Section, ...]
    group: tuple[Text, ...]
    columns: tuple[Text, ...]


def build(entity: str, project: str) -> ws.Workspace:
    """The workspace, not yet saved.

    Args:
        entity: User or team.
        project: Where the runs are.

    Raises:
        ConfigError: If the package that speaks W&B's format is not installed.
    """
    try:
        import wandb_workspaces.expr as expr
        import wandb_workspaces.workspaces as ws
    except ImportError as error:
        raise ConfigError(
            "saving a dashboard takes the package wandb-workspaces",
            remedy="install it: .venv/bin/pip install -c constraints.txt '.[dashboard]'; or make the workspace by hand "
            "from `motioncopy dashboard --print`",
        ) from error
    content = definition()
    return ws.Workspace(
        entity=entity,
        project=project,
        name=content["name"],
        sections=[
            ws.Section(
                name=section["name"],
                panels=[_panel(panel) for panel in section["panels"]],
                is_open=section.get("open", False),
            )
            for section in content["sections"]
        ],
        runset_settings=ws.RunsetSettings(
            groupby=[expr.Config(key) for key in content["group"]],
            pinned_columns=["run:displayName", *map(_column, content["columns"])],
        ),
        auto_generate_panels=True,  # whatever else a method logs, below these
    )


def _column(key: str) -> str:
    """As W&B stores a config: what stands on top is wrapped."""
    top, dot, rest = key.partition(".")
    return f"config:{top}.value{dot}{rest}"


def _panel(panel: dict[str, Any]) -> Any:
    import wandb_workspaces.reports.v2 as wr

    (kind, what), title = next(iter(panel.items())), panel.get("title")
    if kind == "bar":
        return wr.BarPlot(title=title, metrics=list(what))  # grouped as the list of runs is: a mean over seeds
    if kind == "scatter":
        x, y = map(wr.SummaryMetric, what)
        return wr.ScatterPlot(title=title, x=x, y=y, log_x=panel.get("log_x"))
    if kind == "lines":
        return wr.LinePlot(title=title, metric_regex=what, x=None)
    if kind == "media":
        return wr.MediaBrowser(title=title, media_keys=what, num_columns=2)
    if kind == "table":
        return wr.WeavePanelSummaryTable(table_name=what)
    return wr.RunComparer(diff_only=True)
