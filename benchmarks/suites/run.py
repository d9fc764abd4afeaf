"""Runs a plan on this machine, one run after another; and what came of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field

from benchmarks.bench import runner
from benchmarks.loggers.results import log_record
from benchmarks.suites.estimate import spoken
from benchmarks.suites.plan import Plan, Planned
from motioncopy.errors import BusyError, MotionCopyError, TrainingError
from motioncopy.records import Record

#: Less than this, and a checkpoint of the larger presets has no room.
_LEAST_SPACE = 2 * 2**30
_POLL_SECONDS = 5.0
#: Counts the GPUs that can be written to: one that is counted by its driver may not work any more.
_COUNT_GPUS = """
import torch
count = 0
for index in range(torch.cuda.device_count()):
    try:
        torch.zeros(1, device=f"cuda:{index}")
        count += 1
    except RuntimeError:
        pass
print(count)
"""


@dataclass
class Outcome:
    """What came of a plan.

    Attributes:
        finished: Record of each run that finished, now or before, by job id.
        failed: Reason of each that did not, by job id.
        failures: The records that those left, by job id, where they came so far.
        stopped: Why the rest was not run: going on was pointless, since the disk is full or a GPU is gone.
    """

    finished: dict[str, Record] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    failures: dict[str, Record] = field(default_factory=dict)
    stopped: MotionCopyError | None = None


def run(plan: Plan) -> Outcome:
    """Runs what has not finished; a failure is kept, and the next run begins.

    What another process is running (the same command, called twice, shares its work) comes last, and is waited for.

    One that has finished is asked for too: it is run anew should its data have changed since.
    """
    outcome = Outcome()
    waiting = list(plan.runs)
    gpus = _gpus() if plan.open else 0
    announced: set[str] = set()
    while waiting:
        busy: list[Planned] = []
        for place, planned in enumerate(waiting):
            if {p.job.id for p in busy} & set(planned.after):
                busy.append(planned)  # it would train what is being trained
                continue
            if planned.done is None:
                try:
                    _refuse_full_disk(plan)
                    _refuse_lost_gpu(gpus)
                except TrainingError as error:
                    outcome.stopped = error
                    return outcome
                number_of_all = len(outcome.finished) + len(outcome.failed) + 1
                left = time_left(waiting[place:])
                print(f"\n[{number_of_all}/{len(plan.runs)}] {title(planned)}; left in all: {left}")
            try:
                outcome.finished[planned.job.id] = runner.run(planned.job, quiet=True, listeners=[log_record])
            except BusyError:
                busy.append(planned)
            except Exception as error:  # noqa: BLE001, whatever ends one run, the others go on
                outcome.failed[planned.job.id] = str(error) or type(error).__name__
                if isinstance(error, runner.RunError):
                    outcome.failures[planned.job.id] = error.record
                elif not isinstance(error, MotionCopyError):
                    traceback.print_exc()
                print(f"Failed: {title(planned)}. {outcome.failed[planned.job.id]}")
        if len(busy) == len(waiting):
            if new := [p for p in busy if p.job.id not in announced]:
                print(f"Waiting for another process, which runs {'; '.join(title(p) for p in new)}")
                announced |= {p.job.id for p in new}
            time.sleep(_POLL_SECONDS)
        waiting = busy
    return outcome


def title(run: Planned) -> str:
    """What a run is, in a few words."""
    words = [run.job.stack.method, "+".join(run.job.stack.overlays), run.job.stack.data, run.person or ""]
    return ", ".join([*filter(None, words), f"seed {run.job.seed}"])


def time_left(runs: Iterable[Planned]) -> str:
    """How long these will take, as far as such runs are known."""
    estimates = [run.estimate for run in runs if run.done is None]
    unknown = sum(e.seconds is None for e in estimates)
    known = sum(e.seconds for e in estimates if e.seconds is not None)
    bound = "at most " if any(e.bound for e in estimates) else "about "
    if unknown == len(estimates):
        return "unknown" if estimates else "nothing"
    where = " (by another machine's times)" if any(e.elsewhere for e in estimates) else ""
    return bound + spoken(known) + where + (f", and {unknown} runs of unknown length" if unknown else "")


def _refuse_full_disk(plan: Plan) -> None:
    folder = plan.options.runs
    while not folder.exists():
        folder = folder.absolute().parent
    free = shutil.disk_usage(folder).free
    if free < _LEAST_SPACE:
        raise TrainingError(
            "the disk of the runs is nearly full",
            expected=f"{_LEAST_SPACE / 2**30:.0f} GiB free",
            found=f"{free / 2**30:.1f} GiB",
            remedy="free some, and call again: what has finished is kept",
        )


def _gpus() -> int:
    """GPUs that work, seen by a process of its own: this one would remember what it saw first."""
    if shutil.which("nvidia-smi") is None:
        return 0
    done = subprocess.run([sys.executable, "-c", _COUNT_GPUS], capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip().isdigit() else 0


def _refuse_lost_gpu(before: int) -> None:
    if before and (now := _gpus()) < before:
        raise TrainingError(
            "a GPU was lost while the suite ran",
            expected=f"{before} GPUs",
            found=f"{now}",
            remedy="see nvidia-smi, then call again: what has finished is kept",
        )
