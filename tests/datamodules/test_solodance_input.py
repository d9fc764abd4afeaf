"""SoloDance that is not there, not whole, or spoilt: refused by name, with nothing left behind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules.native import MINIATURE
from datamodules.solodance import SoloDance, find_videos
from motioncopy.errors import DataError, MotionCopyError, PerceptionError
from motioncopy.skeletons import BODY25
from tests.datamodules.solodance_discs import (
    FRAMES,
    TALL,
    Disc,
    data_of,
    person_of,
    prepared,
    put,
    tree_of,
    two,
    write_discs,
)


def test_without_data_the_message_says_where_to_get_it(tmp_path: Path) -> None:
    for root in (None, str(tmp_path / "nowhere")):
        with pytest.raises(DataError, match=r"(?s)test_img/source.*C2F-FWN.*sample solodance"):
            SoloDance(root)
    with pytest.raises(DataError, match="holds no videos"):
        _ = data_of(tmp_path).recordings


def test_the_root_of_one_phase_is_told_from_the_whole(tmp_path: Path) -> None:
    root = two(tmp_path / "root")
    with pytest.raises(DataError, match=r"only the test part.*the folder that holds train and test"):
        _ = data_of(root / "test").recordings


def test_half_a_data_set_is_refused(tmp_path: Path) -> None:
    root = two(tmp_path / "root")
    (root / MINIATURE).unlink()
    with pytest.raises(DataError, match="153 recordings of the train split"):
        _ = data_of(root).recordings
    shutil.rmtree(root / "test")
    with pytest.raises(DataError, match=r"test holds no videos.*no folder test"):
        _ = data_of(root).recordings


@pytest.mark.parametrize("tree", ["parsing", "pose", "fg"])
def test_a_tree_without_one_of_the_videos_is_refused(tmp_path: Path, tree: str) -> None:
    root = write_discs(tmp_path / "root", *(Disc("test", f"video_{n}") for n in "123"))
    folder = tree_of(root, "test", tree)
    shutil.rmtree(folder / "video_2")
    with pytest.raises(DataError, match=f"test_{tree} has not as many videos.*3 folders"):
        find_videos(root / "test", "test")
    (folder / "video_3").rename(folder / "video_2")
    put(folder / "video_4" / "x", "0", {"people": []} if tree == "pose" else np.zeros(TALL, np.uint8))
    with pytest.raises(DataError, match=r"not in step.*the files of video_3.*video_4"):
        find_videos(root / "test", "test")


@pytest.mark.parametrize("tree", ["img", "parsing", "pose"])
@pytest.mark.parametrize(
    ("number", "message"), [("00005", r"missing in the middle of .*no 5"), ("00012", "does not belong to")]
)
def test_a_missing_frame_is_refused_and_nothing_is_left_behind(
    tmp_path: Path, tree: str, number: str, message: str
) -> None:
    root = two(tmp_path / "root")
    (gone,) = (tree_of(root, "test", tree) / "video_2").rglob(f"{number}*")
    gone.unlink()
    with pytest.raises(DataError, match=message):
        prepared(root)
    assert not list((tmp_path / "prepared").rglob("manifest.json"))


def test_frames_without_a_person_have_no_joints_and_a_video_of_them_is_refused(tmp_path: Path) -> None:
    root = two(tmp_path / "root")
    files = sorted((tree_of(root, "test", "pose") / "video_2/spose").iterdir())
    files[3].write_text('{"version": 1.3, "people": []}')
    found = prepared(root).joints[..., 2].max(axis=1) > 0
    assert found.tolist() == [i != 3 for i in range(FRAMES)]
    for file in files:
        file.write_text('{"version": 1.3, "people": []}')
    with pytest.raises(PerceptionError, match="no person was found"):
        prepared(root)


def test_of_several_people_the_dancer_is_followed(tmp_path: Path) -> None:
    root = two(tmp_path / "root")
    alone = prepared(root).joints.copy()
    bystander = np.ones((len(BODY25), 3))
    bystander[:, :2] = np.stack([np.full(25, 4), np.linspace(20, 26, 25)], axis=1)
    for file in (tree_of(root, "test", "pose") / "video_2/spose").iterdir():
        content = json.loads(file.read_text())
        file.write_text(json.dumps({"people": [person_of(bystander), *content["people"]]}))
    assert prepared(root).joints == pytest.approx(alone)


@pytest.mark.parametrize(
    ("tree", "spoil", "message"),
    [
        ("parsing", np.zeros((64, 48), np.uint8), "00006.png is of another size"),
        ("parsing", np.full(TALL, 20, np.uint8), r"00006.png holds unknown labels.*0 to 19.*20"),
        ("img", np.zeros((64, 48), np.uint8), "00006.png is of another size"),
        ("pose", {"people": [{"pose_keypoints_2d": [1.0, 2.0]}]}, "00006_keypoints.json is not whole"),
        ("pose", {"persons": []}, "00006_keypoints.json is damaged"),
    ],
)
def test_spoilt_files_are_named(tmp_path: Path, tree: str, spoil: Any, message: str) -> None:
    root = two(tmp_path / "root")
    put(tree_of(root, "test", tree) / "video_2" / f"s{tree}", "00006", spoil)
    with pytest.raises(MotionCopyError, match=message):
        prepared(root)
    assert not list((tmp_path / "prepared").rglob("manifest.json"))
