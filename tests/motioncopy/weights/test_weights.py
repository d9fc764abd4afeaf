"""Pretrained weights: found, verified, fetched and added, whole or not at all."""

from __future__ import annotations

import fcntl
import json
import os
import resource
from pathlib import Path

import pytest

from motioncopy import weights
from motioncopy.errors import BusyError, WeightsError
from motioncopy.weights import WEIGHTS, downloads
from tests.motioncopy.weights.file_server import FileServer
from tests.motioncopy.weights.publisher import FILE, change, digest_of, files, folders, put, spoil


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


def test_a_git_lfs_pointer_is_named(published: Path, tmp_path: Path) -> None:
    pointer = tmp_path / "given" / FILE
    pointer.parent.mkdir()
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    told = r"git-lfs pointer of \d+ bytes.*git lfs pull"
    with pytest.raises(WeightsError, match=told):
        weights.find("resnet18")
    with pytest.raises(WeightsError, match=told):
        weights.add(pointer)


def test_identity_holds_the_whole_hash_and_no_path(published: Path, tmp_path: Path) -> None:
    put(published, tmp_path / "given")
    assert weights.identity("resnet18") == f"resnet18@sha256:{digest_of(published)}"


def test_fetch_downloads_verifies_and_leaves_the_file_alone(
    published: Path, server: FileServer, tmp_path: Path
) -> None:
    path = weights.fetch("resnet18")
    assert path == tmp_path / "given" / FILE
    assert path.read_bytes() == published.read_bytes()
    assert files(tmp_path / "given") == {FILE}


def test_fetch_downloads_nothing_that_is_there(published: Path, server: FileServer, tmp_path: Path) -> None:
    there = put(published, tmp_path / "torch/hub/checkpoints")
    assert weights.fetch("resnet18") == there
    assert not server.asked


def test_fetch_puts_a_good_file_in_a_damaged_ones_place(published: Path, server: FileServer, tmp_path: Path) -> None:
    path = put(published, tmp_path / "given")
    spoil(path)
    assert weights.fetch("resnet18") == path == weights.find("resnet18")


def test_a_failed_download_says_so_and_leaves_nothing(server: FileServer, tmp_path: Path) -> None:
    server.statuses = [404]
    with pytest.raises(WeightsError, match=r"cannot download.*HTTP status 404.*weights add"):
        weights.fetch("resnet18")
    assert not files(tmp_path / "given")


def test_a_download_that_is_cut_off_goes_on_the_next_time(published: Path, server: FileServer, tmp_path: Path) -> None:
    server.cuts = [500, 0, 0, 0]
    with pytest.raises(WeightsError, match="500 bytes are kept"):
        weights.fetch("resnet18")
    assert weights.fetch("resnet18").read_bytes() == published.read_bytes()
    assert server.ranges[-1] == "bytes=500-"
    assert files(tmp_path / "given") == {FILE}


def test_a_download_of_another_hash_is_refused_and_leaves_nothing(server: FileServer, tmp_path: Path) -> None:
    server.content = server.content[:-1] + b"?"
    with pytest.raises(WeightsError, match="not the published file"):
        weights.fetch("resnet18")
    assert not files(tmp_path / "given")


def test_a_part_that_somebody_else_left_is_not_trusted(published: Path, server: FileServer, tmp_path: Path) -> None:
    part = downloads.partial_path(tmp_path / "given", server.url)
    part.parent.mkdir()
    part.write_bytes(b"?" * 500)
    part.with_suffix(".json").write_text(json.dumps({"validator": server.tag, "total": len(server.content)}))
    with pytest.raises(WeightsError, match="not the published file"):
        weights.fetch("resnet18")
    assert weights.fetch("resnet18").read_bytes() == published.read_bytes()


def test_more_bytes_than_the_catalogue_says_are_refused(
    published: Path, server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(monkeypatch, size=1000)
    with pytest.raises(WeightsError, match="at most 1000"):
        weights.fetch("resnet18")
    assert not files(tmp_path / "given")


def test_one_process_at_a_time_downloads_a_file(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    part = downloads.partial_path(tmp_path / "given", server.url)
    with part.with_name(f".{part.name}.lock").open("w") as lock:  # locks are of open files: as if of another process
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match="being downloaded by another process"):
            weights.fetch("resnet18")
    assert not server.asked
    assert weights.fetch("resnet18").is_file()


def test_add_knows_a_file_by_its_hash_whatever_its_name(published: Path, tmp_path: Path) -> None:
    renamed = published.rename(published.with_name("download (1).pth"))
    assert weights.add(renamed) == tmp_path / "given" / FILE == weights.find("resnet18")
    assert renamed.exists()
    assert files(tmp_path / "given") == {FILE}
    assert weights.add(tmp_path / "given" / FILE) == tmp_path / "given" / FILE


def test_add_refuses_what_it_does_not_know(published: Path, tmp_path: Path) -> None:
    spoil(published)
    with pytest.raises(WeightsError, match=r"no known weights.*vgg19-dcbb9e9d\.pth.*cut short"):
        weights.add(published)
    os.mkfifo(tmp_path / "pipe")
    for wrong in (tmp_path / "absent.pth", tmp_path, tmp_path / "pipe"):
        with pytest.raises(WeightsError, match="cannot be read"):
            weights.add(wrong)
    assert not files(tmp_path / "given")


@pytest.mark.parametrize("way", ["add", "fetch"])
def test_a_full_disk_is_named_and_nothing_is_left(
    published: Path, server: FileServer, tmp_path: Path, way: str
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        with pytest.raises(WeightsError, match="File too large"):
            weights.add(published) if way == "add" else weights.fetch("resnet18")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not files(tmp_path / "given")


@pytest.mark.parametrize("way", ["add", "fetch"])
def test_a_home_that_cannot_be_made_is_named(published: Path, server: FileServer, tmp_path: Path, way: str) -> None:
    (tmp_path / "given").write_text("a file where the folder should be")
    with pytest.raises(WeightsError, match="MOTIONCOPY_WEIGHTS"):
        weights.add(published) if way == "add" else weights.fetch("resnet18")
