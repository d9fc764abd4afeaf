"""Downloads of weights from a server that stalls, cuts off, changes its file and lies about its length."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from motioncopy.errors import WeightsError
from motioncopy.weights import downloads as module
from motioncopy.weights.downloads import download, partial_path
from tests.motioncopy.weights.file_server import FileServer, serving

CONTENT = random.Random(0).randbytes(300_000)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    with serving(CONTENT, monkeypatch) as served:
        yield served


@pytest.fixture
def partial(server: FileServer, tmp_path: Path) -> Path:
    return partial_path(tmp_path, server.url)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def cut_off(server: FileServer, partial: Path, after: int = 100_000) -> None:
    """A download of which so much is kept."""
    server.cuts = [after, 0, 0, 0]
    with pytest.raises(WeightsError, match=rf"cannot download {server.url}.*{after} bytes are kept"):
        download(server.url, partial)
    assert partial.read_bytes() == server.content[:after]
    server.asked.clear()


def test_a_file_comes_whole(server: FileServer, partial: Path) -> None:
    download(server.url, partial)
    assert partial.read_bytes() == CONTENT
    assert server.ranges == [None]


def test_a_whole_file_is_not_asked_for_again(server: FileServer, partial: Path) -> None:
    download(server.url, partial)
    download(server.url, partial)
    assert len(server.asked) == 1


def test_a_cut_connection_goes_on_where_it_was(server: FileServer, partial: Path) -> None:
    server.cuts = [100_000, 50_000]
    download(server.url, partial)
    assert partial.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-", "bytes=150000-"]


def test_a_stalled_download_times_out_and_goes_on(
    server: FileServer, partial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 10 <= module.STALL_SECONDS <= 120
    monkeypatch.setattr(module, "STALL_SECONDS", 0.3)
    server.cuts, server.stalls = [100_000], True
    began = time.perf_counter()
    download(server.url, partial)
    assert time.perf_counter() - began < 5
    assert partial.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-"]


def test_a_server_that_only_stalls_is_given_up(
    server: FileServer, partial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STALL_SECONDS", 0.1)
    server.cuts, server.stalls = [0] * 9, True
    with pytest.raises(WeightsError, match=r"timed out.*weights add FILE"):
        download(server.url, partial)
    assert len(server.asked) == 1 + len(module.PAUSES)
    assert not files(partial.parent)


def test_the_next_call_goes_on_from_what_is_kept(server: FileServer, partial: Path) -> None:
    cut_off(server, partial)
    download(server.url, partial)
    assert partial.read_bytes() == CONTENT
    assert server.asked[0]["If-Range"] == '"1"'
    assert server.ranges == ["bytes=100000-"]


def test_a_long_way_through_many_cuts_counts_no_attempts(
    server: FileServer, partial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PROGRESS_BYTES", 10_000)
    server.cuts = [20_000] * 14
    download(server.url, partial)
    assert partial.read_bytes() == CONTENT


def test_another_version_of_the_file_starts_over(server: FileServer, partial: Path) -> None:
    cut_off(server, partial)
    server.content, server.tag = CONTENT[::-1], '"2"'
    download(server.url, partial)
    assert partial.read_bytes() == CONTENT[::-1]


def test_a_server_that_goes_on_with_another_version_starts_over(server: FileServer, partial: Path) -> None:
    cut_off(server, partial)
    server.content, server.headers = CONTENT[::-1], {"ETag": '"2"'}  # it does not look at If-Range
    download(server.url, partial)
    assert partial.read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("tag", ["", 'W/"1"', '"a b'])
def test_without_a_mark_of_the_version_nothing_is_gone_on_with(server: FileServer, partial: Path, tag: str) -> None:
    server.tag, server.cuts = tag, [100_000]
    download(server.url, partial)
    assert server.ranges == [None, None]
    assert partial.read_bytes() == CONTENT
    partial.unlink()
    server.cuts = [0, 0, 0, 100_000]
    with pytest.raises(WeightsError, match=r"cut off after 100000 of 300000 bytes\. Remedy"):
        download(server.url, partial)
    assert not files(partial.parent)


def test_a_server_without_ranges_starts_over(server: FileServer, partial: Path) -> None:
    cut_off(server, partial)
    server.resumes = False
    download(server.url, partial)
    assert server.ranges == ["bytes=100000-"]
    assert partial.read_bytes() == CONTENT


def test_a_damaged_note_or_a_part_that_is_too_long_does_no_harm(server: FileServer, partial: Path) -> None:
    cut_off(server, partial)
    partial.with_suffix(".json").write_text("{")
    download(server.url, partial)
    assert partial.read_bytes() == CONTENT
    partial.write_bytes(CONTENT + b"more")
    server.statuses = [416]
    download(server.url, partial)
    assert partial.read_bytes() == CONTENT


@pytest.mark.parametrize("length", ["-1", "many", "1e3", "0x10", "\xb3", "9" * 400, str(5 * 2**30), ""])
def test_a_nonsense_length_is_refused_at_once(server: FileServer, partial: Path, length: str) -> None:
    server.headers = {"Content-Length": length}
    with pytest.raises(WeightsError, match="refused what the server says") as caught:
        download(server.url, partial)
    assert server.url in str(caught.value)
    assert len(server.asked) == 1
    assert not files(partial.parent)


def test_more_than_the_catalogue_says_is_refused(server: FileServer, partial: Path) -> None:
    with pytest.raises(WeightsError, match=r"at most 299999.*300000 bytes"):
        download(server.url, partial, size=len(CONTENT) - 1)
    server.headers = {"Content-Length": None}
    with pytest.raises(WeightsError, match=r"at most 299999.*more than"):
        download(server.url, partial, size=len(CONTENT) - 1)
    assert not files(partial.parent)
    download(server.url, partial, size=len(CONTENT))
    assert partial.read_bytes() == CONTENT


def test_no_more_is_read_than_was_promised(server: FileServer, partial: Path) -> None:
    server.headers = {"Content-Length": "1000"}
    download(server.url, partial)
    assert partial.read_bytes() == CONTENT[:1000]


@pytest.mark.parametrize(
    "span", ["bytes 5-299999/300000", "bytes 100000-299999/*", "bytes 100000-1/2", "bytes 100000-299999/300001", None]
)
def test_a_nonsense_range_is_refused_and_what_is_there_is_kept(
    server: FileServer, partial: Path, span: str | None
) -> None:
    cut_off(server, partial)
    server.headers = {"Content-Range": span}
    with pytest.raises(WeightsError, match="refused what the server says"):
        download(server.url, partial)
    assert partial.read_bytes() == CONTENT[:100_000]


def test_more_than_there_is_room_for_is_refused(
    server: FileServer, partial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("motioncopy.weights.downloads.shutil.disk_usage", lambda _: SimpleNamespace(free=299_999))
    with pytest.raises(WeightsError, match=r"no room.*300000 bytes.*299999 bytes free"):
        download(server.url, partial)
    assert not files(partial.parent)


def test_a_disk_that_fills_up_meanwhile_is_named(server: FileServer, partial: Path) -> None:
    partial.symlink_to("/dev/full")
    with pytest.raises(WeightsError, match=r"cannot write.*No space left.*MOTIONCOPY_WEIGHTS"):
        module._receive(server.url, module._open(server.url, {}), partial, 1, None, 10**6)
    assert not files(partial.parent)


def test_a_link_in_the_parts_place_is_not_followed(server: FileServer, partial: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(CONTENT[:1000])
    cut_off(server, partial, after=1000)
    partial.unlink()
    partial.symlink_to(other)
    download(server.url, partial)
    assert not partial.is_symlink()
    assert (partial.read_bytes(), other.read_bytes()) == (CONTENT, CONTENT[:1000])


def test_a_busy_server_is_asked_again_and_another_is_not(server: FileServer, partial: Path) -> None:
    server.statuses = [503, 429]
    download(server.url, partial)
    assert partial.read_bytes() == CONTENT
    server.url += "?other"
    server.statuses = [404]
    with pytest.raises(WeightsError, match="HTTP status 404"):
        download(server.url, partial_path(partial.parent, server.url))
    server.statuses = [204]
    with pytest.raises(WeightsError, match="status 204"):
        download(server.url, partial_path(partial.parent, server.url))


def test_only_https_is_taken_and_stays(server: FileServer, partial: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.statuses, server.headers = [302], {"Location": "ftp://127.0.0.1/file"}
    with pytest.raises(WeightsError, match="away from https"):
        download(server.url, partial)
    server.statuses, server.headers = [302] * 4, {"Location": "http://[bad/"}
    with pytest.raises(WeightsError, match="cannot download"):
        download(server.url, partial)
    monkeypatch.undo()
    for url in (server.url, "file:///etc/hostname"):
        with pytest.raises(WeightsError, match=f"away from https.*{url}"):
            download(url, partial)
    assert not files(partial.parent)


def test_it_says_how_far_it_is(server: FileServer, partial: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server.cuts = [150_000]
    download(server.url, partial)
    said = capsys.readouterr().err
    assert "cut off after 150000 of 300000 bytes; goes on in 0 s" in said
    assert "file.pth: 300000/300000 bytes, 0 s left" in said
