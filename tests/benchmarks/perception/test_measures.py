import math

import numpy as np
import pytest

from benchmarks.perception.measures import Backgrounds, EndPoints, JointErrors, Labels, Overlap

NAMES = ("a", "b", "c")
ALL = np.ones(3, bool)


def _joints(*rows: tuple[float, float, float]) -> np.ndarray:
    return np.array([rows], np.float32)


def test_joints_within_a_tenth_of_the_body_are_right() -> None:
    errors = JointErrors()
    truth = _joints((0, 0, 1), (100, 0, 1), (0, 50, 1))  # the box's longer side is 100
    errors.add(_joints((9, 0, 1), (100, 11, 1), (0, 50, 0.2)), truth, NAMES, ALL)
    assert errors.scores() == pytest.approx(
        {"found": 1, "pck@0.1": 2 / 3, "error_px": 20 / 3, "error_share": 20 / 300}, abs=1e-6
    )


def test_a_missed_joint_is_wrong_but_has_no_distance() -> None:
    errors = JointErrors()
    truth = _joints((0, 0, 1), (100, 0, 1), (0, 50, 1))
    errors.add(_joints((3, 4, 1), (0, 0, 0), (0, 50, 1)), truth, NAMES, ALL)
    assert errors.scores() == pytest.approx({"found": 2 / 3, "pck@0.1": 2 / 3, "error_px": 2.5, "error_share": 0.025})


def test_hidden_joints_and_those_no_backend_fills_do_not_count() -> None:
    errors = JointErrors()
    truth = _joints((0, 0, 1), (100, 0, 0.5), (0, 50, 1))
    errors.add(_joints((0, 0, 1), (0, 0, 1), (0, 0, 0)), truth, NAMES, np.array([True, True, False]))
    assert errors.count == 1
    assert errors.names == {"a"}
    assert errors.scores()["pck@0.1"] == 1


def test_overlap_is_pooled() -> None:
    overlap = Overlap()
    truth = np.zeros((2, 4, 4), np.uint8)
    truth[0, :2] = 255
    found = truth.copy()
    found[1, 0] = 200
    found[1, 1] = 127  # not the person
    overlap.add(found, truth)
    assert overlap.scores() == {"iou": 8 / 12}
    assert Overlap().scores() == {}


def test_labels() -> None:
    labels = Labels(4)
    truth = np.array([[[0, 0, 1, 1, 2, 2]]], np.uint8)
    labels.add(np.array([[[0, 0, 1, 2, 2, 2]]], np.uint8), truth)
    assert labels.scores() == pytest.approx({"miou": (1 + 1 / 2 + 2 / 3) / 3, "person": 3 / 4})


def test_end_points() -> None:
    points = EndPoints()
    truth = np.zeros((1, 1, 4, 2), np.float32)
    truth[..., 0, :] = 3, 4
    mask = np.array([[[255, 255, 0, 0]]], np.uint8)
    points.add(np.zeros_like(truth), truth, mask)
    assert points.scores() == {"epe_person": 2.5, "epe_frame": 1.25, "epe_zero": 2.5}


def test_backgrounds_are_averaged_over_clips() -> None:
    backgrounds = Backgrounds()
    truth = np.full((4, 4, 3), 100, np.uint8)
    backgrounds.add(truth + np.uint8(1), truth)
    backgrounds.add(truth + np.uint8(10), truth)
    assert backgrounds.scores()["psnr_db"] == pytest.approx(20 * math.log10(255) - 10)
