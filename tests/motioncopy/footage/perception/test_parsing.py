import numpy as np
import pytest

from motioncopy.batch import PARSING_CLASSES
from motioncopy.errors import PerceptionError
from motioncopy.footage.perception.parsing import LimbParser, nearest_limb
from motioncopy.skeletons import BODY25
from tests.motioncopy.footage.perception.figures import draw_figure, figure_joints


def _at(labels: np.ndarray, x: float, y: float) -> str:
    return PARSING_CLASSES[labels[round(y), round(x)]]


def test_parts_of_a_standing_person() -> None:
    joints = figure_joints(128, 10, 230)
    _, mask = draw_figure(np.zeros((256, 256, 3), np.uint8), joints)
    labels = nearest_limb(mask, joints)

    def at(*names: str) -> str:
        return _at(labels, *np.mean([joints[BODY25.index(n), :2] for n in names], axis=0))

    assert at("nose") == "head"
    assert at("neck", "mid_hip") == "top"
    assert at("left_shoulder", "left_elbow") == "top"
    assert at("right_wrist") == at("right_elbow", "right_wrist") == "limbs"
    assert at("left_hip", "left_knee") == at("right_knee", "right_ankle") == at("mid_hip") == "bottom"
    assert at("left_heel", "left_big_toe") == "shoes"
    np.testing.assert_array_equal(labels > 0, mask >= 128)
    assert set(np.unique(labels)) == set(range(6))


def test_size_and_place_do_not_matter() -> None:
    joints = figure_joints(64, 4, 120)
    _, mask = draw_figure(np.zeros((128, 128, 3), np.uint8), joints)
    larger = joints * np.array([2, 2, 1], np.float32)
    np.testing.assert_array_equal(
        nearest_limb(mask.repeat(2, 0).repeat(2, 1), larger)[::2, ::2], nearest_limb(mask, joints)
    )


def test_a_missing_limb_takes_nothing() -> None:
    joints = figure_joints(64, 4, 120)
    _, mask = draw_figure(np.zeros((128, 128, 3), np.uint8), joints)
    for side in ("left", "right"):
        joints[BODY25.index(f"{side}_big_toe"), 2] = 0
    labels = nearest_limb(mask, joints)
    assert PARSING_CLASSES.index("shoes") not in labels
    np.testing.assert_array_equal(labels > 0, mask >= 128)


def test_nobody_gives_background() -> None:
    assert not nearest_limb(np.full((8, 8), 255, np.uint8), np.zeros((25, 3), np.float32)).any()
    assert not nearest_limb(np.zeros((8, 8), np.uint8), figure_joints(4, 0, 8)).any()


def test_other_skeletons_are_refused() -> None:
    with pytest.raises(PerceptionError, match="body25"):
        LimbParser()(np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 8, 8), np.uint8), np.zeros((1, 21, 3), np.float32))
