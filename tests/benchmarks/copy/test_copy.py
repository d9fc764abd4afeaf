"""``motioncopy copy``: with consent only, marked as synthetic, and whole or not at all."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmarks.cli import main
from benchmarks.copy import reenact
from datamodules.views import Excerpt, View
from methods.nearest import Nearest
from motioncopy.footage.clips import Clip
from motioncopy.footage.prepare import Backends
from motioncopy.footage.video import VideoReader, VideoWriter, read_metadata
from motioncopy.request import DataRequest
from motioncopy.training import checkpoint
from tests.benchmarks.in_process import Started
from tests.datamodules.making import PLACE, still, write_discs
from tests.methods.tiny import tiny
from tests.motioncopy.footage.perception.figures import KnownPose, walk

FRAMES, SIZE = 24, (96, 128)


@pytest.fixture(scope="module")
def truth() -> tuple[np.ndarray, ...]:
    return walk(FRAMES, SIZE)


@pytest.fixture
def folder(tmp_path: Path, truth: tuple[np.ndarray, ...], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ann walks, and Bob walks the first half of it, in videos that are seen by one who knows the joints."""
    images, joints, masks = truth
    monkeypatch.setattr(Backends, "default", lambda **_: Backends(KnownPose(joints, masks)))
    for name, frames in (("ann", FRAMES), ("bob", FRAMES // 2)):
        with VideoWriter(tmp_path / f"{name}.mp4", 25 if name == "ann" else 10, SIZE) as writer:
            writer.write(images[:frames])
    return tmp_path


def copy(folder: Path, *options: str, motion: str = "bob.mp4") -> int:
    return main(
        ["copy", "--appearance", str(folder / "ann.mp4"), "--motion", str(folder / motion), "--method", "nearest",
         "-o", str(folder / "out/c.mp4"), "--runs", str(folder / "runs"), *options]
    )  # fmt: skip


def made(folder: Path) -> list[str]:
    return sorted(p.name for p in (folder / "out").glob("*")) if (folder / "out").exists() else []


# -- consent ----------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_consent_nothing_is_made(
    folder: Path, started: Started, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))  # piped in: nobody was asked
    assert copy(folder) == 1
    assert "consent of the person shown is not confirmed" in (said := capsys.readouterr().err)
    assert "--i-have-consent" in said
    for answer in ("no\n", "\n", "maybe\n"):
        monkeypatch.setattr(sys, "stdin", Terminal(answer))
        assert copy(folder) == 1
        asked = capsys.readouterr()
        assert "Does the person in ann.mp4 agree" in asked.out
        assert "nothing is made" in asked.err
    assert started.commands == []
    assert sorted(p.name for p in folder.iterdir()) == ["ann.mp4", "bob.mp4"]


def test_who_is_asked_can_agree(folder: Path, started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    assert copy(folder) == 0
    assert "c.mp4" in made(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--appearance", "nobody.mp4"], "there is no video nobody.mp4"),
        (["--motion", "nobody.mp4"], "there is no video nobody.mp4"),
        (["-o", "out.avi"], "the result is an MP4 file"),
        (["--method", "farest"], "did you mean nearest"),
        (["--method", "fakemotion", "--preset", "fast"], "one of full, quick"),
    ],
)
def test_a_wrong_call_is_refused_before_anybody_is_asked(
    folder: Path, capsys: pytest.CaptureFixture[str], change: list[str], message: str
) -> None:
    assert copy(folder, *change) == 1
    assert message in capsys.readouterr().err
    assert not (folder / "runs").exists()


# -- the video --------------------------------------------------------------------------------------------------------


