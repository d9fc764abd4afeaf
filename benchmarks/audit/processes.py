"""What two gloo processes agree on, against what one computes."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import torch.distributed
from torch import Tensor
from torch.multiprocessing.spawn import spawn

from benchmarks.audit.cases import frames
from benchmarks.audit.networks import network
from motioncopy.metrics.catalogue import METRICS, metric
from motioncopy.metrics.features import SetMetric
from motioncopy.metrics.metric import ClipMetric, FrameMetric


def difference(found: object, expected: object) -> float:
    """Largest difference, relative to the expected value, or absolute where that is below 1e-3."""
    a, b = np.asarray(found, np.float64).ravel(), np.asarray(expected, np.float64).ravel()
    if a.shape != b.shape or not np.array_equal(np.isnan(a), np.isnan(b)):
        return math.inf
    keep = ~np.isnan(a)
    return float((np.abs(a - b)[keep] / np.maximum(np.abs(b)[keep], 1e-3)).max(initial=0.0))


def agreed(share: Callable[..., Tensor], what: object) -> list[float]:
    """What two gloo processes compute, each of its share; NaN where they do not agree."""
    with TemporaryDirectory(prefix="motioncopy-audit-") as folder:
        spawn(_run, (share, what, folder), nprocs=2)
        both = [torch.load(Path(folder) / f"{rank}.pt").flatten().tolist() for rank in (0, 1)]
    return [a if a == b else math.nan for a, b in zip(*both, strict=True)]


def _run(rank: int, share: Callable[..., Tensor], what: object, folder: str) -> None:
    torch.set_num_threads(1)
    rendezvous = (Path(folder) / "rendezvous").as_uri()
    torch.distributed.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=2)
    torch.save(share(what, rank, 2), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


@cache
def frames_of_two() -> dict[str, float]:
    """What two processes agree on, for all metrics of frames: starting processes takes longer than scoring."""
    keys = tuple(key for key, kind in METRICS.items() if issubclass(kind, FrameMetric))
    return dict(zip(keys, agreed(share_frames, keys), strict=True))


@cache
def values_of_two() -> float:
    """How far two processes are from one in the values that all other metrics of clips keep."""
    values = tuple(torch.rand(33, generator=torch.Generator().manual_seed(0), dtype=torch.float64).tolist())
    return difference(agreed(_share_values, values), _share_values(values, 0, 1))


def share_frames(keys: tuple[str, ...], rank: int, world: int) -> Tensor:
    """One process's share of the noisy frames, by every metric; what all of them agree on."""
    case, part = frames()["noise"], slice(rank, None, world)
    values = []
    for key in keys:
        kind = metric(key)
        assert issubclass(kind, FrameMetric)
        made = kind(networks=network)
        made.update(case.generated[part], case.truth[part], case.mask[part])
        values.append(made.compute())
    return torch.stack(values)


def _share_values(values: tuple[float, ...], rank: int, world: int) -> Tensor:
    made = metric("ssim/gaussian@1")()  # any metric of clips: they all keep their values alike
    assert isinstance(made, ClipMetric)
    made.values.append(torch.tensor(values, dtype=torch.float64)[rank::world])
    made.clips.append(torch.arange(len(values))[rank::world] % 2)  # each process has a clip
    return torch.as_tensor(made.compute())


def share_rows(what: tuple[str, Tensor, Tensor], rank: int, world: int) -> Tensor:
    """One process's share of generated and real features, by one metric; what all of them agree on."""
    key, x, y = what
    kind = metric(key)
    assert issubclass(kind, SetMetric)
    made = kind()
    # The first half to the first process: the global index of a row is then the same.
    for rows, real in ((x, False), (y, True)):
        made.add_features(rows.tensor_split(world)[rank], real=real)
    return torch.as_tensor(made.compute())
