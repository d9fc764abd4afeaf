"""Metrics over sets on several processes and in files give what they give on one, in memory."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
import torch.distributed
from torch import Tensor
from torch.multiprocessing.spawn import spawn

from motioncopy.errors import BatchError
from motioncopy.metrics.features import Rows, SetMetric
from motioncopy.metrics.fid import FID
from motioncopy.metrics.inception_score import InceptionScore
from motioncopy.metrics.kid import KID, subset_distances

SIZE = 8


class SmallFID(FID):
    size = SIZE


class SmallKID(KID):
    size = SIZE

    def distance(self, generated: Rows, real: Rows | None) -> float:
        assert real is not None
        return float(subset_distances(generated, real, subsets=3, size=30).mean())


class SmallScore(InceptionScore):
    size = SIZE


def batches(real: bool) -> list[Tensor]:
    """Batches of several sizes, 300 rows in all, more than wait in FID at a time."""
    generator = torch.Generator().manual_seed(int(real))
    rows = torch.randn(300 - 40 * real, SIZE, generator=generator) + 0.3 * real
    return list(rows.split([1, 7, 40, 90, 62, len(rows) - 200]))


def make(folder: Path | None = None) -> dict[str, SetMetric]:
    if folder is None:
        return {"fid": SmallFID(), "kid": SmallKID(), "is": SmallScore()}
    return {"fid": SmallFID(), "kid": SmallKID(folder / "kid"), "is": SmallScore(folder / "is")}


def fill(metrics: dict[str, SetMetric], share: slice) -> None:
    for real in (False, True):
        for batch in batches(real)[share]:
            for metric in metrics.values():
                metric.add_features(batch, real=real)


def values(metrics: dict[str, SetMetric]) -> dict[str, float]:
    return {name: metric.compute().item() for name, metric in metrics.items()}


def shares(world: int, idle: bool) -> list[slice]:
    """Of processes one after the other, as their rows are put together; the last one may have none."""
    if idle:
        return [*shares(world - 1, idle=False), slice(6, 6)]
    ends = [6 * k // world for k in range(world + 1)]
    return [slice(a, b) for a, b in pairwise(ends)]


def run(rank: int, world: int, idle: bool, folder: str, in_files: bool) -> None:
    torch.set_num_threads(1)
    rendezvous = (Path(folder) / "rendezvous").as_uri()
    torch.distributed.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=world)
    metrics = make(Path(folder) if in_files else None)
    fill(metrics, shares(world, idle)[rank])
    first = values(metrics)
    for metric in metrics.values():  # the processes' own features are back after a value
        metric._computed = None
    torch.save((first, values(metrics)), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.ddp
@pytest.mark.parametrize(
    ("world", "idle", "in_files"),
    [pytest.param(2, False, False, marks=pytest.mark.slow), (2, True, False), (3, True, True)],
)
def test_several_processes_give_the_values_of_one(tmp_path: Path, world: int, idle: bool, in_files: bool) -> None:
    alone = make()
    fill(alone, slice(None))
    expected = pytest.approx(values(alone), rel=1e-9)
    spawn(run, (world, idle, str(tmp_path), in_files), nprocs=world)
    for rank in range(world):
        first, second = torch.load(tmp_path / f"{rank}.pt")
        assert first == expected
        assert second == expected


def test_files_give_the_values_of_memory_also_when_more_comes(tmp_path: Path) -> None:
    memory, files = make(), make(tmp_path)
    for metrics in (memory, files):
        fill(metrics, slice(0, 4))
        values(metrics)
        fill(metrics, slice(4, None))
    assert values(files) == pytest.approx(values(memory), rel=1e-9)
    kid = files["kid"]
    assert isinstance(kid, KID)
    assert sum(map(len, kid.generated)) == 0
    assert len(list((tmp_path / "kid").iterdir())) == 4  # of each side, before and after the first value
    assert len(list((tmp_path / "is").iterdir())) == 2  # it looks at no real features


def test_reset_forgets_features_in_files_and_in_memory(tmp_path: Path) -> None:
    expected = make()
    fill(expected, slice(3, None))
    for metrics in (make(), make(tmp_path)):
        fill(metrics, slice(0, 5))
        values(metrics)
        for metric in metrics.values():
            metric.reset()
        fill(metrics, slice(3, None))
        assert values(metrics) == pytest.approx(values(expected), rel=1e-9)


@pytest.mark.parametrize("in_files", [False, True])
def test_wrong_features_and_none_at_all_are_refused(tmp_path: Path, in_files: bool) -> None:
    for metric in make(tmp_path if in_files else None).values():
        for wrong in (torch.zeros(3), torch.zeros(3, SIZE + 1), torch.full((2, SIZE), torch.nan)):
            with pytest.raises(BatchError):
                metric.add_features(wrong, real=False)
        with pytest.raises(BatchError), pytest.warns(UserWarning, match="before the ``update`` method"):
            make(tmp_path / "empty" if in_files else None)["kid"].compute()
