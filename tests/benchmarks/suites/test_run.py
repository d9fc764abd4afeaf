"""Running a plan: failures do not stop it, what is finished stays, and nothing is done twice, whenever it is killed."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.bench import processes, runner
from benchmarks.bench.jobs import Job
from benchmarks.cli import main
from benchmarks.suites import run as running
from benchmarks.suites import summary
from benchmarks.suites.estimate import Estimate, Estimator
from benchmarks.suites.plan import Options, Plan, plan
from benchmarks.suites.suite import Suite, SuiteRow, named, of_file
from motioncopy import records
from motioncopy.errors import BusyError
from tests.benchmarks.in_process import Started
from tests.benchmarks.suites.conftest import row, write_suite
from tests.benchmarks.tables.made import record as measured

ROOT = Path(__file__).parents[3]


def planned(clips: Path, suite_file: Path, **options: Any) -> Plan:
    given: dict[str, Any] = {"runs": clips.parent / "runs", "roots": {"folder": str(clips)}, "seeds": (0,)} | options
    return plan([of_file(suite_file)], Options(**given), Estimator([], "", None))


def command(clips: Path, suite_file: Path, *options: str) -> list[str]:
    runs = clips.parent / "runs"
    return ["suite", str(suite_file), "--data-root", str(clips), "--runs", str(runs), "--seeds", "0", *options]


def test_all_runs_and_is_not_run_again(
    clips: Path, suite_file: Path, started: Started, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(clips, suite_file)) == 0
    said = capsys.readouterr().out
    assert started.commands == ["fit", "test"] * 4
    assert "4 of 4 runs to do: unknown" in said
    assert "[4/4] fakemotion, no_local, folder, ann, seed 0" in said
    assert "4 of 4 runs have finished, 0 failed" in said
    assert "Training of fakemotion on folder: a run of the whole method ann " in said
    assert "all runs together" in said
    table = (clips.parent / "runs/tables/small-quick.md").read_text()
    assert all(name in table for name in ("static", "nearest", "fakemotion", "no_local"))

    assert main(command(clips, suite_file)) == 0
    assert started.commands == ["fit", "test"] * 4
    assert "All has finished." in capsys.readouterr().out
    assert {run.estimate for run in planned(clips, suite_file).runs} == {Estimate(0.0)}


def test_a_dry_run_shows_the_plan_and_writes_nothing(
    clips: Path, suite_file: Path, started: Started, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(clips, suite_file, "--dry-run")) == 0
    said = capsys.readouterr().out
    assert "Plan of small" in said
    assert "no_local" in said
    assert started.commands == []
    assert not (clips.parent / "runs").exists()


def test_a_failure_does_not_stop_the_others(
    clips: Path, tmp_path: Path, started: Started, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = write_suite(tmp_path / "broken.yaml", [row("no_face", image_size=[30, 30]), row("no_local")])
    assert main(command(clips, broken)) == 3
    said = capsys.readouterr().out
    assert "1 failed" in said
    assert "fakemotion, no_face, folder, ann, seed 0: fit failed" in said
    assert "30x30" in said
    found = records.read_all(clips.parent / "runs/records")
    assert Counter(r.status for r in found) == {"finished": len(found) - 1, "failed": 1}
    table = (clips.parent / "runs/tables/broken-quick.md").read_text()
    assert "the run failed" in table, "in the table, with its reason"

    started.commands.clear()
    assert main(command(clips, broken)) == 3
    assert started.commands == ["fit"], "the one that failed is tried again"


def test_a_run_that_gives_nan_is_a_failed_row(clips: Path, suite_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Started()

    def diverging(arguments: list[str], **options: Any) -> Any:
        if arguments[4] == "fit" and "fakemotion" in arguments[8]:
            (Path(arguments[8]) / "failure.txt").write_text("stage foreground: loss quality is not finite at step 3.")
            return SimpleNamespace(returncode=1)
        return real(arguments, **options)

    monkeypatch.setattr(processes, "subprocess", SimpleNamespace(run=diverging))
    came = running.run(planned(clips, suite_file))
    assert len(came.finished) == 2, "the baselines"
    assert all("not finite" in reason for reason in came.failed.values())
    assert [r.status for r in came.failures.values()] == ["failed"] * 2
    assert all("not finite" in (r.reason or "") for r in came.failures.values())


def test_what_another_process_runs_comes_last_and_is_waited_for(
    clips: Path, suite_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = planned(clips, suite_file)
    whole = next(r for r in found.runs if r.role == "whole").job.id
    ran: list[str] = []
    busy = {whole}

    def run(job: Job, **_: Any) -> Any:
        if job.id in busy:
            raise BusyError(f"another process is running {job.id}")
        ran.append(job.id)

    monkeypatch.setattr(runner, "run", run)
    monkeypatch.setattr(time, "sleep", lambda _: busy.clear())
    running.run(found)
    assert ran == [r.job.id for r in found.runs], "its ablation waits too, whose stages it would train"
    (waiting,) = [line for line in capsys.readouterr().out.splitlines() if "Waiting" in line]
    assert waiting.endswith("fakemotion, folder, ann, seed 0; fakemotion, no_local, folder, ann, seed 0")


def test_a_full_disk_stops_the_suite_with_a_remedy(
    clips: Path, suite_file: Path, started: Started, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10_000))
    assert main(command(clips, suite_file)) == 1
    said = capsys.readouterr()
    assert "nearly full" in said.err
    assert "free some, and call again" in said.err
    assert "0 of 4 runs have finished" in said.out, "what came of it is shown all the same"
    assert started.commands == []


def test_a_lost_gpu_stops_the_suite(clips: Path, suite_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter([2, 2, 1])
    monkeypatch.setattr(running, "_gpus", lambda: next(counts))
    lost = SimpleNamespace(run=lambda arguments, **_: SimpleNamespace(returncode=-signal.SIGABRT))
    monkeypatch.setattr(processes, "subprocess", lost)
    came = running.run(planned(clips, suite_file))
    assert re.search(r"a GPU was lost.*2 GPUs.*1", str(came.stopped)), "before the next run takes the CPU instead"
    assert len(came.failed) == 1
    (record,) = records.read_all(clips.parent / "runs/records")
    assert "SIGABRT" in (record.reason or "")


def test_whatever_ends_a_run_the_others_go_on(
    clips: Path, suite_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(job: Job, **_: Any) -> Any:
        if job.stack.method == "static":
            raise ZeroDivisionError("in a library")

    monkeypatch.setattr(runner, "run", run)
    came = running.run(planned(clips, suite_file))
    assert list(came.failed.values()) == ["in a library"]
    assert len(came.finished) == 3
    assert "ZeroDivisionError" in capsys.readouterr().err, "with its trace"


def test_a_run_that_was_killed_before_it_was_published_is_published(
    clips: Path, suite_file: Path, started: Started
) -> None:
    baseline = planned(clips, suite_file).runs[0].job
    record = runner.run(baseline)
    (clips.parent / "runs/records" / f"{record.id}.json").unlink()
    started.commands.clear()
    found = planned(clips, suite_file)
    came = running.run(replace(found, runs=found.runs[:1]))
    assert came.finished == {baseline.id: record}
    assert started.commands == []
    assert [r.id for r in records.read_all(clips.parent / "runs/records")] == [record.id]


def test_a_damaged_record_fails_its_run_alone(clips: Path, suite_file: Path, started: Started) -> None:
    baseline = planned(clips, suite_file).runs[0].job
    runner.run(baseline)
    (baseline.folder / "record.json").write_text("{")
    found = planned(clips, suite_file)
    came = running.run(replace(found, runs=found.runs[:2]))
    assert "record.json cannot be read" in came.failed[baseline.id]
    assert len(came.finished) == 1
    assert runner.run(baseline, again=True).status == "finished", "which running it again mends"


def test_a_table_that_cannot_be_made_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remot: dict[str, Any] = {"method": "remot", "regime": "general", "subject": None, "variant": "paper"}
    found = {
        "one": measured(id="one", **remot),
        "two": measured(id="two", **remot, protocol="puppets@2"),
        "three": measured(id="three", method="fakemotion", variant="paper"),
    }
    wanted = {"one": ("remot/table4",), "two": ("remot/table4",), "three": ("fakemotion/table2",)}
    runs: list[Any] = [
        SimpleNamespace(job=SimpleNamespace(id=name, changed=False), role="whole", suites=(*wanted[name], "mine"))
        for name in found
    ]
    came = running.Outcome(finished=found)
    papers = Plan(tuple(named(["remot/table4", "fakemotion/table2"])), Options(data=("puppets",)), tuple(runs), {})
    bad, good = summary.tables(papers, came, tmp_path)
    assert bad.name == "remot-table4-puppets-quick.md"
    assert bad.read_text().startswith("No table of remot/table4-puppets: a table holds one protocol")
    assert "fakemotion/table2" in good.read_text()
    said = capsys.readouterr().out
    assert said.index("No table of remot/table4-puppets") < said.index("fakemotion/table2")

    mine = Plan((Suite("mine", (SuiteRow("whole", "remot"),), ("puppets",)),), Options(), tuple(runs), {})
    (path,) = summary.tables(mine, came, tmp_path)
    text = path.read_text()
    assert text.startswith("No table of puppets general: a table holds one protocol")
    assert "| fakemotion (paper)" in text, "the other part"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_ten_times_it_loses_no_finished_run_and_repeats_none(clips: Path, suite_file: Path) -> None:
    runs, chance = clips.parent / "runs", random.Random(0)
    arguments = [sys.executable, "-m", "benchmarks.cli", *command(clips, suite_file)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    seen: dict[str, str] = {}
    for kill in range(10):
        process = subprocess.Popen(
            arguments, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        time.sleep(chance.uniform(3, 20))
        # With all that it started, or alone: what it started then goes on without it.
        if kill % 2:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
        found = {r.id: r.config_sha256 for r in records.read_all(runs / "records") if r.status == "finished"}
        assert seen.items() <= found.items(), "a finished run is never lost"
        seen = found
    done = subprocess.run(
        arguments, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    finished = [r for r in records.read_all(runs / "records") if r.status == "finished"]
    assert seen.keys() <= {r.id for r in finished}
    assert Counter(r.config_sha256 for r in finished).most_common(1)[0][1] == 1, "none was run twice"
    assert len(finished) == 4
