"""Joints over time: Savitzky-Golay smoothing, a moving median, and holding what is missing."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import savgol_filter
from torch import Tensor

from motioncopy.batch import Motion
from motioncopy.errors import ConfigError
from motioncopy.poses.groups import each_group


def savitzky_golay(joints: Tensor, *, window: int = 9, order: int = 2) -> Tensor:
    """Smooths every joint's path by fitting a polynomial to each window of frames.

    CPF-Net (section III) names the filter and leaves window and order open; 9 and 2 are our choice. The first and
    last half windows take their values from the fit of the first and last whole window. Frames where a joint is
    missing (confidence 0) are bridged by straight lines for the fit, the ends by the nearest frame, and stay
    missing. A clip shorter than the window is smoothed with the largest odd window that it holds; one that holds
    none wider than the order comes back as it is.

    Args:
        joints: ``(..., T, J, 3)``, any device. Confidences pass through.
        window: Frames, odd.
        order: Of the polynomial, below the window.

    Returns:
        The same shape, type and device.

    Raises:
        ConfigError: If the window is even or not greater than the order, or the order is negative.

    Example:
        >>> import torch
        >>> from motioncopy.poses.smooth import savitzky_golay
        >>> line = torch.stack([torch.arange(12.0), torch.zeros(12), torch.ones(12)], dim=-1)[:, None]
        >>> bool(savitzky_golay(line).allclose(line, atol=1e-5))  # a straight motion stays
        True
    """
    if window % 2 == 0 or not 0 <= order < window:
        raise ConfigError(
            "Savitzky-Golay needs an odd window greater than the order", found=f"window {window}, order {order}"
        )
    frames = joints.shape[-3]
    window = min(window, frames - 1 + frames % 2)
    if window <= order + 1 or joints.numel() == 0:  # the polynomial would go through every point
        return joints.clone()
    values = joints.detach().cpu().double().numpy().reshape(-1, *joints.shape[-3:])
    bridged = np.stack([_bridge_gaps(clip) for clip in values])
    smooth = savgol_filter(bridged, window, order, axis=1, mode="interp")
    moved = torch.from_numpy(smooth).to(joints).reshape(*joints.shape[:-1], 2)
    present = joints[..., 2:] > 0
    return torch.cat([torch.where(present, moved, joints[..., :2]), joints[..., 2:]], dim=-1)


def moving_median(joints: Tensor, *, window: int = 7) -> Tensor:
    """Replaces every joint by its median over the neighbouring frames.

    Everybody Dance Now's ``graph_posenorm.py`` does so with 7 frames: a joint that more than half of them lack is
    dropped, otherwise the frames that have it count. That script also fills in a joint that only the middle frame
    lacks, and loses the first and last three frames of a clip; here what is missing stays missing, and the window
    shrinks at the ends, staying centred.

    Args:
        joints: ``(T, J, 3)``.
        window: Frames, odd.

    Returns:
        ``(T, J, 3)``. Missing joints keep their x and y and have confidence 0.

    Raises:
        ConfigError: If the window is even or not positive.

    Example:
        >>> import torch
        >>> from motioncopy.poses.smooth import moving_median
        >>> x = torch.tensor([0.0, 1.0, 50.0, 3.0, 4.0])
        >>> joints = torch.stack([x, torch.zeros(5), torch.ones(5)], dim=-1)[:, None]
        >>> moving_median(joints, window=3)[:, 0, 0]
        tensor([0., 1., 3., 4., 4.])
    """
    if window < 1 or window % 2 == 0:
        raise ConfigError("the moving median needs an odd window", found=window)
    frames = joints.shape[0]
    if window == 1 or frames == 0:
        return joints.clone()
    time = torch.arange(frames, device=joints.device)
    reach = torch.minimum(time, frames - 1 - time)[:, None]
    offset = torch.arange(window, device=joints.device) - window // 2
    counted = (offset.abs() <= reach)[..., None]
    near = joints[(time[:, None] + offset).clamp(0, frames - 1)]  # (T, window, J, 3)
    nothing = near.new_tensor(float("nan"))
    confidence = torch.where(counted, near[..., 2], nothing).nanquantile(0.5, dim=1)
    there = (counted & (near[..., 2] > 0))[..., None]
    median = torch.where(there, near, nothing).nanquantile(0.5, dim=1)
    missing = torch.cat([joints[..., :2], torch.zeros_like(joints[..., 2:])], dim=-1)
    return torch.where((confidence > 0)[..., None] & (joints[..., 2:] > 0), median, missing)


def hold_missing(joints: Tensor) -> Tensor:
    """Fills a missing joint with the last frame that has it, confidence included (FakeMotion's released code).

    Args:
        joints: ``(..., T, J, 3)``.

    Returns:
        The same shape. Joints missing from the start on stay as they are.

    Example:
        >>> import torch
        >>> from motioncopy.poses.smooth import hold_missing
        >>> hold_missing(torch.tensor([[[5.0, 6.0, 1.0]], [[0.0, 0.0, 0.0]]]))[:, 0]
        tensor([[5., 6., 1.],
                [5., 6., 1.]])
    """
    if joints.shape[-3] == 0:
        return joints.clone()
    time = torch.arange(joints.shape[-3], device=joints.device)[:, None].expand(joints.shape[:-1])
    present = joints[..., 2] > 0
    last = torch.where(present, time, -1).cummax(dim=-2).values
    source = torch.where(last < 0, time, last)
    return joints.gather(-3, source[..., None].expand_as(joints))


def fill_missing(motion: Motion) -> Motion:
    """:func:`hold_missing` on body, hands and face.

    To go on where an earlier chunk ended, put that chunk's last filled frame in front (:meth:`Motion.then`) and drop
    it afterwards.

    Example:
        >>> import torch
        >>> from motioncopy.batch import Motion
        >>> from motioncopy.poses.smooth import fill_missing
        >>> joints = torch.ones(1, 2, 25, 3)
        >>> joints[:, 1] = 0
        >>> fill_missing(Motion(joints, "body25", (64, 48))).joints[0, 1, 0]
        tensor([1., 1., 1.])
    """
    return each_group(motion, hold_missing)


def smooth_motion(motion: Motion, *, window: int = 9, order: int = 2) -> Motion:
    """:func:`savitzky_golay` on body, hands and face.

    Example:
        >>> import torch
        >>> from motioncopy.batch import Motion
        >>> from motioncopy.poses.smooth import smooth_motion
        >>> motion = Motion(torch.rand(1, 12, 25, 3), "body25", (64, 48))
        >>> smooth_motion(motion).joints.shape
        torch.Size([1, 12, 25, 3])
    """
    return each_group(motion, lambda joints: savitzky_golay(joints, window=window, order=order))


def _bridge_gaps(clip: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places (T, J, 2) of a clip (T, J, 3), missing frames on the line between their neighbours."""
    time = np.arange(len(clip))
    bridged = clip[..., :2].copy()
    for j in range(clip.shape[1]):
        present = clip[:, j, 2] > 0
        if present.any() and not present.all():
            for axis in range(2):
                bridged[~present, j, axis] = np.interp(time[~present], time[present], clip[present, j, axis])
    return bridged
