"""Runs benchmark jobs on a cluster: submits what is neither finished nor submitted, and waits for all."""

from __future__ import annotations

import json
import pickle
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import Field

from benchmarks.bench import runner
from benchmarks.bench.jobs import Job
from benchmarks.cluster.options import ClusterOptions
from benchmarks.cluster.slurm import Slurm, State
from benchmarks.cluster.task import RECORD
from benchmarks.progress import Reporter
from benchmarks.suites.run import Outcome
from motioncopy.errors import ClusterError, ConfigError
from motioncopy.files.documents import read_json
from motioncopy.files.lock import alone
from motioncopy.files.schema import Size, Text, validated
from motioncopy.files.writing import write_whole
from motioncopy.records import read

#: Polls after which a job that has left the queue without a word is taken for lost: shared file systems show what
#: another node wrote with some delay, and SLURM loses sight of a job for a moment while it requeues it.
_GONE = 3
#: Seconds for which SLURM's controller may not answer.
_SILENCE = 1800.0


def run(
    jobs: Sequence[Job],
    options: ClusterOptions,
    after: Mapping[str, Sequence[str]] | None = None,
    *,
    queue: Slurm | None = None,
    poll: float = 10.0,
    say: Callable[[str], None] = print,
) -> Outcome:
    """Runs jobs on a SLURM cluster, one SLURM job each, and waits for them.

    What has finished is only read. What an earlier call has submitted, and is still queued or running, is waited for
    and not submitted again. Stopped (Ctrl-C), the SLURM jobs go on.

    Args:
        jobs: In order: what others take over comes before them. All below the same ``runs``.
        options: What each asks of the cluster.
        after: For a job's id, the ids of jobs of the list that have to be over before it starts, failed or not.
        queue: The cluster; by default SLURM's.
        poll: Seconds between two looks at the queue.
        say: Where a line of progress goes.

    Returns:
        The records, and the reasons of failures with the path of the log below ``runs``.

    Raises:
        ConfigError: If the list contradicts itself.
        ClusterError: If there is no SLURM or no submitit here, or a job is refused; what was submitted before goes on.
        BusyError: If another process submits and waits for the same ``runs``.
    """
    after = after or {}
    _check(jobs, after)
    if not jobs:
        return Outcome()
    folder = jobs[0].runs / "cluster"
    queue = queue or Slurm(folder, options)
    busy = f"another process submits and waits for the runs of {folder.parent}"
    with alone(folder, busy, "wait for it, or stop it: its jobs go on, and are picked up by this call"):
        batch = _Batch({job.id: job for job in jobs}, options, after, queue, folder, say)
        try:
            batch.submit()
            batch.wait(poll)
        except BaseException as error:
            if ids := [str(seen.queue_id) for seen in batch.open.values() if seen.queue_id]:
                stopped = isinstance(error, KeyboardInterrupt)
                say(
                    f"{'Stopped waiting: ' if stopped else ''}{len(ids)} jobs are still queued or running: "
                    f"{queue.advice(ids)}, and the same command waits for them again."
                )
            raise
        return batch.outcome


@dataclass
class _JobState:
    """A job that is not over.

    Attributes:
        queue_id: The cluster's id, or ``None`` before it is submitted.
        tries: How often it has been submitted by this call.
        state: As it was last seen.
        gone: For how many polls it has been in no queue.
    """

    queue_id: str | None = None
    tries: int = 0
    state: State | None = None
    gone: int = 0


