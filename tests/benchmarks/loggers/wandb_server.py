"""A W&B server of one's own, as far as a run without files needs one: it keeps what the client sends."""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Kept:
    """One run.

    Attributes:
        history: Its rows, each where the client said that it stands.
        summary: The last one.
        config: The last one.
        group: The last one.
        tags: The last ones.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    group: str = ""
    tags: list[str] = field(default_factory=list)


class Server:
    """Its runs, and where it listens.

    Attributes:
        runs: By id.
        url: Its address.
    """

    def __init__(self) -> None:
        self.runs: dict[str, Kept] = {}
        self.url = ""

    def graphql(self, operation: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Answers a query or mutation."""
        place = {"id": "p", "name": "motioncopy", "entity": {"id": "e", "name": "me"}}
        name = str(variables.get("name"))
        if operation == "UpsertBucket":
            run = self.runs.setdefault(name, Kept())
            run.config |= {k: v["value"] for k, v in json.loads(variables.get("config") or "{}").items()}
            run.group, run.tags = variables.get("groupName") or run.group, variables.get("tags") or run.tags
            bucket = {"id": "b", "name": name, "displayName": name, "config": "{}", "project": place}
            return {"upsertBucket": {"bucket": bucket | {"historyLineCount": len(run.history)}, "inserted": True}}
        if operation == "RunResumeStatus":
            found: dict[str, Any] | None = None
            if run_found := self.runs.get(name):
                found = {
                    "id": "b", "name": name, "displayName": name, "tags": run_found.tags,
                    "summaryMetrics": json.dumps(run_found.summary), "config": "{}", "logLineCount": 0,
                    "historyLineCount": len(run_found.history), "eventsLineCount": 0, "eventsTail": "[]",
                    "historyTail": json.dumps([json.dumps(row) for row in run_found.history[-1:]]),
                    "wandbConfig": '{"t": 1}',
                }  # fmt: skip
            return {"model": place | {"bucket": found}}
        if operation == "CreateRunFiles":
            files = [{"name": f, "uploadUrl": f"{self.url}/upload"} for f in variables["files"]]
            return {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": files}}
        if operation == "ServerFeaturesQuery":
            return {"serverInfo": {"features": []}}
        if operation == "Viewer":
            viewer = {"id": "u", "entity": "me", "username": "me", "flags": "{}", "teams": {"edges": []}}
            return {"viewer": viewer}
        return {}

    def stream(self, name: str, content: dict[str, Any]) -> None:
        """Keeps what is sent while a run goes on."""
        run = self.runs.setdefault(name, Kept())
        for file, lines in (content.get("files") or {}).items():
            if "history" in file:
                run.history[lines["offset"] :] = map(json.loads, lines["content"])
            elif "summary" in file:
                run.summary = json.loads(lines["content"][-1])


@contextmanager
def serving() -> Iterator[Server]:
    """A server on a free port of this machine."""
    kept = Server()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def _answer(self, content: Any) -> None:
            data = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self._answer({})

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._answer({})

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                data = gzip.decompress(data)
            if self.path.endswith("file_stream"):
                kept.stream(self.path.split("/")[-2], json.loads(data))
                self._answer({"limits": {}})
            elif self.path.endswith("graphql"):
                content = json.loads(data)
                asked = re.search(r"(?:query|mutation)\s+(\w+)", content["query"])
                operation = asked[1] if asked else ""
                self._answer({"data": kept.graphql(operation, content.get("variables") or {})})
            else:
                self._answer({})

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
