"""What several training processes have to agree on; on one process everything here gives back what it was given."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor
from torch.distributed import (
    ReduceOp,
    all_gather,
    all_gather_object,
    all_reduce,
    broadcast_object_list,
    get_rank,
    get_world_size,
)

Value = TypeVar("Value")


def several() -> bool:
    """Whether this process is one of several."""
    return torch.distributed.is_available() and torch.distributed.is_initialized() and get_world_size() > 1


def any_process(flag: Tensor) -> bool:
    """Whether the flag, a bool scalar, is set on any process. Every process must ask."""
    seen = flag.float()
    if several():
        all_reduce(seen, op=ReduceOp.MAX)
    return bool(seen.item())


def from_first(value: Value) -> Value:
    """What the first process gives, plain values and not tensors. Every process must ask."""
    if not several():
        return value
    given = [value]
    broadcast_object_list(given, src=0)
    return given[0]


def from_all(value: Value) -> list[Value]:
    """What each process gives, plain values and not tensors, in the processes' order. Every process must ask."""
    if not several():
        return [value]
    given: list[Value] = [value] * get_world_size()
    all_gather_object(given, value)
    return given


def spread(amount: Tensor, rows: int) -> Tensor:
    """This process's part of the sum of all processes' amounts, spread evenly over their rows.

    A loss whose denominator is counted in the data (the pixels of a person) is a mean over the whole batch only if all
    processes divide by a share of the same count. Every process must ask; no gradient flows.

    Args:
        amount: A scalar.
        rows: How many rows of the batch this process has.
    """
    if not several():
        return amount
    total = torch.stack([amount.detach().double(), amount.new_tensor(rows, dtype=torch.float64)])
    all_reduce(total)
    return (total[0] * rows / total[1]).to(amount.dtype)


def gathered(rows: Tensor) -> Tensor:
    """The rows of all processes, in the processes' order; numbers of rows may differ. Every process must ask.

    Gradients flow to this process's own rows alone, multiplied by what these are a part of: every process computes the
    same loss of all rows, and the mean of gradients over processes, weighed by rows as
    :class:`motioncopy.training.updates.TrainsByUpdates` does, is then that of one process with all rows.

    Args:
        rows: ``(m, ...)``.

    Returns:
        ``(M, ...)``.
    """
    if not several():
        return rows
    counts = [torch.zeros(1, dtype=torch.int64, device=rows.device) for _ in range(get_world_size())]
    all_gather(counts, torch.tensor([len(rows)], device=rows.device))
    sizes = [int(count) for count in counts]
    padded = rows.new_zeros(max(sizes), *rows.shape[1:])
    padded[: len(rows)] = rows.detach()
    parts = [torch.empty_like(padded) for _ in sizes]
    all_gather(parts, padded)
    own = rows
    if rows.requires_grad:
        own = rows.view_as(rows)
        own.register_hook(lambda gradient: gradient * (sum(sizes) / len(rows)))
    return torch.cat(
        [own if k == get_rank() else part[:n] for k, (part, n) in enumerate(zip(parts, sizes, strict=True))]
    )
