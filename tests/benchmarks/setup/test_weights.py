"""The command ``motioncopy weights``, on a file that stands for one of the known ones."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.cli import main
from motioncopy.weights import WEIGHTS
from tests.motioncopy.weights.file_server import FileServer, serving

FILE = WEIGHTS["resnet18"].file


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the entry resnet18 describes, under a name of its own; nothing is on the machine."""
    path = tmp_path / "download.pth"
    torch.save({"fc.bias": torch.zeros(3)}, path)
    monkeypatch.setitem(WEIGHTS, "resnet18", replace(WEIGHTS["resnet18"], sha256=digest_of(path)))
    for variable in ("MOTIONCOPY_WEIGHTS", "HOME", "TORCH_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "given"))
    return path


@pytest.fixture
def server(published: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """Its publisher."""
    with serving(published.read_bytes(), monkeypatch) as served:
        monkeypatch.setitem(WEIGHTS, "resnet18", replace(WEIGHTS["resnet18"], url=served.url))
        yield served


@pytest.fixture
def only_digits(published: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Leaves the first digits of the hash in the entry, and gives the whole hash."""
    digest = digest_of(published)
    monkeypatch.setitem(WEIGHTS, "resnet18", replace(WEIGHTS["resnet18"], sha256="", digits=digest[:8]))
    return digest


class Terminal(io.StringIO):
    """A user who typed something."""

    def isatty(self) -> bool:
        return True


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_list_names_purpose_hash_licence_address_and_place_of_all(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weights", "list"]) == 0
    said = capsys.readouterr().out
    for entry in WEIGHTS.values():
        if entry.package:
            assert f"here: {entry.installed}" in said
        else:
            assert f"the weights {entry.name} ({entry.purpose}) are not on this machine" in said
            assert f"its place: {tmp_path / 'given' / entry.file}\n" in said
        assert entry.licence in said
        assert entry.url in said
        assert entry.promised in said
    assert said.count("the whole SHA-256 is asked for once") == sum(not entry.sha256 for entry in WEIGHTS.values())


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


def test_fetch_says_where_the_file_lies(
    published: Path, server: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
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


@pytest.mark.parametrize("way", ["add", "fetch"])
def test_without_a_terminal_the_whole_hash_is_shown_and_asked_for_as_an_option(
    published: Path, server: FileServer, only_digits: str, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    item = str(published) if way == "add" else "resnet18"
    assert main(["weights", way, item]) == 1
    said = capsys.readouterr().err
    assert f"SHA-256 {only_digits}, which agrees with what is published" in said
    assert "--sha256 HASH" in said
    assert main(["weights", way, item, "--sha256", only_digits]) == 0
    capsys.readouterr()
    main(["weights", "list"])
    assert f"/{FILE}\n" in capsys.readouterr().out.partition("here: ")[2]


@pytest.mark.parametrize(("typed", "status"), [("{}\n", 0), ("\n", 1), ("", 1), ("yes\n", 1), ("00000000\n", 1)])
def test_at_a_terminal_the_last_digits_are_asked_for(
    published: Path,
    only_digits: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str,
    status: int,
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed.format(only_digits[-8:].upper())))
    assert main(["weights", "add", str(published)]) == status
    assert f"SHA-256 {only_digits}\n" in capsys.readouterr().out
    assert (tmp_path / "given" / FILE).exists() == (status == 0)


def test_one_hash_is_of_one_file(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "fetch", "vgg16", "vgg19", "--sha256", "0" * 64]) == 1
    assert "--sha256 is of one file" in capsys.readouterr().err
    assert main(["weights", "add", str(published), "--sha256", "0" * 63]) == 1
    assert "64 hexadecimal digits" in capsys.readouterr().err


def test_without_an_action_the_call_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights"]) == 2
    assert "ACTION" in capsys.readouterr().err
