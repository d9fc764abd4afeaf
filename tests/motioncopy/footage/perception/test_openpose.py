import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motioncopy.errors import DataError
from motioncopy.footage import Framing
from motioncopy.footage.perception.openpose import OpenPoseFolder
from motioncopy.skeletons import BODY25, COCO18, view
from tests.motioncopy.footage.perception.annotated import blank, footage

SIZE = (100, 200)


def _body(x: float, y: float = 50, *, height: float = 40, confidence: float = 0.8, count: int = 25) -> Any:
    """A person's joints around (x, y)."""
    joints = np.zeros((count, 3), np.float32)
    joints[:, 0] = x + np.linspace(-5, 5, count)
    joints[:, 1] = y + np.linspace(-height / 2, height / 2, count)
    joints[:, 2] = confidence
    return joints


def _person(body: Any, *, groups: bool = True) -> dict[str, Any]:
    person = {"person_id": [-1], "pose_keypoints_2d": body.ravel().tolist()}
    for field, count in (("face", 70), ("hand_left", 21), ("hand_right", 21)):
        values = np.tile([body[0, 0], body[0, 1], 0.5], count).tolist()
        person[f"{field}_keypoints_2d"] = values if groups else []
    return person


def _write(folder: Path, frames: Sequence[Sequence[dict[str, Any]]]) -> Path:
    folder.mkdir(exist_ok=True)
    for i, people in enumerate(frames):
        content = {"version": 1.3, "people": list(people)}
        (folder / f"video_{i:012d}_keypoints.json").write_text(json.dumps(content))
    return folder


def _started(root: Path, frames: Sequence[Sequence[dict[str, Any]]], **options: Any) -> OpenPoseFolder:
    estimator = OpenPoseFolder(_write(root / "pose", frames), **options)
    estimator.start(footage(root / "images", len(frames), SIZE))
    return estimator


def test_joints_come_frame_by_frame(tmp_path: Path) -> None:
    bodies = [_body(20 + 3 * i) for i in range(5)]
    estimator = _started(tmp_path, [[_person(b)] for b in bodies])
    assert (estimator.name, estimator.skeleton) == ("openpose-json", "body25")
    assert estimator.groups == ("hand_left", "hand_right", "face")
    parts = [estimator(blank(2, SIZE)), estimator(blank(3, SIZE))]
    np.testing.assert_allclose(np.concatenate([p.joints for p in parts]), bodies, rtol=1e-5)
    assert parts[1].face is not None
    assert parts[1].face.shape == (3, 70, 3)
    np.testing.assert_allclose(parts[1].face[0, 9], [bodies[2][0, 0], bodies[2][0, 1], 0.5], rtol=1e-5)
    assert parts[0].mask is None
    with pytest.raises(DataError, match="no more files"):
        estimator(blank(1, SIZE))
    estimator.start(footage(tmp_path / "images", 5, SIZE))
    np.testing.assert_allclose(estimator(blank(1, SIZE)).joints[0], bodies[0], rtol=1e-5)


def test_joints_move_to_the_footages_frame_and_to_the_images_size(tmp_path: Path) -> None:
    framing = Framing(native=(200, 400), resized=SIZE, corner=(0, 0), size=SIZE)
    body = _body(101.5, 51.5)
    estimator = _started(tmp_path, [[_person(body)]] * 3, framing=framing)
    joints = estimator(blank(1, SIZE)).joints[0]
    np.testing.assert_allclose(joints[12], [50.5, 25.5, 0.8], rtol=1e-5)
    half = estimator(blank(1, (50, 100)))
    np.testing.assert_allclose(half.joints[0, 12], [25.0, 12.5, 0.8], rtol=1e-5)
    assert half.face is not None
    np.testing.assert_allclose(half.face[0, 0, :2], (body[0, :2] + 0.5) / 4 - 0.5, rtol=1e-5)


