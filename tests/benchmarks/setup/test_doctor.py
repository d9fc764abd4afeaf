"""What the doctor finds on machines of the tests' own: each wrong thing is named with its remedy."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.cli import main
from benchmarks.setup import examinations
from benchmarks.setup.examinations import Finding
from motioncopy import weights
from motioncopy.errors import ConfigError, DataError, WeightsError


def only(findings: Iterable[Finding]) -> Finding:
    (finding,) = findings
    return finding


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without weights, credentials or cluster."""
    for name in ("HOME", "TORCH_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("MOTIONCOPY_WEIGHTS", "WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_python(monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(examinations.python()).level == "ok"
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    assert only(examinations.python()).level == "problem"


def test_packages_are_those_that_were_tested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pins = tmp_path / "constraints.txt"
    monkeypatch.setattr(examinations, "CONSTRAINTS", pins)
    torch = metadata.version("torch").partition("+")[0]
    others = "".join(f"{name}=={metadata.version(name)}\n" for name in ("lightning", "numpy"))
    pins.write_text(f"# pins\ntorch==={torch}\n{others}not-here==1\n")
    assert only(examinations.packages()).level == "ok"
    pins.write_text(f"torch==={torch}\nrich==1.0\n")
    finding = only(examinations.packages())
    assert (finding.level, finding.remedy) == ("warning", "run `make setup`")
    assert f"rich {metadata.version('rich')} (tested: 1.0)" in finding.found
    pins.unlink()
    assert "known in a checkout only" in only(examinations.packages()).found


def test_a_package_that_is_missing_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examinations, "_required", lambda: ["torch", "no-such-package"])
    first = next(iter(examinations.packages()))
    assert (first.level, first.found) == ("problem", "not installed: no-such-package")


def test_what_auto_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert [(f.topic, f.level) for f in examinations.devices()] == [("cpu", "ok"), ("gpu", "ok"), ("auto", "ok")]
    monkeypatch.setattr(shutil, "which", lambda name: f"bin/{name}")
    found = {f.topic: f for f in examinations.devices()}
    assert found["gpu"].level == "warning"
    assert "sees no GPU" in found["gpu"].found
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (60e9, 80e9))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "A GPU")
    found = {f.topic: f for f in examinations.devices()}
    assert "A GPU, 80.0 GB, 60.0 GB of it free" in found["gpu 0"].found
    assert "the GPU" in found["auto"].found


def test_gpus_whose_counters_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(examinations.energy()).level == "ok"
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("motioncopy.records.energy.gpus", lambda count: [object()] * count)
    assert only(examinations.energy()).found == "of 2 GPUs"
    monkeypatch.setattr("motioncopy.records.energy.gpus", lambda count: [])
    assert only(examinations.energy()).level == "warning"


def test_both_decoders_read_what_was_written() -> None:
    assert [f.level for f in examinations.video()] == ["ok", "ok"]


def test_a_decoder_that_gives_other_frames_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def black(self: object, numbers: np.ndarray) -> np.ndarray:
        return np.zeros((len(numbers), 64, 64, 3), np.uint8)

    monkeypatch.setattr("motioncopy.footage.video.decoders.DecordDecoder.frames", black)
    levels = {f.topic.split()[1]: f.level for f in examinations.video()}
    assert levels == {"(decord": "problem", "(av": "ok"}


def test_perception_that_lacks_weights_says_which(home: Path) -> None:
    found = {f.topic: f for f in examinations.perception()}
    assert found["perception hrnet"].level == "warning"
    assert found["perception hrnet"].remedy == "`motioncopy weights fetch hrnet-w32-coco`"
    assert "mediapipe, mediapipe_hands" in found["perception"].found
    assert "openpose (on files of your own)" in found["perception"].found


def test_weights_are_here_absent_or_damaged(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, absent = examinations.weights()
    assert absent.level == "warning"
    assert all(name in (here if entry.package else absent).found for name, entry in weights.WEIGHTS.items())

    def find(name: str) -> Path:
        if name == "vgg19":
            return home
        found = "SHA-256 0" if name == "vgg16" else None
        raise WeightsError(f"{name} is wrong", found=found, remedy="fetch it")

    monkeypatch.setattr(weights, "find", find)
    damaged, *packaged, here, absent = examinations.weights()
    assert [(f.level, f.remedy) for f in packaged] == [("warning", "fetch it")] * len(packaged)
    assert [f.found.split()[0] for f in packaged] == [n for n, entry in weights.WEIGHTS.items() if entry.package]
    assert (damaged.level, damaged.remedy) == ("problem", "fetch it")
    assert here.found == "here: vgg19"
    assert "vgg16" not in absent.found


def test_folders_are_looked_at_and_not_made(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = home / "a/runs"
    assert [f.level for f in examinations.folders({"runs": runs})] == ["ok", "ok"]
    assert list(home.iterdir()) == []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=0.5e9))
    first = next(iter(examinations.folders({"runs": runs})))
    assert (first.level, "0.5 GB free" in first.found) == ("warning", True)
    (home / "a").touch()
    first = next(iter(examinations.folders({"runs": runs})))
    assert (first.level, "cannot be written" in first.found) == ("problem", True)


