import subprocess
import sys
from unittest.mock import Mock

import numpy as np
import pytest

from motioncopy.footage import Footage
from motioncopy.footage.perception.mediapipe import MediaPipePose, body25
from motioncopy.skeletons import BODY25
from tests.motioncopy.footage.perception.figures import draw_figure, figure_joints

pytest.importorskip("mediapipe")
pytestmark = pytest.mark.filterwarnings(r"ignore:label\(\) is deprecated:DeprecationWarning")


def _landmarks() -> np.ndarray:
    """Landmark i at (i, 10 i), the nose nearer than the ears."""
    numbers = np.arange(33.0)
    landmarks = np.stack([numbers, 10 * numbers, np.zeros(33), np.full(33, 0.9)], 1)
    landmarks[0, 2] = -1
    return landmarks


def test_landmarks_become_body25() -> None:
    joints = body25(_landmarks())
    for name, landmark in (
        ("nose", 0), ("right_eye", 5), ("left_eye", 2), ("right_ear", 8), ("left_wrist", 15), ("right_ankle", 28),
        ("left_heel", 29), ("right_big_toe", 32), ("neck", 11.5), ("mid_hip", 23.5),
    ):  # fmt: skip
        np.testing.assert_allclose(joints[BODY25.index(name)], [landmark, 10 * landmark, 0.9], rtol=1e-6)
    assert not joints[BODY25.index("left_small_toe")].any()


def test_mean_joint_is_as_sure_as_the_less_sure_parent() -> None:
    landmarks = _landmarks()
    landmarks[11, 3] = 0.2
    assert body25(landmarks)[BODY25.index("neck"), 2] == pytest.approx(0.2)


def test_face_turned_away_is_not_there() -> None:
    landmarks = _landmarks()
    landmarks[0, 2] = 1
    joints = body25(landmarks)
    hidden = {name for name in BODY25.joints if joints[BODY25.index(name), 2] == 0}
    assert hidden == {"nose", "left_eye", "right_eye", "left_small_toe", "right_small_toe"}


def test_finds_a_drawn_person_and_nobody_in_an_empty_frame() -> None:
    truth = figure_joints(160, 20, 270)
    empty = np.full((320, 320, 3), 190, np.uint8)
    image, mask = draw_figure(empty, truth)
    estimator = MediaPipePose()
    poses = estimator(np.stack([empty, image]))
    assert poses.found.tolist() == [False, True]
    assert poses.mask is not None
    assert poses.face is not None
    assert not poses.mask[0].any()
    there = poses.joints[1, :, 2] > 0.5
    assert there.sum() >= 20
    error = np.linalg.norm(poses.joints[1, :, :2] - truth[:, :2], axis=1)[there] / 270
    assert np.median(error) < 0.03
    seen, true = poses.mask[1] > 127, mask > 127
    assert (seen & true).sum() / (seen | true).sum() > 0.9
    # The corners of the mouth lie below the nose, the person's left one to the right.
    right, left = poses.face[1, 48], poses.face[1, 54]
    assert left[0] > right[0]
    assert min(left[1], right[1]) > poses.joints[1, BODY25.index("nose"), 1]


def test_a_video_does_not_depend_on_the_one_before_nor_on_its_chunks() -> None:
    background = np.full((240, 240, 3), 190, np.uint8)
    frames = np.stack([draw_figure(background, figure_joints(100 + 5 * i, 15, 200))[0] for i in range(6)])
    estimator = MediaPipePose()
    whole = estimator(frames)
    estimator.start(Mock(Footage))
    parts = [estimator(frames[:2]), estimator(frames[2:])]
    np.testing.assert_array_equal(np.concatenate([p.joints for p in parts]), whole.joints)


def test_is_silent() -> None:
    code = (
        "import numpy as np\n"
        "from motioncopy.footage.perception.mediapipe import MediaPipePose\n"
        "from tests.motioncopy.footage.perception.figures import draw_figure, figure_joints\n"
        "image, _ = draw_figure(np.full((240, 240, 3), 190, np.uint8), figure_joints(120, 15, 200))\n"
        "assert MediaPipePose()(image[None]).found.all()\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr + ran.stdout == ""


def test_hands_on_request() -> None:
    estimator = MediaPipePose(hands=True)
    assert estimator.name != MediaPipePose().name
    poses = estimator(np.full((1, 64, 64, 3), 190, np.uint8))
    assert poses.hand_left is not None
    assert poses.hand_left.shape == (1, 21, 3)
    assert not poses.hand_left.any()
