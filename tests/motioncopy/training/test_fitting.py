"""Stages in order, skipped when done, resumed when killed, stopped by what is not finite."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch.multiprocessing.spawn import spawn

from benchmarks.cli import main
from motioncopy.errors import CheckpointError, ConfigError, TrainingError
from motioncopy.method import Stage
from motioncopy.records.provenance import device
from motioncopy.training import checkpoint, fitting
from tests.toys import ToyMethod, write_clip

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for name in ("ann", "bob", "cid"):
        write_clip(folder, name)
    return folder


def config(clips: Path, folder: Path, **arguments: Any) -> Path:
    path = folder / "config.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(
        yaml.safe_dump(
            {
                "seed_everything": 3,
                "model": {"class_path": "tests.toys.ToyMethod", "init_args": arguments},
                "data": {"class_path": "tests.toys.ToyData", "init_args": {"root": str(clips)}},
                "trainer": {"accelerator": "cpu", "logger": False},
            }
        )
    )
    return path


def fit(clips: Path, run: Path, *options: str, **arguments: Any) -> int:
    return main(["fit", "--config", str(config(clips, run.parent / f"{run.name}-config", **arguments)),
                 "--run", str(run), *options])  # fmt: skip


def done(run: Path, stage: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "stages" / stage / "done.json").read_text())
    return content


def test_stages_are_fitted_in_order_and_the_method_is_kept(clips: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert fit(clips, run) == 0
    paint, touch = done(run, "00-paint"), done(run, "01-touch")
    assert (paint["steps"], touch["steps"]) == (6, 6)
    assert paint["samples_digest"] != touch["samples_digest"] or paint["samples_digest"]
    method = checkpoint.load(run / "method.ckpt")
    assert isinstance(method, ToyMethod)
    assert method.subject == "ann"
    assert method.reference is not None
    assert len(method.reference) == 20
    fresh = checkpoint.build("tests.toys.ToyMethod", {})
    changed = [n for n, p in method.named_parameters() if not torch.equal(p, fresh.get_parameter(n))]
    assert {n.split(".")[0] for n in changed} == {"painter", "gain"}


def test_a_finished_stage_is_not_fitted_again_and_a_late_change_refits_only_what_follows(
    clips: Path, tmp_path: Path
) -> None:
    fit(clips, tmp_path / "one")
    before = (tmp_path / "one/stages/00-paint/last.ckpt").stat().st_mtime_ns
    fit(clips, tmp_path / "one")
    assert (tmp_path / "one/stages/00-paint/last.ckpt").stat().st_mtime_ns == before
    fit(clips, tmp_path / "two", rate=0.5)
    assert done(tmp_path / "two", "00-paint") == done(tmp_path / "one", "00-paint") | {"taken_over": True}
    assert "taken_over" not in done(tmp_path / "two", "01-touch")
    assert done(tmp_path / "two", "01-touch")["key"] != done(tmp_path / "one", "01-touch")["key"]
    fit(clips, tmp_path / "three", width=5)
    assert done(tmp_path / "three", "00-paint")["key"] != done(tmp_path / "one", "00-paint")["key"]
    assert done(tmp_path / "three", "01-touch")["key"] != done(tmp_path / "one", "01-touch")["key"]


def finished(folder: Path, **more: Any) -> None:
    """A finished stage ``paint`` under the key ``k``, as its files are."""
    folder.mkdir(parents=True)
    (folder / "last.ckpt").write_bytes(b"weights")
    (folder / "done.json").write_text(json.dumps({"key": "k", **more}))


def is_done(run: Path) -> bool:
    stage: Stage = ToyMethod().stages[0]
    return fitting._is_done(run, run / "stages/00-paint", stage, "k", fresh=False, world_size=2)


def test_a_process_that_was_started_takes_over_what_its_starter_did_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    finished(tmp_path / "neighbour/stages/00-paint")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("MOTIONCOPY_DONE_STAGES", "[]")
    assert not is_done(run), "finished after the first process had looked"
    monkeypatch.setenv("MOTIONCOPY_DONE_STAGES", '["paint"]')
    assert is_done(run)
    monkeypatch.delenv("MOTIONCOPY_DONE_STAGES")
    assert not is_done(run), "started by something else, it cannot know what the first one saw"
    assert not run.exists(), "the first process alone writes"
    monkeypatch.delenv("LOCAL_RANK")
    assert is_done(run)
    assert done(run, "00-paint") == {"key": "k", "taken_over": True}


def _look(rank: int, folder: Path) -> None:
    looked = folder / "looked"
    os.environ["LOCAL_RANK"] = str(rank)
    torch.distributed.init_process_group("gloo", init_method=(folder / "meeting").as_uri(), rank=rank, world_size=2)
    find = fitting._find_done
    if rank == 0:

        def first(run: Path, folder: Path, stage: Stage, key: str, fresh: bool) -> bool:
            found = find(run, folder, stage, key, fresh)
            looked.touch()
            return found

        fitting._find_done = first
    else:
        while not looked.exists():
            time.sleep(0.01)
        finished(folder / "runs/neighbour/stages/00-paint")
    found = [is_done(folder / "runs/run") for _ in range(2)]
    (folder / f"{rank}.json").write_text(json.dumps(found))
    torch.distributed.destroy_process_group()


@pytest.mark.ddp
def test_processes_agree_where_a_neighbour_finishes_between_their_looks(tmp_path: Path) -> None:
    spawn(_look, (tmp_path,), nprocs=2)
    for rank in (0, 1):
        assert json.loads((tmp_path / f"{rank}.json").read_text()) == [False, True], "as the first one saw it"


def test_one_stage_alone(clips: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert fit(clips, run, "--stage", "touch") == 1  # paint is not done
    assert fit(clips, run, "--stage", "paint") == 0
    assert not (run / "method.ckpt").exists()
    assert fit(clips, run, "--stage", "touch") == 0
    assert (run / "method.ckpt").exists()


def test_a_stage_that_does_not_exist_is_refused(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(clips, tmp_path / "run", "--stage", "paints") == 1
    assert "one of paint, touch" in capsys.readouterr().err


def test_a_misspelt_key_is_refused(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(clips, tmp_path / "run", widht=5) != 0
    assert "widht" in capsys.readouterr().err


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_checkpoint(clips: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(TrainingError, match=r"'painter' of stage paint .* step 5"):
        fit_raising(clips, run, poison=5)
    content = torch.load(run / "stages/00-paint/last.ckpt", weights_only=True)
    assert content["motioncopy_stage"]["steps"] == 3  # the end of the first epoch
    assert all(torch.isfinite(v).all() for v in content["state_dict"].values())
    assert not (run / "stages/00-paint/done.json").exists()


def fit_raising(clips: Path, run: Path, *options: str, **arguments: Any) -> None:
    from benchmarks.training.motion_cli import run_lightning

    run_lightning(["fit", "--config", str(config(clips, run, **arguments)), "--run", str(run), *options])


def test_a_killed_fit_goes_on_and_sees_the_same_samples(clips: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "a/whole", tmp_path / "b/killed"
    arguments = {"epochs": 12, "batches": 20}
    assert fit(clips, whole, **arguments) == 0
    file = config(clips, tmp_path / "b/config", **arguments)
    command = [sys.executable, "-m", "benchmarks.cli", "fit", "--config", str(file), "--run", str(killed)]
    for stage in ("00-paint", "01-touch"):
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"},
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        last = killed / "stages" / stage / "last.ckpt"
        deadline = time.monotonic() + 120
        while not last.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    finished_before = (killed / "stages/01-touch/done.json").exists()
    assert subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode == 0
    for stage in ("00-paint", "01-touch"):
        a, b = done(whole, stage), done(killed, stage)
        assert (a["steps"], a["samples_digest"]) == (b["steps"], b["samples_digest"])
    assert not finished_before, "the kill came too late to show anything"


@pytest.fixture(scope="module")
def killed(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit of which the first of two epochs of its first stage is done."""
    run = tmp_path_factory.mktemp("killed") / "run"
    with pytest.raises(TrainingError):
        fit_raising(clips, run, epochs=2, poison=5)
    return run


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: [content],
        lambda content: content.pop("pytorch-lightning_version"),
        lambda content: content.pop("state_dict"),
        lambda content: content["state_dict"].pop("judge.weight"),
        lambda content: content["state_dict"].update({"judge.weight": torch.zeros(7)}),
        lambda content: content.update(loops=[1]),
        lambda content: content.update(callbacks=[1]),
        lambda content: content.pop("optimizer_states"),
        lambda content: content["optimizer_states"][0]["state"][0].update(exp_avg=torch.zeros(7)),
        lambda content: content.pop("motioncopy_stage"),
        lambda content: content["motioncopy_stage"].update(name="touch"),
        lambda content: content["motioncopy_stage"].update(seconds=[1.0]),
        lambda content: content["motioncopy_stage"].update(steps=-1),
    ],
)  # fmt: skip
def test_a_damaged_half_done_stage_is_named_with_what_to_do(
    damage: Any, clips: Path, killed: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(killed, run)
    last = run / "stages/00-paint/last.ckpt"
    content = torch.load(last, weights_only=True)
    changed = damage(content)
    torch.save(changed if isinstance(changed, list) else content, last)
    with pytest.raises(CheckpointError, match=rf"{last}.*Remedy: delete {last.parent} and fit again"):
        fit_raising(clips, run, epochs=2, poison=5)


@pytest.mark.parametrize("name", ["done.json", "key.json", "last.ckpt"])
def test_a_folder_in_the_place_of_a_stages_file_is_named(name: str, clips: Path, tmp_path: Path) -> None:
    path = tmp_path / "run/stages/00-paint" / name
    path.mkdir(parents=True)
    with pytest.raises(CheckpointError, match=rf"{path} is no file.*delete {path.parent}"):
        fit_raising(clips, tmp_path / "run")


@pytest.mark.parametrize("parts", ["1", "2"])
def test_resuming_in_the_middle_of_an_epoch(
    parts: str, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, accumulate = {"epochs": 2, "batches": 10}, ("--accumulate", parts)
    assert fit(clips, tmp_path / "a/whole", *accumulate, **arguments) == 0
    saver = fitting._saver

    def after_every_step(folder: Path, **when: Any) -> Any:
        return saver(folder, **({"every_n_train_steps": 2} if "train_time_interval" in when else when))

    class Stopped(Exception):
        pass

    def stop(self: Any, batch: Any, batch_idx: int) -> None:
        if self.steps == 7:
            raise Stopped
        step(self, batch, batch_idx)

    from tests.toys import PaintStage

    step = PaintStage.training_step
    monkeypatch.setattr(fitting, "_saver", after_every_step)
    monkeypatch.setattr(PaintStage, "training_step", stop)
    run = tmp_path / "b/stopped"
    with pytest.raises(Stopped):
        fit_raising(clips, run, *accumulate, **arguments)
    kept = torch.load(run / "stages/00-paint/last.ckpt", weights_only=True)["motioncopy_stage"]["steps"]
    assert kept % 10 > 0, "the checkpoint should lie within an epoch"
    monkeypatch.undo()
    fit_raising(clips, run, *accumulate, **arguments)
    a, b = done(tmp_path / "a/whole", "00-paint"), done(run, "00-paint")
    assert (a["steps"], a["samples_digest"]) == (b["steps"], b["samples_digest"])
    assert a["training"]["accumulate"] == int(parts)
    once, twice = (
        torch.load(r / "stages/00-paint/last.ckpt", weights_only=True)["state_dict"]
        for r in (tmp_path / "a/whole", run)
    )
    assert all(torch.equal(once[name], twice[name]) for name in once)


def test_how_a_stage_was_trained_stands_in_its_summary_and_in_its_key(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(clips, tmp_path / "one", epochs=1) == 0
    one = done(tmp_path / "one", "00-paint")
    assert one["training"] == {
        "batch": 2, "effective_batch": 2, "processes": 1, "accumulate": 1, "learning_rates": [0.01, 0.001],
        "precision": "32-true", "device": asdict(device()),
    }  # fmt: skip
    assert one["peak_memory_bytes"] > 10**7, "of the process: Python and torch alone hold more"
    options = {"half": ["--trainer.precision", "bf16-mixed"], "parts": ["--accumulate", "2"]}
    for name, given in options.items():
        assert fit(clips, tmp_path / name, *given, epochs=1) == 0
        assert done(tmp_path / name, "00-paint")["key"] != one["key"], name
    assert done(tmp_path / "half", "00-paint")["training"]["precision"] == "bf16-mixed"
    assert fit(clips, tmp_path / "more", "--accumulate", "5", epochs=1) == 0
    assert done(tmp_path / "more", "00-paint")["training"]["accumulate"] == 2, "a batch of two has two parts at most"
    capsys.readouterr()
    assert fit(clips, tmp_path / "none", "--accumulate", "0", epochs=1) == 1
    assert "fewer parts than one" in capsys.readouterr().err


def test_a_time_budget_ends_stages_early(clips: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert fit(clips, run, "--minutes", "0.01", epochs=3000) == 0
    assert done(run, "00-paint")["ended_by"] == "time"
    assert done(run, "00-paint")["steps"] < 9000


def test_test_scores_every_trial_and_keeps_the_frames(clips: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert fit(clips, run, epochs=1) == 0
    assert main(["test", "--run", str(run)]) == 0
    summary = json.loads((run / "outputs/toy@1-test/summary.json").read_text())
    assert [t["id"] for t in summary["trials"]] == ["ann", "bob", "cid"]
    with_truth, without = (set(trial["scores"]["values"]) for trial in summary["trials"][:2])
    assert "ssim/gaussian@1" in with_truth - without
    assert without == {key for key in with_truth if "driving" in key}
    assert (run / "outputs/toy@1-test/bob.npy").exists()
    # A test that fails takes nothing away.
    assert main(["test", "--run", str(run), "--data.person", "bob"]) == 1
    assert json.loads((run / "outputs/toy@1-test/summary.json").read_text()) == summary


def test_another_methods_and_another_persons_checkpoint_are_refused(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert fit(clips, run, epochs=0) == 0
    assert main(["test", "--run", str(run), "--data.person", "bob"]) == 1
    assert "another person" in capsys.readouterr().err
    static = tmp_path / "static.yaml"
    static.write_text(
        yaml.safe_dump(
            {
                "model": {"class_path": "methods.static.Static", "init_args": {"image_size": [16, 16]}},
                "data": {"class_path": "tests.toys.ToyData", "init_args": {"root": str(clips)}},
            }
        )
    )
    assert main(["test", "--config", str(static), "--run", str(run)]) == 1
    assert "another method" in capsys.readouterr().err


def test_a_damaged_or_missing_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint"):
        checkpoint.load(tmp_path / "none.ckpt")
    (tmp_path / "bad.ckpt").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(CheckpointError, match="cannot read"):
        checkpoint.load(tmp_path / "bad.ckpt")
    torch.save({"schema": "motioncopy.method/0"}, tmp_path / "old.ckpt")
    with pytest.raises(CheckpointError, match="of this version"):
        checkpoint.load(tmp_path / "old.ckpt")


class _Evil:
    def __reduce__(self) -> Any:
        return (os.system, ("touch /tmp/owned",))


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"schema": checkpoint.SCHEMA, "x": _Evil()}, tmp_path / "evil.ckpt")
    with pytest.raises(CheckpointError, match="cannot read"):
        checkpoint.load(tmp_path / "evil.ckpt")


def test_a_full_disk_leaves_no_half_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(CheckpointError, match="No space left"):
        checkpoint.save_atomically({}, tmp_path / "method.ckpt")
    assert list(tmp_path.iterdir()) == []


def test_building_with_a_wrong_argument_names_it() -> None:
    with pytest.raises(ConfigError, match="colour"):
        checkpoint.build("tests.toys.ToyMethod", {"colour": 3})
