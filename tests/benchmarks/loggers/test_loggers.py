"""Whatever a logger does, the run goes on; TensorBoard, no logger, and the samples of a stage."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import wandb
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from benchmarks.bench import runner
from benchmarks.cli import main
from benchmarks.loggers.factory import open_log
from benchmarks.loggers.log import Image, LogState, RunLog, SafeLog
from benchmarks.loggers.results import log_record
from benchmarks.training import motion_cli
from motioncopy.errors import ConfigError
from tests.benchmarks.in_process import Started
from tests.benchmarks.loggers.logged_jobs import STAGES, job, toy


def full(*_: Any, **__: Any) -> Any:
    raise OSError(28, "No space left on device")


class Broken:
    """A run of W&B that fails in whatever it is asked for."""

    url = None

    def __getattr__(self, name: str) -> Any:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("init", "method"),
    [(full, "static"), (lambda **_: None, "static"), (lambda **_: Broken(), "fakemotion")],
    ids=["raises", "none", "while training"],
)
def test_a_logger_that_fails_costs_no_run(
    clips: Path, tmp_path: Path, started: Started, monkeypatch: pytest.MonkeyPatch, init: Any, method: str
) -> None:
    monkeypatch.setattr(wandb, "init", init)
    own = job(clips, tmp_path / "runs", method)
    with pytest.warns(UserWarning, match="the logger failed and is left alone"):
        record = runner.run(own, listeners=[log_record])
    assert record.status == "finished"
    assert own.record() == record


@pytest.mark.parametrize("logger", ["wandb", "tensorboard"])
def test_a_folder_that_cannot_be_written_costs_no_run(clips: Path, tmp_path: Path, logger: str) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "logs").write_text("a file where the logs should be")
    call = ["fit", "--config", str(toy(clips, tmp_path)), "--run", str(run), "--logger", logger]
    with pytest.warns(UserWarning, match="the logger failed"):
        assert main(call) == 0
    assert (run / "method.ckpt").is_file()


def test_a_failure_is_said_once(tmp_path: Path) -> None:
    class Failing(RunLog):
        def losses(self, *_: Any) -> None:
            raise RuntimeError("first line\nsecond line")

    log = SafeLog(lambda: Failing(LogState(tmp_path, "failing")))
    with pytest.warns(UserWarning, match=r"first line$"):
        log.attempt(lambda log: log.losses("a", {}, 0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log.attempt(lambda log: log.losses("a", {}, 1))
        log.close()


def test_there_is_no_other_logger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match=r"'comet'.*tensorboard, wandb, none"):
        open_log("comet", tmp_path)


def test_what_fit_is_told(clips: Path, tmp_path: Path) -> None:
    own = job(clips, tmp_path, "fakemotion")
    assert replace(own, logger="tensorboard").log_options == []
    name, logger, labels, text = own.log_options
    assert (name, logger, labels) == ("--logger", "wandb", "--labels")
    assert json.loads(text) == own.labels
    assert json.loads(text)["method"] == "fakemotion"


# -- TensorBoard, and nothing -----------------------------------------------------------------------------------------


def events(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder), size_guidance={"images": 0, "scalars": 0, "tensors": 0})
    found.Reload()
    return found


def test_tensorboard_has_losses_pictures_scores_and_hparams(clips: Path, tmp_path: Path, started: Started) -> None:
    own = job(clips, tmp_path / "runs", "fakemotion", logger="tensorboard")
    record = runner.run(own, listeners=[log_record])
    for stage in STAGES:
        found = events(own.folder / "logs" / stage)
        assert [e.step for e in found.Scalars(f"stage/{stage}/l1")] == [0, 1]
        assert found.Images(f"stage/{stage}/samples")
    results = events(own.folder / "logs/results")
    value = record.results.aggregates["reconstruction"]["ssim/gaussian@1"].value
    assert results.Scalars("reconstruction/ssim/gaussian@1")[0].value == pytest.approx(value)
    assert {"test/reconstruction/sheet", "test/imitation/sheet"} <= set(results.Tags()["images"])
    assert "_hparams_/session_start_info" in results.summary_metadata
    assert (
        "| reconstruction | ssim/gaussian@1 |"
        in results.Tensors("results/scores/text_summary")[0].tensor_proto.string_val[0].decode()
    )
    assert runner.run(own, listeners=[log_record]) == record
    assert len(events(own.folder / "logs/results").Scalars("reconstruction/ssim/gaussian@1")) == 1


def test_a_logger_of_the_config_stands_above(clips: Path, tmp_path: Path) -> None:
    config = toy(clips, tmp_path, logger=False)
    assert main(["fit", "--config", str(config), "--run", str(tmp_path / "run"), "--logger", "wandb"]) == 0
    assert not (tmp_path / "run/wandb").exists()
    assert not (tmp_path / "run/logs").exists()


def test_a_record_is_logged_by_what_the_job_says(clips: Path, tmp_path: Path, started: Started) -> None:
    own = job(clips, tmp_path / "runs", logger="none")
    record = runner.run(own, listeners=[log_record])
    quiet = replace(own, logger="wandb", overrides={**(own.overrides or {}), "trainer": {"logger": False}})
    log_record(quiet, record)
    assert not (quiet.folder / "wandb").exists()


class Kept(RunLog):
    """Keeps the pictures."""

    def __init__(self, run: Path) -> None:
        super().__init__(LogState(run, "kept"))
        self.samples: list[tuple[str, int]] = []

    def sample(self, stage: str, picture: Image, step: int) -> None:
        assert picture.ndim == 3
        self.samples.append((stage, step))


def test_samples_are_shown_about_ten_times_a_stage(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.toys import PaintStage

    kept = Kept(tmp_path)
    monkeypatch.setattr(motion_cli, "open_log", lambda *_: SafeLog(lambda: kept))

    def samples(self: PaintStage, batch: Any) -> dict[str, torch.Tensor]:
        assert not self.training
        assert not torch.is_grad_enabled()
        torch.rand(1)  # which no later step may notice
        return {"generated": self.painter(batch.mask[:, 0]).clamp(-1, 1), "truth": batch.images[:, 0]}

    monkeypatch.setattr(PaintStage, "samples", samples)
    config = toy(clips, tmp_path)
    content = yaml.safe_load(config.read_text())
    content["model"]["init_args"] |= {"epochs": 21, "batches": 1}
    config.write_text(yaml.safe_dump(content))
    assert main(["fit", "--config", str(config), "--run", str(tmp_path / "run")]) == 0
    assert isinstance(kept, Kept)
    assert kept.samples == [("paint", step) for step in [*range(2, 21, 2), 21]], "the other stage shows nothing"