def test_wandb_is_offline_or_logged_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "not logged in" in only(examinations.wandb()).found
    (home / ".netrc").write_text("machine api.wandb.ai login user password none\n")
    (home / ".netrc").chmod(0o600)
    assert "logged in at api.wandb.ai" in only(examinations.wandb()).found
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert "offline" in only(examinations.wandb()).found


def test_tools_that_are_not_there_are_no_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert {f.topic: f.level for f in examinations.tools()} == {"ffmpeg": "ok", "slurm": "ok"}
    (tmp_path / "sbatch").write_text("#!/bin/sh\necho slurm 23.11\n")
    (tmp_path / "sbatch").chmod(0o755)
    assert {f.topic: f.found for f in examinations.tools()}["slurm"] == "slurm 23.11"


def test_a_data_set_is_recognised_by_its_own_module(tmp_path: Path) -> None:
    root = tmp_path / "complexmotion"
    root.mkdir()
    for name in "abcde":  # the layout asks for videos of any name
        (root / f"{name}.mp4").touch()
    finding = examinations.data_set("complexmotion", root)
    assert finding.level == "ok"
    assert f"{root}: 5 recordings, " in finding.found
    (root / "miniature.json").write_text('{"data": "complexmotion", "miniature": 1}')
    assert "a miniature: 5 recordings" in examinations.data_set("complexmotion", root).found
    finding = examinations.data_set("solodance", root)
    assert finding.level == "problem"
    finding = examinations.data_set("iper", tmp_path / "nowhere")
    assert "the data set iper is not here" in finding.found
    assert finding.remedy
    for name in ("puppets", "imper"):
        with pytest.raises(ConfigError, match="there is no data set"):
            examinations.data_set(name, root)


def test_a_folder_of_videos_is_counted(tmp_path: Path) -> None:
    assert examinations.data_set("folder", tmp_path).level == "problem"
    (tmp_path / "a.mp4").touch()
    assert "1 videos" in examinations.data_set("folder", tmp_path).found
    assert examinations.data_set("folder", tmp_path / "nowhere").level == "problem"


# -- the command ------------------------------------------------------------------------------------------------------


def quick(monkeypatch: pytest.MonkeyPatch, **changed: Any) -> None:
    for name in ("python", "packages", "code", "devices", "energy", "video", "perception", "weights", "wandb", "tools"):
        monkeypatch.setattr(examinations, name, changed.get(name, lambda name=name: [Finding(name, "ok", "fine")]))


def test_warnings_alone_leave_the_machine_ready(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quick(monkeypatch, weights=lambda: [Finding("weights", "warning", "none " * 60, "fetch some")])
    monkeypatch.chdir(home)
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "this machine is ready: 0 problems, 1 warnings" in said
    assert "-> fetch some" in said
    assert max(map(len, said.splitlines())) <= 120


def test_an_examination_that_breaks_is_a_problem_and_the_others_go_on(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> Any:
        raise ImportError("libGL is not here")

    def refused() -> Any:
        raise DataError("no frames", expected="some", remedy="film")

    quick(monkeypatch, video=broken, perception=refused)
    assert main(["doctor", "--json", "--runs", str(home / "runs"), "--data", str(home / "data")]) == 1
    found = {f["topic"]: f for f in json.loads(capsys.readouterr().out)}
    assert found["video"]["found"] == "ImportError: libGL is not here"
    assert (found["perception"]["found"], found["perception"]["remedy"]) == ("no frames; expected some", "film")
    assert found["tools"]["level"] == "ok"
    assert list(home.iterdir()) == [], "nothing is made"


def test_data_roots_are_named(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    quick(monkeypatch)
    monkeypatch.chdir(home)
    assert main(["doctor", "--data-root", "iper"]) == 1
    assert "NAME=DIR" in capsys.readouterr().err
    assert main(["doctor", "--data-root", "iper=nowhere", "--data-root", "folder=."]) == 1
    said = capsys.readouterr().out
    assert "data set iper" in said
    assert "data set folder" in said
    assert "2 problems" in said
