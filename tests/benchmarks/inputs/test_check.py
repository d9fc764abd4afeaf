from pathlib import Path

import pytest

import motioncopy.footage.check
from benchmarks.cli import main
from motioncopy.errors import VideoError
from motioncopy.footage.check import Finding

pytest.importorskip("mediapipe")


@pytest.fixture
def findings(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Finding]]:
    """What will be found in each video, by its name."""
    found: dict[str, list[Finding]] = {}

    def check(video: Path, **_: object) -> list[Finding]:
        if video.name not in found:
            raise VideoError(f"there is no video file {video}", remedy="check the path")
        return found[video.name]

    monkeypatch.setattr(motioncopy.footage.check, "check", check)
    return found


def test_warnings_do_not_make_a_video_unusable(
    findings: dict[str, list[Finding]], capsys: pytest.CaptureFixture[str]
) -> None:
    findings["a.mp4"] = [Finding("length", "ok", "99 frames"), Finding("light", "warning", "dim", "more light")]
    assert main(["check", "a.mp4"]) == 0
    said = capsys.readouterr().out
    assert "99 frames" in said
    assert "more light" in said
    assert "a.mp4 can be used (warnings: light)" in said


def test_a_problem_does(findings: dict[str, list[Finding]], capsys: pytest.CaptureFixture[str]) -> None:
    findings["a.mp4"] = [Finding("cuts", "problem", "1, at 2.0 s", "cut it")]
    findings["b.mp4"] = [Finding("cuts", "ok", "none")]
    assert main(["check", "a.mp4", "b.mp4"]) == 1
    said = capsys.readouterr().out
    assert "a.mp4 cannot be used as it is: cuts" in said
    assert "b.mp4 can be used" in said


def test_an_unreadable_file_is_a_finding(
    findings: dict[str, list[Finding]], capsys: pytest.CaptureFixture[str]
) -> None:
    findings["b.mp4"] = [Finding("cuts", "ok", "none")]
    assert main(["check", "missing.mp4", "b.mp4"]) == 1
    said = capsys.readouterr().out
    assert "there is no video file" in said
    assert "b.mp4 can be used" in said
