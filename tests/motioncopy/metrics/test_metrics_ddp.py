"""Metrics on several processes give what they give on one, also where one process has nothing to score."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed
from torch import Tensor
from torch.multiprocessing.spawn import spawn

from motioncopy.metrics.catalogue import METRICS
from motioncopy.metrics.metric import FrameMetric

#: Those that need no network: the pixel metrics.
PIXELS: dict[str, type[FrameMetric]] = {
    key: kind for key, kind in METRICS.items() if issubclass(kind, FrameMetric) and not key.startswith("lpips/")
}


SIDE = 180  # MS-SSIM needs as much


def frames() -> tuple[Tensor, Tensor, Tensor]:
    """Seven frames, which neither two nor three processes can share equally; the mask of one is empty."""
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randint(0, 256, (7, 3, SIDE, SIDE), generator=generator).to(torch.uint8) for _ in range(2))
    mask = torch.zeros(7, 1, SIDE, SIDE, dtype=torch.uint8)
    mask[:, :, 4:80, 30:150] = 255
    mask[5] = 0
    return x, y, mask


def run(rank: int, world: int, count: int, rendezvous: str, results: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=world)
    metrics = {key: kind() for key, kind in PIXELS.items()}
    for metric in metrics.values():
        if rank < count:
            metric.update(*(t[rank:count:world] for t in frames()))
    torch.save({key: metric.compute() for key, metric in metrics.items()}, f"{results}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.ddp
@pytest.mark.parametrize(
    ("world", "count"), [(2, 7), pytest.param(3, 7, marks=pytest.mark.slow), (3, 2)]
)  # at last, one process has no frame
def test_several_processes_give_the_values_of_one(tmp_path: Path, world: int, count: int) -> None:
    rendezvous = (tmp_path / "rendezvous").as_uri()
    spawn(run, (world, count, rendezvous, str(tmp_path)), nprocs=world)
    for key, kind in PIXELS.items():
        alone = kind()
        for i in range(count):
            alone.update(*(t[i : i + 1] for t in frames()))
        for rank in range(world):
            both = torch.load(tmp_path / f"{rank}.pt")[key]
            assert both.item() == pytest.approx(alone.compute().item(), rel=1e-12), key
