"""Energy from a module that stands for NVIDIA's."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from motioncopy.records.energy import EnergyMeter, gpus


class FakeNVML:
    """Two GPUs that count millijoules."""

    NVMLError = RuntimeError

    def __init__(self, *counts: int | None) -> None:
        self.counts = list(counts)

    def nvmlInit(self) -> None: ...

    def nvmlDeviceGetCount(self) -> int:
        return len(self.counts)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetHandleByUUID(self, name: str) -> int:
        return int(name.removeprefix("GPU-"))

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:
        found = self.counts[handle]
        if found is None:
            raise RuntimeError("Not Supported")
        return found


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> FakeNVML:
    fake = FakeNVML(5_000, 7_000)
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return fake


def test_gpus_are_added_up(nvml: FakeNVML) -> None:
    with EnergyMeter(2) as meter:
        nvml.counts = [6_000, 7_500]
        assert meter.joules is None, "before the end"
    assert meter.to_dict() == {"joules": 1.5, "source": "nvml (2 GPUs)"}
    with EnergyMeter(1) as meter:
        nvml.counts = [8_000, 9_500]
    assert meter.to_dict() == {"joules": 2.0, "source": "nvml (1 GPU)"}


def test_a_counter_that_breaks_gives_nothing_and_stops_nothing(nvml: FakeNVML) -> None:
    with EnergyMeter(1) as meter:
        nvml.counts = [None, None]
    assert (meter.joules, meter.source) == (None, None)


@pytest.mark.parametrize("visible", ["1", "GPU-1", " 1 ,0"])
def test_the_gpus_that_cuda_shows_are_read(visible: str, nvml: FakeNVML, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with EnergyMeter(1) as meter:
        nvml.counts = [99_000, 7_250]
    assert meter.joules == pytest.approx(0.25)


def test_some_of_the_gpus_are_not_all(nvml: FakeNVML, monkeypatch: pytest.MonkeyPatch) -> None:
    nvml.counts = [5_000, None]
    for visible in ("0,1", "0"):  # one cannot be read; there are fewer than are used
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        with EnergyMeter(2) as meter:
            pass
        assert meter.to_dict() == {"joules": None, "source": None}
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert gpus(1) == []


def test_no_gpu_is_asked_where_none_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Any:
        raise AssertionError

    monkeypatch.setitem(sys.modules, "pynvml", SimpleNamespace(nvmlInit=refuse))
    assert gpus(0) == []
    with EnergyMeter() as meter:
        pass
    assert (meter.joules, meter.source) == (None, None)
