"""A file that stands for the published one of resnet18, and its publisher."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from motioncopy.weights import WEIGHTS, hashes
from tests.motioncopy.weights.file_server import FileServer, serving
from tests.motioncopy.weights.publisher import FILE, change, digest_of


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that the entry resnet18 describes, where nothing looks for it; all folders are below ``tmp_path``."""
    path = tmp_path / "elsewhere" / FILE
    path.parent.mkdir()
    torch.save({"fc.bias": torch.arange(3.0)}, path)
    monkeypatch.setitem(WEIGHTS, "resnet18", replace(WEIGHTS["resnet18"], sha256=digest_of(path)))
    monkeypatch.setenv("MOTIONCOPY_WEIGHTS", str(tmp_path / "given"))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(hashes, "_SETTLED_NS", -1)
    return path


@pytest.fixture
def server(published: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """The file's publisher."""
    with serving(published.read_bytes(), monkeypatch) as served:
        change(monkeypatch, url=served.url)
        yield served


@pytest.fixture
def only_digits(published: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Leaves the first digits of the hash in the entry, and gives the whole hash."""
    digest = digest_of(published)
    change(monkeypatch, sha256="", digits=digest[:8])
    return digest
