"""``motioncopy sample``: writes, says where, and refuses."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from benchmarks.cli import main
from datamodules import miniatures


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(out: Path) -> None:
        (out / "videos").mkdir()
        (out / "videos" / "a.txt").write_text("a")

    module = type("Miniature", (), {"write": staticmethod(write)})
    monkeypatch.setattr(miniatures, "import_module", lambda name: module)


def test_writes_and_says_how_it_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "mini"
    assert main(["sample", "solodance", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "videos/" in said
    assert f"make bench DATA=solodance DATA_ROOT={out}" in said
    assert (out / "videos" / "a.txt").read_text() == "a"
    assert main(["sample", "solodance", "--out", str(out)]) == 0  # it is there already


def test_leaves_other_folders_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("mine")
    assert main(["sample", "solodance", "--out", str(tmp_path)]) == 1
    assert "is not empty" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_another_miniature_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", "solodance", "--out", str(tmp_path / "m")]) == 0
    assert main(["sample", "complexmotion", "--out", str(tmp_path / "m")]) == 1
    assert "is not empty" in capsys.readouterr().err


def test_unknown_names_are_answered_with_the_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", "puppets", "--out", str(tmp_path / "m")]) == 1
    assert "solodance" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_shown_command_can_be_pasted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "my data"
    assert main(["sample", "solodance", "--out", str(out)]) == 0
    shown = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("Use it with: "))
    assert f"DATA_ROOT={out}" in shlex.split(shown)


def test_a_folder_below_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    assert main(["sample", "solodance", "--out", str(tmp_path / "file" / "m")]) == 1
    assert "cannot be made" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(out: Path) -> None:
        (out / "half").write_text("")
        raise OSError("the disk is full")

    monkeypatch.setattr(miniatures, "import_module", lambda name: type("M", (), {"write": staticmethod(write)}))
    with pytest.raises(OSError, match="full"):
        main(["sample", "solodance", "--out", str(tmp_path / "m")])
    assert list(tmp_path.iterdir()) == []
