"""Limits: how much a file may claim, and how a user allows more."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from motioncopy.errors import ClipError, ConfigError
from motioncopy.files.limits import Limits, check_limit, limits, raise_limit


@pytest.fixture(autouse=True)
def _as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTIONCOPY_LIMITS", "")


def test_what_is_too_large_is_refused_with_the_option_that_allows_it() -> None:
    most = Limits().gif_frames
    check_limit("gif_frames", most, "the frames of a.gif", error=ClipError)
    with pytest.raises(
        ClipError, match=rf"a\.gif: too large.*at most {most} gif frames.*--limit gif_frames={most + 1}"
    ):
        check_limit("gif_frames", most + 1, "the frames of a.gif", error=ClipError)


def test_a_raised_limit_holds_here_and_in_processes_that_are_started() -> None:
    raise_limit("gif_frames=20000")
    raise_limit("frame_pixels = 7")
    raise_limit("gif_frames=30000")
    assert (limits().gif_frames, limits().frame_pixels) == (30_000, 7)
    assert limits().array_elements == Limits().array_elements
    code = "from motioncopy.files.limits import limits; print(limits().gif_frames)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "30000\n"


@pytest.mark.parametrize(
    "setting",
    ["", "gif_frames", "gif_frames=", "gif_frames=0", "gif_frames=-1", "gif_frames=1.5", "gif_frames=x", "frames=1",
     "gif_frames=" + "9" * 5000, "gif_frames=٣", "gif_frames=1=2", "=1"],
)  # fmt: skip
def test_what_is_no_limit_is_refused_and_changes_nothing(setting: str) -> None:
    with pytest.raises(ConfigError, match=r"a limit is wrong.*NAME=VALUE.*gif_frames"):
        raise_limit(setting)
    assert limits() == Limits()


def test_limits_that_somebody_else_set_wrongly_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "MOTIONCOPY_LIMITS", "gif_frames=many")
    with pytest.raises(ConfigError, match="gif_frames=many"):
        limits()
