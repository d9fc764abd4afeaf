"""W&B: what arrives there of a run, and that it is one run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import wandb

from benchmarks.bench import processes, runner
from benchmarks.bench.jobs import Job
from benchmarks.cli import main
from benchmarks.loggers.factory import open_log
from benchmarks.loggers.results import log_record
from benchmarks.loggers.weights_and_biases import mode_for, tags
from motioncopy.records import Record
from motioncopy.training import checkpoint
from tests.benchmarks.in_process import Started
from tests.benchmarks.loggers.logged_jobs import STAGES, job, toy
from tests.benchmarks.loggers.wandb_files import Part, read


@pytest.fixture(scope="module")
def logged(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Job, Record]]:
    """A bench run of a method with two stages, logged to W&B."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        patch.delenv("WANDB_PROJECT", raising=False)
        patch.delenv("WANDB_DATA_DIR", raising=False)
        patch.setattr(processes, "subprocess", SimpleNamespace(run=Started()))
        whole = job(clips, tmp_path_factory.mktemp("wandb") / "runs", "fakemotion")
        yield whole, runner.run(whole, listeners=[log_record])


@pytest.fixture
def parts(logged: tuple[Job, Record]) -> list[Part]:
    return read(logged[0].folder)


def test_fit_test_and_record_are_one_run(logged: tuple[Job, Record], parts: list[Part]) -> None:
    own = logged[0]
    assert len(parts) == 3, "fit, test, and the record"
    (run,) = {part.id for part in parts}
    assert run.startswith(own.id[:40])
    assert len(run) <= 64
    for part in parts:
        assert (part.project, part.group, part.name) == ("motioncopy", "fakemotion-folder", own.id)
        assert part.ended == 0
        assert {"paper", "quick", "seed0"} <= set(part.tags)
    assert "person:ann" in parts[-1].tags, "the data set's choice, known at the end"
    rows = [row["_step"] for part in parts for row in part.rows]
    assert rows == sorted(set(rows)), "in one count, or a later part would be dropped"


def test_the_losses_of_every_stage_arrive_over_its_own_step(parts: list[Part]) -> None:
    fit = parts[0]
    for stage in STAGES:
        step = f"stage/{stage}/step"
        losses = [r for r in fit.rows if f"stage/{stage}/l1" in r]
        assert [r[step] for r in losses] == [0, 1], "both steps, though the interval is 10"
        assert all(isinstance(r[f"stage/{stage}/l1"], float) for r in losses)
        assert fit.steps[f"stage/{stage}/*"] == step
        keys = {k for r in losses for k in r if not k.startswith("_")}
        assert all(k.startswith(f"stage/{stage}/") for k in keys)
    assert "stage/foreground/gromov_wasserstein" in fit.rows[0]


def test_pictures_and_videos_arrive(parts: list[Part]) -> None:
    found = {
        k.removesuffix(".path"): (p, v) for p in parts for r in p.rows for k, v in r.items() if k.endswith(".path")
    }
    wanted = [f"stage/{stage}/samples" for stage in STAGES]
    wanted += [f"test/{kind}/{what}" for kind in ("reconstruction", "imitation") for what in ("sheet", "video")]
    for key in wanted:
        part, path = found[key]
        assert (part.folder / "files" / path).stat().st_size > 500
        assert path.endswith(".mp4" if key.endswith("video") else ".png")


def test_tables_and_summary_hold_the_record(logged: tuple[Job, Record], parts: list[Part]) -> None:
    record, last = logged[1], parts[-1]
    found = record.results.aggregates["reconstruction"]
    assert found
    for key, aggregate in found.items():
        assert last.summary[f"reconstruction/{key}"] == aggregate.value
    assert last.summary["cost/train_seconds"] == sum(record.costs.train_seconds.values())
    scores = table(last, "results/scores")
    rows = [row for row in scores["data"] if row[0] == "reconstruction"]
    assert [(row[1], row[2]) for row in rows] == [(k, a.value) for k, a in found.items()]
    assert {row[1]: row[-1] for row in scores["data"] if row[-1]} == record.results.missing
    trials = table(last, "results/trials")["data"]
    assert [row[0] for row in trials if row[2] == "tcm/own_driving_dis@1"] == ["ann-own", "ann-as-bob"]
    assert table(parts[1], "test/trials")["data"] == trials


