import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.cli import main
from motioncopy.footage import Footage, open_footage
from motioncopy.footage.clips import Clip, find_clips
from motioncopy.footage.perception import config
from motioncopy.footage.prepare import Backends, recordings
from motioncopy.footage.video import VideoWriter
from tests.motioncopy.footage.perception.figures import KnownPose, walk


@pytest.fixture
def video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    images, joints, masks = walk(20, (64, 64))
    monkeypatch.setattr(config, "load", lambda *_, **__: Backends(KnownPose(joints, masks)))
    with VideoWriter(tmp_path / "ann.mp4", 25, (64, 64)) as writer:
        writer.write(images)
    return tmp_path / "ann.mp4"


def _prepare(*arguments: object) -> int:
    return main(["prepare", *map(str, arguments)])


def test_says_what_it_did_and_where_it_lies(video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = video.parent / "clips"
    assert _prepare(video, "--out", out, "--parts", "mask,parsing", "--max-size", 32, "--person", "Ann") == 0
    said = capsys.readouterr().out
    assert "ann: prepared; 20 frames, 20 of them with somebody in view" in said
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
    odd = video.parent / os.fsdecode(b"\x1b[2J\xff.mp4")
    odd.write_bytes(video.read_bytes())
    long = video.parent / ("x" * 251 + ".mp4")
    long.write_bytes(video.read_bytes())
    assert _prepare(text, odd, long, video, "--out", video.parent / "clips") == 3
    said = capsys.readouterr()
    assert "text: failed." in said.err
    assert "ann: prepared" in said.out
    (said.out + said.err).encode()
    assert "\x1b" not in said.out + said.err
    failed = [line for line in said.err.splitlines() if line.startswith("not done: ")]
    assert "not done: text: " in failed[0], "at the end, once more"
    assert "is no name for a clip" in failed[1]
    assert len(failed) == 3


def test_whatever_a_library_raises_costs_its_own_video(
    video: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = video.with_name("bob.mp4")
    other.write_bytes(video.read_bytes())

    def broken(path: Path, **options: float | None) -> Footage:
        if path == video:
            raise AttributeError("of a library's inside")
        return open_footage(path, **options)

    monkeypatch.setattr(recordings, "open_footage", broken)
    assert _prepare(video, other, "--out", video.parent / "clips") == 3
    said = capsys.readouterr()
    assert "ann cannot be prepared. Found: AttributeError: of a library's inside" in said.err
    assert "bob: prepared" in said.out


def test_all_failed(video: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pose = KnownPose(np.zeros((20, 25, 3), np.float32), np.zeros((20, 64, 64), np.uint8))
    monkeypatch.setattr(config, "load", lambda *_, **__: Backends(pose))
    assert _prepare(video, "--out", video.parent / "clips") == 1
    said = capsys.readouterr()
    assert "no person was found" in said.err
    assert "clips lie" not in said.out


def test_wrong_parts_name_the_right_ones(video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _prepare(video, "--out", video.parent / "clips", "--parts", "depth") == 1
    assert "mask, parsing, flow" in capsys.readouterr().err


def test_the_config_and_its_overrides_are_handed_on(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, dict[str, object]]] = []

    def load(name: str, **overrides: object) -> Backends:
        asked.append((name, overrides))
        return Backends(KnownPose(np.zeros((20, 25, 3), np.float32), np.zeros((20, 64, 64), np.uint8)))

    monkeypatch.setattr(config, "load", load)
    options = ["--perception", "openpose", "--set", "pose.init_args.folder=a b", "--set", "flow.init_args.n=2"]
    _prepare(video, "--out", video.parent / "clips", *options)
    _prepare(video, "--out", video.parent / "clips", "--hands")
    assert asked == [
        ("openpose", {"pose.init_args.folder": "a b", "flow.init_args.n": 2}),
        ("mediapipe_hands", {}),
    ]


def test_hands_go_with_the_default_only(video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _prepare(video, "--out", video.parent / "clips", "--hands", "--perception", "fish") == 1
    assert "contradict" in capsys.readouterr().err


def test_takes_folders_of_images(video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = video.parent / "bea.1"
    folder.mkdir()
    for i, image in enumerate(walk(20, (64, 64))[0]):
        cv2.imwrite(str(folder / f"{i}.png"), image[..., ::-1])
    out = video.parent / "clips"
    assert _prepare(folder, "--out", out, "--fps", 12) == 0
    assert Clip.open(out / "bea.1").fps == 12


def test_overlays_are_drawn_of_clips_that_are_up_to_date_too(video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = video.parent / "clips"
    assert _prepare(video, "--out", out) == 0
    assert _prepare(video, "--out", out, "--overlays", "--overlay-videos") == 0
    assert sorted(p.name for p in (out / "overlays").iterdir()) == ["ann.mp4", "ann.png"]
    assert "ann.png" in capsys.readouterr().out
    assert find_clips(out) == [out / "ann"]
