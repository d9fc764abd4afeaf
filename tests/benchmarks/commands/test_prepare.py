from pathlib import Path

import numpy as np
import pytest

from benchmarks.cli import main
from motioncopy.clips import Clip
from motioncopy.prepare import Backends
from motioncopy.video import VideoWriter
from tests.motioncopy.perception.figures import KnownPose, walk


@pytest.fixture
def video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    images, joints, masks = walk(20, (64, 64))
    monkeypatch.setattr(Backends, "default", lambda **_: Backends(KnownPose(joints, masks)))
    with VideoWriter(tmp_path / "ann.mp4", 25, (64, 64)) as writer:
        writer.write(images)
    return tmp_path / "ann.mp4"


def _prepare(*arguments: object) -> int:
    return main(["prepare", *map(str, arguments)])


def test_says_what_it_did_and_where_it_lies(video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = video.parent / "clips"
    assert _prepare(video, "--out", out, "--parts", "mask,parsing", "--max-size", 32, "--person", "Ann") == 0
    said = capsys.readouterr().out
    assert "ann: prepared; 20 frames, person found in 20" in said
    assert "frames/s" in said
    assert "pose" in said
    assert f"The clips lie in {out}" in said
    clip = Clip.open(out / "ann")
    assert (clip.person, clip.size, set(clip.parts)) == ("Ann", (32, 32), {"mask", "parsing"})
    assert _prepare(video, "--out", out, "--max-size", 32) == 0
    said = capsys.readouterr().out
    assert "ann: up to date" in said
    assert "frames/s" not in said
    assert _prepare(video, "--out", out, "--max-size", 32, "--force") == 0
    assert "prepared anew" in capsys.readouterr().out


def test_goes_on_after_a_failure_and_reports_it(video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = video.parent / "text.mp4"
    text.write_text("no video")
    assert _prepare(text, video, "--out", video.parent / "clips") == 1
    said = capsys.readouterr()
    assert "text: failed." in said.err
    assert "ann: prepared" in said.out


def test_all_failed(video: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pose = KnownPose(np.zeros((20, 25, 3), np.float32), np.zeros((20, 64, 64), np.uint8))
    monkeypatch.setattr(Backends, "default", lambda **_: Backends(pose))
    assert _prepare(video, "--out", video.parent / "clips") == 1
    said = capsys.readouterr()
    assert "no person was found" in said.err
    assert "clips lie" not in said.out


def test_wrong_parts_name_the_right_ones(video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _prepare(video, "--out", video.parent / "clips", "--parts", "depth") == 1
    assert "mask, parsing, flow" in capsys.readouterr().err