def table(part: Part, key: str) -> dict[str, Any]:
    (path,) = [row[f"{key}.path"] for row in part.rows if f"{key}.path" in row]
    content: dict[str, Any] = json.loads((part.folder / "files" / path).read_text())
    return content


def test_config_provenance_and_record_arrive(clips: Path, logged: tuple[Job, Record], parts: list[Part]) -> None:
    own, record = logged
    assert parts[0].config["config"]["model"]["class_path"] == "methods.fakemotion.FakeMotion"
    config = parts[-1].config
    assert config["config"] == record.config
    assert {k: config[k] for k in ("method", "data", "variant", "preset", "seed", "person", "protocol")} == {
        "method": "fakemotion", "data": "folder", "variant": "paper", "preset": "quick", "seed": 0, "person": "ann",
        "protocol": "folder-chronological@1",
    }  # fmt: skip
    provenance = config["provenance"]
    assert provenance["record"] == record.id
    assert provenance["config_sha256"] == record.config_sha256
    assert record.code is not None
    assert provenance["code"] == {
        "version": record.code.version,
        "commit": record.code.commit,
        "dirty": record.code.dirty,
    }
    assert provenance["packages"]["torch"] == record.packages["torch"]
    assert parts[-1].artifacts[-1] == (f"record-{record.id}", "record")
    assert str(clips.parent) not in json.dumps([p.config for p in parts]), "no folder of this machine"
    staged = [p for p in (own.folder / "wandb/data/artifacts/staging").iterdir() if p.is_file()]
    assert any(json.loads(p.read_text()).get("id") == record.id for p in staged), "where an upload finds it"


def test_a_finished_run_can_be_logged_later_and_once(clips: Path, tmp_path: Path, started: Started) -> None:
    silent = job(clips, tmp_path / "runs", logger="none")
    record = runner.run(silent, listeners=[log_record])
    assert read(silent.folder) == []
    asked = replace(silent, logger="wandb")
    assert asked.id == silent.id
    assert runner.run(asked, listeners=[log_record]) == record
    assert started.commands == ["fit", "test"], "nothing is run again for it"
    (part,) = read(asked.folder)
    assert any("test/imitation/video.path" in row for row in part.rows)
    assert part.artifacts[-1] == (f"record-{record.id}", "record")
    runner.run(asked, listeners=[log_record])
    assert len(read(asked.folder)) == 1, "and nothing is logged twice"


def test_a_run_anew_is_another_run(clips: Path, tmp_path: Path, started: Started) -> None:
    own = job(clips, tmp_path / "runs")
    runner.run(own, listeners=[log_record])
    runner.run(own, again=True, listeners=[log_record])
    assert len({part.id for part in read(own.folder)}) == 2


