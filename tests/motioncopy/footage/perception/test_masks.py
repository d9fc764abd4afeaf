import numpy as np
import pytest

from motioncopy.errors import PerceptionError
from motioncopy.footage.perception.backends import Poses
from motioncopy.footage.perception.masks import PoseMask, clean


def _joints(*points: tuple[float, float]) -> np.ndarray:
    joints = np.zeros((25, 3), np.float32)
    for i, point in enumerate(points):
        joints[i] = (*point, 1)
    return joints


def test_keeps_every_piece_with_a_joint_and_no_other() -> None:
    mask = np.zeros((60, 60), np.uint8)
    mask[5:20, 5:20] = mask[30:35, 5:10] = 255
    mask[5:50, 40:59] = 255  # larger, but nobody's
    cleaned = clean(mask, _joints((10, 10), (7, 32)))
    expected = mask.copy()
    expected[:, 30:] = 0
    np.testing.assert_array_equal(cleaned, expected)


def test_smears_go_and_edges_stay_soft() -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[:, :10], mask[:, 10], mask[:, 11:] = 255, 128, 80
    cleaned = clean(mask, _joints((5, 5)))
    assert (cleaned[:, :10] == 255).all()
    assert ((cleaned[:, 10] > 100) & (cleaned[:, 10] < 155)).all()
    assert not cleaned[:, 11:].any()


@pytest.mark.parametrize("joints", [_joints(), _joints((-5, 3), (3, 999)), _joints((15, 15))])
def test_without_a_joint_in_the_mask_there_is_no_person(joints: np.ndarray) -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[:8, :8] = 255
    assert not clean(mask, joints).any()


def test_pose_without_mask_is_refused() -> None:
    images = np.zeros((1, 8, 8, 3), np.uint8)
    with pytest.raises(PerceptionError, match="Remedy"):
        PoseMask()(images, Poses(np.zeros((1, 25, 3), np.float32)))
    with pytest.raises(PerceptionError, match="does not fit"):
        PoseMask()(images, Poses(np.zeros((1, 25, 3), np.float32), np.zeros((1, 9, 8), np.uint8)))
