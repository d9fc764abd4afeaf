"""The console script: what it helps with, and the status it ends with."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightning.pytorch.utilities.exceptions import SIGTERMException

from benchmarks.bench import command as bench
from benchmarks.cli import COMMANDS, main
from motioncopy.errors import DataError
from tests.methods.tiny import tiny
from tests.toys import write_clip

ROOT = Path(__file__).parents[2]
NAMES = list(COMMANDS)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert [name for name in NAMES if name not in said] == []


def test_help_groups_what_there_is_and_explains_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    said = capsys.readouterr().out
    assert (
        said.index("Begin here") < said.index("Compare methods") < said.index("Look at results") < said.index("Tools")
    )
    assert [line for line in said.splitlines() if len(line) > 120] == []
    for status in ("0    ", "1    ", "2    ", "3    ", "130  "):
        assert f"\n  {status}" in said
    called = {line.split()[1] for line in said.splitlines() if line.startswith("  motioncopy ")}
    assert called == set(NAMES), "none that is not there, whatever other releases have"


def test_the_version_names_the_release_and_the_commit(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(r"motioncopy \d+\.\d+\.\d+(, commit [0-9a-f]{7}( with changes)?)?\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["bnech"], "did you mean bench?"),
        (["tset"], "did you mean test?"),
        (["zzz"], "`motioncopy --help` lists them"),
        (["bench", "--metod", "x"], "motioncopy bench does not take --metod x; did you mean --method?"),
        (["bench", "--metod=x"], "did you mean --method?"),
        (["records", "list", "--statsu", "failed"], "did you mean --status?"),
        (["--verison"], "--version"),
    ],
)
def test_a_mistyped_word_is_answered_with_the_nearest(
    arguments: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert meant in capsys.readouterr().err


def test_no_command_imports_torch_before_it_has_something_to_do() -> None:
    script = (
        "import sys; from benchmarks.cli import main; main(['--help']); main(['completion', 'bash']); "
        "main(['records', 'verify']); sys.exit(sorted({'torch', 'pandas', 'lightning', 'cv2'} & sys.modules.keys())"
    )
    # ``sys.exit`` of a list that is not empty ends with 1 and names them.
    done = subprocess.run(
        [sys.executable, "-c", script + " or 0)"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_reader_who_went_away_is_no_error() -> None:
    command = f"{sys.executable} -m benchmarks.cli protocol list | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("141\n")
    assert "Traceback" not in done.stderr


def test_a_broken_pipe_of_another_kind_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    _replace_command(monkeypatch, BrokenPipeError())
    with Path(os.devnull).open("w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        with pytest.raises(BrokenPipeError):
            main(["bench"])


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_of_its_own(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 4


@pytest.mark.parametrize("arguments", [["fly"], *([name, "--wrong"] for name in NAMES)], ids=lambda a: a[0])
def test_a_wrong_call_ends_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.strip()


def test_what_the_user_can_mend_ends_with_one_and_says_what(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _replace_command(monkeypatch, DataError("no frames", remedy="film something"))
    assert main(["bench"]) == 1
    assert capsys.readouterr().err == "motioncopy: no frames. Remedy: film something.\n"


def test_an_error_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    _replace_command(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        main(["bench"])


def test_stopping_ends_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _replace_command(monkeypatch, KeyboardInterrupt())
    assert main(["bench"]) == 130
    assert "goes on from here" in capsys.readouterr().err


def _replace_command(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def run(arguments: Any) -> int:
        raise error

    monkeypatch.setattr(bench, "run", run)


# -- commands of Lightning --------------------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> Path:
    write_clip(tmp_path / "clips", "ann")
    return write(tmp_path / "config.yaml", tiny("nearest", "trivial"), root=str(tmp_path / "clips"))


def write(path: Path, model: dict[str, Any], **data: Any) -> Path:
    content = {
        "model": model,
        "data": {"class_path": "tests.toys.ToyData", "init_args": data},
        "trainer": {"accelerator": "cpu", "logger": False},
    }
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Lightning ignores further interruptions once it has seen one."""
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.usefixtures("interruptible")
def test_a_fit_that_was_terminated_has_not_succeeded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _replace_command(monkeypatch, SIGTERMException())
    assert main(["bench"]) == 143
    assert "ended by SIGTERM" in capsys.readouterr().err


def test_stopping_a_fit_or_a_test_ends_with_130(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = config.parent / "run"
    toy = write(config.with_name("toy.yaml"), {"class_path": "tests.toys.ToyMethod"}, root=str(config.parent / "clips"))

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as changed:
        changed.setattr("tests.toys.PaintStage.training_step", stop)
        assert main(["fit", "--config", str(toy), "--run", str(run)]) == 130
    assert "goes on from here" in capsys.readouterr().err
    assert not (run / "method.ckpt").exists()
    assert main(["fit", "--config", str(toy), "--run", str(run)]) == 0
    monkeypatch.setattr("tests.toys.ToyMethod.step", stop)
    assert main(["test", "--run", str(run)]) == 130
    assert not list(run.glob("outputs/toy@1-test/*"))


def test_several_configs_are_merged_by_the_stacks_rules(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = config.with_name("other.yaml")
    other.write_text("model:\n  class_path: methods.static.Static\n  init_args:\n    image_size: [8, 8]\n")
    run = config.parent / "run"
    assert main(["fit", "--config", str(config), "-c", str(other), f"--run={run}"]) == 0
    kept = yaml.safe_load((run / "config.yaml").read_text())
    assert kept["model"] == {
        "class_path": "methods.static.Static",
        "init_args": {"image_size": [8, 8], "crop": "frame"},
    }


def test_a_fitted_run_knows_its_config(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = config.parent / "run"
    assert main(["test", "--run", str(run)]) == 1
    assert "there is no config at" in capsys.readouterr().err
    assert main(["fit", "--config", str(config), "--run", str(run)]) == 0
    assert main(["test", "--run", str(run)]) == 0
    assert (run / "outputs/toy@1-test/summary.json").is_file()
    elsewhere = config.parent / "elsewhere"
    assert (
        main(["test", "--config", str(config), "--run", str(elsewhere), "--checkpoint", str(run / "method.ckpt")]) == 0
    )
    assert (elsewhere / "outputs/toy@1-test/ann.npy").is_file()


def test_the_reason_of_a_failure_is_left_for_who_started_it(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = config.parent / "run"
    assert main(["fit", "--config", str(config), "--run", str(run)]) == 0
    (run / "method.ckpt").write_bytes(b"cut off")
    assert main(["test", "--run", str(run)]) == 1
    assert "cannot read" in (run / "failure.txt").read_text()
    assert (run / "failure.txt").read_text() in capsys.readouterr().err
