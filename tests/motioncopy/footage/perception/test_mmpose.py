"""Top-down pose with mmpose, on random weights in the published format, and boxes that a test gives."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from motioncopy.errors import ConfigError, WeightsError
from motioncopy.footage.perception.mmpose import MODELS, TopDownPose, body25
from motioncopy.footage.perception.openmmlab import Network
from motioncopy.skeletons import BODY25
from tests.motioncopy.footage.perception.published import publish

pytest.importorskip("mmpose")

HEIGHT, WIDTH = 48, 64
FEET = [i for i, name in enumerate(BODY25.joints) if name.endswith(("toe", "heel"))]


class Boxes:
    """A detector that knows where people are: one who goes right, and now and then a second."""

    version = "given 1"

    def __init__(self) -> None:
        self.frame = 0

    def __call__(self, images: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        found = []
        for _ in images:
            x, faint = 4.0 * self.frame, 0.1 if self.frame == 2 else 0.9
            found.append((np.array([[50, 20, 60, 40], [x, 4, x + 20, 44]], np.float32), np.array([0.9, faint])))
            self.frame += 1
        return found


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def make(patch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], TopDownPose]:
    """Makes a pose estimator; the networks are made once."""
    folder, made = tmp_path_factory.mktemp("mmpose"), {}

    def one(model: str) -> TopDownPose:
        if model not in made:
            publish(MODELS[model], folder, patch)
            made[model] = TopDownPose(model, detector=Boxes(), device="cpu", batch=3)  # type: ignore[arg-type]
        pose: TopDownPose = made[model]
        pose.detector = Boxes()
        pose.start(None)  # type: ignore[arg-type]
        return pose

    return one


def images(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, HEIGHT, WIDTH, 3), np.uint8)


@pytest.mark.parametrize("model", list(MODELS))
def test_joints_of_the_main_person_come_in_every_frame_in_which_they_are_seen(
    make: Callable[[str], TopDownPose], model: str
) -> None:
    pose = make(model)
    poses = pose(images(5))
    assert poses.joints.shape == (5, 25, 3)
    assert poses.joints.dtype == np.float32
    assert poses.found.tolist() == [True, True, False, True, True]
    assert (poses.joints[..., 2] >= 0).all()
    assert (poses.joints[..., 2] <= 1).all()
    # A crop is a quarter larger than the box, and as high as 4/3 of its width.
    for i in (0, 1, 3, 4):
        seen = poses.joints[i, poses.joints[i, :, 2] > 0]
        assert (abs(seen[:, 0] - (4 * i + 10)) <= 26).all()
        assert (abs(seen[:, 1] - 24) <= 26).all()
    assert (poses.joints[:, FEET, 2] > 0).any() == (model != "hrnet")
    assert poses.mask is None
    assert set(pose.groups) == {
        name for name in ("hand_left", "hand_right", "face") if getattr(poses, name) is not None
    }
    assert pose.skeleton == "body25"
    assert pose.version.startswith("mmpose 1")
    assert "@sha256:" in pose.version
    assert "given 1" in pose.version


def test_chunks_change_nothing(make: Callable[[str], TopDownPose]) -> None:
    whole = make("rtmpose")(images(6)).joints
    np.testing.assert_array_equal(make("rtmpose")(images(6)).joints, whole)
    pose = make("rtmpose")
    parts = np.concatenate([pose(images(6)[:1]).joints, pose(images(6)[1:4]).joints, pose(images(6)[4:]).joints])
    np.testing.assert_allclose(parts, whole, atol=1e-3)


def test_a_whole_body_brings_hands_and_face(
    make: Callable[[str], TopDownPose], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each point says its number: x is the point, y the frame."""
    pose = make("wholebody")

    def number(some: np.ndarray, boxes: list[np.ndarray]) -> np.ndarray:
        points = np.ones((len(some), 133, 3), np.float32)
        points[..., 0], points[..., 1] = np.arange(133), np.arange(len(some))[:, None]
        return points

    monkeypatch.setattr(pose, "_points", number)
    poses = pose(images(2))
    assert poses.face is not None
    assert poses.hand_left is not None
    assert poses.hand_right is not None
    assert poses.face.shape == (2, 70, 3)
    assert poses.face[1, :68, 0].tolist() == list(range(23, 91))
    assert not poses.face[:, 68:].any()
    assert poses.hand_left[1, :, 0].tolist() == list(range(91, 112))
    assert poses.hand_right[1, :, 0].tolist() == list(range(112, 133))
    for name, point in (("nose", 0), ("right_eye", 2), ("left_wrist", 9), ("left_big_toe", 17), ("right_heel", 22)):
        assert poses.joints[0, BODY25.index(name), 0] == point


def test_networks_are_shown_blue_first(make: Callable[[str], TopDownPose], monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[torch.Tensor] = []

    def look(network: Network, built: Any, samples: list[Any]) -> list[Any]:
        shown.extend(sample["inputs"] for sample in samples)
        raise ZeroDivisionError

    pose = make("hrnet")
    monkeypatch.setattr(Network, "run", look)
    blue = np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)
    blue[..., 2] = 200
    with pytest.raises(ZeroDivisionError):
        pose(blue)
    assert shown[0].shape == (3, 256, 192)
    assert shown[0].amax((1, 2)).tolist() == [200, 0, 0]


def test_a_new_video_starts_with_its_largest_person(make: Callable[[str], TopDownPose]) -> None:
    pose = make("hrnet")
    pose(images(1))
    assert len(pose._people) == 2
    pose.start(None)  # type: ignore[arg-type]
    assert not pose._people


def test_means_take_the_lower_confidence_even_where_the_model_has_a_neck() -> None:
    names = ["neck", "left_shoulder", "right_shoulder", "left_hip", "right_hip", "head"]
    points = np.array([[[0, 0, 1], [10, 4, 0.9], [20, 8, 0.3], [12, 40, 0.5], [18, 42, 0.6], [15, 0, 1]]], np.float32)
    joints = body25(points, names)
    np.testing.assert_allclose(joints[0, BODY25.index("neck")], [15, 6, 0.3])
    np.testing.assert_allclose(joints[0, BODY25.index("mid_hip")], [15, 41, 0.5])
    np.testing.assert_allclose(joints[0, BODY25.index("left_shoulder")], [10, 4, 0.9])
    assert joints[0, BODY25.index("nose"), 2] == 0


def test_frames_without_anybody_need_no_network(make: Callable[[str], TopDownPose]) -> None:
    pose = make("hrnet")
    pose.detector = lambda frames: [(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))] * len(frames)  # type: ignore[assignment]
    assert not pose(images(2)).found.any()
    assert len(pose(images(0)).joints) == 0


def test_without_weights_the_error_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("MOTIONCOPY_WEIGHTS", "HOME", "TORCH_HOME"):
        monkeypatch.setenv(folder, str(tmp_path))
    with pytest.raises(WeightsError, match=r"weights fetch rtmpose-m-halpe26.*weights add FILE"):
        _ = TopDownPose().version


@pytest.mark.parametrize("options", [{"model": "openpose"}, {"batch": 0}, {"device": "abacus"}])
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        TopDownPose(**options)
