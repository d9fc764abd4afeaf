"""``motioncopy protocol``: lists and shows what is committed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import datamodules
from benchmarks.cli import main

SPLITS = Path(datamodules.__file__).with_name("splits")


def test_lists_every_committed_protocol(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["protocol", "list"]) == 0
    said = capsys.readouterr().out
    for path in SPLITS.glob("*.json"):
        content = json.loads(path.read_text())
        assert f"{content['id']}@{content['version']}" in said


@pytest.mark.parametrize("path", sorted(SPLITS.glob("*.json")), ids=lambda p: p.stem)
def test_shows_every_one(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["protocol", "show", path.stem]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{path.stem}@")
    assert hashlib.sha256(path.read_bytes()).hexdigest() in said
    assert main(["protocol", "show", path.stem, "--json"]) == 0
    assert capsys.readouterr().out == path.read_text()


def test_pairs_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["protocol", "show", "solodance"]) == 0
    pairs = json.loads((SPLITS / "solodance.json").read_text())["pairs"]["26"]
    assert f"of 26 people: {pairs[0][0]} as {pairs[0][1]}, " in capsys.readouterr().out


def test_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["protocol", "show", "nothing"]) == 1
    assert "expected: one of complexmotion" in capsys.readouterr().err.lower()
