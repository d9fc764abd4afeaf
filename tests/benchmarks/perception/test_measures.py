import math

import numpy as np
import pytest

from benchmarks.perception.measures import background_errors, end_point_errors, joint_errors, label_errors, overlap


def _joints(*rows: tuple[float, float, float]) -> np.ndarray:
    return np.array([rows], np.float32)


def test_joints_within_a_tenth_of_the_body_are_right() -> None:
    truth = _joints((0, 0, 1), (100, 0, 1), (0, 50, 1))  # the box's longer side is 100
    assert joint_errors(_joints((9, 0, 1), (100, 11, 1), (0, 50, 0.2)), truth) == pytest.approx(
        {"found": 1, "pck@0.1": 2 / 3, "error_px": 20 / 3, "error_share": 20 / 300}, abs=1e-6
    )


def test_a_missed_joint_is_wrong_but_has_no_distance() -> None:
    truth = np.repeat(_joints((0, 0, 1), (100, 0, 1), (0, 50, 1)), 2, axis=0)
    found = truth.copy()
    found[:, 0, :2] = 3, 4
    found[0, 1] = 0
    assert joint_errors(found, truth) == pytest.approx(
        {"found": 5 / 6, "pck@0.1": 5 / 6, "error_px": 2, "error_share": 0.02}
    )


def test_hidden_joints_and_those_no_backend_fills_do_not_count() -> None:
    truth = _joints((0, 0, 1), (100, 0, 0.5), (0, 50, 1))
    assert joint_errors(_joints((0, 4, 1), (0, 0, 1), (0, 0, 0)), truth) == pytest.approx(
        {"found": 1, "pck@0.1": 1, "error_px": 4, "error_share": 0.04}
    )
    assert joint_errors(np.zeros_like(truth), truth) == {}


def test_overlap_is_pooled() -> None:
    truth = np.zeros((2, 4, 4), np.uint8)
    truth[0, :2] = 255
    found = truth.copy()
    found[1, 0] = 200
    found[1, 1] = 127  # not the person
    assert overlap(found, truth) == {"iou": 8 / 12}
    assert overlap(found[:0], truth[:0]) == {}


def test_labels() -> None:
    truth = np.array([[[0, 0, 1, 1, 2, 2]]], np.uint8)
    assert label_errors(np.array([[[0, 0, 1, 2, 2, 2]]], np.uint8), truth) == pytest.approx(
        {"miou": (1 + 1 / 2 + 2 / 3) / 3, "person": 3 / 4}
    )


def test_end_points() -> None:
    truth = np.zeros((1, 1, 4, 2), np.float32)
    truth[..., 0, :] = 3, 4
    mask = np.array([[[255, 255, 0, 0]]], np.uint8)
    assert end_point_errors(np.zeros_like(truth), truth, mask) == {
        "epe_person": 2.5,
        "epe_frame": 1.25,
        "epe_zero": 2.5,
    }


def test_backgrounds_are_averaged_over_clips() -> None:
    truth = np.full((2, 4, 4, 3), 100, np.uint8)
    found = truth + np.array([1, 10], np.uint8)[:, None, None, None]
    assert background_errors(found, truth)["psnr_db"] == pytest.approx(20 * math.log10(255) - 10)
    assert background_errors(truth, truth) == {"psnr_db": 100}
