"""What NVIDIA's GPUs use while something runs, by their own counters.

They count everything that runs on a GPU, not one process: where something else runs too, the energy is an upper bound.
They are read through the package nvidia-ml-py, which need not be there; what cannot be read is left out. Processors are
not read: Linux lets only root do that.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Self


def gpus(count: int) -> list[Callable[[], float]]:
    """Reads, in joules since the driver was loaded, the counters of the first GPUs that CUDA shows to this process.

    CUDA counts in NVML's order where all GPUs are alike, or where CUDA_DEVICE_ORDER=PCI_BUS_ID says so.

    Args:
        count: How many are used.

    Returns:
        One function a GPU, which raises OSError if it cannot be read; none where one of them has no counter, as those
        older than Volta.
    """
    if not count:
        return []
    try:
        import pynvml  # of the package nvidia-ml-py
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
        given = os.environ.get("CUDA_VISIBLE_DEVICES")
        names = given.split(",") if given is not None else [str(i) for i in range(pynvml.nvmlDeviceGetCount())]
        counters = [partial(_joules, pynvml, _handle(pynvml, name.strip())) for name in names[:count]]
        for read in counters:
            read()
    except (pynvml.NVMLError, OSError, ValueError):
        return []
    return list(counters) if len(counters) == count else []


def _handle(nvml: Any, name: str) -> Any:
    # A slice of a GPU (MIG-...) has no counter of its own, which reading it says.
    return nvml.nvmlDeviceGetHandleByIndex(int(name)) if name.isdigit() else nvml.nvmlDeviceGetHandleByUUID(name)


def _joules(nvml: Any, handle: Any) -> float:
    try:
        return float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3
    except nvml.NVMLError as error:
        raise OSError(f"the GPU does not say what it uses: {error}") from error


class EnergyMeter:
    """Measures between entering and leaving a ``with`` block, on this machine alone.

    Args:
        gpus: How many of this machine's GPUs are used.

    Attributes:
        joules: Of these GPUs together, set on leaving; ``None`` where none is used, or one cannot be read.
        source: What was read, such as ``nvml (1 GPU)``; ``None`` likewise.
    """

    def __init__(self, gpus: int = 0) -> None:
        self.joules: float | None = None
        self.source: str | None = None
        self._gpus = gpus

    def __enter__(self) -> Self:
        self.joules = self.source = None
        self._counters = gpus(self._gpus)
        self._begin = self._read()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end, count = self._read(), len(self._counters)
        if self._begin is not None and end is not None:
            self.joules, self.source = end - self._begin, f"nvml ({count} GPU{'s' if count > 1 else ''})"

    def to_dict(self) -> dict[str, Any]:
        """``joules`` and ``source``, ready for JSON."""
        return {"joules": self.joules, "source": self.source}

    def _read(self) -> float | None:
        try:
            return sum(read() for read in self._counters) if self._counters else None
        except OSError:
            return None
