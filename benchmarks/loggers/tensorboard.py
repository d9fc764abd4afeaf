"""TensorBoard: event files in the run's ``logs`` folder, one folder a stage and one for the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from benchmarks.loggers.log import Image, LogState, RunLog

_RESULTS = "results"


class TensorBoardLog(RunLog):
    """Writes event files.

    Args:
        run: The run's folder.
    """

    def __init__(self, run: Path) -> None:
        super().__init__(LogState(run, "tensorboard"))
        self._folder = run / "logs"
        self._writers: dict[str, SummaryWriter] = {}

    def losses(self, stage: str, values: Mapping[str, float], step: int) -> None:
        """Curves; of a resumed stage, those steps are dropped that are taken once more."""
        writer = self._writer(stage, step)
        for key, value in values.items():
            writer.add_scalar(key, value, step)

    def sample(self, stage: str, picture: Image, step: int) -> None:
        """A picture of this step."""
        self._writer(stage, step).add_image(f"stage/{stage}/samples", picture, step, dataformats="HWC")

    def picture(self, key: str, picture: Image, caption: str) -> None:
        """A picture among the results, and its caption."""
        writer = self._writer(_RESULTS)
        writer.add_image(key, picture, dataformats="HWC")
        writer.add_text(key, caption)

    def video(self, key: str, path: Path, caption: str) -> None:
        """Where it lies: TensorBoard plays no video file."""
        self._writer(_RESULTS).add_text(key, f"{caption}: `{path.name}` in the run's folder")

    def table(self, key: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """As Markdown."""
        lines = [columns, ["---"] * len(columns), *rows]
        text = "\n".join("| " + " | ".join("-" if c is None else _cell(c) for c in line) + " |" for line in lines)
        self._writer(_RESULTS).add_text(key, text)

    def summary(self, config: Mapping[str, Any], scores: Mapping[str, float]) -> None:
        """Scores as scalars, and with the flat part of the config as hyper-parameters."""
        writer = self._writer(_RESULTS)
        flat = {k: v if isinstance(v, bool | int | float | str) else str(v) for k, v in config.items() if _is_flat(v)}
        writer.add_hparams(flat, dict(scores), run_name=".", global_step=0)

    def file(self, path: Path, name: str, kind: str) -> None:
        """As text, if it is one that can be read here."""
        self._writer(_RESULTS).add_text(f"{kind}/{name}", f"```\n{path.read_text(encoding='utf-8')}\n```")

    def close(self, *, failed: bool = False) -> None:
        """Closes all event files."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _writer(self, name: str, first: int | None = None) -> SummaryWriter:
        if name not in self._writers:
            self._writers[name] = SummaryWriter(str(self._folder / name), purge_step=first)
        return self._writers[name]


def _is_flat(value: Any) -> bool:
    return value is not None and not isinstance(value, Mapping | list | tuple)


def _cell(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