def test_nobody_is_a_frame_without_confidence(tmp_path: Path) -> None:
    absent = _person(np.zeros((25, 3), np.float32))
    estimator = _started(tmp_path, [[_person(_body(50))], [], [absent], [_person(_body(52))]])
    poses = estimator(blank(4, SIZE))
    assert poses.found.tolist() == [True, False, False, True]
    assert not poses.joints[1:3].any()
    assert poses.face is not None
    assert not poses.face[1].any()


def test_the_larger_more_confident_person_is_followed_wherever_it_stands_in_the_file(tmp_path: Path) -> None:
    main = [_body(60 + 5 * i) for i in range(4)]
    other = [_body(150 - 5 * i, height=30 + 20 * i) for i in range(4)]  # grows larger, which no longer matters
    people = [[_person(m), _person(o)][:: 1 if i % 2 else -1] for i, (m, o) in enumerate(zip(main, other, strict=True))]
    np.testing.assert_allclose(_started(tmp_path, people)(blank(4, SIZE)).joints, main, rtol=1e-5)


def test_confidence_counts_at_first(tmp_path: Path) -> None:
    people = [_person(_body(40, height=44, confidence=0.1)), _person(_body(150, height=40, confidence=0.9))]
    assert _started(tmp_path, [people])(blank(1, SIZE)).joints[0, :, 0].mean() == pytest.approx(150)


def test_somebody_else_far_away_is_not_taken_for_the_person(tmp_path: Path) -> None:
    away = [_person(_body(170))]
    frames = [[_person(_body(20)), *away], away, away, [_person(_body(26)), *away]]
    frames[0][0] = _person(_body(20, height=60))
    poses = _started(tmp_path, frames)(blank(4, SIZE))
    assert poses.found.tolist() == [True, False, False, True]
    assert poses.joints[3, :, 0].mean() == pytest.approx(26)


def test_who_is_the_only_one_for_long_is_the_person(tmp_path: Path) -> None:
    frames = [[_person(_body(20))]] + [[_person(_body(170))]] * 6
    assert _started(tmp_path, frames)(blank(7, SIZE)).found.tolist() == [True, False, False, False, True, True, True]


def test_a_new_start_forgets_the_person(tmp_path: Path) -> None:
    left, right = _person(_body(20, height=60)), _person(_body(150))
    estimator = _started(tmp_path, [[right], [right, left]])
    estimator(blank(2, SIZE))
    _write(tmp_path / "pose", [[left, right], [right]])
    estimator.start(footage(tmp_path / "images", 2, SIZE))
    assert estimator(blank(1, SIZE)).joints[0, :, 0].mean() == pytest.approx(20)


def test_coco_bodies_become_body25(tmp_path: Path) -> None:
    body = _body(50, count=18)
    joints = _started(tmp_path, [[_person(body)]])(blank(1, SIZE)).joints[0]
    np.testing.assert_allclose(joints, view(body, COCO18, BODY25), rtol=1e-5)
    assert joints[BODY25.index("mid_hip"), 2] > 0


def test_groups_are_those_of_the_first_person(tmp_path: Path) -> None:
    body = _body(50)
    folder = _write(tmp_path / "pose", [[], [_person(body, groups=False)], [_person(body)]])
    estimator = OpenPoseFolder(folder)
    assert estimator.groups == ()
    estimator.start(footage(tmp_path / "images", 3, SIZE))
    assert estimator(blank(3, SIZE)).face is None
    assert OpenPoseFolder(_write(tmp_path / "none", [[]])).groups == ()


def test_a_group_that_a_person_lacks_is_absent(tmp_path: Path) -> None:
    estimator = _started(tmp_path, [[_person(_body(50))], [_person(_body(50), groups=False)]])
    face = estimator(blank(2, SIZE)).face
    assert face is not None
    assert face[0].any()
    assert not face[1].any()


def test_confidence_is_clipped(tmp_path: Path) -> None:
    body = _body(50, confidence=1.04)
    body[3, 2] = -0.1
    joints = _started(tmp_path, [[_person(body)]])(blank(1, SIZE)).joints[0]
    assert joints[0, 2] == 1
    assert joints[3].tolist() == [0, 0, 0]


