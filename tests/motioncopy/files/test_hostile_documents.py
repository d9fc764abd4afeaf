"""Documents from strangers that motioncopy itself reads: refused by name, or read; never anything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motioncopy import records
from motioncopy.errors import ClipError, RecordError
from motioncopy.footage.clips import Clip
from motioncopy.footage.perception.openpose import OpenPoseFolder
from motioncopy.metrics.scores import ClipScores
from motioncopy.trials import collect
from tests.motioncopy.files.hostile import SEEDED, check, documents, values
from tests.motioncopy.footage.clips.making import write_clip
from tests.motioncopy.footage.perception.annotated import blank, footage
from tests.motioncopy.records.test_records import measured

_RECORD = json.loads(json.dumps(measured().to_dict()))
_POSES = {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": [20.0, 30.0, 0.5] * 25,
                                      "face_keypoints_2d": [], "hand_left_keypoints_2d": [9, 9, 1] * 21}]}  # fmt: skip
_SUMMARY = {
    "id": "a", "protocol": "x@1", "kind": "imitation", "person": "ada", "driver": "bob", "fps": 25.0, "frames": 2,
    "generation_fps": 3.5, "report": {"distance": 0.5}, "scores": ClipScores("a", 2, {"psnr": (1.0, None)}).to_dict(),
}  # fmt: skip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "dance", 3)


def _read_clip(folder: Path) -> None:
    clip = Clip.open(folder)
    clip.verify()
    assert clip.joints.shape[0] == len(clip) == 3
    assert clip.background.shape == clip.images([0, 2]).shape[1:]
    assert clip.mask([1]).shape == (1, *clip.size)


@SEEDED
@given(data=st.data())
def test_manifests(clip: Path, data: st.DataObject) -> None:
    path = clip / "manifest.json"
    valid = path.read_bytes()
    try:
        path.write_bytes(data.draw(documents(json.loads(valid))))
        check(lambda: _read_clip(clip), clip)
    finally:
        path.write_bytes(valid)


@SEEDED
@given(data=st.data(), part=st.sampled_from(["joints", "images", "background"]))
def test_arrays_of_clips(clip: Path, data: st.DataObject, part: str) -> None:
    path = clip / f"{part}.npy"
    valid = path.read_bytes()
    head = data.draw(documents(valid[:128]))
    try:  # as large as the manifest says, so that the array itself is looked at
        path.write_bytes((head + valid[128:])[: len(valid)].ljust(len(valid), b"\0"))
        opened = Clip.open(clip)
        read = {"images": lambda: opened.images([0]), "joints": lambda: opened.joints,
                "background": lambda: opened.background}[part]  # fmt: skip
        check(read, path)
    finally:
        path.write_bytes(valid)


@pytest.mark.parametrize(
    "array",
    [np.full((3, 25, 3), np.nan, "f4"), np.full((3, 25, 3), 2, "f4"), np.zeros((3, 25, 3), ">f4"),
     np.zeros((3, 25, 3), "i4")],
    ids=["nan", "confidence", "byte order", "type"],
)  # fmt: skip
def test_joints_that_are_none(clip: Path, array: np.ndarray) -> None:
    path = clip / "joints.npy"
    valid = path.read_bytes()
    try:
        np.save(path, array)
        with pytest.raises(ClipError, match="joints"):
            _ = Clip.open(clip).joints
    finally:
        path.write_bytes(valid)


@SEEDED
@given(data=documents(_RECORD))
def test_records(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "one.json"
    path.write_bytes(data)
    assert not check(lambda: records.read(path), path) or json.loads(data) == _RECORD


@SEEDED
@given(content=values({k: v for k, v in _RECORD.items() if k != "sha256"}))
def test_records_whose_hash_was_mended(tmp_path: Path, content: Any) -> None:
    if isinstance(content, dict):
        try:
            content = content | {"sha256": records.content_digest(content)}
        except ValueError:
            return  # what no JSON holds
    path = tmp_path / "one.json"
    path.write_text(json.dumps(content))
    check(lambda: records.read(path), path)


@SEEDED
@given(data=documents(_SUMMARY))
def test_summaries_of_trials(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    check(lambda: collect(tmp_path, ["a"]), path)


@SEEDED
@given(data=documents(_POSES))
def test_openpose(tmp_path: Path, data: bytes) -> None:
    folder = tmp_path / "pose"
    folder.mkdir(exist_ok=True)
    (folder / "0.json").write_bytes(data)

    def read() -> None:
        estimator = OpenPoseFolder(folder)
        estimator.start(footage(tmp_path / "images", 1, (100, 200)))
        poses = estimator(blank(1, (100, 200)))
        assert np.isfinite(poses.joints).all()

    check(read, folder / "0.json")


def test_a_claim_to_much_is_refused_before_there_is_room_for_it(clip: Path) -> None:
    path = clip / "manifest.json"
    valid = path.read_text()
    content = json.loads(valid)
    claims = (
        {"size": [10**6, 10**6]}, {"frames": 10**12}, {"fps": 1e300}, {"frames": -1}, {"size": [0, 10]}, {"fps": "25"},
        {"person": "../ada"}, {"id": "a/b"}, {"id": "a" * 300}, {"person": "\x1b"}, {"schema": True}, {"more": 1},
    )  # fmt: skip
    try:
        for claim in claims:
            path.write_text(json.dumps(content | claim))
            with pytest.raises(ClipError, match=r"dance"):
                Clip.open(clip)
        for change in ({"dtype": "object"}, {"shape": [10**9, 12, 10, 3]}, {"shape": [3, 12, 10, 3], "bytes": 5}):
            parts = content["parts"] | {"images": content["parts"]["images"] | change}
            path.write_text(json.dumps(content | {"parts": parts}))
            with pytest.raises(ClipError, match=r"manifest\.json.*images"):
                Clip.open(clip)
    finally:
        path.write_text(valid)


def test_a_record_cannot_hold_what_no_file_could(tmp_path: Path) -> None:
    for changes in ({"subject": "\ud800"}, {"config": {"a": "\udcff"}}, {"config": {"a": 10**400}}):
        with pytest.raises(RecordError, match=r"field (subject|config\.a)"):
            records.write(measured(**changes), tmp_path)
    assert not list(tmp_path.iterdir())