@dataclass
class _Batch:
    """The jobs of one call.

    Attributes:
        open: Those that are not over, by id, in order.
        outcome: What came of the others.
    """

    jobs: Mapping[str, Job]
    options: ClusterOptions
    after: Mapping[str, Sequence[str]]
    queue: Slurm
    folder: Path
    say: Callable[[str], None]
    open: dict[str, _JobState] = field(default_factory=dict)
    outcome: Outcome = field(default_factory=Outcome)

    def __post_init__(self) -> None:
        self.submissions = Submissions(self.folder)
        for job in self.jobs.values():
            if (record := job.record()) is not None:
                runner.publish(record, job)  # a kill may have come between the two files
                self.outcome.finished[job.id] = record
            else:
                self.open[job.id] = _JobState()

    def submit(self) -> None:
        """Submits what is not in the queue yet."""
        live = self.queue.live()
        if live is None:
            raise ClusterError("the cluster does not answer", remedy="try squeue, then call again")
        for job_id, seen in self.open.items():
            entry = self.submissions.get(job_id)
            # By its name too: a cluster that was set up anew counts from the start.
            if entry is not None and live.get(entry.queue_id, ("",))[0] == job_id:
                seen.queue_id, seen.tries = entry.queue_id, entry.tries
                self.say(f"{job_id}: submitted before, {entry.queue_id}")
        for job_id, seen in self.open.items():
            if seen.queue_id is None:
                self._submit(job_id, seen)
                self.say(f"{job_id}: submitted, {seen.queue_id}")

    def _submit(self, job_id: str, seen: _JobState) -> None:
        earlier = [s.queue_id for name, s in self.open.items() if s.queue_id and name != job_id]
        wanted = [self.open[name].queue_id for name in self.after.get(job_id, ()) if name in self.open]
        if (most := self.options.max_parallel) is not None and len(earlier) >= most:
            # The n-th waits for the one n - most places before it: never more than most at a time, whoever watches.
            wanted.append(earlier[-most])
        ids = dict.fromkeys(queue_id for queue_id in wanted if queue_id)
        seen.queue_id = self.queue.submit(self.jobs[job_id], tuple(ids))
        seen.tries, seen.state, seen.gone = seen.tries + 1, None, 0
        self.submissions.add(job_id, seen.queue_id, seen.tries)

    def wait(self, poll: float) -> None:
        """Waits until all jobs are over, and says what changes."""
        if not self.open:
            return
        reporter = Reporter("Runs", len(self.jobs))
        try:
            answered = time.monotonic()
            while self.open:
                live = self.queue.live()
                if live is not None:
                    answered = time.monotonic()
                    if self._look(live):
                        self._show(reporter)
                elif time.monotonic() - answered > _SILENCE:
                    raise ClusterError("the cluster has not answered for half an hour", remedy="try squeue")
                if self.open:
                    time.sleep(poll)
        finally:
            reporter.close()

    def _show(self, reporter: Reporter) -> None:
        """The counts, and the time left once a run has finished: nothing is known before."""
        states: Counter[str] = Counter(seen.state or "queued" for seen in self.open.values())
        states["failed"] = len(self.outcome.failed)
        note = ", ".join(f"{count} {state}" for state, count in sorted(states.items()) if count)
        over = len(self.jobs) - len(self.open)
        if over or reporter.bar is not None:
            reporter.update(over, note)

    def _look(self, live: Mapping[str, tuple[str, State]]) -> bool:
        """Takes in what the queue shows; whether anything has changed."""
        changed = False
        for job_id, seen in list(self.open.items()):
            state = live[str(seen.queue_id)][1] if seen.queue_id in live else None
            if state is not None:
                seen.gone = 0
                if state != seen.state:
                    self.say(f"{job_id}: {_change(seen.state, state)}")
                    seen.state, changed = state, True
            elif self._over(job_id, seen):
                changed = True
        return changed

    def _over(self, job_id: str, seen: _JobState) -> bool:
        """Takes in what a job has left that is in no queue; whether that is known."""
        job, log = self.jobs[job_id], self._log(job_id, seen)
        reason = None
        if (record := job.record()) is not None:
            self.outcome.finished[job_id] = record
            self.say(f"{job_id}: finished")
        elif (trace := self._trace(job_id, seen)) is not None:
            reason, left = _last_words(trace)
            if left is not None and (path := job.runs / "records" / f"{left}.json").is_file():
                self.outcome.failures[job_id] = read(path)
        elif seen.gone + 1 < _GONE:
            seen.gone += 1
            return False
        else:
            reason = self.queue.ending(str(seen.queue_id))
            if seen.tries <= self.options.retries and "cancelled" not in reason:
                self.say(f"{job_id}: lost, {reason}; submitted again")
                self._submit(job_id, seen)
                return True
        if reason is not None:
            self.outcome.failed[job_id] = f"{reason} (log: {log.relative_to(job.runs.absolute())})"
            self.say(f"{job_id}: failed, {self.outcome.failed[job_id]}")
        del self.open[job_id]
        return True

    def _log(self, job_id: str, seen: _JobState) -> Path:
        from submitit.core.utils import JobPaths

        paths = JobPaths(self.folder / job_id, seen.queue_id, 0)
        return paths.stderr if paths.stderr.is_file() and paths.stderr.stat().st_size else paths.stdout

    def _trace(self, job_id: str, seen: _JobState) -> str | None:
        """The trace of the exception that a job ended with; ``None`` if it left none."""
        from submitit.core.utils import JobPaths, pickle_load

        path = JobPaths(self.folder / job_id, seen.queue_id, 0).result_pickle
        try:
            outcome, result = pickle_load(path)
        except (OSError, EOFError, pickle.UnpicklingError):
            return None
        return str(result) if outcome == "error" else None


