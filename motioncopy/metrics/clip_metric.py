"""Metrics that give every frame of a clip a number: what all of them share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from torchmetrics import Metric

from motioncopy.metrics.chunk import NAMES, Chunk, Input
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.extractor import Found, Seen
from motioncopy.metrics.networks import Provider, published


class ClipMetric(Metric):
    """The mean of one number a frame, over all frames that were seen on all processes.

    Args:
        networks: Where pretrained weights come from; a metric without a network of its own does not ask.
        kwargs: Of torchmetrics.

    A subclass states its :attr:`definition` and computes :meth:`values`. Sums are kept in float64, so that the
    mean does not depend on how frames are spread over batches and processes (1e-12 relative).

    Attributes:
        definition: What the metric is.
        inputs: What :meth:`values` cannot do without, besides the generated frames.
        sees: What :meth:`values` needs of extractors.
        least_side: Frames of fewer pixels a side have no value.
        networks: The pretrained networks that give the values: name to SHA-256 of the weights' file.
        total: Sum over the frames counted.
        counted: Number of frames counted.
        skipped: Number of frames without a value.
    """

    definition: ClassVar[Definition]
    inputs: ClassVar[frozenset[Input]] = frozenset()
    sees: ClassVar[tuple[Seen, ...]] = ()
    least_side: ClassVar[int] = 1
    full_state_update = False
    is_differentiable = False
    total: Tensor
    counted: Tensor
    skipped: Tensor

    def __init__(self, *, networks: Provider = published, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.networks: Mapping[str, str] = {}
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("counted", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("skipped", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    @abstractmethod
    def values(self, chunk: Chunk, found: Found) -> Tensor:
        """The value of every frame.

        Args:
            chunk: Consecutive frames of a clip; all of :attr:`inputs` are there.
            found: What extractors saw in them; all of :attr:`sees` is there.

        Returns:
            ``(n,)`` float64; NaN for a frame that has no value and is skipped.

        Raises:
            BatchError: If the frames cannot be scored.
        """

    def unfit(self, chunk: Chunk) -> str | None:
        """Why clips like this have no value of this metric, or ``None`` if they have."""
        for name in sorted(self.inputs - chunk.inputs):
            return f"the clip has no {NAMES[name]}"
        if min(chunk.size) < self.least_side:
            return f"the frames are smaller than {self.least_side} pixels a side"
        return None

    def update(self, chunk: Chunk, found: Found) -> None:
        """Adds frames; the arguments are those of :meth:`values`."""
        self.add(self.values(chunk, found))

    def add(self, values: Tensor) -> None:
        """Adds the values of frames, ``(n,)``; NaN is skipped."""
        values = values.to(self.total)
        absent = values.isnan()
        self.total += values.masked_fill(absent, 0.0).sum()
        self.counted += (~absent).sum()
        self.skipped += absent.sum()

    def compute(self) -> Tensor:
        """The mean, a float64 scalar; NaN if no frame was counted."""
        return self.total / self.counted
