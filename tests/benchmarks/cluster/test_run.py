"""The engine: what is submitted, in which order, what is picked up again, and what comes of failures."""

from __future__ import annotations

import importlib.util
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.bench.jobs import Job
from benchmarks.cluster import slurm
from benchmarks.cluster.options import ClusterOptions
from benchmarks.cluster.run import Submissions, run
from benchmarks.suites.run import Outcome
from motioncopy import records
from motioncopy.errors import BusyError, ClusterError, ConfigError
from motioncopy.files.lock import alone
from tests.benchmarks.cluster.conftest import Scripted, record_of, tiny_job

TRACE = """Traceback (most recent call last):
  File "task.py", line 77, in __call__
    return bench.run(self.job).id
benchmarks.bench.runner.RunError: fit failed. Found: it fell over. Remedy: mend it.
record: {record}
"""


def steps(queue: Scripted, monkeypatch: pytest.MonkeyPatch, *each: Callable[[], object]) -> None:
    """What happens in the cluster between two looks at it."""
    todo = list(each)

    def sleep(seconds: float) -> None:
        assert todo, f"the engine still waits: {queue.states}"
        todo.pop(0)()

    monkeypatch.setattr(time, "sleep", sleep)


def start(queue: Scripted, *ids: str) -> Callable[[], None]:
    return lambda: queue.states.update(dict.fromkeys(ids, "running"))


def go(queue: Scripted, jobs: Sequence[Job], said: list[str] | None = None, **options: Any) -> Outcome:
    return run(jobs, ClusterOptions(**options), queue=queue, say=(said if said is not None else []).append)


@pytest.fixture
def jobs(clips: Path) -> list[Job]:
    return [tiny_job(clips, seed=seed) for seed in range(4)]


