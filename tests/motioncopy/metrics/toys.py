"""Metrics and an extractor that can be computed by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from motioncopy.metrics.catalogue import METRICS, Kind
from motioncopy.metrics.clip import Chunk, Extractor, Input, Output, Seen, Stream
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.features import Rows, SetMetric, Side
from motioncopy.metrics.metric import ClipMetric


class Means(Extractor):
    """The mean of each channel; counts the frames that it has looked at."""

    name = "means"
    outputs = ("colour", "pairs")
    looked: ClassVar[int] = 0

    def start(self) -> Stream:
        return MeansStream(self.wanted)


class MeansStream:
    def __init__(self, wanted: set[str]) -> None:
        self.wanted, self.last = wanted, torch.empty(0, 3)

    def update(self, frames: Tensor) -> Mapping[str, Tensor]:
        Means.looked += len(frames)
        colour = frames.float().mean(dim=(2, 3))
        together = torch.cat([self.last, colour])
        found = {"colour": colour, "pairs": torch.cat([together[:-1], together[1:]], dim=1)}
        self.last = colour[-1:]
        return {name: rows for name, rows in found.items() if name in self.wanted}


def define(key: str) -> Definition:
    return Definition(key, key, "lower", "", "this file", "see this file")


COLOUR, PAIRS = Output(Means, "colour"), Output(Means, "pairs")


class Jump(ClipMetric):
    """How much the brightness changes from the frame before."""

    definition = define("jump/toy@1")
    sees = (Seen(COLOUR, "generated"),)

    def per_frame(self, chunk: Chunk) -> Tensor:
        now = chunk.generated.double().mean(dim=(1, 2, 3))
        first = now.new_full((1,), torch.nan)
        if chunk.previous is not None:
            first = chunk.previous.generated.double().mean().reshape(1)
        torch.testing.assert_close(chunk.found[self.sees[0]].double().mean(dim=1), now)
        return (now - torch.cat([first, now[:-1]])).abs()


class Posed(ClipMetric):
    """The mean confidence of the pose that was asked for."""

    definition = define("posed/toy@1")
    inputs: ClassVar[frozenset[Input]] = frozenset({"joints"})

    def per_frame(self, chunk: Chunk) -> Tensor:
        assert chunk.joints is not None
        return chunk.joints[..., 2].mean(dim=1).double()


class Large(Posed):
    """For large frames only."""

    definition = define("large/toy@1")
    least_side = 1000


class _ToySet(SetMetric):
    def keep(self, features: Tensor, side: Side) -> None:
        raise AssertionError("toys are scored from a store only")

    def compute(self) -> Tensor:
        raise AssertionError("toys are scored from a store only")


class Colours(_ToySet):
    """How far apart the mean colours of two sets are."""

    definition = define("colours/toy@1")
    output = COLOUR
    least = 4
    resamples = 50

    def distance(self, generated: Rows, real: Rows | None) -> float:
        assert real is not None
        return float(np.linalg.norm(_mean(generated) - _mean(real)))


class Spread(_ToySet):
    """The standard deviation of neighbours' colours, of one set alone."""

    definition = define("spread/toy@1")
    output = PAIRS
    samples = "pairs"
    least = 3
    needs_real = False

    def distance(self, generated: Rows, real: Rows | None) -> float:
        assert real is None
        return float(np.concatenate(list(generated.blocks())).astype(np.float64).std())


def _mean(rows: Rows) -> np.ndarray:
    return np.asarray(sum(block.sum(axis=0, dtype=np.float64) for block in rows.blocks()) / len(rows))


TOYS: dict[str, Kind] = {m.definition.key: m for m in (Jump, Posed, Large, Colours, Spread)}


@contextmanager
def toys() -> Iterator[list[str]]:
    """The toys stand in the catalogue; gives their keys."""
    Means.looked = 0
    with patch.dict(METRICS, TOYS):
        yield list(TOYS)
