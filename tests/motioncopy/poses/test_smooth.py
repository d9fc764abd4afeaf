from __future__ import annotations

import pytest
import torch
from scipy.signal import savgol_filter
from torch import Tensor

from motioncopy.errors import ConfigError
from motioncopy.poses.smooth import fill_missing, hold_missing, moving_median, savitzky_golay, smooth_motion
from tests.motioncopy.poses.people import motion, moving


def path(values: Tensor) -> Tensor:
    """One joint whose x takes these values and whose y their negatives, (T, 1, 3)."""
    return torch.stack([values, -values, torch.ones_like(values)], dim=-1)[:, None]


def test_savitzky_golay_is_scipys_where_nothing_is_missing() -> None:
    joints = moving(40)
    expected = savgol_filter(joints[..., :2].double().numpy(), 9, 2, axis=0)
    smooth = savitzky_golay(joints)
    torch.testing.assert_close(smooth[..., :2].double(), torch.from_numpy(expected), atol=1e-4, rtol=0)
    assert torch.equal(smooth[..., 2], joints[..., 2])
    batch = savitzky_golay(torch.stack([joints, joints.flip(0)]))
    torch.testing.assert_close(batch[0], smooth)
    assert smooth.dtype == joints.dtype


def test_a_parabola_passes_and_noise_shrinks() -> None:
    time = torch.arange(30.0)
    parabola = path(0.1 * time**2 - time)
    torch.testing.assert_close(savitzky_golay(parabola), parabola, atol=1e-3, rtol=0)
    still = torch.zeros(200)
    noisy = path(still + torch.randn(200, generator=torch.Generator().manual_seed(0)))
    assert savitzky_golay(noisy)[..., 0].std() < 0.6 * noisy[..., 0].std()


def test_missing_frames_do_not_pull() -> None:
    joints = path(torch.linspace(0, 29, 30))
    for t in (0, 1, 7, 15, 16, 29):
        joints[t, 0] = torch.tensor([5000.0, float("nan"), 0.0])
    smooth = savitzky_golay(joints)
    seen = joints[..., 2] > 0
    time = torch.arange(30.0)[:, None]
    inside = seen & (time > 6) & (time < 25)  # the ends are bridged by the nearest frame
    torch.testing.assert_close(smooth[..., 0][inside], time[inside], atol=1e-3, rtol=0)
    assert torch.equal(smooth[..., 2], joints[..., 2])
    torch.testing.assert_close(smooth[~seen], joints[~seen], equal_nan=True)
    assert torch.isfinite(smooth[seen]).all()


def test_a_joint_that_is_never_seen_is_left_alone() -> None:
    joints = moving(20)
    joints[:, 3] = 0
    smooth = savitzky_golay(joints)
    assert (smooth[:, 3] == 0).all()
    torch.testing.assert_close(smooth[:, 4], savitzky_golay(moving(20))[:, 4])


@pytest.mark.parametrize("frames", range(9))
def test_short_clips_take_a_smaller_window(frames: int) -> None:
    joints = moving(max(frames, 1))[:frames]
    smooth = savitzky_golay(joints)
    if frames < 5:  # no odd window is wider than what the parabola fits exactly
        torch.testing.assert_close(smooth, joints)
    else:
        window = 5 if frames < 7 else 7
        expected = savgol_filter(joints[..., :2].double().numpy(), window, 2, axis=0)
        torch.testing.assert_close(smooth[..., :2].double(), torch.from_numpy(expected), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("window", "order"), [(8, 2), (3, 3), (5, -1), (0, 0)])
def test_impossible_windows_are_refused(window: int, order: int) -> None:
    with pytest.raises(ConfigError):
        savitzky_golay(moving(20), window=window, order=order)


def test_median_removes_an_outlier_and_keeps_a_straight_path() -> None:
    straight = path(torch.arange(20.0))
    torch.testing.assert_close(moving_median(straight), straight)
    bent = straight.clone()
    bent[9, 0, :2] = 500
    assert (moving_median(bent) - straight)[..., :2].abs().max() <= 1


def test_median_counts_seen_frames_only() -> None:
    joints = path(torch.arange(20.0))
    joints[8, 0] = torch.tensor([-1e6, 1e6, 0])
    smooth = moving_median(joints)
    assert smooth[8, 0, 2] == 0
    assert (smooth - path(torch.arange(20.0)))[smooth[..., 2] > 0].abs().max() <= 1
    rare = path(torch.arange(20.0))
    rare[:, 0, 2] = 0
    rare[10, 0, 2] = 1
    assert moving_median(rare)[10, 0, 2] == 0  # most of the window lacks it


@pytest.mark.parametrize("window", [0, 4, -3])
def test_even_medians_are_refused(window: int) -> None:
    with pytest.raises(ConfigError):
        moving_median(moving(9), window=window)


def test_median_of_short_clips() -> None:
    for frames in (0, 1, 2):
        joints = moving(3)[:frames]
        torch.testing.assert_close(moving_median(joints), joints)


def test_missing_joints_are_held() -> None:
    joints = path(torch.tensor([3.0, 5.0, 7.0, 9.0, 11.0]))
    joints[[0, 2, 3], 0, 2] = 0
    held = hold_missing(joints)
    assert held[:, 0, 0].tolist() == [3, 5, 5, 5, 11]
    assert held[:, 0, 2].tolist() == [0, 1, 1, 1, 1]
    batch = hold_missing(torch.stack([joints, joints.flip(0)]))
    torch.testing.assert_close(batch[0], held)
    assert hold_missing(joints[:0]).shape == (0, 1, 3)


def test_motions_are_changed_in_every_group() -> None:
    whole = motion(12)
    assert whole.hand_left is not None
    assert whole.face is not None
    whole.hand_left[:, 5, 3] = 0
    whole.joints[:, 5, 7, 2] = 0
    filled = fill_missing(whole)
    assert filled.hand_left is not None
    torch.testing.assert_close(filled.hand_left[:, 5, 3], whole.hand_left[:, 4, 3])
    torch.testing.assert_close(filled.joints[:, 5, 7], whole.joints[:, 4, 7])
    smooth = smooth_motion(whole, window=5)
    assert smooth.face is not None
    torch.testing.assert_close(smooth.face[0], savitzky_golay(whole.face[0], window=5))
    torch.testing.assert_close(smooth.joints, savitzky_golay(whole.joints, window=5))
    assert smooth_motion(motion(12, groups=False)).face is None
