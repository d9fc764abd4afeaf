"""Run folders of fits: what a killed or finished one leaves, and going on from there."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from lightning import Callback, Trainer

from motioncopy.method import Stage
from motioncopy.training import fitting
from tests.toys import ToyData, ToyMethod, write_clip


@cache
def _clips() -> Path:
    """A clip of our own."""
    folder = Path(os.environ["HOME"]) / "clips"
    write_clip(folder, "ann", frames=12)
    return folder


def _trainer(stage: Stage, folder: Path, epochs: int, callbacks: list[Callback]) -> Trainer:
    return Trainer(
        accelerator="cpu", logger=False, max_epochs=epochs, callbacks=callbacks, default_root_dir=str(folder),
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0, use_distributed_sampler=False,
    )  # fmt: skip


def resume(run: Path, epochs: int = 2) -> None:
    """Goes on with the fit that a run's folder holds, or takes over what is finished in it."""
    torch.manual_seed(0)
    arguments: dict[str, Any] = {"epochs": epochs, "batches": 1}
    method = ToyMethod(**arguments)
    method.init_args = dict(arguments)
    data = ToyData(str(_clips()))
    # What belongs to what is another matter: everything in the folder counts as this fit's.
    with mock.patch.object(fitting, "stage_key", return_value="key"):
        fitting.fit(method, data, run, _trainer, seed=0)
    fitting.stage_summaries(run, [stage.name for stage in method.stages])
