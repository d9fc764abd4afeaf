from __future__ import annotations

import errno
from pathlib import Path

import pytest

from motioncopy.errors import DataError, VideoError
from motioncopy.files.reading import check_rate, reading

PATH = Path("clip.x")


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (ValueError("odd\nbytes"), r"clip\.x is damaged. Expected: a clip. Found: odd bytes. Remedy: copy it"),
        (IndexError("7"), "is damaged.*Found: IndexError: 7"),
        (AttributeError(), "is damaged.*Found: AttributeError"),
        (MemoryError(), "is damaged.*Found: a claim to more memory than there is"),
        (OSError(errno.EIO, "Input/output error", "clip.x"), "is damaged.*Found: Input/output error"),
        (OSError(errno.EMFILE, "?"), r"clip\.x cannot be opened: too many open files.*at most \d+.*ulimit -n \d+"),
        (PermissionError(errno.EACCES, "?"), r"clip\.x cannot be read.*check its permissions"),
        (ValueError("x" * 9999), "Found: x{200}\\."),
        (VideoError("ours"), r"^ours\.$"),
    ],
)
def test_whatever_is_raised_is_said_in_one_way(raised: Exception, message: str) -> None:
    with (
        pytest.raises(type(raised) if isinstance(raised, VideoError) else DataError, match=message),
        reading(PATH, DataError, "is damaged", expected="a clip", remedy="copy it"),
    ):
        raise raised


def test_who_interrupts_is_heard() -> None:
    with pytest.raises(KeyboardInterrupt), reading(PATH, DataError, "is damaged", remedy="copy it"):
        raise KeyboardInterrupt


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), 1e9, 1e-9])
def test_rates_of_no_camera_are_refused(fps: float) -> None:
    with pytest.raises(DataError, match=r"frame rate of clip\.x"):
        check_rate(fps, PATH, error=DataError, remedy="give fps")
    assert check_rate(1000, PATH, error=DataError, remedy="give fps") == 1000
