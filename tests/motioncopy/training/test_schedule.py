"""Adam and its linear decay."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from motioncopy.errors import ConfigError
from motioncopy.request import DataRequest
from motioncopy.training.schedule import Schedule, SequenceSchedule


def test_the_rate_falls_linearly_over_the_last_epochs() -> None:
    adam, decay = Schedule(epochs=6, decay_epochs=3, learning_rate=1.0).optimizer(nn.Linear(1, 1))
    rates = []
    for _ in range(6):
        rates.append(adam.param_groups[0]["lr"])
        adam.step()
        decay.step()
    assert rates == pytest.approx([1, 1, 1, 0.75, 0.5, 0.25])


def test_without_decay_it_stays_and_only_what_is_trained_is_in_it() -> None:
    frozen = nn.Linear(2, 2).requires_grad_(False)
    adam, decay = Schedule(learning_rate=0.1, betas=(0.1, 0.2)).optimizer(nn.Linear(3, 1), None, frozen)
    assert sum(p.numel() for group in adam.param_groups for p in group["params"]) == 4
    assert adam.param_groups[0]["betas"] == (0.1, 0.2)
    for _ in range(20):
        adam.step()
        decay.step()
    assert torch.tensor(adam.param_groups[0]["lr"]).item() == pytest.approx(0.1)


def test_what_a_schedule_asks_of_the_data() -> None:
    base = DataRequest(1, (16, 16), pad=1, crop="person")
    found = Schedule(batch_size=4, batches=3).request(base, window=2)
    assert found == DataRequest(4, (16, 16), window=2, pad=1, crop="person", batches=3)
    assert SequenceSchedule(frames=6, batch_size=2).request(base).window == 6
    with pytest.raises(ConfigError, match="frames=0, chunk=4"):
        SequenceSchedule(frames=0)
