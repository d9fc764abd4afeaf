"""A file of random weights in the place of a published one."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from motioncopy.weights import WEIGHTS

FILE = WEIGHTS["resnet18"].file


def change(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    monkeypatch.setitem(WEIGHTS, "resnet18", replace(WEIGHTS["resnet18"], **fields))


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


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
