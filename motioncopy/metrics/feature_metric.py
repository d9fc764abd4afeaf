"""Metrics over sets as torchmetrics ones: how they take features batch by batch, as sums or as rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.distributed
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from motioncopy.errors import BatchError
from motioncopy.metrics.frechet import ROWS, accumulate, check_features, frechet_distance, gaussian, moments
from motioncopy.metrics.set_metric import SetMetric
from motioncopy.metrics.store import FeatureStore, FeatureWriter, Part, Rows, Side

_SIDES: tuple[Side, Side] = ("generated", "real")


def side(real: bool) -> Side:
    """The set that a batch belongs to."""
    return "real" if real else "generated"


class FeatureMetric(SetMetric):
    """A metric over sets that is given features.

    Attributes:
        size: Numbers a feature d.
    """

    size: ClassVar[int]

    def forward(self, *args: Any, **kwargs: Any) -> None:
        """Adds features, like ``update``: a batch alone has no value."""
        self.update(*args, **kwargs)


class FrechetMetric(FeatureMetric):
    """Fréchet distance of two sets of features, kept as sums: its memory does not grow with the features."""

    generated_waiting: list[Tensor]
    real_waiting: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in _SIDES:
            self.add_state(f"{name}_sum", torch.zeros(self.size, dtype=torch.float64), dist_reduce_fx="sum")
            self.add_state(f"{name}_outer", torch.zeros(self.size, self.size).double(), dist_reduce_fx="sum")
            self.add_state(f"{name}_count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
            # Rows that are not in the sums yet: few at a time would cost as much as many.
            self.add_state(f"{name}_waiting", [], dist_reduce_fx="cat")

    def update(self, features: Tensor, *, real: bool) -> None:
        """Adds features.

        Args:
            features: ``(n, d)`` floating point.
            real: Whether they belong to the real set.

        Raises:
            BatchError: If the shape or the type is wrong, or a value is not finite.
        """
        check_features(features, self.size)
        waiting = self._state(side(real), "waiting")
        waiting.append(features.detach().to(torch.float64, copy=True))
        if sum(map(Tensor.numel, waiting)) >= ROWS * self.size:
            self._multiply(side(real))

    def compute(self) -> Tensor:
        """The distance, a float64 scalar.

        Raises:
            BatchError: If one of the sets has fewer than two features.
        """
        sets = []
        for name in _SIDES:
            self._multiply(name)
            total, outer, count = (self._state(name, part) for part in ("sum", "outer", "count"))
            sets.append(gaussian(total, outer, int(count)))
        return torch.tensor(frechet_distance(*sets), dtype=torch.float64)

    def distance(self, generated: Rows, real: Rows | None) -> float:
        """See :meth:`SetMetric.distance`."""
        assert real is not None
        return moments(generated).distance(moments(real))

    def sync(self, *args: Any, **kwargs: Any) -> None:
        """Adds up the sums of all processes; see torchmetrics."""
        for name in _SIDES:
            self._multiply(name)
        super().sync(*args, **kwargs)

    def _state(self, name: Side, part: str) -> Any:
        return getattr(self, f"{name}_{part}")

    def _multiply(self, name: Side) -> None:
        waiting = self._state(name, "waiting")
        if len(waiting):
            rows = torch.cat(waiting)
            accumulate(self._state(name, "sum"), self._state(name, "outer"), rows)
            count = self._state(name, "count")
            count += len(rows)
            waiting.clear()


class RowsMetric(FeatureMetric):
    """A metric that needs the features themselves: those of all processes, one process after the other.

    Args:
        folder: Where to keep them, of no other metric, and the same for all processes; ``None`` to keep them in memory.
        kwargs: Of torchmetrics.
    """

    generated: list[Tensor]
    real: list[Tensor]

    def __init__(self, folder: Path | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in _SIDES:
            self.add_state(name, [], dist_reduce_fx="cat")
        self._store = FeatureStore(folder) if folder is not None else None
        self._writers: dict[Side, FeatureWriter] = {}
        self._written: dict[Side, list[str]] = {name: [] for name in _SIDES}

    def update(self, features: Tensor, *, real: bool = False) -> None:
        """Adds features.

        Args:
            features: ``(n, d)`` floating point.
            real: Whether they belong to the real set; they are not kept if the metric does not look at it.

        Raises:
            BatchError: If the shape or the type is wrong, or a value is not finite.
            MotionCopyError: If they cannot be written.
        """
        check_features(features, self.size)
        name = side(real)
        if real and not self.needs_real:
            return
        if self._store is None:
            getattr(self, name).append(features.detach().to(torch.float32, copy=True))
            return
        if name not in self._writers:
            self._writers[name] = self._store.writer(self._next(name))
        self._writers[name].append(self.output.id, name, features)

    def compute(self) -> Tensor:
        """The value, a float64 scalar.

        Raises:
            BatchError: If there are too few features.
        """
        value = self.distance(self._rows("generated"), self._rows("real") if self.needs_real else None)
        return torch.tensor(value, dtype=torch.float64)

    def sync(self, *args: Any, **kwargs: Any) -> None:
        """Gathers the features that are kept in memory; see torchmetrics."""
        for name in _SIDES:
            kept = getattr(self, name)
            if len(kept) == 0:  # a process without features: gathering needs their length
                kept.append(torch.empty(0, self.size, device=self.device))
        super().sync(*args, **kwargs)

    def reset(self) -> None:
        """Forgets all features; files stay until others are written over them."""
        for writer in self._writers.values():
            writer.discard()
        self._writers, self._written = {}, {name: [] for name in _SIDES}
        super().reset()

    def _rows(self, name: Side) -> Rows:
        if self._store is None:
            kept = getattr(self, name)
            rows = dim_zero_cat(kept) if len(kept) else torch.empty(0, self.size)
            return Rows((Part("all", rows.numpy(force=True)),))
        if name in self._writers:
            self._writers.pop(name).commit()
            self._written[name].append(self._next(name))
        written = [self._written[name]]
        if _distributed() and self.sync_on_compute:
            written = [[] for _ in range(torch.distributed.get_world_size())]
            torch.distributed.all_gather_object(written, self._written[name])
        found = self._store.rows(self.output.id, name, [clip for clips in written for clip in clips])
        if found is None or not found.parts:
            raise BatchError(f"there are no {name} features")
        return found

    def _next(self, name: Side) -> str:
        """What this process's next file is called in place of a clip; the names sort by process, then by time."""
        rank = torch.distributed.get_rank() if _distributed() else 0
        return f"{rank:05d}-{len(self._written[name]):05d}"


def _distributed() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()
