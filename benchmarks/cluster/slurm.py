"""A SLURM cluster as the engine sees it: submits through submitit, and asks what has become of a job."""

from __future__ import annotations

import getpass
import importlib.util
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmarks.bench.jobs import Job
from benchmarks.cluster.options import ClusterOptions
from benchmarks.cluster.task import ClusterTask
from motioncopy.errors import ClusterError

if TYPE_CHECKING:
    from submitit import AutoExecutor

State = Literal["queued", "running", "held"]

#: States of squeue's in which a job occupies a node. All others that it shows are of jobs that wait.
_RUNNING = {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT"}
_ENDINGS = {
    "OUT_OF_MEMORY": "its memory ran out (--memory asks for more)",
    "TIMEOUT": "it reached its time limit and could not be requeued",
    "NODE_FAIL": "its node failed",
    "CANCELLED": "it was cancelled",
    "PREEMPTED": "it was preempted and not requeued",
}


class Slurm:
    """The cluster that ``sbatch`` here belongs to.

    Args:
        folder: Where scripts, logs and pickled jobs go, a folder for each run; all nodes must see it.
        options: What every job asks for.

    Raises:
        ClusterError: If submitit or SLURM is not installed here.
    """

    def __init__(self, folder: Path, options: ClusterOptions) -> None:
        if importlib.util.find_spec("submitit") is None:
            raise ClusterError("--engine slurm needs submitit", remedy="pip install 'motioncopy[cluster]'")
        if shutil.which("sbatch") is None or shutil.which("srun") is None:
            raise ClusterError(
                "SLURM is not installed here", expected="its commands sbatch, srun and squeue",
                remedy="call this on a login node of the cluster, or without --engine slurm",
            )  # fmt: skip
        self.folder, self.options = folder, options

    def submit(self, job: Job, after: Sequence[str]) -> str:
        """Submits a job that begins when those with the ids ``after`` are over, whether they failed or not.

        Returns:
            SLURM's id of it.

        Raises:
            ClusterError: If SLURM refuses it.
        """
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        try:
            return str(self._executor(job, after).submit(ClusterTask(job)).job_id)
        except (FailedJobError, FailedSubmissionError, subprocess.CalledProcessError, ValueError) as error:
            lines = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
            said = "; ".join(line.removeprefix("sbatch: error: ") for line in lines)
            raise ClusterError(
                f"SLURM does not take {job.id}", found=said,
                remedy="see --partition, --account, --gpus (0 where there are none) and --sbatch in docs/cluster.md",
            ) from error  # fmt: skip

    def live(self) -> dict[str, tuple[str, State]] | None:
        """The caller's jobs that are not over, by id: name and state; ``None`` if SLURM does not answer now."""
        said = _ask("squeue", "--noheader", f"--user={getpass.getuser()}", "--format=%A|%j|%T|%r")
        if said is None:
            return None
        found: dict[str, tuple[str, State]] = {}
        for line in said.splitlines():
            queue_id, name, state, reason = line.strip().split("|", 3)
            waiting: State = "held" if "held" in reason.lower() else "queued"
            found[queue_id] = (name, "running" if state in _RUNNING else waiting)
        return found

    def ending(self, queue_id: str) -> str:
        """How a job ended that left no word, as far as SLURM still knows: a part of a sentence."""
        # Without accounting, only the controller knows, and that for some minutes only.
        said = _ask("sacct", "-X", "-n", "-P", "-j", queue_id, "-o", "State")
        if not said:
            shown = _ask("scontrol", "--oneliner", "show", "job", queue_id) or ""
            said = next((w.partition("=")[2] for w in shown.split() if w.startswith("JobState=")), "")
        state = said.split()[0].rstrip("+") if said.split() else ""  # "CANCELLED by 0"
        return _ENDINGS.get(state) or (f"SLURM says {state}" if state else "SLURM knows nothing of it any more")

    def advice(self, queue_ids: Sequence[str]) -> str:
        """How to look at these jobs and how to cancel them."""
        return f"`squeue --jobs={','.join(queue_ids)}` shows them, `scancel {' '.join(queue_ids)}` cancels them"

    def _executor(self, job: Job, after: Sequence[str]) -> AutoExecutor:
        import submitit

        asked = self.options
        cores = asked.cpus * job.devices
        gpus = job.devices if asked.gpus is None else asked.gpus
        parameters: dict[str, Any] = {
            "name": job.id,
            "timeout_min": asked.minutes,
            "mem_gb": asked.memory_gb,
            "nodes": 1,
            "tasks_per_node": 1,  # Lightning starts the other processes
            "cpus_per_task": cores,
            "gpus_per_node": gpus or None,
            **{f"slurm_{name}": getattr(asked, name) for name in ("partition", "account", "qos", "constraint")},
            "slurm_dependency": f"afterany:{':'.join(after)}" if after else None,
            "slurm_setup": list(asked.setup) or None,
            "slurm_additional_parameters": {
                name: value for name, value in {"requeue": True, **asked.extra}.items() if value is not False
            },
            # Since 22.05, srun does not ask for the cores that sbatch was given.
            "slurm_srun_args": [f"--cpus-per-task={cores}"],
        }
        executor = submitit.AutoExecutor(self.folder / job.id, cluster="slurm", slurm_max_num_timeout=asked.requeues)
        executor.update_parameters(**{k: v for k, v in parameters.items() if v is not None})
        return executor


def _ask(*command: str) -> str | None:
    """What a command of SLURM's says, or ``None`` if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