def test_the_video_is_made_beside_the_motion_and_marked(
    folder: Path, started: Started, capsys: pytest.CaptureFixture[str]
) -> None:
    assert copy(folder, "--i-have-consent") == 0
    assert started.commands == ["fit", "test"]
    said = capsys.readouterr().out
    assert "marked as synthetic" in said
    assert made(folder) == ["c.mp4", "c_contact_sheet.png", "c_side_by_side.mp4"]
    assert all(str(folder / "out" / name) in said for name in made(folder))
    with VideoReader(folder / "out/c.mp4") as video, VideoReader(folder / "out/c_side_by_side.mp4") as beside:
        assert (len(video), video.fps, video.size) == (FRAMES // 2, 10, SIZE)
        assert (len(beside), beside.fps) == (FRAMES // 2, 10)
        assert beside.size[1] > 3 * SIZE[1]
    for name in ("c.mp4", "c_side_by_side.mp4"):
        metadata = read_metadata(folder / "out" / name)
        assert json.loads(metadata["comment"])["synthetic"] is True
        assert "ann with the motion of bob (synthetic)" in metadata["title"]

    assert copy(folder, "--i-have-consent") == 0
    assert started.commands == ["fit", "test"], "trained before"


def test_a_method_that_was_trained_before_is_not_trained(
    folder: Path, started: Started, capsys: pytest.CaptureFixture[str]
) -> None:
    assert copy(folder, "--i-have-consent") == 0
    (trained_before,) = (folder / "runs").glob("*/method.ckpt")
    with VideoReader(folder / "out/c.mp4") as video:
        trained = video.frames(range(FRAMES // 2))
    started.commands.clear()
    assert copy(folder, "--i-have-consent", "--method", "fakemotion", "--checkpoint", str(trained_before)) == 0
    assert started.commands == ["predict"]
    assert f"Generating by {trained_before}" in capsys.readouterr().out
    with VideoReader(folder / "out/c.mp4") as video:
        np.testing.assert_array_equal(video.frames(range(FRAMES // 2)), trained)


def test_a_method_for_all_asks_for_its_checkpoint(
    folder: Path, started: Started, capsys: pytest.CaptureFixture[str]
) -> None:
    assert copy(folder, "--i-have-consent", "--method", "remot") == 1
    assert "--checkpoint" in capsys.readouterr().err
    assert not (folder / "runs").exists(), "refused before anything is prepared"
    assert copy(folder, "--i-have-consent", "--checkpoint", str(folder / "none.ckpt")) == 1
    assert "no checkpoint at" in capsys.readouterr().err
    assert made(folder) == []


def test_a_method_for_all_fits_two_videos_whatever_it_was_trained_on(folder: Path, started: Started) -> None:
    model = tiny("remot", "paper", crop="frame", normalisation="none")
    method = checkpoint.build(model["class_path"], model["init_args"])
    kept = folder / "runs/trained/method.ckpt"
    checkpoint.save(method, kept, hashes={})
    assert copy(folder, "--i-have-consent", "--checkpoint", str(kept)) == 0
    (config,) = (folder / "runs").glob("remot-*/stack.yaml")
    args = yaml.safe_load(config.read_text())["model"]["init_args"]
    assert (args["crop"], args["normalisation"]) == ("person", "global_height")
    with VideoReader(folder / "out/c.mp4") as video:
        assert len(video) == FRAMES // 2
    said = json.loads(read_metadata(folder / "out/c.mp4")["comment"])
    assert (said["method"], said["checkpoint"]) == ("remot", "trained")
    assert "preset" not in said


def test_the_person_stands_in_their_own_place(folder: Path, started: Started, truth: tuple[np.ndarray, ...]) -> None:
    """Ann's own motion finds her own frames, which then lie where they were taken from."""
    assert copy(folder, "--i-have-consent", "--no-visible-mark", motion="ann.mp4") == 0
    images, _, masks = truth
    with VideoReader(folder / "out/c.mp4") as video:
        error = np.abs(video.frames(range(FRAMES)).astype(int) - images)
    assert error[masks > 127].mean() < 20
    assert error[masks == 0].mean() < 8
    wrong = np.abs(images[::-1].astype(int) - images)[masks > 127].mean()
    assert error[masks > 127].mean() < 0.4 * wrong, "another frame would not do"


def test_the_mark_can_be_left_to_the_metadata(folder: Path, started: Started) -> None:
    shown = []
    for options in ((), ("--no-visible-mark",)):
        assert copy(folder, "--i-have-consent", *options) == 0
        assert "synthetic" in read_metadata(folder / "out/c.mp4")["comment"]
        with VideoReader(folder / "out/c.mp4") as video:
            shown.append(video.frames([0])[0].astype(int))
    difference = np.abs(shown[0] - shown[1]).max(axis=2)
    assert difference[-20:].max() > 100
    assert difference[: SIZE[0] // 2].max() < 20, "nothing but the mark"


def test_a_failure_in_the_middle_leaves_no_video(
    folder: Path, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = reenact._whole_frames

    def failing(*arguments: object) -> object:
        yield from pieces(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(reenact, "_whole_frames", failing)
    assert copy(folder, "--i-have-consent") == 130
    assert made(folder) == []


def test_namesakes_are_two_people(folder: Path, started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "other").mkdir()
    (folder / "bob.mp4").rename(folder / "other/ann.mp4")
    adapted: list[str] = []
    adapt: Callable[..., object] = Nearest.adapt

    def watched(self: Nearest, motion: object, appearance: object) -> object:
        adapted.append("yes")
        return adapt(self, motion, appearance)

    monkeypatch.setattr(Nearest, "adapt", watched)
    assert copy(folder, "--i-have-consent", motion="other/ann.mp4") == 0
    assert adapted == ["yes"], "their motion is fitted to the other body"
    with VideoReader(folder / "out/c.mp4") as video:
        assert len(video) == FRAMES // 2
    assert {Clip.open(p.parent).person for p in (folder / "runs/prepared").glob("*/*/manifest.json")} == {
        "ann",
        "ann-2",
    }


@pytest.mark.parametrize("box", [(0, 0, 96, 64), (30, 10, 70, 50), (-16, -20, 104, 100), (60, 30, 100, 70)])
def test_a_crop_is_put_back_to_where_it_was_taken_from(tmp_path: Path, box: tuple[int, int, int, int]) -> None:
    clip = write_discs(tmp_path / "a", still(65, 35, 3), size=(64, 96), radius=6)
    view = View(Excerpt(clip, 0, 3), DataRequest(1, (48, 48)), box)
    crops = view.images(range(3)).permute(0, 2, 3, 1).numpy()
    crops[:, 0, 0] = PLACE  # the number of the frame
    ((first, whole),) = reenact._whole_frames(crops, clip.background, box)
    assert (first, whole.shape) == (0, (3, 64, 96, 3))
    images = clip.images(range(3))
    images[:, 0, 0] = PLACE
    error = np.abs(whole.astype(int) - images)
    rows, columns = np.mgrid[:64, :96]
    near = np.hypot(columns - 65, rows - 35) < 14
    near[:8, :8] = True  # the number of the frame, in the border that is repeated
    assert not error[:, ~near].any(), "the sharp background stays"
    assert error[:, np.hypot(columns - 65, rows - 35) < 2.5].max() < 25
    centre = np.array([(np.clip(w[..., 0].astype(int) - PLACE, 0, None) * columns).sum() for w in whole])
    weight = np.array([np.clip(w[..., 0].astype(int) - PLACE, 0, None).sum() for w in whole])
    np.testing.assert_allclose(centre / weight, 65, atol=0.5)
