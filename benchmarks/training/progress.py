"""Progress of fits and tests, as Lightning callbacks."""

from __future__ import annotations

from typing import Any

from lightning import Callback, LightningModule, Trainer

from benchmarks.progress import Reporter


class StageProgress(Callback):
    """Shows a stage's steps, its time left and its losses."""

    reporter: Reporter | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Opens the bar."""
        if trainer.is_global_zero:
            total = int(trainer.num_training_batches) * (trainer.max_epochs or 1)
            self.reporter = Reporter(f"Stage {getattr(pl_module, 'name', '?')}", total)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Moves it."""
        if self.reporter is not None:
            losses = {k.rsplit("/", 1)[-1]: float(v) for k, v in trainer.callback_metrics.items()}
            note = " ".join(f"{k} {v:.3g}" for k, v in list(losses.items())[:5])
            self.reporter.update(getattr(pl_module, "steps", 0), note)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Closes it."""
        if self.reporter is not None:
            self.reporter.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Gives the terminal back."""
        self.on_train_end(trainer, pl_module)


class TrialProgress(Callback):
    """Shows how many trials are generated and scored."""

    reporter: Reporter | None = None

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Opens the bar."""
        if trainer.is_global_zero:
            self.reporter = Reporter("Trials", int(trainer.num_test_batches[0]))

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        """Moves it."""
        if self.reporter is not None:
            self.reporter.update(batch_idx + 1)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Closes it."""
        if self.reporter is not None:
            self.reporter.close()
