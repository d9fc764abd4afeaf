import numpy as np

from motioncopy.footage.perception.backends import Poses


def test_found_needs_one_joint() -> None:
    joints = np.zeros((2, 25, 3), np.float32)
    joints[1, 3, 2] = 0.1
    assert Poses(joints).found.tolist() == [False, True]


def test_scaling_keeps_pixel_centres_and_absent_joints() -> None:
    joints = np.zeros((1, 25, 3), np.float32)
    joints[0, 0] = (0.5, 1.5, 0.7)  # between two pixels, across and down
    scaled = Poses(joints, face=joints[:, :1].repeat(70, 1)).scaled(0.5, 0.5)
    np.testing.assert_allclose(scaled.joints[0, 0], [0, 0.5, 0.7])
    assert not scaled.joints[0, 1:].any()
    assert scaled.face is not None
    np.testing.assert_allclose(scaled.face[0, 5], [0, 0.5, 0.7])
    assert scaled.hand_left is None
