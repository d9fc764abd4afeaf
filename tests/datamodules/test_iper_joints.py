"""iPER's joints: from its own pickles, from iPERCore's, or from perception."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules.iper import Video, read_kps, read_vid_info
from datamodules.miniatures.iper import key_points
from motioncopy.errors import DataError
from motioncopy.footage.perception.smpl import SMPL_KPS
from motioncopy.skeletons import BODY25
from tests.datamodules.iper_files import FEET, put, put_pickle, vid_info


def test_kps_are_pixels_of_the_large_video_and_shrink_with_it(tmp_path: Path) -> None:
    kps = np.zeros((2, 19, 2), np.float32)
    nose = SMPL_KPS.index("nose")
    kps[1, nose] = (0.5, -0.25)
    path = put_pickle(tmp_path / "kps.pkl", {"kps": kps})
    large, small = (read_kps(path, (side, side))[1, 0] for side in (1024, 256))
    assert large.tolist() == [768, 384, 1]
    # Pixel 768 of 1024 has its centre a quarter of 768.5 from the left edge.
    assert small.tolist() == [768.5 / 4 - 0.5, 384.5 / 4 - 0.5, 1]
    assert not read_kps(path, (256, 256))[:, FEET].any()


def test_the_miniatures_kps_are_read_as_the_joints_they_were_made_from(tmp_path: Path) -> None:
    joints = np.random.default_rng(0).uniform(0, 95, (3, 25, 3)).astype(np.float32)
    hips = [BODY25.index("left_hip"), BODY25.index("right_hip")]
    joints[:, BODY25.index("mid_hip")] = joints[:, hips].mean(axis=1)
    read = read_kps(put_pickle(tmp_path / "kps.pkl", {"kps": key_points(joints, 96)}), (96, 96))
    body = [i for i in range(25) if i not in FEET]
    assert read[:, body, :2] == pytest.approx(joints[:, body, :2], abs=1e-4)
    assert (read[:, body, 2] == 1).all()


class Evil:
    """Would run a command on being unpickled."""

    def __reduce__(self) -> Any:
        return print, ("run",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"cams": np.zeros((2, 3))}, r"kps\.pkl holds no joints"),
        ([1, 2], r"kps\.pkl holds no joints.*list"),
        ({"kps": np.zeros((2, 24, 2))}, r"kps\.pkl: the SMPL key points do not fit.*\(2, 24, 2\)"),
        ({"kps": np.full((2, 19, 2), np.nan)}, r"kps\.pkl: the SMPL key points are not finite"),
        ({"kps": Evil()}, r"asks for more than arrays.*__builtin__\.print"),
    ],
)
def test_damaged_and_dangerous_kps_are_refused(tmp_path: Path, content: Any, message: str) -> None:
    path = put_pickle(tmp_path / "kps.pkl", content)
    with pytest.raises(DataError, match=message):
        read_kps(path, (256, 256))
    with pytest.raises(DataError, match=r"speaks of square frames.*320x256"):
        read_kps(path, (256, 320))


def test_openpose_joints_of_the_hd_release_belong_to_the_frames_that_showed_somebody(tmp_path: Path) -> None:
    joints = np.full((2, 25, 3), 0.5, np.float32)
    joints[..., :2] = 511.5
    joints[0, 4] = (-1, -1, 0)  # how its OpenPose says that a joint was not found
    path = put_pickle(tmp_path / "vid_info.pkl", vid_info(joints, [1, 3], (1024, 1024)))
    read = read_vid_info(path, (256, 256), 4)
    assert read is not None
    assert read[:, 0].tolist() == [[0, 0, 0], [127.5, 127.5, 0.5], [0, 0, 0], [127.5, 127.5, 0.5]]
    assert read[1, 4].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("ids", "count", "message"),
    [
        ([1, 4], 4, r"does not belong to its video.*frames 0 to 3.*up to 4"),
        ([-1, 1], 4, "does not belong"),
        ([1], 4, "does not belong"),
        (["a", "b"], 4, "does not hold what iPERCore writes"),
    ],
)
def test_openpose_joints_of_other_frames_are_refused(tmp_path: Path, ids: list[int], count: int, message: str) -> None:
    path = put_pickle(tmp_path / "vid_info.pkl", vid_info(np.zeros((2, 25, 3), np.float32), ids, (1024, 1024)))
    with pytest.raises(DataError, match=message):
        read_vid_info(path, (256, 256), count)


def test_an_info_of_another_form_is_refused_and_one_without_openpose_says_nothing(tmp_path: Path) -> None:
    assert (
        read_vid_info(put_pickle(tmp_path / "a.pkl", vid_info(np.zeros((0, 25, 3), np.float32), [], (9, 9))), (9, 9), 4)
        is None
    )
    others: list[Any] = [{}, [], {"processed_pose2d": 3}]
    for content in others:
        with pytest.raises(DataError, match="does not hold what iPERCore writes"):
            read_vid_info(put_pickle(tmp_path / "a.pkl", content), (9, 9), 4)


def test_joints_come_from_kps_else_from_openpose_else_from_perception(tmp_path: Path) -> None:
    put(tmp_path / "images_HD/001/9/1", "0.jpg", "1.jpg", "2.jpg")
    video = Video(tmp_path, "001/9/1", hd=True)

    def makers() -> list[str]:
        made = video.backends().makers(("parsing",))
        return [made[part].name for part in ("joints", "mask", "parsing", "background")]

    rest = ["nearest-limb", "median-inpaint"]
    assert makers() == ["mediapipe-pose", "pose-mask", *rest]
    put_pickle(video.vid_info, vid_info(np.ones((1, 25, 3), np.float32), [1], (16, 16)))
    assert makers() == ["iper-openpose", "mediapipe-mask", *rest]
    put_pickle(video.kps, {"kps": np.zeros((3, 19, 2), np.float32)})
    assert makers() == ["iper-kps", "mediapipe-mask", *rest]
