"""Speed at batch 1: what is timed, and what is not."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from motioncopy.batch import Appearance, Motion
from motioncopy.errors import BatchError
from motioncopy.method import Method, Stage
from motioncopy.metrics.speed import measure
from motioncopy.request import DataRequest, Regime, Trial

SIZE = (8, 8)


class Slow(Method[int]):
    """Takes its time to start and for every frame; holds the last ``late`` frames back."""

    regime: Regime = "general"  # type: ignore[misc]

    def __init__(self, late: int = 0, lost: int = 0) -> None:
        super().__init__(request=DataRequest(1, SIZE), normalisation="none")
        self.late, self.lost, self.chunks = late, lost, list[int]()
        self.network = nn.Linear(3, 5)

    @property
    def stages(self) -> Sequence[Stage]:
        return []

    def start(self, appearance: Appearance) -> int:
        time.sleep(0.1)
        return 0

    def step(self, state: int, motion: Motion) -> tuple[Tensor, int]:
        self.chunks.append(len(motion))
        time.sleep(0.004)
        state += len(motion)
        return torch.zeros(1 if state > self.late else 0, 3, *SIZE), state

    def finish(self, state: int) -> Tensor | None:
        return torch.zeros(self.late - self.lost, 3, *SIZE) if self.late > self.lost else None


def trial(frames: int = 3) -> Trial:
    black = torch.zeros(1, 1, 3, *SIZE, dtype=torch.uint8)
    motion = Motion(torch.ones(1, frames, 25, 3), "body25", SIZE)
    shown = Appearance(black, black[:, :, :1], motion.frames(0, 1), black[:, 0], person=("ann",))
    return Trial("a", "toy@1", "reconstruction", shown, motion, "ann", 25.0, None, (0, 0, 8, 8))


@pytest.mark.parametrize("late", [0, 2])
def test_frames_are_asked_for_one_by_one_and_the_start_is_not_timed(late: int) -> None:
    method = Slow(late)
    speed = measure(method, trial(), warm_up=4, frames=10)  # longer than the trial, which is repeated
    assert method.chunks == [1] * 14
    assert (speed.frames, speed.warm_up) == (10, 4)
    assert 60 < speed.fps < 250  # 4 ms a frame and overhead; with the start it would be below 60
    assert speed.parameters == 20
    assert speed.peak_memory_bytes > 1e7


def test_lost_frames_are_refused() -> None:
    with pytest.raises(BatchError, match="too few frames"):
        measure(Slow(late=2, lost=1), trial(), warm_up=2, frames=3)


def test_compiled_networks_are_timed_where_they_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    monkeypatch.setattr(nn.Module, "compile", lambda self: compiled.append(type(self).__name__))
    method = Slow()
    method.more = nn.ModuleDict({"a": nn.ModuleList([nn.Identity()])})
    measure(method, trial(), warm_up=1, frames=2)
    assert compiled == []
    assert measure(method, trial(), warm_up=1, frames=2, compiled=True).frames == 2
    assert compiled == ["Linear", "Identity"], "containers are never called themselves"
