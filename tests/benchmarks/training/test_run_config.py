"""A run's folder may have come from anywhere: what a test takes of its config, and what it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.cli import main
from benchmarks.training import run_config
from motioncopy.errors import MotionCopyError
from tests.toys import write_clip


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for person in ("ana", "bo"):
        write_clip(tmp_path / "clips", f"{person}_1", person=person)
    config = {
        "model": {"class_path": "methods.static.Static", "init_args": {"image_size": [16, 16]}},
        "data": {"class_path": "tests.toys.ToyData", "init_args": {"root": str(tmp_path / "clips")}},
        "trainer": {"accelerator": "cpu"},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "--config", str(tmp_path / "config.yaml"), "--run", str(tmp_path / "run")]) == 0
    return tmp_path / "run"


def changed(run: Path, /, **values: Any) -> None:
    path = run / "config.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | values))


def test_model_data_and_the_ways_of_computing_are_taken(run: Path) -> None:
    taken = run_config.read(run, run / "method.ckpt")
    assert taken["model"]["class_path"] == "methods.static.Static"
    assert taken["trainer"]["accelerator"] == "cpu"
    assert set(taken["trainer"]) <= {"accelerator", "devices", "strategy", "num_nodes", "precision", "deterministic"}
    assert main(["test", "--run", str(run)]) == 0
    (folder,) = (run / "outputs").iterdir()
    assert (folder / "summary.json").is_file()


def test_what_runs_writes_or_reads_elsewhere_is_not(run: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    callback = {"class_path": "lightning.pytorch.callbacks.ModelCheckpoint", "init_args": {"dirpath": str(elsewhere)}}
    changed(run, trainer={"callbacks": [callback], "default_root_dir": str(elsewhere)}, run=str(elsewhere))
    changed(run, checkpoint=str(elsewhere / "method.ckpt"), ckpt_path=str(elsewhere), logger="wandb")
    assert main(["test", "--run", str(run)]) == 0
    assert not elsewhere.exists()


@pytest.mark.parametrize(
    "values",
    [
        {"model": {"class_path": "torch.fx.graph_module.reduce_graph_module", "init_args": {"body": {}}}},
        {"model": {"class_path": "methods.static.Static", "init_args": {"image_size": "config.yaml"}}},
        {"model": {"class_path": "methods.static.Static", "init_args": {"x": {"class_path": "os.system"}}}},
        {"data": {"class_path": "subprocess.Popen", "init_args": {"args": "id"}}},
        {"data": {"class_path": "methods.static.Static"}},
        {"model": None},
        {"data": []},
        {"trainer": {"strategy": {"class_path": "lightning.pytorch.strategies.DDPStrategy"}}},
        {"trainer": {"accelerator": "lightning.pytorch.accelerators.CPUAccelerator"}},
    ],
)
def test_what_a_file_may_not_name_is_refused(
    values: dict[str, Any], run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed(run, **values)
    assert main(["test", "--run", str(run)]) == 1
    assert "config.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["[1]", "a: &x [*x]", "a: .nan", "\x00", "{" * 10_000, "a: 1\na: 2", ""])
def test_a_damaged_config_is_refused_by_its_name(text: str, run: Path) -> None:
    (run / "config.yaml").write_text(text)
    with pytest.raises(MotionCopyError, match=r"config\.yaml"):
        run_config.read(run, run / "method.ckpt")


def test_two_fits_of_one_folder_do_not_meet(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from motioncopy.files.lock import alone

    arguments = ["fit", "--config", str(tmp_path / "config.yaml"), "--run", str(run)]
    with alone(run, "busy", "wait"):
        assert main(arguments) == 1
    assert "another process works in" in capsys.readouterr().err
    assert main(arguments) == 0


def test_a_limit_and_a_trusted_package_are_taken_anywhere_on_the_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from motioncopy.building import trusted_packages
    from motioncopy.files.limits import limits

    monkeypatch.setenv("MOTIONCOPY_LIMITS", "")
    monkeypatch.setenv("MOTIONCOPY_TRUSTED_PACKAGES", "")
    assert main(["protocol", "--limit", "gif_frames=7", "list", "--trust-package=mine"]) == 0
    assert limits().gif_frames == 7
    assert "mine" in trusted_packages()
    assert main(["protocol", "list", "--limit", "gif_frames"]) == 1
    assert "a limit is wrong" in capsys.readouterr().err


def test_a_module_beside_the_caller_stands_in_for_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import subprocess

    from benchmarks.bench import processes

    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").write_text("open('hijacked', 'w')\n")
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", _with_help(subprocess.run))
    lock = os.open(tmp_path / "run", os.O_RDONLY)
    processes.call("fit", tmp_path / "none.yaml", tmp_path / "run", lock)
    assert not (tmp_path / "hijacked").exists()


def _with_help(run: Any) -> Any:
    """The same call, which says its options and ends."""
    return lambda arguments, **kwargs: run([*arguments[:5], "--help"], **kwargs)
