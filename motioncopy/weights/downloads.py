"""Downloads that time out, go on where they were cut off, and take no more than was agreed.

The part that is there lies under a name made of the address, beside a note of which version it is of and how long that
is. Whoever calls verifies the whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import time
from collections.abc import Iterator
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from motioncopy.errors import WeightsError
from motioncopy.files.documents import read_json
from motioncopy.files.writing import write_whole

#: Seconds without a byte after which a download is taken for stalled.
STALL_SECONDS = 30.0
#: Seconds to wait before each further attempt.
PAUSES = (1.0, 3.0, 9.0)
#: Bytes of a file whose size is not known.
LARGEST = 4 * 2**30

_ROOM = "make room there, or set MOTIONCOPY_WEIGHTS to another folder"
_SCHEMES = frozenset({"https"})
# An attempt that got so far shows that the connection works, and does not count as failed.
_PROGRESS_BYTES = 2**20
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})


def partial_path(folder: Path, url: str) -> Path:
    """Where the part of a file lies that is there already."""
    return folder / f".{hashlib.sha256(url.encode()).hexdigest()[:16]}.partial"


def discard(partial: Path) -> None:
    """Removes a part and its note."""
    for path in (partial, _note(partial)):
        with contextlib.suppress(OSError):
            path.unlink()


def download(url: str, partial: Path, *, size: int = 0) -> None:
    """Downloads all of a file, going on from the part that is there if the server still has the same file.

    Shows a bar with the time left on a terminal, else a line at every tenth.

    Args:
        url: By https, and so is whatever it is redirected to.
        partial: See :func:`partial_path`; afterwards the whole file, not verified.
        size: How many bytes it has at most; :data:`LARGEST` if that is 0.

    Raises:
        WeightsError: If it stalls, is cut off or is refused again and again (what came is kept), if the server says
            what cannot be, such as a negative length or more than there is room for, or if it cannot be written.
    """
    most, failures, furthest = size or LARGEST, 0, _length_of(partial)
    while True:
        try:
            _attempt(url, partial, most)
            return
        except HTTPError as error:
            if error.code == 416:  # the file is shorter now than what is here of it
                discard(partial)
            elif error.code not in _BUSY:
                raise _failed(url, partial, f"HTTP status {error.code}") from error
            reason: Exception = error
        except (OSError, HTTPException, ValueError) as error:  # of ValueErrors, addresses that are none
            reason = error
        failures += 1
        if (have := _length_of(partial)) >= furthest + _PROGRESS_BYTES:
            failures, furthest = 0, have
        if failures > len(PAUSES):
            raise _failed(url, partial, f"{type(reason).__name__}: {reason}") from reason
        pause = PAUSES[max(0, failures - 1)]
        _say(f"{url}: {reason}; goes on in {pause:g} s")
        time.sleep(pause)


def _attempt(url: str, partial: Path, most: int) -> None:
    have, version = _kept(partial)
    if have and have == version["total"]:
        return
    headers = {"Accept-Encoding": "identity", "User-Agent": "motioncopy"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": version["validator"]}
    with _open(url, headers) as response:
        validator = _validator(response.headers)
        start, total = _promise(url, response)
        if start != have:
            if start:
                raise _nonsense(url, f"bytes from {start}, where those from {have} were asked for")
            have = 0  # the server does not go on, or has another version
        elif have and validator != version["validator"]:
            discard(partial)
            raise ConnectionError("the file changed while it was downloaded")
        if total is not None and total > most:
            raise _nonsense(url, f"{total} bytes", f"at most {most}")
        free = shutil.disk_usage(partial.parent).free
        if (total or 0) - have > free:
            raise WeightsError(
                f"no room for {url}",
                expected=f"{(total or 0) - have} bytes in {partial.parent}",
                found=f"{free} bytes free",
                remedy=_ROOM,
            )
        if not have:
            discard(partial)
        _write_note(partial, {"validator": validator, "total": total})
        have = _receive(url, response, partial, have, total, most)
    _write_note(partial, {"validator": validator, "total": have})


def _receive(url: str, response: HTTPResponse, partial: Path, have: int, total: int | None, most: int) -> int:
    """Appends the body; returns how many bytes there are then."""
    with _writing(partial):
        file = partial.open("r+b" if have else "xb", buffering=0)
    with file, _bar(url, have, total) as show:
        file.seek(have)
        while block := response.read1(2**20):
            have += len(block)
            if have > (most if total is None else total):
                discard(partial)
                raise _nonsense(url, f"more than {have - 1} bytes", f"{total} bytes" if total else f"at most {most}")
            rest = memoryview(block)
            while rest:
                with _writing(partial):
                    rest = rest[file.write(rest) :]
            show(have)
    if total is not None and have < total:
        raise ConnectionError(f"cut off after {have} of {total} bytes")
    return have


class _Redirects(HTTPRedirectHandler):
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """Refuses to leave https."""
        _check_scheme(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(url: str, headers: dict[str, str]) -> HTTPResponse:
    _check_scheme(url)
    response: HTTPResponse = build_opener(_Redirects).open(Request(url, headers=headers), timeout=STALL_SECONDS)
    return response


def _check_scheme(url: str) -> None:
    if urlsplit(url).scheme not in _SCHEMES:
        raise WeightsError("a download leads away from https", expected="https://...", found=url[:200])


def _promise(url: str, response: HTTPResponse) -> tuple[int, int | None]:
    """Where the body starts in the file, and how long the file is, where the server says so."""
    lengths = set() if response.chunked else set(response.headers.get_all("Content-Length") or ())
    length = None
    if lengths:
        text = lengths.pop().strip()
        if lengths or not text.isascii() or not text.isdigit() or len(text) > 15:
            raise _nonsense(url, f"Content-Length: {text[:60]}", "a number of bytes")
        length = int(text)
    if response.status == 200:
        return 0, length
    text = response.headers.get("Content-Range", "")
    span = re.fullmatch(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})", text) if response.status == 206 else None
    start, last, total = (int(number) for number in span.groups()) if span else (0, 0, 0)
    if last + 1 != total or start >= total or length not in (None, total - start):
        raise _nonsense(url, f"status {response.status}, Content-Range: {text[:60]}, Content-Length: {length}")
    return start, total


def _validator(headers: HTTPMessage) -> str:
    """What tells one version of the file from another; empty where nothing does for sure."""
    for name, pattern in (("ETag", r'"[!#-~]{1,200}"'), ("Last-Modified", r"[ -~]{1,60}")):
        if re.fullmatch(pattern, value := headers.get(name, "")):
            return value
    return ""


def _kept(partial: Path) -> tuple[int, dict[str, Any]]:
    """How much is there to go on with, and of which version."""
    have = _length_of(partial)
    if have:
        with contextlib.suppress(WeightsError):
            note = read_json(_note(partial), error=WeightsError)
            known = isinstance(note, dict) and isinstance(note.get("validator"), str) and "total" in note
            if known and (note["total"] == have or note["validator"]):
                return have, note
    return 0, {"validator": "", "total": None}


def _length_of(partial: Path) -> int:
    # A link that others put there would lead the download over another file.
    return partial.stat().st_size if partial.is_file() and not partial.is_symlink() else 0


def _note(partial: Path) -> Path:
    return partial.with_suffix(".json")


def _write_note(partial: Path, note: dict[str, Any]) -> None:
    with _writing(partial):
        write_whole(_note(partial), json.dumps(note), error=WeightsError)


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Tells a disk that is full from a network that is gone."""
    try:
        yield
    except OSError as error:
        raise WeightsError(f"cannot write to {folder}", found=error.strerror, remedy=_ROOM) from error


