"""Cameras: what their files say, and fitting them to where joints were seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datamodules.projection import Camera, fit
from motioncopy.errors import DataError
from tests.datamodules.swimmers import CAMERA, chain


def test_a_pinhole_makes_far_things_small_and_an_orthographic_camera_does_not() -> None:
    points = np.array([[10.0, 20.0, 100.0], [10.0, 20.0, 200.0]])
    assert Camera(50, 40, 3, 4)(points).tolist() == [[8, 12], [5.5, 8]]
    assert Camera(2, 3, 3, 4, pinhole=False)(points).tolist() == [[23, 64], [23, 64]]
    with pytest.raises(DataError, match="distance 0"):
        Camera(50, 40, 3, 4)(points * [1, 1, 0])


def test_a_file_names_either(tmp_path: Path) -> None:
    path = tmp_path / "camera.json"
    path.write_text('{"fx": -600, "fy": 600.5, "cx": 31, "cy": 23}')
    assert Camera.read(path) == Camera(-600, 600.5, 31, 23)
    path.write_text('{"scale": 0.5, "cx": 31, "cy": 23}')
    assert Camera.read(path) == Camera(0.5, 0.5, 31, 23, pinhole=False)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[1]",
        '{"fx": 1, "fy": 1, "cx": 0}',
        '{"fx": 1, "fy": 0, "cx": 0, "cy": 0}',
        '{"fx": NaN, "fy": 1, "cx": 0, "cy": 0}',
        '{"fx": "1", "fy": 1, "cx": 0, "cy": 0}',
        '{"scale": 0, "cx": 0, "cy": 0}',
        '{"scale": 1, "fx": 1, "fy": 1, "cx": 0, "cy": 0}',
    ],
)
def test_a_file_that_describes_no_camera_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "camera.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"camera\.json"):
        Camera.read(path)


def test_the_fit_finds_a_camera_through_noise_turned_chains_and_wrong_frames() -> None:
    points = chain(frames=80)
    points[..., 2] += np.linspace(-200, 200, 80)[:, None]  # swims up: only a pinhole explains that
    random = np.random.default_rng(0)
    seen = CAMERA(points) + random.normal(0, 0.3, (80, 21, 2))
    seen[::3] = seen[::3, ::-1]
    seen[5:20] = random.uniform(0, 60, (15, 21, 2))
    found = fit(points, seen)
    assert found.camera.pinhole
    assert found.camera.fx == pytest.approx(CAMERA.fx, rel=0.02)
    assert found.camera.fy == pytest.approx(CAMERA.fy, rel=0.02)
    assert (found.camera.cx, found.camera.cy) == pytest.approx((CAMERA.cx, CAMERA.cy), abs=0.3)
    assert found.residual == pytest.approx(0.4, abs=0.15)
    assert found.share < 0.05


def test_points_on_both_sides_of_the_plane_are_fitted_without_perspective() -> None:
    camera = Camera(0.7, -0.7, 30, 20, pinhole=False)
    points = chain() + np.array([0, 0, 840])
    found = fit(points, camera(points))
    assert not found.camera.pinhole
    assert (found.camera.fx, found.camera.fy) == pytest.approx((0.7, -0.7), rel=1e-3)


def test_poses_of_another_recording_fit_badly() -> None:
    found = fit(chain(seed=1), CAMERA(chain(seed=7)))
    assert found.share > 0.1