def _change(before: State | None, now: State) -> str:
    if now == "queued" and before == "running":
        return "queued again; it goes on from its last checkpoint"
    return "held: SLURM waits for `scontrol release`, or for an administrator" if now == "held" else now


def _last_words(trace: str) -> tuple[str, str | None]:
    """What a trace says in the end, and the id of the record that the run left."""
    lines = trace.rstrip().splitlines()
    record = None
    if lines and lines[-1].startswith(RECORD):
        record = lines.pop().removeprefix(RECORD)
    start = max((k for k, line in enumerate(lines) if line.startswith(" ")), default=-1) + 1
    message = " ".join(filter(None, lines[start:])) or "it failed without a word"
    return re.sub(r"^(?:benchmarks|motioncopy|submitit)\.[\w.]+: ", "", message), record


def _check(jobs: Sequence[Job], after: Mapping[str, Sequence[str]]) -> None:
    if len({job.runs for job in jobs}) > 1:
        raise ConfigError("the jobs of one call lie below different folders", expected="one RUNS folder")
    place = {job.id: k for k, job in enumerate(jobs)}
    if len(place) < len(jobs):
        raise ConfigError("a job stands twice in the list", remedy="list each once")
    for job_id, earlier in after.items():
        for name in earlier:
            if place.get(name, len(jobs)) >= place.get(job_id, -1):
                raise ConfigError(f"{job_id} is to wait for {name}, which is not before it in the list")


@dataclass(frozen=True)
class Submission:
    """A submission: the cluster's number of it, when (UTC), and how often one call has submitted its job."""

    queue_id: Annotated[str, Field(pattern=r"^\d{1,20}$")]  # an argument of squeue and sacct
    submitted: Text
    tries: Size = 1


class Submissions:
    """The last submission of every job below one ``runs`` folder, in ``folder/jobs.json``, so that none comes twice.

    Raises:
        ClusterError: If the file is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "jobs.json"
        self._entries: dict[str, Submission] = {}
        if self._path.is_file():
            remedy = "cancel what `squeue --me` shows of these runs, then delete the file"
            content = read_json(self._path, error=ClusterError, remedy=remedy)
            what = f"{self._path} is damaged"
            self._entries = validated(dict[Text, Submission], content, error=ClusterError, what=what, remedy=remedy)

    def get(self, job_id: str) -> Submission | None:
        """The last submission of a job."""
        return self._entries.get(job_id)

    def add(self, job_id: str, queue_id: str, tries: int) -> None:
        """Notes a submission, on disk at once."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._entries[job_id] = Submission(queue_id, now, tries)
        write_whole(self._path, json.dumps({k: asdict(v) for k, v in self._entries.items()}, indent=1))
