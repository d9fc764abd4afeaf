"""Opens a run's log by its logger's name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from benchmarks.loggers.log import Name, RunLog, SafeLog
from motioncopy.errors import ConfigError
from motioncopy.records.provenance import redacted

#: In the order in which they are offered.
LOGGERS: tuple[str, ...] = get_args(Name)


def open_log(
    logger: str, run: Path, labels: Mapping[str, Any] | None = None, config: Mapping[str, Any] | None = None
) -> SafeLog:
    """A run's log; nothing is opened or imported before something is logged.

    Args:
        logger: One of :data:`LOGGERS`.
        run: The run's folder.
        labels: See :class:`benchmarks.loggers.weights_and_biases.WandbLog`; by default what the config says.
        config: The resolved config.

    Raises:
        ConfigError: If there is no such logger.
    """
    if logger not in LOGGERS:
        raise ConfigError(f"there is no logger {logger!r}", expected=f"LOGGER one of {', '.join(LOGGERS)}")
    shown = _without_paths(dict(config or {}), {"run": run, "home": Path.home(), "work": Path.cwd()})

    def make() -> RunLog:
        if logger == "wandb":
            from benchmarks.loggers.weights_and_biases import WandbLog

            return WandbLog(run, labels or _labels_in(shown), shown)
        from benchmarks.loggers.tensorboard import TensorBoardLog

        return TensorBoardLog(run)

    return SafeLog() if logger == "none" else SafeLog(make)


def _labels_in(config: Mapping[str, Any]) -> dict[str, Any]:
    """Of a fit by hand: the folder or file of the method and of the data set, and the seed."""
    found: dict[str, Any] = {}
    for label, section in (("method", "model"), ("data", "data")):
        path = str((config.get(section) or {}).get("class_path", ""))
        if path:
            package, *rest = path.split(".")
            found[label] = rest[0] if package in ("methods", "datamodules") and rest else path.rsplit(".", 1)[-1]
    if config.get("seed_everything") is not None:
        found["seed"] = config["seed_everything"]
    return found


def _without_paths(value: Any, roots: Mapping[str, Path]) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _without_paths(v, roots) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_paths(v, roots) for v in value]
    return redacted(str(value), roots) if isinstance(value, str | Path) else value