def test_all_is_submitted_once_and_waited_for(
    jobs: list[Job], queue: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = jobs[:2]
    said: list[str] = []
    steps(queue, monkeypatch, start(queue, "100"), lambda: queue.finish("100"), lambda: queue.finish("101"))
    came = run([a, b], ClusterOptions(), {b.id: [a.id]}, queue=queue, say=said.append)
    assert queue.submitted == [(a.id, ()), (b.id, ("100",))]
    assert list(came.finished) == [a.id, b.id]
    assert came.failed == {}
    assert said == [
        f"{a.id}: submitted, 100", f"{b.id}: submitted, 101", f"{a.id}: queued", f"{b.id}: queued",
        f"{a.id}: running", f"{a.id}: finished", f"{b.id}: finished",
    ]  # fmt: skip
    again = go(queue, [a, b])
    assert len(queue.submitted) == 2, "finished: only read"
    assert again.finished == came.finished


def test_what_an_earlier_call_submitted_is_picked_up(
    jobs: list[Job], queue: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = jobs[:3]

    def interrupt() -> None:
        raise KeyboardInterrupt

    said: list[str] = []
    steps(queue, monkeypatch, interrupt)
    with pytest.raises(KeyboardInterrupt):
        go(queue, [a, b], said)
    assert said[-1].startswith("Stopped waiting: 2 jobs are still queued or running: `squeue --jobs=100,101` shows")
    queue.finish("100")  # while nobody looks
    steps(queue, monkeypatch, lambda: queue.finish("101"), lambda: queue.finish("102"))
    came = go(queue, [a, b, c], said)
    assert [name for name, _ in queue.submitted] == [a.id, b.id, c.id]
    assert set(came.finished) == {a.id, b.id, c.id}
    assert f"{b.id}: submitted before, 101" in said


def test_a_number_that_another_job_has_now_is_not_taken_for_ours(
    jobs: list[Job], queue: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = jobs[:2]
    queue.folder.mkdir(parents=True)
    Submissions(queue.folder).add(a.id, "100", 1)
    queue.submit(b, ())  # a cluster that was set up anew counts from the start
    steps(queue, monkeypatch, lambda: queue.finish("101"))
    assert list(go(queue, [a]).finished) == [a.id]
    assert [name for name, _ in queue.submitted] == [b.id, a.id]


def test_never_more_than_so_many_at_a_time(jobs: list[Job], queue: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    steps(queue, monkeypatch, *[lambda k=k: queue.finish(str(100 + k)) for k in range(4)])
    go(queue, jobs, max_parallel=2)
    assert [after for _, after in queue.submitted] == [(), (), ("100",), ("101",)]


def test_a_failure_has_its_reason_its_log_and_its_record(
    jobs: list[Job], queue: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = jobs[:2]
    left = record_of(a, "failed")
    records.write(left, a.runs / "records")
    log = queue.folder / a.id / "100_0_log.err"
    log.parent.mkdir(parents=True)
    log.write_text("its last lines")
    steps(
        queue, monkeypatch,
        lambda: queue.fail("100", TRACE.format(record=left.id)),
        lambda: queue.fail("101", "Traceback:\n  a\nOSError: no"),
    )  # fmt: skip
    said: list[str] = []
    came = go(queue, [a, b], said)
    assert came.finished == {}
    assert came.failed == {
        a.id: f"fit failed. Found: it fell over. Remedy: mend it. (log: cluster/{a.id}/100_0_log.err)",
        b.id: f"OSError: no (log: cluster/{b.id}/101_0_log.out)",
    }
    assert {job: r.id for job, r in came.failures.items()} == {a.id: left.id}
    assert len(queue.submitted) == 2, "what fails by itself fails again"
    steps(queue, monkeypatch, lambda: queue.finish("102"), lambda: queue.finish("103"))
    assert len(go(queue, [a, b]).finished) == 2, "the next call submits it again"


def test_a_job_without_a_word_is_submitted_again_a_few_times(
    jobs: list[Job], queue: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = [lambda: None] * 2
    steps(queue, monkeypatch, lambda: queue.lose("100"), *nothing, lambda: queue.lose("101"), *nothing)
    said: list[str] = []
    came = go(queue, jobs[:1], said, retries=1)
    assert len(queue.submitted) == 2
    assert f"{jobs[0].id}: lost, its node failed; submitted again" in said
    assert came.failed[jobs[0].id].startswith("its node failed (log: cluster/")


def test_a_job_that_somebody_cancelled_is_left_at_that(
    jobs: list[Job], queue: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "ending", lambda queue_id: slurm._ENDINGS["CANCELLED"])
    steps(queue, monkeypatch, lambda: queue.lose("100"), *[lambda: None] * 2)
    assert list(go(queue, jobs[:1]).failed) == [jobs[0].id]
    assert len(queue.submitted) == 1


def test_a_job_out_of_sight_for_a_moment_is_not_lost(
    jobs: list[Job], queue: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def requeued() -> None:
        queue.states["100"] = "queued"

    steps(
        queue, monkeypatch, start(queue, "100"), lambda: queue.lose("100"), lambda: None, requeued,
        lambda: queue.lose("100"), lambda: None, lambda: queue.states.update({"100": "held"}),
        lambda: queue.finish("100"),
    )  # fmt: skip
    said: list[str] = []
    assert len(go(queue, jobs[:1], said).finished) == 1
    assert len(queue.submitted) == 1
    assert f"{jobs[0].id}: queued again; it goes on from its last checkpoint" in said
    assert any("held: SLURM waits for `scontrol release`" in line for line in said)


def test_a_controller_that_does_not_answer_is_waited_for(
    jobs: list[Job], queue: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answers(yes: bool) -> Callable[[], None]:
        return lambda: setattr(queue, "answers", yes)

    steps(queue, monkeypatch, answers(False), lambda: None, answers(True), lambda: queue.finish("100"))
    assert len(go(queue, jobs[:1]).finished) == 1
    queue.answers = False
    with pytest.raises(ClusterError, match="does not answer"):
        go(queue, jobs[1:2])
    assert len(queue.submitted) == 1


def test_two_calls_do_not_submit_for_the_same_runs(jobs: list[Job], queue: Scripted) -> None:
    with alone(queue.folder, "busy", "wait"), pytest.raises(BusyError, match="another process submits"):
        go(queue, jobs)
    assert queue.submitted == []


def test_a_list_that_contradicts_itself_is_refused(jobs: list[Job], queue: Scripted, tmp_path: Path) -> None:
    a, b = jobs[:2]
    with pytest.raises(ConfigError, match="not before it"):
        run([a, b], ClusterOptions(), {a.id: [b.id]}, queue=queue)
    with pytest.raises(ConfigError, match="twice"):
        go(queue, [a, a])
    with pytest.raises(ConfigError, match="different folders"):
        go(queue, [a, replace(b, runs=tmp_path / "elsewhere")])
    assert queue.submitted == []
    assert go(queue, []) == Outcome()


def test_a_submission_is_on_disk_at_once_and_damage_is_noticed(tmp_path: Path) -> None:
    Submissions(tmp_path).add("a", "7", 1)
    entry = Submissions(tmp_path).get("a")
    assert entry is not None
    assert (entry.queue_id, entry.tries) == ("7", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["jobs.json"]
    (tmp_path / "jobs.json").write_text(json.dumps({"a": 7}))
    with pytest.raises(ClusterError, match="damaged"):
        Submissions(tmp_path)


def test_without_slurm_or_submitit_it_says_what_to_do(jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ClusterError, match=r"SLURM is not installed here.*login node"):
        run(jobs, ClusterOptions())
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ClusterError, match=r"pip install 'motioncopy\[cluster\]'"):
        run(jobs, ClusterOptions())
    assert not (jobs[0].runs / "cluster").exists(), "nothing is left behind"
