"""Small files: there whole or not at all."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from motioncopy.errors import MotionCopyError, RecordError
from motioncopy.files.writing import aside, check_writable, whole_file, write_whole


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_whole(path, "one")
    write_whole(path, "größer")
    assert path.read_text(encoding="utf-8") == "größer"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_one_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    write_whole(path, "old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecordError, match=r"a\.json cannot be written\. Found: No space left.*Remedy: free some disk"):
        write_whole(path, "new", error=RecordError)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


@pytest.fixture
def small_files() -> Iterator[None]:
    """As on a full disk: no file may be longer than 1000 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files")
def test_what_does_not_fit_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(MotionCopyError, match=r"File too large\. Remedy: free some disk space"):
        write_whole(tmp_path / "a.json", "x" * 2000)
    assert list(tmp_path.iterdir()) == []


def test_whatever_ends_the_block_leaves_nothing(tmp_path: Path) -> None:
    with suppress(KeyboardInterrupt), whole_file(tmp_path / "a.json") as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    assert aside(path) != aside(path)
    with whole_file(path) as one, whole_file(path) as other:
        one.write(b"one")
        other.write(b"other")
    assert path.read_bytes() == b"one", "who is done last"


def test_a_folder_is_tried_before_it_is_relied_on(tmp_path: Path) -> None:
    check_writable(tmp_path / "new/one")
    assert list((tmp_path / "new/one").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match=r"file.below cannot be written\. .*Remedy: choose another folder"):
        check_writable(tmp_path / "file/below", error=RecordError)


def test_where_nobody_may_write_the_remedy_is_another_folder(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    tmp_path.chmod(0o755)
    refused = os.fork() if os.getuid() == 0 else None  # root may write everywhere
    if refused == 0:
        os.setuid(65534)
        os._exit(_refused(closed))
    status = os.waitstatus_to_exitcode(os.waitpid(refused, 0)[1]) if refused else _refused(closed)
    assert status == 0
    assert list(closed.iterdir()) == []


def _refused(closed: Path) -> int:
    """0 if both ways of writing are refused with their remedy."""
    seen = 0
    for write in (partial(write_whole, closed / "a.json", "x"), partial(check_writable, closed)):
        try:
            write()
        except MotionCopyError as error:
            seen += "Permission denied. Remedy: choose another folder, or change its permissions" in str(error)
    return 2 - seen
