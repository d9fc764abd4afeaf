"""``motioncopy bench``: jobs are run once, recorded, compared and shown; what fails says why."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import pytest

from benchmarks.bench import processes, runner
from benchmarks.bench.config_stack import ConfigStack, ablations, data_sets, methods
from benchmarks.bench.jobs import Job, baselines
from benchmarks.bench.record import device_asked_for
from benchmarks.cli import main
from motioncopy import records
from motioncopy.errors import MotionCopyError, TrainingError
from motioncopy.footage.video import VideoReader, read_metadata
from motioncopy.records import Record, StageTraining
from motioncopy.records.provenance import Device, device
from tests.benchmarks.in_process import Started
from tests.methods.tiny import tiny
from tests.toys import write_clip

ROOT = Path(__file__).parents[3]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    for name in ("ann", "bob"):
        write_clip(folder, name, frames=24)
    return folder


def job(clips: Path, method: str = "nearest", **changes: Any) -> Job:
    stack = ConfigStack(method, "folder", "trivial", "") if method != "fakemotion" else ConfigStack(method, "folder")
    overrides = {"model": {"init_args": {"image_size": [32, 32]}}, "trainer": {"accelerator": "cpu", "logger": False}}
    if method == "fakemotion":
        overrides["model"] = tiny("fakemotion", "paper")
    given = {"runs": clips.parent / "runs", "data_root": str(clips), "overrides": overrides, **changes}
    return Job(stack, **given)


def command(clips: Path, *options: str) -> int:
    return main(
        ["bench", "--data", "folder", "--data-root", str(clips), "--runs", str(clips.parent / "runs"), *options]
    )


# -- jobs -------------------------------------------------------------------------------------------------------------


def test_a_job_is_named_after_all_that_decides_its_result(clips: Path) -> None:
    jobs = [
        job(clips),
        job(clips, seed=1),
        job(clips, person="bob"),
        job(clips, minutes=1.0),
        job(clips, data_root=str(clips.parent)),
        job(clips, "fakemotion"),
        replace(job(clips, "fakemotion"), stack=ConfigStack("fakemotion", "folder", overlays=("no_face",))),
    ]
    assert len({j.id for j in jobs}) == len(jobs)
    assert job(clips).id == job(clips).id
    assert jobs[2].id.startswith("nearest-trivial-folder-bob-seed0-")
    assert jobs[6].id.startswith("fakemotion-paper-quick-no_face-folder-seed0-")
    assert (clips.parent / "runs") not in jobs[0].folder.parents or not jobs[0].folder.exists()


def test_what_a_job_is_given_lies_over_its_stack(clips: Path) -> None:
    config = job(clips, seed=4, person="bob", minutes=2.0, devices=2).config
    assert (config["seed_everything"], config["minutes"]) == (4, 2.0)
    assert config["data"]["init_args"] == {"person": "bob", "root": str(clips)}
    assert config["trainer"] == {
        "devices": 2, "strategy": "ddp_find_unused_parameters_true", "accelerator": "cpu", "logger": False,
    }  # fmt: skip
    assert config["model"]["init_args"]["image_size"] == [32, 32]


def test_precision_and_parts_stand_in_the_config_only_where_they_are_asked_for(clips: Path) -> None:
    plain = job(clips)
    assert "precision" not in plain.config["trainer"]
    assert "accumulate" not in plain.config
    asked = job(clips, precision="bf16-mixed", accumulate=2)
    assert (asked.config["trainer"]["precision"], asked.config["accumulate"]) == ("bf16-mixed", 2)
    assert asked.id != plain.id
    own = job(clips, "fakemotion", precision="bf16-mixed", accumulate=2)
    for baseline in baselines(own):  # which train nothing
        assert baseline.id in {b.id for b in baselines(job(clips, "fakemotion"))}


def test_baselines_see_what_the_method_sees(clips: Path) -> None:
    own = job(clips, "fakemotion", seed=3, person="bob", minutes=1.0, devices=2)
    static, nearest = baselines(own)
    assert (static.stack.method, nearest.stack.method) == ("static", "nearest")
    assert static.config["model"]["init_args"] == {"image_size": [32, 32], "crop": "person"}
    assert nearest.config["model"]["init_args"] == {"image_size": [32, 32], "crop": "person", "normalisation": "edn"}
    for baseline in (static, nearest):
        assert baseline.config["data"] == own.config["data"]
        assert baseline.config["trainer"] == {"accelerator": "cpu", "logger": False}
        assert (baseline.seed, baseline.devices, baseline.minutes) == (3, 1, None)
    assert [b.stack.method for b in baselines(job(clips, "nearest"))] == ["static"]


# -- running ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, list[str]]:
    """A job that has run once, and what it started: training takes seconds."""
    clips = tmp_path_factory.mktemp("trained") / "clips"
    for name in ("ann", "bob"):
        write_clip(clips, name, frames=24)
    own, calls = job(clips, "fakemotion"), Started()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "subprocess", SimpleNamespace(run=calls))
        runner.run(own)
    return own, calls.commands


@pytest.fixture
def ran(trained: tuple[Job, list[str]], tmp_path: Path) -> Job:
    """The same job in a copy of its folders."""
    own, _ = trained
    shutil.copytree(own.runs, tmp_path / "copied")
    return replace(own, runs=tmp_path / "copied")


def test_a_job_is_run_once_and_recorded(trained: tuple[Job, list[str]], ran: Job, started: Started) -> None:
    own, commands = ran, trained[1]
    assert commands == ["fit", "test"]
    record = runner.run(own)
    assert started.commands == [], "finished: only read"
    assert (record.status, record.method, record.data, record.variant, record.preset) == (
        "finished", "fakemotion", "folder", "paper", "quick",
    )  # fmt: skip
    assert (record.overlays, record.ablation, record.subject, record.seed) == (("stabilised",), None, "ann", 0)
    assert record.protocol == "folder-chronological@1"
    assert set(record.costs.train_seconds) == set(record.costs.steps) == {"foreground", "local"}
    assert record.training["foreground"] == StageTraining(2, 2, 1, 1, (5e-4, 5e-4), "32-true", device())
    assert record.device == record.costs.device == device()
    assert record.costs.steps["foreground"] == 2
    assert record.costs.parameters
    assert record.costs.fps
    assert record.networks["features"] == "random_vgg(width=4, seed=0)"
    assert set(record.results.trials) == {"ann-own", "ann-as-bob"}  # which has no truth, and other scores
    assert "methods/fakemotion/presets/quick_paper.yaml" in record.configs
    assert str(own.data_root) not in json.dumps(record.to_dict()), "no folder of this machine"
    assert record.config["data"]["init_args"]["root"] == "$data"

    kept = records.read_all(own.runs / "records")
    assert [r.id for r in kept] == [record.id]
    assert own.record() == kept[0] == record
    newer = runner.run(own, again=True)
    assert started.commands == ["fit", "test"]
    assert newer.id != record.id
    assert own.record() == newer
    assert len(records.read_all(own.runs / "records")) == 2, "records are never overwritten"


def test_values_changed_by_hand_are_named_in_the_records(clips: Path, started: Started) -> None:
    own = job(clips, changed=True)
    (static,) = baselines(own)
    assert [runner.run(one).changed for one in (static, own)] == [True, True], "the baselines are at its sizes"
    assert not runner.run(job(clips, seed=1)).changed


def test_an_ablation_is_named_and_takes_over_what_it_did_not_change(ran: Job, started: Started) -> None:
    ablated = replace(ran, stack=ConfigStack("fakemotion", "folder", overlays=("no_local",)), overrides=None)
    small = tiny("fakemotion", "paper", "no_local")
    ablated = replace(ablated, overrides={"model": small, "trainer": {"accelerator": "cpu", "logger": False}})
    record = runner.run(ablated)
    assert (record.ablation, record.overlays) == ("no_local", ("stabilised",))
    assert list(record.costs.steps) == ["foreground"]
    done = [json.loads((j.folder / "stages/00-foreground/done.json").read_text()) for j in (ran, ablated)]
    assert done[1] == done[0] | {"taken_over": True}, "the foreground is the same, and is not trained again"
    assert record.training["foreground"].taken_over
    assert record.costs.train_seconds["foreground"] == done[0]["seconds"]


def test_a_test_that_is_repeated_leaves_what_the_training_took(ran: Job, started: Started) -> None:
    own = ran
    gpus = Device("another", 7, "a GPU", 2)
    for path in own.folder.glob("stages/*/done.json"):  # as if they had been trained on another machine
        stage = json.loads(path.read_text())
        stage["training"]["device"] = asdict(gpus)
        path.write_text(json.dumps(stage | {"peak_memory_bytes": 2**50}))
    (own.folder / "record.json").unlink()  # as if killed during the test
    record = runner.run(own)
    assert record.costs.peak_memory_bytes == 2**50
    assert [t.device for t in record.training.values()] == [gpus, gpus]
    assert not any(t.taken_over for t in record.training.values())
    assert record.device == gpus
    assert record.costs.device == device(), "which the frames a second are of"
    assert record.costs.energy_joules is None


def test_a_failure_is_recorded_with_its_reason(clips: Path, started: Started) -> None:
    own = job(clips, "fakemotion")
    overrides = {**(own.overrides or {}), "model": tiny("fakemotion", "paper", image_size=[30, 30])}
    own = replace(own, overrides=overrides)
    with pytest.raises(TrainingError, match=r"DenseUNet cannot work at this image size.*what is done is kept"):
        runner.run(own)
    (record,) = records.read_all(own.runs / "records")
    assert (record.status, record.results.aggregates) == ("failed", {})
    assert record.device == device()
    assert record.reason is not None
    assert "30x30" in record.reason
    assert str(clips.parent) not in json.dumps(record.to_dict())
    assert own.record() is None, "it is run again the next time"
    with pytest.raises(TrainingError):
        runner.run(own)
    assert started.commands == ["fit", "fit"]


@pytest.mark.parametrize(
    ("trainer", "gpus"),
    [
        ({}, 1),
        ({"devices": 2}, 2),
        ({"accelerator": "gpu", "devices": 8}, 4),
        ({"devices": -1}, 4),
        ({"accelerator": "cpu"}, 0),
    ],
)
def test_a_failed_run_says_what_it_had_to_train_on(
    trainer: dict[str, Any], gpus: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: Any) -> str:
        raise RuntimeError("CUDA error: unspecified launch failure")

    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "a GPU")
    assert device_asked_for(trainer) == replace(device(), gpus=gpus, gpu="a GPU" if gpus else None)
    monkeypatch.setattr("torch.cuda.get_device_name", lost)
    assert device_asked_for(trainer) == replace(device(), gpus=gpus, gpu=None)


def test_two_processes_do_not_run_one_job(clips: Path, started: Started) -> None:
    own = job(clips)
    with runner._locked(own.folder), pytest.raises(MotionCopyError, match="another process is running"):
        runner.run(own)
    assert started.commands == []
    assert runner.run(own).status == "finished", "the lock is gone with its holder"


def test_an_interrupted_command_interrupts_the_benchmark(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = SimpleNamespace(run=lambda arguments, **_: subprocess.CompletedProcess(arguments, 130))
    monkeypatch.setattr(processes, "subprocess", stopped)
    with pytest.raises(KeyboardInterrupt):
        runner.run(job(clips))
    assert records.read_all(clips.parent / "runs/records") == [], "that is no failure"


# -- the command ------------------------------------------------------------------------------------------------------


def test_bench_compares_and_shows(clips: Path, started: Started, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(clips, "--method", "nearest") == 0
    said = capsys.readouterr().out
    assert started.commands == ["fit", "test"] * 2, "static, then nearest"
    assert "Bench nearest-trivial-folder-seed0-" in said
    assert "body heights" in said
    (folder,) = (clips.parent / "runs").glob("nearest-*")
    names = ("table.md", "reconstruction.mp4", "reconstruction.png", "imitation.mp4", "imitation.png", "record.json")
    for name in names:
        assert f"  {name} " in said
        assert (folder / name).stat().st_size > 0
    table = (folder / "table.md").read_text()
    assert "static" in table
    assert "nearest" in table
    assert len(VideoReader(folder / "reconstruction.mp4")) == 5
    assert "synthetic" in read_metadata(folder / "imitation.mp4")["comment"]
    sheet = cv2.imread(str(folder / "imitation.png"))
    assert sheet is not None
    assert sheet.shape[0] > 400, "a row for each of four"

    assert command(clips, "--method", "nearest") == 0
    assert started.commands == ["fit", "test"] * 2
    assert capsys.readouterr().out.count("finished before") == 2
    assert command(clips, "--method", "nearest", "--rerun") == 0
    assert started.commands == ["fit", "test"] * 4
    assert len(records.read_all(clips.parent / "runs/records")) == 4


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--method", "fakemoton"], ["METHOD=fakemoton", *methods()]),
        (["--data", "puppet"], ["DATA=puppet", *data_sets()]),
        (["--variant", "papre"], ["VARIANT=papre", "paper", "released"]),
        (["--preset", "fast"], ["PRESET=fast", "full, quick"]),
        (["--ablation", "no_local,no_legs"], ["ABLATION=no_legs", *ablations("fakemotion")]),
        (["--person", "cid"], ["'cid'", "ann, bob"]),
        (["--data-root", "nowhere"], ["no folder nowhere"]),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(
    clips: Path, started: Started, capsys: pytest.CaptureFixture[str], options: list[str], expected: list[str]
) -> None:
    assert command(clips, *options) == 1
    said = capsys.readouterr().err
    assert all(word in said for word in expected), said
    assert started.commands == []
    assert not (clips.parent / "runs").exists(), "nothing is left behind"


def test_a_failing_fit_ends_the_command_with_its_reason(
    clips: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(arguments: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        (Path(arguments[-1]) / "failure.txt").write_text("the loss is not finite.")
        return subprocess.CompletedProcess(arguments, 1)

    monkeypatch.setattr(processes, "subprocess", SimpleNamespace(run=failing))
    assert command(clips, "--method", "static") == 1
    said = capsys.readouterr()
    assert "fit failed. Found: the loss is not finite" in said.err
    (record,) = records.read_all(clips.parent / "runs/records")
    assert record.status == "failed"
    assert "the loss is not finite" in (record.reason or "")


@pytest.mark.slow
def test_bench_in_processes_of_its_own(clips: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.cli", "bench", "--method", "static", "--data", "folder",
         "--data-root", str(clips), "--runs", str(clips.parent / "runs")],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    records_made: list[Record] = records.read_all(clips.parent / "runs/records")
    assert {r.method for r in records_made} == {"static", "nearest"}