def test_only_one_process_a_run_is_stopped_and_goes_on_in_it(clips: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    stop = {"mark": str(tmp_path / "stopped"), "step": 5}
    config = toy(
        clips, tmp_path, callbacks=[{"class_path": "tests.benchmarks.loggers.logged_jobs.StopOnce", "init_args": stop}]
    )
    call = ["fit", "--config", str(config), "--run", str(run), "--logger", "wandb"]
    assert main(call) == 130
    assert main(call) == 0
    first, second = read(run)
    assert first.id == second.id
    assert (first.ended, second.ended) == (1, 0)
    steps = [[r["stage/paint/step"] for r in part.rows if "stage/paint/painter" in r] for part in (first, second)]
    assert steps[0][0] == 0
    assert steps[0][-1] + 1 >= steps[1][0] > 0, "it goes on where the checkpoint is"
    assert steps[1][-1] == 5
    assert [r["stage/touch/step"] for r in second.rows if "stage/touch/touch" in r] == list(range(6))
    assert (second.group, second.tags) == ("ToyMethod-ToyData", ["seed1"]), "a fit by hand says what its config says"


def test_the_logger_is_in_no_key(clips: Path, tmp_path: Path, logged: tuple[Job, Record], started: Started) -> None:
    own, record = logged
    silent = replace(own, runs=tmp_path / "runs", logger="none")
    assert {replace(own, logger=name).id for name in ("tensorboard", "wandb", "none")} == {own.id}
    other = runner.run(silent, listeners=[log_record])
    assert other.config_sha256 == record.config_sha256
    for name in STAGES:
        (done,) = own.folder.glob(f"stages/*-{name}/done.json")
        kept = [json.loads((run / done.relative_to(own.folder)).read_text()) for run in (own.folder, silent.folder)]
        assert kept[0]["key"] == kept[1]["key"]
        assert kept[0]["samples_digest"] == kept[1]["samples_digest"]
    a, b = (checkpoint.read(run.folder / "method.ckpt").state_dict for run in (own, silent))
    assert a.keys() == b.keys()
    assert all(torch.equal(a[k], b[k]) for k in a), "pictures of samples change no weight"
    assert not (silent.folder / "logs").exists()


# -- online or not ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ("offline", "nobody is logged in")),
        ({"WANDB_MODE": "online"}, ("offline", "nobody is logged in")),
        ({"WANDB_API_KEY": "k"}, ("online", "")),
        ({"WANDB_API_KEY": "k", "WANDB_MODE": "offline"}, ("offline", "WANDB_MODE=offline")),
        ({"WANDB_API_KEY": "k", "WANDB_MODE": "disabled"}, ("disabled", "WANDB_MODE=disabled")),
        ({"netrc": "machine api.wandb.ai login user password k"}, ("online", "")),
        ({"netrc": "machine elsewhere.org login user password k"}, ("offline", "nobody is logged in")),
        (
            {"netrc": "machine own.org:8080 login u password k", "WANDB_BASE_URL": "https://own.org:8080"},
            ("online", ""),
        ),
        ({"netrc": "this is no netrc"}, ("offline", "nobody is logged in")),
    ],
)
def test_it_is_online_only_for_who_is_logged_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: tuple[str, str]
) -> None:
    (tmp_path / "netrc").write_text(environment.get("netrc", ""))
    monkeypatch.delenv("WANDB_MODE")
    for name in environment.keys() - {"netrc"}:
        monkeypatch.setenv(name, environment[name])
    assert mode_for() == expected


def test_offline_says_how_to_upload(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = open_log("wandb", tmp_path / "run", {"method": "static"})
    log.open()
    log.close()
    (said,) = capsys.readouterr().out.splitlines()
    assert said.startswith("W&B: offline, since WANDB_MODE=offline; to upload it: ")
    assert said.endswith(f"wandb sync {tmp_path / 'run/wandb'}")


def test_a_server_that_is_not_there_makes_it_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    init = wandb.init

    def unreachable(*, settings: wandb.Settings, **kwargs: Any) -> Any:
        if settings.mode == "online":
            assert settings.init_timeout <= 60, "nobody waits for longer"
            raise wandb.errors.CommError("no route to host")
        return init(settings=settings, **kwargs)

    monkeypatch.setattr(wandb, "init", unreachable)
    log = open_log("wandb", tmp_path / "run", {})
    log.attempt(lambda log: log.losses("paint", {"stage/paint/l1": 1.0}, 0))
    log.close()
    assert "W&B cannot be reached: no route to host" in capsys.readouterr().out
    assert [row["stage/paint/l1"] for row in read(tmp_path / "run")[0].rows] == [1.0]


def test_tags_name_what_differs() -> None:
    labels = {"variant": "paper", "preset": "", "ablation": "no_face", "seed": 0, "person": "ann", "method": "x"}
    assert tags(labels) == ["paper", "ablation:no_face", "seed0", "person:ann"]
    assert tags({"person": "a" * 100}) == [("person:" + "a" * 100)[:64]]
