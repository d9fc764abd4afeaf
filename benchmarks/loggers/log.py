"""What all loggers have in common: a run's losses, pictures, scores and files, handed on with care."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from numpy.typing import NDArray
from pydantic import Field

from motioncopy.errors import ConfigError
from motioncopy.files.documents import read_json
from motioncopy.files.schema import Count, Text, validated
from motioncopy.files.writing import write_whole

Image = NDArray[np.uint8]
#: The loggers that there are.
Name = Literal["tensorboard", "wandb", "none"]


@dataclass
class _Logged:
    """What the file may hold; all but ``logged`` is W&B's."""

    logged: tuple[Text, ...] = ()
    id: Annotated[str, Field(pattern=r"^[\w.-]{1,128}$")] = ""
    parts: Count = 0
    opened: float = 0.0
    labels: dict[Text, Any] = field(default_factory=dict)
    config: dict[Text, Any] = field(default_factory=dict)
    scores: dict[Text, float] = field(default_factory=dict)


class LogState:
    """A small JSON file beside the logs: what the next process must know to go on with the same run.

    Args:
        run: The run's folder.
        logger: Whose.
    """

    def __init__(self, run: Path, logger: str) -> None:
        self.path = run / "logs" / f"{logger}.json"
        self.content = _Logged()
        with suppress(ConfigError):  # not there yet, or of no use any more
            content = read_json(self.path, error=ConfigError)
            self.content = validated(_Logged, content, error=ConfigError, what=str(self.path))

    def update(self, **values: Any) -> None:
        """Keeps values under their names."""
        self.content = replace(self.content, **values)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.path, json.dumps(asdict(self.content)))

    def note(self, what: str) -> None:
        """Keeps in mind that ``what`` is logged."""
        self.update(logged=(*self.content.logged, what))

    def logged(self, what: str) -> bool:
        """Whether ``what`` was logged before, by whichever process."""
        return what in self.content.logged


class RunLog:
    """One run as a logger sees it; fit, test and the benchmark each open it anew and go on where the last one was.

    What a logger does not override, it does not show.

    Attributes:
        state: What the next process must know.
        plays_videos: Whether it can show a video file.
    """

    plays_videos = False

    def __init__(self, state: LogState) -> None:
        self.state = state

    def losses(self, stage: str, values: Mapping[str, float], step: int) -> None:
        """Values of one step of a stage.

        Args:
            stage: The stage's name.
            values: By key, ``stage/<stage>/<loss>``.
            step: The stage's own step, which starts at 0 in every stage.
        """

    def sample(self, stage: str, picture: Image, step: int) -> None:
        """What a stage draws while it trains, ``(H, W, 3)``."""

    def picture(self, key: str, picture: Image, caption: str) -> None:
        """A contact sheet of a finished run, ``(H, W, 3)``."""

    def video(self, key: str, path: Path, caption: str) -> None:
        """A video of a finished run."""

    def table(self, key: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """A table; ``None`` where a cell is empty."""

    def summary(self, config: Mapping[str, Any], scores: Mapping[str, float]) -> None:
        """What the run was (nested plain values) and the numbers that sum it up."""

    def file(self, path: Path, name: str, kind: str) -> None:
        """A file that is kept with the run."""

    def where(self) -> str:
        """One line that says where the run can be seen, if there is something to say."""
        return ""

    def close(self, *, failed: bool = False) -> None:
        """Writes out what is held back."""


class SafeLog:
    """A run's log that costs no run: opened at its first use, and whatever goes wrong in it is one warning.

    Args:
        make: Opens the log; ``None`` keeps nothing.
    """

    def __init__(self, make: Callable[[], RunLog] | None = None) -> None:
        self._make = make
        self._log: RunLog | None = None

    def attempt(self, what: Callable[[RunLog], None]) -> None:
        """Does something with the log, if there is one that has not failed before."""
        try:
            if self._make is not None:
                make, self._make = self._make, None
                self._log = make()
            if self._log is not None:
                what(self._log)
        except Exception as error:  # noqa: BLE001 (whatever a third party's logger may raise)
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            warnings.warn(f"the logger failed and is left alone from here on, the run goes on: {reason}", stacklevel=2)
            broken, self._log = self._log, None
            with suppress(Exception):  # it has been said
                if broken is not None:
                    broken.close(failed=True)

    def open(self) -> None:
        """Opens it now, rather than within what is timed."""
        self.attempt(lambda _: None)

    def close(self, *, failed: bool = False) -> None:
        """Closes it, if it was ever opened."""
        if self._make is None:
            self.attempt(lambda log: log.close(failed=failed))


class StageLogger(Logger):
    """What a stage's Trainer logs to: hands the losses on, on the first process alone.

    Args:
        log: The run's.
        stage: The stage's name.
    """

    def __init__(self, log: SafeLog, stage: str) -> None:
        super().__init__()
        self._log, self._stage = log, stage

    @property
    def name(self) -> str:
        """Of the project."""
        return "motioncopy"

    @property
    def version(self) -> str:
        """The stage."""
        return self._stage

    @rank_zero_only
    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """The run's config is logged once, not a stage at a time."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Called by the Trainer every few steps."""
        prefix = f"stage/{self._stage}/"
        # Lightning adds the epoch, which follows from the step.
        values = {k if k.startswith(prefix) else prefix + k: v for k, v in metrics.items() if k != "epoch"}
        self._log.attempt(lambda log: log.losses(self._stage, values, int(step or 0)))
