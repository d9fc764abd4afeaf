"""Shows in the log what a stage draws while it trains."""

from __future__ import annotations

from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from benchmarks.loggers.log import RunLog, SafeLog
from benchmarks.pictures.sheets import contact_sheet
from motioncopy.batch import MotionBatch, to_uint8
from motioncopy.method import Stage

_TIMES = 10
_COLUMNS = 6


class SampleImages(Callback):
    """Logs :meth:`motioncopy.method.Stage.samples` of one batch, about ten times a stage and at its end.

    The batch is the first one that this process sees, so that the pictures of a stage can be compared. Nothing of
    the training changes by it: no random number is drawn from its generators, and no statistic moves.

    Args:
        log: The run's.
    """

    def __init__(self, log: SafeLog) -> None:
        self._log = log
        self._batch: MotionBatch | None = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Keeps the first batch."""
        if self._batch is None and trainer.is_global_zero and isinstance(batch, MotionBatch):
            self._batch = batch.to("cpu")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws it."""
        if self._batch is None or not isinstance(pl_module, Stage):
            return
        done, batch = trainer.current_epoch + 1, self._batch
        if done % max(1, pl_module.epochs // _TIMES) and done < pl_module.epochs:
            return

        def draw(log: RunLog) -> None:
            images = _drawn(pl_module, batch)
            if images:
                rows = {k: list(to_uint8(v.float()).permute(0, 2, 3, 1).numpy(force=True)) for k, v in images.items()}
                log.sample(pl_module.name, contact_sheet(rows, columns=_COLUMNS), pl_module.steps)

        self._log.attempt(draw)


def _drawn(stage: Stage, batch: MotionBatch) -> dict[str, Tensor]:
    device = stage.device
    modes = [(module, module.training) for module in stage.modules()]
    stage.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng([device] if device.type == "cuda" else []):
            return stage.samples(batch.to(device))
    finally:
        for module, training in modes:
            module.training = training
