"""Two clips: all of one is trained on, all of the other is copied."""

from __future__ import annotations

from pathlib import Path

import pytest

from datamodules.pair import Pair
from motioncopy.errors import ClipError, DataError
from motioncopy.request import DataRequest
from tests.datamodules.making import still, write_discs

SIZE = (24, 32)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, str]:
    write_discs(tmp_path / "shown", still(8, 12, 24), size=SIZE)
    write_discs(tmp_path / "dance", still(30, 20, 7), size=(48, 40), person="bob")
    return str(tmp_path / "shown"), str(tmp_path / "dance")


def test_all_frames_are_trained_on_and_all_motion_is_copied(folders: tuple[str, str]) -> None:
    data = Pair(*folders)
    assert (data.people(), data.person, data.protocol) == (["ann"], "ann", "pair@1")
    (train,) = data.train_excerpts()
    assert (train.start, train.stop) == (0, 24)
    (spec,) = data.trial_specs("test")
    assert (spec.id, spec.kind, spec.truth) == ("shown-as-dance", "imitation", None)
    assert (spec.motion.clip.person, len(spec.motion)) == ("bob", 7)
    assert spec.appearance.clip.person == "ann"


def test_person_and_motion_each_have_their_crop(folders: tuple[str, str]) -> None:
    trial = Pair(*folders).trials(DataRequest(1, (16, 16), crop="person"), "test")[0]
    assert trial.appearance.motion.joints[0, 0, 0, :2].tolist() == pytest.approx([7.5, 7.5], abs=1)
    assert trial.motion.joints[0, 0, 0, :2].tolist() == pytest.approx([7.5, 7.5], abs=1)
    assert (trial.appearance.person, trial.driver) == (("ann",), "bob")


def test_the_same_person_s_motion_is_a_reconstruction(folders: tuple[str, str], tmp_path: Path) -> None:
    write_discs(tmp_path / "again", still(8, 12, 9), size=SIZE)
    (spec,) = Pair(folders[0], str(tmp_path / "again")).trial_specs("test")
    assert (spec.id, spec.kind) == ("shown-as-again", "reconstruction")


def test_what_does_not_serve_is_refused(folders: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"two prepared clips.*motioncopy copy"):
        Pair(folders[0])
    with pytest.raises(ClipError):
        Pair(folders[0], str(tmp_path / "nowhere")).train_excerpts()
    with pytest.raises(DataError, match=r"dance is too short.*at least 20 frames.*Found: 7"):
        Pair(folders[1], folders[0]).train_excerpts()
    with pytest.raises(DataError, match="no person 'cid'"):
        _ = Pair(*folders, person="cid").person


def test_a_general_method_is_shown_the_person_and_cannot_be_trained_on_one(folders: tuple[str, str]) -> None:
    data = Pair(folders[1], folders[0], regime="general", flow=True)  # 7 frames are enough to be shown
    (spec,) = data.trial_specs("test")
    assert (spec.id, spec.appearance.clip.person, len(spec.motion)) == ("dance-as-shown", "bob", 24)
    with pytest.raises(DataError, match=r"one person is not enough.*--checkpoint"):
        data.train_excerpts()
