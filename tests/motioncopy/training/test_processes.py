"""What two processes agree on, and the Gromov-Wasserstein loss of features that they gather."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.multiprocessing.spawn import spawn

from motioncopy.losses.gromov_wasserstein import gromov_wasserstein_loss
from motioncopy.training.processes import any_process, gathered, spread

#: Rows of each of two processes: as many, and not as many.
SHARES = [(3, 3), (4, 2)]
_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5}


def weights(dtype: torch.dtype) -> Tensor:
    return torch.randn(5, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)


def rows(dtype: torch.dtype, seed: int) -> Tensor:
    return torch.randn(6, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def loss_and_gradient(real: Tensor, fake: Tensor, network: Tensor) -> tuple[Tensor, Tensor]:
    """Of a network of one layer."""
    network = network.clone().requires_grad_(True)
    loss = gromov_wasserstein_loss(
        gathered(real), gathered((fake @ network).sin()), epsilon=0.05, outer_iterations=5, sinkhorn_iterations=20
    )
    (gradient,) = torch.autograd.grad(loss, network)
    return loss.detach(), gradient


def transport(rank: int, shares: tuple[int, int], dtype: torch.dtype) -> list[Tensor]:
    mine = slice(0, shares[0]) if rank == 0 else slice(shares[0], None)
    wide = torch.randn(6, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64).to(dtype)
    loss, gradient = loss_and_gradient(wide[mine], rows(dtype, 2)[mine], weights(dtype))
    # What DDP makes of it, with the weight that a training step gives each process.
    gradient = gradient * (shares[rank] * 2 / 6)
    torch.distributed.all_reduce(gradient)
    return [loss, gradient / 2]


def agreements(rank: int, *_: object) -> list[Tensor]:
    flags = [any_process(torch.tensor(flag)) for flag in (False, rank == 1)]
    return [torch.tensor(flags), spread(torch.tensor(4.0 if rank == 0 else 5.0), 1 if rank == 0 else 2)]


def _run(rank: int, what: Callable[..., list[Tensor]], cases: list[tuple[object, ...]], folder: str) -> None:
    torch.set_num_threads(1)
    meeting = (Path(folder) / "meeting").as_uri()
    torch.distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)
    torch.save([what(rank, *case) for case in cases], f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def on_two(
    what: Callable[..., list[Tensor]], cases: list[tuple[object, ...]], folder: Path
) -> list[list[list[Tensor]]]:
    spawn(_run, (what, cases, str(folder)), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]


@pytest.mark.ddp
def test_gathered_features_give_the_loss_and_the_gradient_of_one_process(tmp_path: Path) -> None:
    cases: list[tuple[object, ...]] = [(shares, dtype) for shares in SHARES for dtype in _TOLERANCE]
    for found in on_two(transport, cases, tmp_path):
        for (_, dtype), (loss, gradient) in zip(cases, found, strict=True):
            assert isinstance(dtype, torch.dtype)
            wide = torch.randn(6, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64).to(dtype)
            wanted, wanted_gradient = loss_and_gradient(wide, rows(dtype, 2), weights(dtype))
            assert wanted > 0
            torch.testing.assert_close(loss, wanted, rtol=_TOLERANCE[dtype], atol=0)
            largest = float(wanted_gradient.abs().max())
            torch.testing.assert_close(gradient, wanted_gradient, rtol=0, atol=_TOLERANCE[dtype] * largest)


@pytest.mark.ddp
def test_processes_agree_on_flags_and_share_amounts(tmp_path: Path) -> None:
    (flags, first), (flags_of_other, second) = (found[0] for found in on_two(agreements, [()], tmp_path))
    assert flags.tolist() == flags_of_other.tolist() == [False, True]
    assert (first.item(), second.item()) == (3.0, 6.0), "nine, over a row and two rows"


def test_one_process_gets_back_what_it_gave() -> None:
    features = torch.randn(3, 2, requires_grad=True)
    assert gathered(features) is features
    assert spread(features.sum(), 3).item() == features.sum().item()
    assert not any_process(torch.tensor(False))
    assert any_process(torch.tensor(True))
