"""What stages show while they train: images of a batch that can stand in one contact sheet."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from motioncopy.batch import MotionBatch
from motioncopy.training import checkpoint
from tests.methods.tiny import SIZE, tiny
from tests.toys import ToyData, write_clip


@pytest.mark.parametrize(
    ("method", "variant", "showing"),
    [
        ("fakemotion", "paper", {"foreground", "local"}),
        ("fakemotion", "released", {"foreground", "face", "fusion", "local"}),
        ("remot", "paper", {"composition"}),
    ],
)
def test_samples_are_images_of_one_shape(tmp_path: Path, method: str, variant: str, showing: set[str]) -> None:
    for name in ("ann", "bob"):
        write_clip(tmp_path, name, frames=24, size=(40, 40), parsed=True)
    built = checkpoint.build(**tiny(method, variant))
    data = ToyData(str(tmp_path), regime=built.regime)
    built.prepare(data)
    shown = {}
    for stage in built.stages:
        stage.prepare(data)
        windows = data.train_windows(stage.request)
        batch = MotionBatch.collate([windows[0], windows[1]]).as_float()
        with torch.no_grad():
            if samples := stage.eval().samples(batch):
                shown[stage.name] = samples
    assert set(shown) == showing
    for samples in shown.values():
        assert {"generated", "truth"} <= set(samples)
        (shape,) = {tuple(images.shape) for images in samples.values()}
        assert shape[1:] == (3, *SIZE)
        assert all(torch.isfinite(images).all() for images in samples.values())
        assert samples["truth"].abs().max() <= 1
