"""How long a run will take: as long as such runs have taken before."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.bench.jobs import Job
from motioncopy.records import Record


@dataclass(frozen=True)
class Estimate:
    """How long a run will take.

    Attributes:
        seconds: The median of such runs; ``None`` if there was none.
        bound: Whether it is at most so long, for instance because an ablation takes over stages.
        elsewhere: Whether those ran on another machine.
    """

    seconds: float | None
    bound: bool = False
    elsewhere: bool = False


class Estimator:
    """Knows the runs that there were.

    Args:
        records: Of any methods and data sets; failed ones are left aside.
        cpu: This machine's processor; where runs on it are known, others do not count.
        gpu: Its GPU, if it has one.
    """

    def __init__(self, records: Iterable[Record], cpu: str, gpu: str | None) -> None:
        self._seconds: dict[tuple[str, ...], dict[bool, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._bounds: set[tuple[str, ...]] = set()
        for r in records:
            if r.kind != "measured" or r.status != "finished" or r.device is None:
                continue
            # The clock of a resumed run has seen its end only.
            took = max(r.costs.wall_seconds or 0.0, own_training(r))
            here = (r.device.cpu, r.device.gpu) == (cpu, gpu)
            if took:  # a baseline has no training, and older records no time by the clock
                names = (r.method, r.data, r.variant or "", r.preset or "", r.ablation or "")
                key = (*names, *_manner(r.config, r.changed))
                self._seconds[key][here].append(took)
                if r.ablation and r.costs.wall_seconds is None:
                    self._bounds.add(key)  # an older record, which does not say what it took over

    def of(self, job: Job, done: Record | None = None) -> Estimate:
        """How long a job will take: not at all if it has finished."""
        if done is not None:
            return Estimate(0.0)
        s = job.stack
        ablation = "+".join(o for o in s.all_overlays() if o in s.overlays)
        manner = _manner(job.config, job.changed)
        found = self._of((s.method, s.data, s.variant, s.preset, ablation, *manner))
        if found.seconds is None and ablation:
            return replace(self._of((s.method, s.data, s.variant, s.preset, "", *manner)), bound=True)
        return found

    def _of(self, key: tuple[str, ...]) -> Estimate:
        known = self._seconds.get(key, {})
        times = known.get(True) or known.get(False) or []
        if not times:
            return Estimate(None)
        return Estimate(statistics.median(times), key in self._bounds, elsewhere=True not in known)


def own_training(record: Record) -> float:
    """Seconds of training that a run did itself: a stage that it took over was trained, and counts, elsewhere."""
    training = record.training
    return sum(
        t for stage, t in record.costs.train_seconds.items() if stage not in training or not training[stage].taken_over
    )


def _manner(config: Mapping[str, Any], changed: bool) -> tuple[str, ...]:
    """What else the time depends on: a time budget, processes, precision, values changed by hand."""
    trainer = config.get("trainer") or {}
    values = (config.get("minutes"), trainer.get("devices", 1), trainer.get("precision", "32"), changed)
    return tuple(map(str, values))


def spoken(seconds: float) -> str:
    """A time as one says it: ``40 s``, ``7 min``, ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
