"""Progress where nobody watches: a line at every tenth of the way, with the time left."""

from __future__ import annotations

import io
import time

import pytest

from benchmarks.progress import Reporter


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What time it is, for tests to set; and no terminal, also under ``pytest -s``."""
    monkeypatch.setattr("sys.stderr", io.StringIO())
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


def test_a_line_at_every_tenth(capsys: pytest.CaptureFixture[str], clock: list[float]) -> None:
    reporter = Reporter("Stage local", 40)
    for count in range(1, 41):
        clock[0] += 2
        reporter.update(count, f"l1 {count}")
    reporter.close()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == [f"Stage local: {n}/40" for n in (1, *range(4, 41, 4))]
    assert lines[0] == "Stage local: 1/40, 2 s, 78 s left l1 1"
    assert lines[5] == "Stage local: 20/40, 40 s, 40 s left l1 20"


def test_a_resumed_stage_counts_its_rate_from_where_it_goes_on(
    capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    reporter = Reporter("Stage local", 100)
    for count in range(51, 61):
        clock[0] += 3
        reporter.update(count)
    assert capsys.readouterr().out.splitlines()[-1].strip() == "Stage local: 60/100, 30 s, 120 s left"


def test_nothing_to_do_is_no_error(capsys: pytest.CaptureFixture[str], clock: list[float]) -> None:
    Reporter("Trials", 0).close()
    assert capsys.readouterr().out == ""
