"""Joints that others stored, in the three forms that are read."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from benchmarks.perception.__main__ import main
from benchmarks.perception.clips import clip, mediapipe33, sleap_coco17, stills
from motioncopy.errors import DataError
from motioncopy.footage.video import VideoWriter
from motioncopy.skeletons import BODY25, MOUSE5

NAMES = ["left_wrist", "nose"]


def _sleap(path: Path) -> Path:
    frame = [("frame_id", "<u8"), ("video", "<u4"), ("frame_idx", "<u8"), ("instance_id_start", "<u8"),
             ("instance_id_end", "<u8")]  # fmt: skip
    instance = [("instance_type", "u1"), ("point_id_start", "<u8"), ("point_id_end", "<u8")]
    point = [("x", "<f8"), ("y", "<f8"), ("visible", "?"), ("complete", "?"), ("score", "<f8")]
    with h5py.File(path, "w") as file:
        # The skeleton's order is not that of the list of nodes.
        metadata = {"nodes": [{"name": n} for n in NAMES], "skeletons": [{"nodes": [{"id": 1}, {"id": 0}]}]}
        file.create_group("metadata").attrs["json"] = json.dumps(metadata)
        file["frames"] = np.array([(0, 0, 0, 0, 2), (1, 0, 2, 2, 3)], frame)
        # A user's instance comes before the prediction of frame 0.
        file["instances"] = np.array([(0, 0, 2), (1, 0, 2), (1, 2, 4)], instance)
        nan = np.nan
        file["pred_points"] = np.array(
            [(1, 2, 1, 0, 0.9), (3, 4, 1, 0, 0.8), (nan, nan, 1, 0, 0), (5, 6, 1, 0, 0.2)], point
        )
    return path


def test_sleap(tmp_path: Path) -> None:
    joints = sleap_coco17(_sleap(tmp_path / "a.slp"))
    assert joints.shape == (3, 25, 3)
    np.testing.assert_array_equal(joints[0, BODY25.index("nose")], [1, 2, 1])
    np.testing.assert_array_equal(joints[0, BODY25.index("left_wrist")], [3, 4, 1])
    assert not joints[1].any()
    assert not joints[2, BODY25.index("nose")].any()
    np.testing.assert_array_equal(joints[2, BODY25.index("left_wrist")], [5, 6, 1])


def test_mediapipe_and_its_video(tmp_path: Path) -> None:
    landmarks = np.zeros((2, 33, 3))
    landmarks[1, 15] = 30, 20, -1  # the left wrist
    path = tmp_path / "a.json"
    path.write_text(json.dumps(landmarks.tolist()))
    joints = mediapipe33(path)
    np.testing.assert_array_equal(joints[1, BODY25.index("left_wrist")], [30, 20, 1])
    with VideoWriter(tmp_path / "a.mp4", 10, (32, 48)) as writer:
        writer.write(np.zeros((3, 32, 48, 3), np.uint8))
    with pytest.raises(DataError, match=r"is not of .*a.mp4.*Expected: 3 frames.*Found: 2"):
        clip(tmp_path / "a.mp4", path)
    with pytest.raises(DataError, match="no known form"):
        clip(tmp_path / "a.mp4", tmp_path / "a.txt")
    path.write_text("[[1, 2]]")
    with pytest.raises(DataError, match="33"):
        mediapipe33(path)


def test_stills(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        cv2.imwrite(str(tmp_path / f"img{name}.png"), np.full((20, 30, 3), 200, np.uint8))
    rows = ["scorer,X,X,X,X", "bodyparts,snout,snout,tailbase,tailbase", "coords,x,y,x,y",
            "far/imga.png,1,2,3,4", "far/gone.png,1,1,1,1", "far/imgb.png,,,7,8"]  # fmt: skip
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    scene = stills(tmp_path)
    assert scene.images.shape == (2, 20, 30, 3)
    np.testing.assert_array_equal(scene.joints[0, MOUSE5.index("nose")], [1, 2, 1])
    assert scene.joints[1, MOUSE5.index("nose"), 2] == 0
    np.testing.assert_array_equal(scene.joints[1, MOUSE5.index("tail_base")], [7, 8, 1])
    (tmp_path / "labels.csv").write_text("\n".join(["a,b", "bodyparts,ear", "coords,x"]))
    assert main(["stills", str(tmp_path), "--perception", "mouse"]) == 1
    assert "lacks points" in capsys.readouterr().err


def test_the_command_measures_keeps_and_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "fish",
        "--perception",
        "fish",
        "--size",
        "64",
        "--frames",
        "6",
        "--count",
        "1",
        "--parts",
        "joints,mask",
    ]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    assert "fish-midline" in capsys.readouterr().out
    kept = json.loads((tmp_path / "fish-fish.json").read_text())
    assert kept["command"].startswith("python -m benchmarks.perception fish --perception fish --size 64")
    assert str(tmp_path) not in json.dumps(kept)
    assert main(["table", "--out", str(tmp_path)]) == 0
    assert "pck@0.1" in capsys.readouterr().out
