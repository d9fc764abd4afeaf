"""The command ``motioncopy weights``, on a file that stands for one of the known ones."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.cli import main
from motioncopy.weights import WEIGHTS

FILE = WEIGHTS["resnet18"].file


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the entry resnet18 describes, under a name of its own; nothing is on the machine."""
    path = tmp_path / "download.pth"
    torch.save({"fc.bias": torch.zeros(3)}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(WEIGHTS, "resnet18", replace(WEIGHTS["resnet18"], sha256=digest[:8], url=path.as_uri()))
    for variable in ("MOTIONCOPY_WEIGHTS", "HOME", "TORCH_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "given"))
    return path


def test_list_names_purpose_licence_address_and_place_of_all(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weights", "list"]) == 0
    said = capsys.readouterr().out
    for entry in WEIGHTS.values():
        assert f"the weights {entry.name} ({entry.purpose}) are not on this machine" in said
        assert entry.licence in said
        assert entry.url in said
        assert f"its place: {tmp_path / 'given' / entry.file}\n" in said


def test_list_says_where_a_file_lies_and_that_another_is_damaged(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["weights", "add", str(published)])
    (tmp_path / "given" / WEIGHTS["vgg16"].file).write_bytes(b"half")
    capsys.readouterr()
    assert main(["weights", "list"]) == 0
    said = capsys.readouterr().out
    assert f"here: {tmp_path / 'given' / FILE}\n" in said
    assert "is not the published file of the weights vgg16" in said
    assert "the weights vgg19" in said


def test_fetch_says_where_the_file_lies(published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "fetch", "resnet18"]) == 0
    assert (tmp_path / "given" / FILE).read_bytes() == published.read_bytes()
    assert str(tmp_path / "given" / FILE) in capsys.readouterr().out


def test_fetch_refuses_an_unknown_name(published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "fetch", "vgg11"]) == 1
    assert "vgg16, vgg19" in capsys.readouterr().err
    assert not (tmp_path / "given").exists()


def test_add_takes_a_file_of_any_name_and_refuses_another(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weights", "add", str(published)]) == 0
    assert str(tmp_path / "given" / FILE) in capsys.readouterr().out
    published.write_bytes(b"something else")
    assert main(["weights", "add", str(published)]) == 1
    assert "no known weights" in capsys.readouterr().err


def test_without_an_action_the_call_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights"]) == 2
    assert "ACTION" in capsys.readouterr().err
