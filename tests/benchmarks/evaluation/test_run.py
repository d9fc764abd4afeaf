"""What is kept, and what becomes of the other clips when a process dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.evaluation import run
from benchmarks.evaluation.clips import Case
from benchmarks.evaluation.run import Plan, evaluate
from benchmarks.evaluation.scoring import score
from motioncopy.metrics.evaluator import Evaluator
from tests.benchmarks.evaluation.videos import array, moving

KEY = "psnr/frame@1"


def case(folder: Path, name: str, seed: int = 0) -> Case:
    array(folder / f"generated/{name}.npy", moving(seed))
    array(folder / f"truth/{name}.npy", moving(seed + 1))
    return Case(name, "reconstruction", folder / f"generated/{name}.npy", folder / f"truth/{name}.npy")


def ignore(_: int) -> None:
    pass


def test_a_file_that_changes_while_it_is_scored_is_scored_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, plan = case(tmp_path, "a"), Plan((KEY,), tmp_path / "out")

    def replaced(*args: object, **options: object) -> object:
        found = score(*args, **options)  # type: ignore[arg-type]
        array(one.generated, np.zeros_like(moving()))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(run, "score", replaced)
        before = evaluate([one], plan, progress=ignore).results.trials["a"].scores[KEY].value
    after = evaluate([one], plan, progress=ignore).results.trials["a"].scores[KEY].value
    assert before is not None
    assert after is not None
    assert after < before - 1


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


@pytest.mark.ddp
@pytest.mark.slow
def test_a_file_that_kills_its_process_costs_no_other_clip(tmp_path: Path) -> None:
    cases = [case(tmp_path, name, k) for k, name in enumerate("abcdef")]
    killer = tmp_path / "generated/b.npy"
    # A worker is a fresh interpreter: what kills it must come by the environment, as a decoder's fault comes by a file.
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import os, sys\n"
        f"def kill(event, args, path={str(killer)!r}):\n"
        "    if event == 'open' and str(args[0]) == path:\n"
        "        os._exit(9)\n"
        "if 'spawn_main' in ' '.join(sys.orig_argv):\n"
        "    sys.addaudithook(kill)\n"
    )
    old = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{site}{os.pathsep}{old or ''}"
    try:
        outcome = evaluate(cases, Plan((KEY,), tmp_path / "out"), processes=2, progress=ignore)
    finally:
        if old is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = old
    assert outcome.failures == {"b": "the process that scored it died"}
    assert sorted(outcome.results.trials) == ["a", "c", "d", "e", "f"]


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
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert len(children) >= 2
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
