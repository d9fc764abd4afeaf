"""The short forms of ``python -m tests.fuzz.kill`` and ``python -m tests.fuzz.soak``."""

from __future__ import annotations

from collections.abc import Callable
from mmap import mmap
from pathlib import Path

import pytest

from tests.fuzz import kill, soak

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("make", [kill.preparation, kill.training])
def test_a_kill_loses_nothing_and_leaves_nothing_that_looks_whole(
    make: Callable[[Path], kill.Work], tmp_path: Path
) -> None:
    assert kill.torture(make(tmp_path), tmp_path, kills=3, seed=1) == []


def test_memory_and_open_files_stay_flat(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert soak.clips_in_turn(tmp_path, 100) == []
    assert soak.videos_in_turn(tmp_path, 100) == []
    leak: list[object] = []

    def leaks(_: int) -> None:
        pages = mmap(-1, 2**20)  # new memory, whatever earlier tests of this process have given back
        pages.write(b"x" * 2**20)
        leak.append((pages, Path(__file__).open()))  # noqa: SIM115

    assert soak.growth("leaks", 100, leaks) == ["leaks: memory is not flat", "leaks: files stay open"]
    assert "100 leaks: +9" in capsys.readouterr().out


def test_clips_at_once_are_read_or_the_message_names_the_limit(tmp_path: Path) -> None:
    assert soak.clips_at_once(tmp_path, 100, 128) == []
