"""What a machine uses while something runs: Intel's and AMD's RAPL counters, and those of NVIDIA's GPUs.

Both count everything that runs on the packages and the GPUs, not one process: where something else runs too, the
energy is an upper bound. The kernel lets only root read RAPL unless an administrator says otherwise, and NVIDIA's
counters are read through the package nvidia-ml-py, which need not be there; what cannot be read is left out.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

#: Where Linux shows the counters.
POWERCAP = Path("/sys/class/powercap")
# A package's counter overflows at 65 kJ or more (at 262 kJ on most): a server of 500 W needs more than two minutes.
_INTERVAL = 30.0


class Counter(Protocol):
    """Counts energy from an arbitrary beginning."""

    def read(self) -> float:
        """Joules.

        Raises:
            OSError: If it cannot be read.
        """


class PackageCounter:
    """The counter of one processor package, ``intel-rapl:N``, which begins again at zero when it is full.

    Args:
        zone: Its folder.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it holds no number.
    """

    def __init__(self, zone: Path) -> None:
        self._file = zone / "energy_uj"
        self._range = int((zone / "max_energy_range_uj").read_text())
        self._last, self._sum = self._raw(), 0

    def _raw(self) -> int:
        return int(self._file.read_text())

    def read(self) -> float:
        """See :class:`Counter`; right if it is called at least once between two overflows."""
        now = self._raw()
        self._sum += (now - self._last) % (self._range + 1)
        self._last = now
        return self._sum / 1e6


class GPUCounter:
    """The counter of one NVIDIA GPU since its driver was loaded; GPUs older than Volta have none.

    Args:
        nvml: The module ``pynvml``, initialised.
        handle: Of the GPU.

    Raises:
        OSError: If it cannot be read.
    """

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml, self._handle = nvml, handle
        self.read()

    def read(self) -> float:
        """See :class:`Counter`."""
        try:
            return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1e3
        except self._nvml.NVMLError as error:
            raise OSError(f"the GPU does not say what it uses: {error}") from error


def packages(powercap: Path = POWERCAP) -> list[PackageCounter]:
    """The counters of all processor packages; none where they are not there or may not be read.

    Cores and memory are zones below a package, ``psys`` contains the packages, and ``intel-rapl-mmio`` shows the same
    ones again: none of these is counted.
    """
    counters = []
    for zone in sorted(powercap.glob("intel-rapl:*")):
        try:
            if zone.name.count(":") == 1 and (zone / "name").read_text().startswith("package"):
                counters.append(PackageCounter(zone))
        except (OSError, ValueError):
            return []  # half of a machine would pass for the whole
    return counters


def gpus(count: int) -> list[GPUCounter]:
    """The counters of the first GPUs that CUDA shows to this process; none where one of them cannot be read.

    Args:
        count: How many are used.
    """
    if not count:
        return []
    try:
        import pynvml  # of the package nvidia-ml-py
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
        return [GPUCounter(pynvml, _handle(pynvml, name)) for name in _visible(pynvml, count)]
    except (pynvml.NVMLError, OSError, ValueError):
        return []


def _visible(nvml: Any, count: int) -> Sequence[str]:
    """Numbers or UUIDs of the GPUs in use.

    CUDA counts in NVML's order where all GPUs are alike, or where CUDA_DEVICE_ORDER=PCI_BUS_ID says so.

    Raises:
        ValueError: If there are fewer.
    """
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = given.split(",") if given is not None else [str(i) for i in range(nvml.nvmlDeviceGetCount())]
    if len(names) < count:
        raise ValueError(f"{count} GPUs are used, {len(names)} are visible")
    return [name.strip() for name in names[:count]]


def _handle(nvml: Any, name: str) -> Any:
    # A slice of a GPU (MIG-...) has no counter of its own, which reading it says.
    return nvml.nvmlDeviceGetHandleByIndex(int(name)) if name.isdigit() else nvml.nvmlDeviceGetHandleByUUID(name)


class EnergyMeter:
    """Measures between entering and leaving a ``with`` block, on this machine alone.

    Args:
        gpus: How many of this machine's GPUs are used.
        powercap: Where the packages' counters lie.
        interval: Seconds between readings: counters overflow.

    Attributes:
        joules: Of packages and GPUs together, set on leaving; ``None`` where nothing can be read, or where GPUs are
            used and cannot be read.
        source: What was read, such as ``rapl (2 packages) + nvml (1 GPU)``; ``None`` likewise.
    """

    def __init__(self, gpus: int = 0, *, powercap: Path = POWERCAP, interval: float = _INTERVAL) -> None:
        self.joules: float | None = None
        self.source: str | None = None
        self._gpus, self._powercap, self._interval = gpus, powercap, interval
        self._counters: list[Counter] = []
        self._left = threading.Event()

    def __enter__(self) -> Self:
        self.joules = self.source = None
        self._left.clear()
        boards, sockets = gpus(self._gpus), packages(self._powercap)
        self._counters = [*sockets, *boards]
        if not self._counters or (self._gpus and not boards):  # of a GPU's work the packages are the smaller part
            self._counters = []
            return self
        named = [(len(sockets), "rapl", "package"), (len(boards), "nvml", "GPU")]
        self._source = " + ".join(f"{s} ({n} {unit}{'s' if n > 1 else ''})" for n, s, unit in named if n)
        self._begin = self._read()
        self._thread = threading.Thread(target=self._watch, name="energy", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._counters:
            return
        self._left.set()
        self._thread.join()
        begin, end = self._begin, self._read()
        if begin is not None and end is not None:
            self.joules, self.source = end - begin, self._source
        self._counters = []

    def to_dict(self) -> dict[str, Any]:
        """``joules`` and ``source``, ready for JSON."""
        return {"joules": self.joules, "source": self.source}

    def _watch(self) -> None:
        while not self._left.wait(self._interval):
            self._read()

    def _read(self) -> float | None:
        try:
            return sum(counter.read() for counter in self._counters)
        except (OSError, ValueError):
            return None
