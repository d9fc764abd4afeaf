"""What NVIDIA's GPUs use while something runs, by their own counters.

They count everything that runs on a GPU, not one process: where something else runs too, the energy is an upper bound.
They are read through the package nvidia-ml-py, which need not be there; what cannot be read is left out. Processors are
not read: Linux lets only root do that.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self


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
        """Joules.

        Raises:
            OSError: If it cannot be read.
        """
        try:
            return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1e3
        except self._nvml.NVMLError as error:
            raise OSError(f"the GPU does not say what it uses: {error}") from error


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
            return sum(counter.read() for counter in self._counters) if self._counters else None
        except OSError:
            return None
