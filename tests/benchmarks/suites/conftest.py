"""A suite that runs in seconds: two people in short clips, and FakeMotion at its tiniest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.methods.tiny import tiny
from tests.toys import write_clip

TRAINER = {"accelerator": "cpu", "logger": False}


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    for name in ("ann", "bob"):
        write_clip(folder, name, frames=24)
    return folder


@pytest.fixture
def suite_file(tmp_path: Path) -> Path:
    """FakeMotion and one of its ablations."""
    return write_suite(tmp_path / "small.yaml", [row(), row("no_local")])


def row(*overlays: str, **init_args: Any) -> dict[str, Any]:
    overrides = {"model": tiny("fakemotion", "paper", *overlays, **init_args), "trainer": TRAINER}
    return {"method": "fakemotion", "ablation": list(overlays), "overrides": overrides}


def write_suite(path: Path, rows: list[dict[str, Any]], **content: Any) -> Path:
    path.write_text(yaml.safe_dump({"name": path.stem, "data": ["folder"], "rows": rows} | content))
    return path