@contextlib.contextmanager
def _writing(partial: Path) -> Iterator[None]:
    """A part that cannot be written any further only fills the disk."""
    try:
        with writing(partial.parent):
            yield
    except WeightsError:
        discard(partial)
        raise


def _nonsense(url: str, found: str, expected: str | None = None) -> WeightsError:
    return WeightsError(f"refused what the server says of {url}", expected=expected, found=found, remedy=_remedy(url))


def _failed(url: str, partial: Path, found: str) -> WeightsError:
    have, _ = _kept(partial)
    if not have:
        discard(partial)
    kept = f"; {have} bytes are kept, and the same command goes on from there" if have else ""
    return WeightsError(f"cannot download {url}", found=f"{found}{kept}", remedy=_remedy(url))


def _remedy(url: str) -> str:
    return f"try again later; or download {url} elsewhere and `motioncopy weights add FILE`"


def _say(text: str) -> None:
    Console(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def _bar(url: str, have: int, total: int | None) -> Iterator[Any]:
    """Gives a function that is told how many bytes there are."""
    name, console = urlsplit(url).path.rpartition("/")[2], Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TextColumn("left"),
        TimeRemainingColumn(), console=console, disable=not console.is_terminal,
    ) as progress:  # fmt: skip
        task = progress.add_task(name, completed=have, total=total)
        begin, start, tenth = time.perf_counter(), have, -1

        def show(count: int) -> None:
            nonlocal tenth
            progress.update(task, completed=count)
            if not console.is_terminal and total and count * 10 // total > tenth:
                tenth = count * 10 // total
                left = (time.perf_counter() - begin) / (count - start) * (total - count)
                _say(f"{name}: {count}/{total} bytes, {left:.0f} s left")

        yield show
