"""FID: batches, stored clips, too few frames, and what its state forgets."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks.audit.references import array, references
from motioncopy.errors import BatchError
from motioncopy.metrics.evaluator import score
from motioncopy.metrics.features import FeatureStore
from motioncopy.metrics.fid import FID, FIDTorchvision


class SmallFID(FID):
    size = 16
    least = 17


def features(n: int, seed: int = 0, shift: float = 0.5) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(16, 16, generator=torch.Generator().manual_seed(1))
    return torch.randn(n, 16, generator=generator) @ mixing + shift


def filled(x: Tensor, y: Tensor, batch: int = 1000) -> SmallFID:
    metric = SmallFID()
    for rows, real in ((x, False), (y, True)):
        for part in rows.split(batch):
            metric.add_features(part, real=real)
    return metric


@pytest.mark.parametrize("batch", [1, 3, 8, 300, 1000])
def test_batches_of_any_size_give_the_reference_s_value(batch: int) -> None:
    x, y = features(700), features(600, 1, 0.8)
    expected = references()["fid/tf@1"].values(array(x), array(y))
    assert filled(x, y, batch).compute().item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("n", [2, 9, 400])  # fewer than numbers, more than numbers
def test_a_set_has_no_distance_from_itself_in_any_order(n: int) -> None:
    x = features(n)
    assert filled(x, x.flip(0)).compute().item() == pytest.approx(0, abs=1e-9)


def stored(folder: Path, clips: dict[str, tuple[Tensor, Tensor]]) -> FeatureStore:
    store = FeatureStore(folder)
    for clip, (generated, real) in clips.items():
        writer = store.writer(clip)
        writer.append(FID.output.id, "generated", generated)
        writer.append(FID.output.id, "real", real)
        writer.commit()
    return store


def test_stored_clips_have_the_value_of_batches_and_a_curve(tmp_path: Path) -> None:
    x, y = features(160), features(160, 1, 0.8)
    store = stored(tmp_path, {f"{k}": (x[k::4], y[k::4]) for k in range(4)})
    found, _ = score(SmallFID(), store, ["0", "1", "2", "3"])
    assert found is not None
    assert found.value == pytest.approx(filled(x, y).compute().item(), rel=1e-9)
    assert (found.clips, found.frames, found.low) == (4, 160, None)
    assert [n for n, _ in found.curve] == [20, 40, 80, 160]


def test_as_many_frames_as_numbers_are_refused(tmp_path: Path) -> None:
    store = stored(tmp_path, {"a": (torch.rand(2049, 2048), torch.rand(2048, 2048))})
    assert score(FID(), store, ["a"]) == (None, "it needs at least 2049 frames, and real are 2048")
    assert FIDTorchvision.least == 2049


def test_reset_forgets_what_waits_and_what_is_summed() -> None:
    metric = filled(features(300), features(20, 1))
    metric.reset()
    x, y = features(40, 2), features(30, 3)
    metric.add_features(x, real=False)
    metric.add_features(y, real=True)
    assert metric.compute().item() == pytest.approx(filled(x, y).compute().item(), rel=1e-12)


def test_more_may_come_after_a_value() -> None:
    x, y = features(500), features(400, 1)
    metric = filled(x[:300], y[:10])
    metric.compute()
    metric.add_features(x[300:], real=False)
    metric.add_features(y[10:], real=True)
    assert metric.compute().item() == pytest.approx(filled(x, y).compute().item(), rel=1e-9)


def test_its_memory_does_not_grow_with_the_features() -> None:
    metric = SmallFID()
    for _ in range(10):
        metric.add_features(features(200), real=True)
        assert sum(map(len, metric.real_waiting)) < 256


def test_fewer_than_two_features_are_refused() -> None:
    with pytest.raises(BatchError, match="two features"):
        filled(features(1), features(5)).compute()
    with pytest.raises(BatchError, match="two features"):
        filled(features(5), features(0)).compute()


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_features_that_are_not_finite_are_refused(value: float) -> None:
    metric, wrong = filled(features(9), features(9, 1)), features(3)
    before = metric.compute()
    wrong[1, 2] = value
    with pytest.raises(BatchError, match="not finite"):
        metric.add_features(wrong, real=True)
    assert metric.compute() == before
