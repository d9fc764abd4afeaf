"""Jobs and fits that are logged, for the tests of the loggers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from lightning import Callback, LightningModule, Trainer

from benchmarks.bench.config_stack import ConfigStack
from benchmarks.bench.jobs import Job
from tests.methods.tiny import tiny

#: Of the tiny method that :func:`job` runs.
STAGES = ("foreground", "local")


def job(clips: Path, runs: Path, method: str = "static", logger: str = "wandb") -> Job:
    if method == "static":
        stack, model = ConfigStack(method, "folder", "trivial", ""), {"init_args": {"image_size": [32, 32]}}
    else:
        stack, model = ConfigStack(method, "folder"), tiny(method, "paper")
    overrides = {"model": model, "trainer": {"accelerator": "cpu"}}
    return Job(stack, runs, data_root=str(clips), overrides=overrides, logger=logger)


class StopOnce(Callback):
    """As if somebody had pressed Ctrl-C in this step."""

    def __init__(self, mark: str, step: int) -> None:
        self.mark, self.step = Path(mark), step

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if not self.mark.exists() and trainer.fit_loop.epoch_loop._batches_that_stepped + 1 == self.step:
            self.mark.touch()
            raise KeyboardInterrupt


def toy(clips: Path, folder: Path, **trainer: Any) -> Path:
    path = folder / "input.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "seed_everything": 1,
                "model": {"class_path": "tests.toys.ToyMethod", "init_args": {"epochs": 2, "batches": 3}},
                "data": {"class_path": "tests.toys.ToyData", "init_args": {"root": str(clips)}},
                "trainer": {"accelerator": "cpu", **trainer},
            }
        )
    )
    return path
