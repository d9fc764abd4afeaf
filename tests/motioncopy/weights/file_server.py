"""A server of one file on this machine, which behaves as badly as a test wants."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class FileServer:
    """What is served, and how.

    Attributes:
        content: The file.
        tag: Its ETag; none if empty.
        resumes: Whether it answers a range, where the condition holds.
        statuses: Of the next answers, in place of 200; each is used up.
        cuts: How many bytes of the next bodies are sent before the connection is closed; each is used up.
        stalls: Whether it sends nothing more instead of closing.
        headers: In place of its own; ``None`` leaves one out.
        asked: The headers of all requests.
    """

    content: bytes
    tag: str = '"1"'
    resumes: bool = True
    statuses: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    stalls: bool = False
    headers: dict[str, str | None] = field(default_factory=dict)
    asked: list[Mapping[str, str]] = field(default_factory=list)
    url: str = ""

    @property
    def ranges(self) -> list[str | None]:
        """Which ranges were asked for."""
        return [asked.get("Range") for asked in self.asked]


@contextmanager
def serving(content: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """Serves a file over http, which downloads take meanwhile, without waiting before further attempts."""
    served, over = FileServer(content), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(dict(self.headers.items()))
            start = 0
            if served.resumes and (wanted := self.headers.get("Range")) and self.headers["If-Range"] == served.tag:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            body, total = served.content[start:], len(served.content)
            headers: dict[str, str | None] = {"Content-Length": str(len(body)), "ETag": served.tag or None}
            if start:
                headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
            self.send_response(served.statuses.pop(0) if served.statuses else 206 if start else 200)
            for name, value in (headers | served.headers).items():
                if value is not None:
                    self.send_header(name, value)
            self.end_headers()
            cut = served.cuts.pop(0) if served.cuts else None
            self.wfile.write(body[:cut])
            if cut is not None and served.stalls:
                over.wait()

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}/file.pth"
    monkeypatch.setattr("motioncopy.weights.downloads._SCHEMES", {"http"})
    monkeypatch.setattr("motioncopy.weights.downloads.PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setenv("no_proxy", "*")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()
