"""Optimiser steps: batches in parts, half precision with its scaler, and what stops them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor, nn

from motioncopy.batch import MotionBatch
from motioncopy.errors import TrainingError
from motioncopy.request import DataRequest
from motioncopy.training import fitting
from motioncopy.training.updates import Update
from tests.toys import PaintStage, TouchStage, ToyData, write_clip

REQUEST = DataRequest(3, (16, 16), window=2, batches=4)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ToyData:
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder, "ann")
    return ToyData(str(folder))


def trained(
    data: ToyData, folder: Path, *, parts: int = 1, kind: type[PaintStage] = PaintStage, **options: Any
) -> PaintStage:
    torch.manual_seed(0)
    stage = kind(nn.Conv2d(1, 3, 3, padding=1), request=REQUEST, epochs=1, poison=0)
    stage.parts = parts
    trainer = Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, default_root_dir=folder, use_distributed_sampler=False, **options,
    )  # fmt: skip
    trainer.fit(stage, datamodule=data.for_request(REQUEST, 0))
    return stage


def apart(a: nn.Module, b: nn.Module) -> float:
    return max(float((p - q).abs().max()) for p, q in zip(a.parameters(), b.parameters(), strict=True))


@pytest.mark.parametrize("parts", [2, 3])
def test_parts_count_by_their_size(parts: int, data: ToyData, tmp_path: Path) -> None:
    """Three windows in two parts are one and two; Adam would hide a wrong scale, but no wrong mixture."""
    whole, pieces = trained(data, tmp_path), trained(data, tmp_path, parts=parts)
    assert apart(whole, pieces) < 1e-6
    assert whole.samples_digest == pieces.samples_digest
    logged = [s.trainer.callback_metrics["stage/paint/painter"].item() for s in (whole, pieces)]
    assert logged[0] == pytest.approx(logged[1], rel=1e-5)


def half(scaler: torch.amp.GradScaler) -> dict[str, Any]:
    return {"plugins": [MixedPrecision("16-mixed", "cpu", scaler=scaler)]}


def test_float16_steps_nearly_as_float32_does(data: ToyData, tmp_path: Path) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    assert apart(trained(data, tmp_path, **half(scaler)), trained(data, tmp_path)) < 1e-2
    assert scaler.get_scale() == 1024.0


class Clipped(PaintStage):
    """Plain gradient descent on a clipped gradient."""

    def configure_optimizers(self) -> Any:
        return [torch.optim.SGD(m.parameters(), 1.0) for m in (self.painter, self.judge)]

    def updates(self, batch: MotionBatch) -> Iterator[Update]:
        for update in super().updates(batch):
            yield Update(update.optimizer, update.loss, update.name, 1e-3)


def test_a_scaled_gradient_is_clipped_by_its_true_norm(data: ToyData, tmp_path: Path) -> None:
    torch.manual_seed(0)
    start = PaintStage(nn.Conv2d(1, 3, 3, padding=1), request=REQUEST, epochs=1, poison=0)
    end = trained(data, tmp_path, kind=Clipped, **half(torch.amp.GradScaler("cpu", init_scale=1024.0)))
    for before, after in ((start.painter, end.painter), (start.judge, end.judge)):
        moved = torch.cat([(q - p).flatten() for p, q in zip(before.parameters(), after.parameters(), strict=True)])
        assert 1e-3 < moved.norm() < 4e-3 + 1e-6, "four steps of 0.001 each"


def test_a_step_that_overflows_is_left_out_and_the_scale_falls(data: ToyData, tmp_path: Path) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**126)
    torch.manual_seed(0)
    start = PaintStage(nn.Conv2d(1, 3, 3, padding=1), request=REQUEST, epochs=1, poison=0)
    end = trained(data, tmp_path, **half(scaler))
    assert scaler.get_scale() < 2.0**126
    assert all(torch.isfinite(p).all() for p in end.parameters())
    assert apart(start, end) == 0


class Steep(TouchStage):
    """A finite loss whose gradient is not."""

    def updates(self, batch: MotionBatch) -> Iterator[Update]:
        (optimizer,) = self.optimizer_list()
        zero: Tensor = sum((p.sum() * 0 for p in self.gain.parameters()), start=torch.zeros(()))
        yield Update(optimizer, zero.sqrt(), "steep")


class Uneven(PaintStage):
    """Asks for one update of a part with one window, and for two of others."""

    def updates(self, batch: MotionBatch) -> Iterator[Update]:
        for update in super().updates(batch):
            yield update
            if len(batch) == 1:
                return


def test_parts_that_ask_for_different_updates_are_refused(data: ToyData, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="different updates"):
        trained(data, tmp_path, parts=2, kind=Uneven)


def test_a_gradient_that_is_not_finite_stops(data: ToyData, tmp_path: Path) -> None:
    stage = Steep(nn.Conv2d(3, 3, 1), nn.Conv2d(1, 3, 1), request=REQUEST, epochs=1)
    trainer = Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, default_root_dir=tmp_path, use_distributed_sampler=False,
    )  # fmt: skip
    with pytest.raises(TrainingError, match="its gradient"):
        trainer.fit(stage, datamodule=data.for_request(REQUEST, 0))


@pytest.mark.parametrize(
    ("batch", "least", "world", "accumulate", "wanted"),
    [
        (10, 1, 4, 1, (10, 1)),  # 3, 3, 2 and 2 windows
        (10, 1, 4, 3, (10, 2)),
        (1, 1, 4, 1, (4, 1)),
        (4, 2, 4, 2, (8, 1)),
        (1, 2, 1, 2, (1, 1)),  # one process trains as it always did
        (6, 2, 1, 9, (6, 3)),
    ],
)
def test_every_process_has_its_share(
    batch: int, least: int, world: int, accumulate: int, wanted: tuple[int, int]
) -> None:
    stage = PaintStage(nn.Conv2d(1, 3, 1), request=replace(REQUEST, batch_size=batch), epochs=1, poison=0)
    stage.least = least  # type: ignore[misc]
    fitting._share(stage, world, accumulate)
    assert (stage.request.batch_size, stage.parts) == wanted
