"""Perception configs: those that come with the package, those of users, and what is wrong with some."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from motioncopy.errors import ConfigError, DataError
from motioncopy.footage.perception import config
from motioncopy.footage.perception.backends import Poses
from motioncopy.footage.perception.mediapipe import MediaPipeMask, MediaPipePose
from tests.motioncopy.footage.perception.figures import figure_joints

NAMES = ["fish", "hrnet", "mediapipe", "mediapipe_hands", "mouse", "openmmlab", "openpose", "wholebody"]
POSE = {"class_path": "motioncopy.footage.perception.mediapipe.MediaPipePose"}


def written(folder: Path, content: Any) -> Path:
    (folder / "own.yaml").write_text(yaml.safe_dump(content))
    return folder / "own.yaml"


def test_all_configs_are_known() -> None:
    assert config.names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_config_builds(name: str, tmp_path: Path) -> None:
    (tmp_path / "0.json").write_text(json.dumps({"people": []}))
    overrides = {"pose.init_args.folder": str(tmp_path)} if name == "openpose" else {}
    backends = config.load(name, **overrides)
    skeleton = {"fish": "fish21", "mouse": "mouse5"}.get(name, "body25")
    assert backends.pose.skeleton == skeleton
    content = yaml.safe_load((Path(config.__file__).parent / "configs" / f"{name}.yaml").read_text())
    for key, entry in content.items():
        module, _, cls = entry["class_path"].rpartition(".")
        assert type(getattr(backends, key)) is getattr(importlib.import_module(module), cls)


def test_hands_differ_by_one_argument() -> None:
    pose = config.load("mediapipe_hands").pose
    assert isinstance(pose, MediaPipePose)
    assert pose.hands


def test_a_file_may_leave_out_all_but_the_pose(tmp_path: Path) -> None:
    backends = config.load(written(tmp_path, {"pose": POSE | {"init_args": {"smooth": True}}}))
    assert backends.pose.version.endswith("-smooth")
    assert (backends.mask.name, backends.flow.name) == ("pose-mask", "dis-medium")


def test_overrides_go_into_the_arguments_and_another_class_starts_without_them() -> None:
    backends = config.load("mediapipe", **{"pose.init_args.still": True, "flow.init_args.preset": "fast"})
    assert backends.pose.version.endswith("-still")
    assert backends.flow.name == "dis-fast"
    other = {"pose.class_path": POSE["class_path"], "pose.init_args.smooth": True}
    pose = config.load("mediapipe_hands", **other).pose
    assert isinstance(pose, MediaPipePose)
    assert (pose.hands, pose.smooth) == (False, True)
    assert (
        config.load("mediapipe", flow={"class_path": "motioncopy.footage.perception.flow.DISFlow"}).flow.name
        == "dis-medium"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"psoe": POSE}, r"unknown keys in .*own.yaml.*Found: psoe"),
        ({}, "names no pose estimator"),
        (["pose"], "own.yaml is wrong"),
        ({"pose": POSE, "mask": {"clas_path": "x"}}, "mask of .* names no class"),
        ({"pose": POSE | {"init_arg": {}}}, "unknown keys in pose of .*init_arg"),
        ({"pose": POSE, "flow": None}, "flow of .* names no class"),
        ({"pose": POSE | {"init_args": {"hnds": True}}}, "hnds"),
        ({"pose": POSE | {"init_args": {"hands": "perhaps"}}}, "hands"),
        ({"pose": {"class_path": "motioncopy.footage.perception.mediapipe.MediaPipePoze"}}, "MediaPipePoze"),
        ({"pose": {"class_path": "no.such.Module"}}, "no.such"),
        ({"pose": {"class_path": "motioncopy.footage.perception.openpose.OpenPoseFolder"}}, "folder"),
        ({"pose": POSE, "mask": POSE}, "does not implement protocol PersonSegmenter"),
        ({"pose": {"class_path": "motioncopy.footage.clips.Clip"}}, "does not implement protocol PoseEstimator"),
        ({"pose": {"class_path": "collections.OrderedDict"}}, "does not implement protocol PoseEstimator"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config.load(written(tmp_path, content))


def test_a_constructors_own_error_comes_through(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        config.load("openpose", **{"pose.init_args.folder": str(tmp_path / "nowhere")})


def test_there_is_no_such_config(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no perception config mediapip\. .*mediapipe_hands"):
        config.load("mediapip")
    (tmp_path / "broken.yaml").write_text("pose: [")
    with pytest.raises(ConfigError, match=r"broken.yaml cannot be read"):
        config.load(tmp_path / "broken.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pose.init_args.folder=a=b", ("pose.init_args.folder", "a=b")),
        ("flow.init_args.batch=2", ("flow.init_args.batch", 2)),
        ("pose.init_args.hands=true", ("pose.init_args.hands", True)),
    ],
)
def test_overrides_of_the_command_line(text: str, expected: tuple[str, Any]) -> None:
    assert config.parse_override(text) == expected


@pytest.mark.parametrize("text", ["pose", "=1", "pose=[", "", "pose=&a [*a]"])
def test_wrong_overrides_of_the_command_line(text: str) -> None:
    with pytest.raises(ConfigError, match=r"wrong form|override 'pose=.*cannot be read"):
        config.parse_override(text)


def test_the_mask_of_mediapipe_goes_by_the_joints_that_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.zeros((2, 60, 80), np.uint8)
    mask[:, 5:55, 10:30] = 255
    mask[:, 5:55, 50:70] = 255
    seen = Poses(np.zeros((2, 25, 3), np.float32), mask)
    monkeypatch.setattr(MediaPipePose, "__call__", lambda self, images: seen)
    joints = np.stack([figure_joints(20, 5, 50), np.zeros((25, 3), np.float32)])
    cut = MediaPipeMask()(np.zeros((2, 60, 80, 3), np.uint8), Poses(joints))
    np.testing.assert_array_equal(cut[0, :, 10:30], mask[0, :, 10:30])
    assert not cut[0, :, 40:].any()
    assert not cut[1].any()
