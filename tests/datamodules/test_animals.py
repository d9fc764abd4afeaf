"""What Fish and Mouse share: the layout, the pose texts, the splits, and clips that come out of them."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from datamodules.animals import read_poses
from motioncopy.errors import DataError
from motioncopy.request import DataRequest
from tests.datamodules.swimmers import (
    CAMERA,
    FRAMES,
    SIZE,
    chain,
    film,
    worms,
    write_camera,
    write_images,
    write_stack,
    write_text,
    write_video,
)

# -- layout -----------------------------------------------------------------------------------------------------------


def test_a_folder_an_animal_with_recordings_of_three_kinds(tmp_path: Path) -> None:
    root = tmp_path / "root"
    images = film(chain(frames=8))
    write_video(root / "ann/one.mp4", images)
    write_images(root / "ann/two", images)
    write_stack(root / "bob/three.h5", images)
    write_images(root / "cid", images)
    (root / ".hidden").mkdir()
    (root / "readme.md").write_text("hello")
    found = worms(root).recordings
    assert {r.id: r.person for r in found.values()} == {
        "ann-one": "ann", "ann-two": "ann", "bob-three": "bob", "cid": "cid",
    }  # fmt: skip
    assert worms(root).people() == ["ann", "bob", "cid"]
    rates = {}
    for name, recording in found.items():
        with recording.open() as footage:
            assert (len(footage), footage.size) == (8, SIZE)
            rates[name] = footage.fps
    assert rates == {"ann-one": 30, "ann-two": 25, "bob-three": 25, "cid": 25}


def test_what_is_no_layout_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    with pytest.raises(DataError, match=r"is not here.*63 numbers a line.*no folder"):
        worms(root)
    root.mkdir()
    with pytest.raises(DataError, match="holds no animal"):
        _ = worms(root).recordings
    (root / "ann").mkdir()
    with pytest.raises(DataError, match="ann holds no frames"):
        _ = worms(root).recordings
    images = film(chain(frames=3))
    write_stack(root / "ann/one.h5", images)
    write_images(root / "ann/one", images)
    with pytest.raises(DataError, match=r"two recordings of one name.*one, one\.h5"):
        _ = worms(root).recordings
    (root / "ann/one.h5").rename(root / "ann/two.h5")
    write_text(root / "ann/tow.txt", chain(frames=3))
    with pytest.raises(DataError, match=r"tow\.txt has no recording beside it.*one, two"):
        _ = worms(root).recordings
    (root / "ann/tow.txt").unlink()
    write_images(root / "ann", images)
    with pytest.raises(DataError, match=r"ann holds images.*one, two\.h5"):
        _ = worms(root).recordings


# -- pose texts -------------------------------------------------------------------------------------------------------


def test_a_text_is_read_as_it_is_given_out(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", chain())
    assert (tmp_path / "a.txt").read_text().split("\n")[0].endswith(" ")
    assert np.allclose(read_poses(tmp_path / "a.txt", 21), chain(), rtol=1e-5)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 2 3", r"line 2 of .*a\.txt is no pose.*Expected: 6 numbers.*Found: 3"),
        ("", r"line 2 of .*a\.txt is no pose.*Found: 0"),
        ("1 2 3 4 5 six", r"line 2 of .*a\.txt is no pose.*six"),
        ("1 2 3 4 5 nan", r"line 2 of .*a\.txt holds numbers that are not finite"),
        ("1 2 3 4 5 é", r"line 2 of .*a\.txt is no pose.*é"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "a.txt").write_text(f"1 2 3 4 5 6 \n{line}\n1 2 3 4 5 6\n", encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_poses(tmp_path / "a.txt", 2)


def test_a_text_must_have_a_line_a_frame_and_not_be_empty(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write_stack(root / "ann/one.h5", film(chain()))
    write_camera(root)
    write_text(root / "ann/one.txt", chain()[:-1])
    with pytest.raises(DataError, match=rf"one\.txt does not belong to .*one\.h5.*{FRAMES} frames.*{FRAMES - 1} lines"):
        worms(root).clip("ann-one")
    (root / "ann/one.txt").write_text("\n")
    with pytest.raises(DataError, match=r"one\.txt is empty"):
        worms(root).clip("ann-one")
    assert not list(tmp_path.glob("prepared/*/*")), "nothing half written"


# -- projection -------------------------------------------------------------------------------------------------------


def test_poses_are_projected_as_the_camera_says_and_masked_as_seen(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write_stack(root / "ann/one.h5", film(chain()))
    write_text(root / "ann/one.txt", chain())
    write_camera(root)
    clip = worms(root).clip("ann-one")
    assert (clip.skeleton, clip.person, clip.size) == ("fish21", "ann", SIZE)
    assert np.allclose(clip.joints[..., :2], CAMERA(chain()), atol=0.02)
    assert (clip.joints[..., 2] == 1).all()
    assert ((clip.mask(range(FRAMES)) > 127).mean(axis=(1, 2)) > 0.01).all()
    assert clip.parts == {"mask"}


def test_the_animals_own_camera_goes_before_the_roots(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write_stack(root / "ann/one.h5", film(chain()))
    write_text(root / "ann/one.txt", chain())
    write_camera(root / "ann")
    (root / "camera.json").write_text('{"scale": 1, "cx": 0, "cy": 0}')
    assert np.allclose(worms(root).clip("ann-one").joints[..., :2], CAMERA(chain()), atol=0.02)


def test_a_text_that_begins_with_the_tail_is_turned_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.datamodules.swimmers.Worms.tail_first", True)
    root = tmp_path / "root"
    write_stack(root / "ann/one.h5", film(chain()))
    write_text(root / "ann/one.txt", chain()[:, ::-1])
    write_camera(root)
    assert np.allclose(worms(root).clip("ann-one").joints[..., :2], CAMERA(chain()), atol=0.02)


def test_without_a_camera_one_is_fitted_and_its_residual_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "root"
    write_images(root / "ann", film(chain()))
    write_text(root / "ann.txt", chain())
    with caplog.at_level(logging.WARNING):
        clip = worms(root).clip("ann")
    assert "the camera was fitted to the body: median residual 0." in caplog.text
    apart = np.linalg.norm(clip.joints[..., :2] - CAMERA(chain()), axis=2)
    assert np.median(apart) < 0.7
    assert apart.max() < 2


def test_poses_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write_stack(root / "ann/one.h5", film(chain()))
    write_text(root / "ann/one.txt", chain(seed=1))
    with pytest.raises(
        DataError, match=r"none brings its poses onto the animal in .*one\.h5.*Found: .*pixels.*camera\.json"
    ):
        worms(root).clip("ann-one")
    write_stack(root / "ann/one.h5", np.full((FRAMES, *SIZE, 3), 30, np.uint8))
    with pytest.raises(DataError, match=r"seen too rarely to fit one.*Found: 0"):
        worms(root).clip("ann-one")


def test_a_changed_text_makes_the_clip_anew(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write_stack(root / "ann/one.h5", film(chain()))
    write_text(root / "ann/one.txt", chain())
    write_camera(root)
    first = worms(root).clip("ann-one")
    before = first.joints.copy()
    modified = (first.path / "manifest.json").stat().st_mtime_ns
    again = worms(root).clip("ann-one")
    assert (again.path / "manifest.json").stat().st_mtime_ns == modified, "it is up to date"
    write_text(root / "ann/one.txt", chain() + np.array([1, 0, 0]))
    moved = worms(root).clip("ann-one")
    assert (moved.joints - before)[..., 0].mean() == pytest.approx(600 / 840, rel=0.05)


# -- splits -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def six(tmp_path: Path) -> Path:
    """Files that nobody opens before they are prepared."""
    root = tmp_path / "root"
    for name in "abcdef":
        (root / name).mkdir(parents=True)
        (root / name / "swims.mp4").write_bytes(b"")
    return root


def test_personal_models_exist_of_all_animals_and_general_ones_are_tested_on_the_ranks_held_out(six: Path) -> None:
    assert worms(six).people() == list("abcdef")
    general = worms(six, regime="general").recordings.values()
    assert [r.person for r in general if r.split == "test"] == ["c", "f"]
    assert [r.person for r in general if r.split == "train"] == ["a", "b", "d", "e"]
    for name in "bcdef"[:4]:
        (six / name / "swims.mp4").unlink()
        (six / name).rmdir()
    with pytest.raises(DataError, match=r"too few animals.*at least 3.*Found: 2"):
        _ = worms(six, regime="general").recordings


def test_a_personal_model_is_tested_on_its_animals_end_and_on_anothers(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for seed, name in enumerate(("ann", "bob")):
        write_stack(root / name / "one.h5", film(chain(seed=seed, frames=60)))
    data = worms(root, person="bob")
    data.prepare_data()
    request = DataRequest(2, (32, 32), window=3)
    assert len(data.train_windows(request)) == 60 - 12 - 10 - 2
    trials = data.trials(request, "test")
    assert {t.id: t.kind for t in trials} == {"bob-one-own": "reconstruction", "bob-as-ann": "imitation"}
    assert all(len(t) == 12 for t in trials)
    assert all(t.motion.skeleton == "fish21" for t in trials)
