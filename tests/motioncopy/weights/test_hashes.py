"""Whole hashes: kept where only the user writes, and asked for once where only digits are published."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
import torch

from motioncopy import weights
from motioncopy.errors import WeightsError
from motioncopy.weights import hashes
from tests.motioncopy.weights.file_server import FileServer
from tests.motioncopy.weights.publisher import FILE, change, digest_of, files, put, spoil


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """One item for every file that was read for its hash."""
    calls: list[object] = []
    compute = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *args: calls.append(args) or compute(*args))  # type: ignore[func-returns-value]
    return calls


def test_the_hash_is_computed_once_and_again_when_the_file_changes(
    published: Path, tmp_path: Path, computed: list[object]
) -> None:
    path = put(published, tmp_path / "given")
    for _ in range(3):
        weights.find("resnet18")
    assert len(computed) == 1
    assert files(tmp_path / "given") == {FILE}
    spoil(path)
    with pytest.raises(WeightsError, match="not the published file"):
        weights.find("resnet18")
    assert len(computed) == 2


def test_a_file_whose_old_time_was_put_back_is_read_again(published: Path, tmp_path: Path) -> None:
    path = put(published, tmp_path / "given")
    weights.find("resnet18")
    before = path.stat()
    spoil(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(WeightsError, match="not the published file"):
        weights.find("resnet18")


def test_the_hash_of_a_file_that_changed_just_now_is_not_kept(
    published: Path, tmp_path: Path, computed: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "_SETTLED_NS", 10**12)
    put(published, tmp_path / "given")
    for _ in range(2):
        weights.find("resnet18")
    assert len(computed) == 2


def test_a_note_beside_a_file_proves_nothing(published: Path, tmp_path: Path) -> None:
    path = put(published, tmp_path / "torch/hub/checkpoints")
    spoil(path)
    stat = path.stat()
    state = f"{stat.st_size} bytes, modified at {stat.st_mtime_ns} ns"
    path.with_name(f"{FILE}.sha256").write_text(f"{digest_of(published)}\n{state}")
    (path.parent / "trusted.json").write_text(json.dumps({"resnet18": digest_of(path)}))
    shutil.copytree(path.parent, tmp_path / "given")
    for _ in range(2):
        with pytest.raises(WeightsError, match="not the published file"):
            weights.find("resnet18")
        shutil.rmtree(tmp_path / "given", ignore_errors=True)


def own_note(tmp_path: Path) -> Path:
    (note,) = (tmp_path / "user/.cache/motioncopy/weights/hashes").iterdir()
    return note


@pytest.mark.parametrize("text", ["", "nonsense", "[]", '{"sha256": "0"}'])
def test_a_damaged_note_of_ones_own_does_no_harm(published: Path, tmp_path: Path, text: str) -> None:
    path = put(published, tmp_path / "given")
    weights.find("resnet18")
    own_note(tmp_path).write_text(text)
    assert weights.find("resnet18") == path


def test_a_note_that_others_can_write_is_not_believed(published: Path, tmp_path: Path, computed: list[object]) -> None:
    put(published, tmp_path / "given")
    weights.find("resnet18")
    own_note(tmp_path).chmod(0o666)
    weights.find("resnet18")
    assert len(computed) == 2


def test_a_home_that_takes_no_note_does_no_harm(published: Path, tmp_path: Path) -> None:
    (tmp_path / "user").write_text("a file where the folder should be")
    path = put(published, tmp_path / "torch/hub/checkpoints")
    assert weights.find("resnet18") == path


def test_the_whole_hash_is_asked_for_once_where_only_digits_are_published(
    published: Path, server: FileServer, only_digits: str, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=rf"nobody vouches.*{only_digits[:8]}\.\.\..*{only_digits}.*--sha256 HASH"):
        weights.fetch("resnet18")
    with pytest.raises(WeightsError, match="not on this machine"):
        weights.find("resnet18")
    path = weights.fetch("resnet18", sha256=only_digits.upper())
    assert len(server.asked) == 1  # what came the first time was kept
    assert weights.find("resnet18") == path
    assert files(tmp_path / "given") == {FILE}
    path.unlink()
    put(published, tmp_path / "torch/hub/checkpoints")
    assert weights.identity("resnet18") == f"resnet18@sha256:{only_digits}"


def test_a_file_with_the_published_digits_alone_is_not_loaded(
    published: Path, only_digits: str, tmp_path: Path
) -> None:
    path = put(published, tmp_path / "torch/hub/checkpoints")
    for refused in (weights.find, weights.load, weights.identity, weights.fetch):
        with pytest.raises(WeightsError, match=f"nobody vouches for {path}"):
            refused("resnet18")
    assert weights.fetch("resnet18", confirm=lambda entry, digest: (entry.name, digest) == ("resnet18", only_digits))
    assert weights.load("resnet18")["fc.bias"].tolist() == [0, 1, 2]


def test_the_users_word_holds_for_one_content(
    published: Path, only_digits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights.add(published, sha256=only_digits)
    torch.save({"fc.bias": torch.zeros(3)}, published)
    other = put(published, tmp_path / "given")
    change(monkeypatch, digits="")
    with pytest.raises(WeightsError, match=rf"not the published file.*{only_digits}.*{digest_of(other)}"):
        weights.find("resnet18")
    change(monkeypatch, digits=digest_of(other)[:8])  # as if it had the same first digits
    with pytest.raises(WeightsError, match="not the published file"):
        weights.find("resnet18")


def test_a_wrong_word_of_the_user_is_refused(
    published: Path, server: FileServer, only_digits: str, tmp_path: Path
) -> None:
    for given, refused in (
        ("0" * 64, "another SHA-256"),
        (only_digits[:8], "no whole SHA-256"),
        ("x" * 64, "no whole"),
    ):
        with pytest.raises(WeightsError, match=refused):
            weights.fetch("resnet18", sha256=given)
        with pytest.raises(WeightsError, match=refused):
            weights.add(published, sha256=given)
    assert not files(tmp_path / "given")
    assert not (tmp_path / "user/.cache/motioncopy/weights/trusted.json").exists()


def test_the_users_word_does_not_count_for_more_than_the_catalogue(
    published: Path, server: FileServer, tmp_path: Path
) -> None:
    server.content = server.content[:-1] + b"?"
    with pytest.raises(WeightsError, match="not the published file"):
        weights.fetch("resnet18", sha256=hashlib.sha256(server.content).hexdigest(), confirm=lambda *_: True)
    assert not files(tmp_path / "given")


def test_a_note_of_the_users_word_that_others_can_write_is_refused(
    published: Path, only_digits: str, tmp_path: Path
) -> None:
    weights.add(published, sha256=only_digits)
    note = tmp_path / "user/.cache/motioncopy/weights/trusted.json"
    assert json.loads(note.read_text()) == {"resnet18": only_digits}
    note.chmod(0o622)
    with pytest.raises(WeightsError, match=f"others can write {note}"):
        weights.find("resnet18")
    note.chmod(0o600)
    note.write_text("[")
    with pytest.raises(WeightsError, match=f"{note} cannot be read.*--sha256 HASH"):
        weights.find("resnet18")


def test_a_file_that_only_git_names_agrees_by_gits_id(
    published: Path, only_digits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = published.read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    change(monkeypatch, digits="", git_blob=blob)
    with pytest.raises(WeightsError, match=f"nobody vouches.*git blob {blob}"):
        weights.add(published)
    weights.add(published, sha256=only_digits)
    assert weights.identity("resnet18").endswith(only_digits)
    change(monkeypatch, git_blob="0" * 40, sha256=only_digits)  # both are held to where both are known
    with pytest.raises(WeightsError, match=f"not the published file.*SHA-256 {only_digits} and git blob 0000"):
        weights.find("resnet18")
    with pytest.raises(WeightsError, match="no known weights"):
        weights.add(published, sha256=only_digits)
