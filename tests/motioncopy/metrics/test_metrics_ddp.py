"""Metrics on two processes give what they give on one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed
from torch import Tensor
from torch.multiprocessing.spawn import spawn

from motioncopy.metrics.catalogue import METRICS

KEYS = [key for key in METRICS if not key.startswith("lpips/")]


def frames() -> tuple[Tensor, Tensor, Tensor]:
    """Seven frames, which two processes cannot share equally; the mask of one is empty."""
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randint(0, 256, (7, 3, 24, 20), generator=generator).to(torch.uint8) for _ in range(2))
    mask = torch.zeros(7, 1, 24, 20, dtype=torch.uint8)
    mask[:, :, 4:20, 3:15] = 255
    mask[5] = 0
    return x, y, mask


def run(rank: int, rendezvous: str, results: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=2)
    share = slice(0, 3) if rank == 0 else slice(3, 7)
    metrics = {key: METRICS[key]() for key in KEYS}
    for metric in metrics.values():
        metric.update(*(t[share] for t in frames()))
    torch.save({key: metric.compute() for key, metric in metrics.items()}, f"{results}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.ddp
def test_two_processes_give_the_values_of_one(tmp_path: Path) -> None:
    rendezvous = (tmp_path / "rendezvous").as_uri()
    spawn(run, (rendezvous, str(tmp_path)), nprocs=2)
    for key in KEYS:
        alone = METRICS[key]()
        for i in range(7):
            alone.update(*(t[i : i + 1] for t in frames()))
        for rank in (0, 1):
            both = torch.load(tmp_path / f"{rank}.pt")[key]
            assert both.item() == pytest.approx(alone.compute().item(), rel=1e-12), key
