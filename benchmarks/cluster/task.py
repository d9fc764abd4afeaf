"""What runs inside a SLURM job: one benchmark job, which survives preemption and time limits."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from benchmarks.bench import runner
from benchmarks.bench.jobs import Job
from benchmarks.loggers.results import log_record
from motioncopy.errors import BusyError

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

#: Seconds that a warned job waits for its end; longer than any grace time that is sensible before a requeue.
PATIENCE = 1800.0
#: Seconds that what is left of the run's previous process may hold its folder: a node that died gives its file locks
#: back when the file server notices.
LEFTOVER = 300.0


#: Begins the last line of the trace of a run that failed; what follows is the id of the record that it left.
RECORD = "record: "


class _Warned(BaseException):
    """SLURM has said that it will end this job. Not an Exception: a run must not take it for a failure of its own."""


class ClusterTask:
    """Runs one job; submitit calls it inside the SLURM job, and again after each requeue.

    A fit is a process of its own whose checkpoints are at most two minutes old, so that it is simply ended when the
    job has to go, and :func:`benchmarks.bench.runner.run` goes on from the last checkpoint. Two signals say so:

    - SIGUSR2, before the time limit, or at a preemption where the cluster is set to send the user's signal: submitit
      calls :meth:`checkpoint` and requeues the job.
    - SIGTERM, at a preemption or a requeue by SLURM itself, or when somebody cancels the job: requeueing is not ours
      to decide. The fit is ended before it could be recorded as failed, and SLURM's kill is waited for.

    Args:
        job: What to run.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._leaving = False

    def __call__(self) -> str:
        """Runs the job to its end.

        Returns:
            The record's id.

        Raises:
            MotionCopyError: What :func:`benchmarks.bench.runner.run` raises.
        """
        _be_one_task(self.job.devices)
        signal.signal(signal.SIGTERM, self._warn)
        busy, busy_until = False, time.monotonic() + LEFTOVER
        while True:
            try:
                if busy:
                    time.sleep(5)
                return runner.run(self.job, listeners=[log_record]).id
            except BusyError:
                if time.monotonic() > busy_until:
                    raise
                busy = True
            except runner.RunError as error:
                error.add_note(f"{RECORD}{error.record.id}")  # stands in the trace, which is all that gets back
                raise
            except _Warned:
                print("SLURM is about to end this job: the run was stopped, and goes on where it is called again")
                time.sleep(PATIENCE)
                print("It did not end it; going on")
                self._leaving = False

    def checkpoint(self) -> DelayedSubmission:
        """Ends what was started; called by submitit before it requeues the job.

        Returns:
            What the requeued job calls: the same again.
        """
        from submitit.helpers import DelayedSubmission

        self._leaving = True
        _end_descendants()
        return DelayedSubmission(ClusterTask(self.job))

    def _warn(self, signum: int, frame: FrameType | None) -> None:
        if not self._leaving:
            # Now, and all of them: children of a DDP run would outlive the first, which alone is ended by what follows.
            self._leaving = True  # a second warning changes nothing
            _end_descendants()
            raise _Warned


def _be_one_task(devices: int) -> None:
    """Tells what is started here that it is no task of SLURM's: Lightning starts its processes by itself.

    A job is one SLURM task, whatever it trains with. Lightning would take SLURM's number of tasks for its own number of
    processes, and requeue the job by itself; by this name it leaves that alone.
    """
    os.environ["SLURM_JOB_NAME"] = "interactive"
    if (cores := os.environ.get("SLURM_CPUS_PER_TASK")) is not None:
        # Where no cgroup holds a job to its cores, PyTorch starts a thread for each core of the node.
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, int(cores) // devices)))


def _end_descendants() -> None:
    """Kills all that this process has started, and what that has started."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            # pid (name) state parent ...; the name may hold anything
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    todo = list(children.get(os.getpid(), ()))
    for pid in todo:
        todo += children.get(pid, ())
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
