"""What is kept, and what becomes of the other clips when a process dies."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.evaluation import run
from benchmarks.evaluation.clips import Case
from benchmarks.evaluation.run import Outcome, Plan, evaluate, survey, workers_of
from benchmarks.evaluation.scoring import score
from benchmarks.evaluation.workers import DIED
from motioncopy.errors import MotionCopyError
from motioncopy.metrics.evaluator import ClipScores, Evaluator
from tests.benchmarks.evaluation.videos import array, moving

KEY = "psnr/frame@1"


def case(folder: Path, name: str, seed: int = 0) -> Case:
    array(folder / f"generated/{name}.npy", moving(seed))
    array(folder / f"truth/{name}.npy", moving(seed + 1))
    return Case(name, "reconstruction", folder / f"generated/{name}.npy", folder / f"truth/{name}.npy")


def evaluated(cases: list[Case], plan: Plan, processes: int = 1) -> Outcome:
    with workers_of(plan, processes) as workers:
        return evaluate(cases, plan, workers)


def test_a_file_that_changes_while_it_is_scored_is_scored_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, plan = case(tmp_path, "a"), Plan((KEY,), tmp_path / "out")
    (plan.folder / "clips").mkdir(parents=True)

    def replaced(*args: object, **options: object) -> object:
        found = score(*args, **options)  # type: ignore[arg-type]
        array(one.generated, np.zeros_like(moving()))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(run, "score", replaced)
        patch.setattr(run, "_plan", plan)
        assert run._score(one).failure is None  # what a worker does
    before = run._read(plan, "a").scores[KEY].value
    after = evaluated([one], plan).results.trials["a"].scores[KEY].value
    assert before is not None
    assert after is not None
    assert after < before - 1


def test_a_value_that_is_no_number_is_its_clips_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, plan = case(tmp_path, "a"), Plan((KEY,), tmp_path / "out")
    monkeypatch.setattr(run, "_plan", plan)
    monkeypatch.setattr(run, "score", lambda *_, **__: ClipScores("a", 1, {KEY: (float("nan"),)}))
    assert "not JSON compliant" in (run._score(one).failure or "")
    assert not plan.scores("a").exists()


def test_real_frames_apart_are_taken_for_the_real_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = case(tmp_path, "a")
    array(tmp_path / "real/a.npy", moving(5, frames=21, side=32))  # of another number and size
    taken = []
    monkeypatch.setattr(
        "motioncopy.metrics.evaluator.ClipEvaluator.update_real", lambda _, frames: taken.append(tuple(frames.shape))
    )
    apart = Case(one.name, one.kind, one.generated, one.truth, real=tmp_path / "real/a.npy")
    score(apart, Evaluator((KEY,), folder=tmp_path / "features"))
    assert taken == [(16, 3, 32, 32), (5, 3, 32, 32)]


class Killer:
    """In place of a path: ends the process that takes it up, as a file does whose decoder has a fault."""

    def __reduce__(self) -> tuple[Any, ...]:
        return signal.raise_signal, (signal.SIGSEGV,)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_file_that_kills_its_process_costs_no_other_clip(tmp_path: Path, processes: int) -> None:
    cases = [case(tmp_path, name, k) for k, name in enumerate("abcdef")]
    cases[1] = replace(cases[1], generated=Killer())  # type: ignore[arg-type]
    plan = Plan((KEY,), tmp_path / "out")
    with workers_of(plan, processes) as workers:
        found = survey(cases, workers)
        assert found.failures == {"b": DIED}
        assert found.frames == 50
        outcome = evaluate(cases, plan, workers)
    assert outcome.failures == {"b": DIED}
    assert sorted(outcome.results.trials) == ["a", "c", "d", "e", "f"]


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_scored(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(MotionCopyError, match=r"out.clips cannot be written\. .*Remedy: choose another folder"):
        evaluated([case(tmp_path, "a")], Plan((KEY,), tmp_path / "out"))


def below(process: int) -> list[int]:
    """The processes that a process has started, and those that these have."""
    children = [int(k) for k in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return [*children, *(one for child in children for one in below(child))]


@pytest.mark.ddp
@pytest.mark.slow
def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    for k in range(40):
        case(tmp_path, f"{k:02}", k)
    command = [
        sys.executable, "-m", "benchmarks.cli", "evaluate", "--generated", str(tmp_path / "generated"),
        "--truth", str(tmp_path / "truth"), "--out", str(tmp_path / "out"), "--metrics", "ssim,psnr,tcm/truth_dis",
        "--processes", "2",
    ]  # fmt: skip
    parent = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "out/clips").glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    children = below(parent.pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert len(children) >= 4, "what helps them, and two workers"
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
