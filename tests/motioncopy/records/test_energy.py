"""Energy from counters that lie in a folder of the tests' own, and from a module that stands for NVIDIA's."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from motioncopy.records.energy import EnergyMeter, gpus, packages

RANGE = 1_000_000_000


def zone(folder: Path, name: str, kind: str, microjoules: int = 0) -> Path:
    path = folder / name
    path.mkdir(parents=True)
    (path / "name").write_text(f"{kind}\n")
    (path / "max_energy_range_uj").write_text(f"{RANGE}\n")
    count(path, microjoules)
    return path


def count(path: Path, microjoules: int) -> None:
    (path / "energy_uj").write_text(f"{microjoules}\n")


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


def test_packages_are_counted_once_and_their_parts_not_at_all(tmp_path: Path) -> None:
    one, two = (zone(tmp_path, f"intel-rapl:{i}", f"package-{i}", 10_000_000) for i in range(2))
    other = [
        zone(tmp_path, "intel-rapl:0:0", "core"),
        zone(tmp_path, "intel-rapl:0:1", "dram"),
        zone(tmp_path, "intel-rapl:2", "psys"),
        zone(tmp_path, "intel-rapl-mmio:0", "package-0"),
    ]
    with EnergyMeter(powercap=tmp_path) as meter:
        count(one, 12_500_000)
        count(two, 11_000_000)
        for path in other:
            count(path, 900_000_000)
        assert meter.joules is None, "before the end"
    assert meter.joules == pytest.approx(3.5)
    assert meter.source == "rapl (2 packages)"
    assert meter.to_dict() == {"joules": meter.joules, "source": "rapl (2 packages)"}


def test_a_counter_that_overflows_goes_on(tmp_path: Path) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0", RANGE - 1_000_000)
    with EnergyMeter(powercap=tmp_path) as meter:
        count(package, 2_000_000)
    assert meter.joules == pytest.approx(3.0, abs=1e-3)
    assert meter.source == "rapl (1 package)"


def test_a_counter_that_overflows_several_times_is_read_in_between(tmp_path: Path) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0", 0)
    with EnergyMeter(powercap=tmp_path, interval=0.005) as meter:
        for microjoules in (600_000_000, 200_000_000, 800_000_000, 400_000_000):
            aside = package / "aside"
            aside.write_text(str(microjoules))
            aside.replace(package / "energy_uj")
            time.sleep(0.1)
    assert meter.joules == pytest.approx(2400, abs=0.01)


def test_where_nothing_can_be_read_nothing_is_said(tmp_path: Path) -> None:
    with EnergyMeter(powercap=tmp_path / "nowhere") as meter:
        pass
    assert (meter.joules, meter.source) == (None, None)


def test_half_a_machine_is_not_the_whole(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", "package-0")
    unreadable = zone(tmp_path, "intel-rapl:1", "package-1")
    (unreadable / "energy_uj").unlink()
    (unreadable / "energy_uj").mkdir()  # root may read anything: a folder it cannot read as a file
    assert packages(tmp_path) == []


def test_a_counter_that_breaks_gives_nothing_and_stops_nothing(tmp_path: Path) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0")
    with EnergyMeter(powercap=tmp_path) as meter:
        (package / "energy_uj").write_text("")
    assert (meter.joules, meter.source) == (None, None)


def test_gpus_are_added_to_packages(tmp_path: Path, nvml: FakeNVML) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0")
    with EnergyMeter(2, powercap=tmp_path) as meter:
        nvml.counts = [6_000, 7_500]
        count(package, 250_000)
    assert meter.joules == pytest.approx(1.75)
    assert meter.source == "rapl (1 package) + nvml (2 GPUs)"
    with EnergyMeter(1, powercap=tmp_path / "nowhere") as meter:
        nvml.counts = [8_000, 9_500]
    assert meter.to_dict() == {"joules": 2.0, "source": "nvml (1 GPU)"}


@pytest.mark.parametrize("visible", ["1", "GPU-1", " 1 ,0"])
def test_the_gpus_that_cuda_shows_are_read(
    visible: str, tmp_path: Path, nvml: FakeNVML, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with EnergyMeter(1, powercap=tmp_path) as meter:
        nvml.counts = [99_000, 7_250]
    assert meter.joules == pytest.approx(0.25)


def test_of_work_on_a_gpu_the_packages_alone_say_too_little(
    tmp_path: Path, nvml: FakeNVML, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone(tmp_path, "intel-rapl:0", "package-0")
    nvml.counts = [5_000, None]
    for visible in ("0,1", "0"):  # one cannot be read; there are fewer than are used
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        with EnergyMeter(2, powercap=tmp_path) as meter:
            pass
        assert meter.to_dict() == {"joules": None, "source": None}
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert gpus(1) == []


def test_no_gpu_is_asked_where_none_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Any:
        raise AssertionError

    monkeypatch.setitem(sys.modules, "pynvml", SimpleNamespace(nvmlInit=refuse))
    assert gpus(0) == []