def test_the_version_follows_the_content(tmp_path: Path) -> None:
    folder = _write(tmp_path / "pose", [[_person(_body(50))], []])
    version = OpenPoseFolder(folder).version
    assert version.startswith("1+")
    assert OpenPoseFolder(folder).version == version
    assert OpenPoseFolder(folder, framing=Framing.whole(SIZE)).version != version
    _write(folder, [[_person(_body(51))], []])
    assert OpenPoseFolder(folder).version != version


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cannot be read"),
        ('{"people": [', "cannot be read"),
        ("[]", 'not OpenPose.*"people"'),
        ('{"persons": []}', 'not OpenPose.*"people"'),
        ("[" * 100_000, "nested too deeply"),
        ('{"people": {}}', 'not OpenPose.*"people"'),
        ('{"people": [[1]]}', 'not OpenPose.*"people"'),
        (json.dumps({"people": [{}] * 1001}), "too many people.*1000.*1001"),
        ('{"people": [{}]}', "pose_keypoints_2d of .*NoneType"),
        ('{"people": [{"pose_keypoints_2d": [1, 2, 3]}]}', "pose_keypoints_2d of .*25x3 or 18x3.*3 values"),
        (json.dumps({"people": [{"pose_keypoints_2d": [[1.0, 2.0, 3.0]] * 75}]}), "pose_keypoints_2d of"),
        (json.dumps({"people": [{"pose_keypoints_2d": ["x"] * 75}]}), "pose_keypoints_2d of"),
        (json.dumps({"people": [{"pose_keypoints_2d": ["1"] * 75}]}), "pose_keypoints_2d of .*'1'"),
        (json.dumps({"people": [{"pose_keypoints_2d": [True] * 75}]}), "pose_keypoints_2d of .*True"),
        (json.dumps({"people": [{"pose_keypoints_2d": [1e30] * 75}]}), "pose_keypoints_2d of .*1e.30"),
        (json.dumps({"people": [{"pose_keypoints_2d": [9.0, 9.0, -1.0] * 25}]}), "confidences of .*0 to 1.*-1"),
        (json.dumps({"people": [{"pose_keypoints_2d": [float("nan")] * 75}]}), "the number NaN"),
        (json.dumps({"people": [{"pose_keypoints_2d": [0.5, 0.25, 0.9] * 25}]}), "not in pixels"),
        (json.dumps({"people": [{**_person(_body(50)), "face_keypoints_2d": [1.0] * 69}]}), "face_keypoints_2d of"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, content: str, message: str) -> None:
    estimator = _started(tmp_path, [[_person(_body(50))], []])
    (tmp_path / "pose" / "video_000000000001_keypoints.json").write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        estimator(blank(2, SIZE))
    assert "video_000000000001_keypoints.json" in str(caught.value)


def test_files_and_frames_must_be_as_many(tmp_path: Path) -> None:
    estimator = OpenPoseFolder(_write(tmp_path / "pose", [[]] * 3))
    with pytest.raises(DataError, match=r"pose does not belong to .*4 files.*Found: 3"):
        estimator.start(footage(tmp_path / "images", 4, SIZE))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    folder = _write(tmp_path / "pose", [[]] * 4)
    (folder / "video_000000000002_keypoints.json").unlink()
    with pytest.raises(DataError, match=r"missing in the middle.*no 2\."):
        OpenPoseFolder(folder)
    assert len(OpenPoseFolder(folder, names=["video_000000000000_keypoints.json"]).files.paths) == 1


def test_a_framing_for_other_frames_is_refused(tmp_path: Path) -> None:
    estimator = OpenPoseFolder(_write(tmp_path / "pose", [[]]), framing=Framing.whole((5, 5)))
    with pytest.raises(DataError, match="framed otherwise"):
        estimator.start(footage(tmp_path / "images", 1, SIZE))
