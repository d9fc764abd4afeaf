"""Heat maps: one Gaussian a joint, the drawing that keeps joints apart in channels of their own."""

from __future__ import annotations

import torch
from torch import Tensor

from motioncopy.errors import BatchError, ConfigError
from motioncopy.poses.raster import Size


def draw_heatmaps(joints: Tensor, size: Size, *, sigma: float | None = None) -> Tensor:
    """Draws one Gaussian a joint, of height 1 where the joint is.

    A Gaussian is the product of its row and its column profile, so only (H + W) exponentials a joint are computed;
    that is the fast way on a CPU and on a GPU alike. Joints outside the image show the part that reaches into it.
    No gradient flows.

    Args:
        joints: ``(..., J, 3)``, any J: x, y in pixels of ``size``, and confidence.
        size: (height, width).
        sigma: Standard deviation in pixels; by default the longer side / 64 (4 px at 256).

    Returns:
        ``(..., J, H, W)`` float32 in [0, 1], on the device of ``joints``.

    Raises:
        BatchError: If the joints are not ``(..., J, 3)``.
        ConfigError: If sigma is not positive.

    Example:
        >>> import torch
        >>> from motioncopy.poses.heatmaps import draw_heatmaps
        >>> maps = draw_heatmaps(torch.tensor([[5.0, 3.0, 1.0]]), (8, 8))
        >>> maps.shape
        torch.Size([1, 8, 8])
        >>> maps[0, 3, 5]
        tensor(1.)
    """
    if joints.ndim < 2 or joints.shape[-1] != 3:
        raise BatchError("joints for heat maps have the wrong shape", expected="(..., J, 3)", found=tuple(joints.shape))
    if sigma is not None and sigma <= 0:
        raise ConfigError("sigma of heat maps must be positive", found=sigma)
    sigma = max(size) / 64 if sigma is None else sigma
    joints = joints.detach().float()
    present = (joints[..., 2] > 0) & joints.isfinite().all(dim=-1)
    x, y = joints[..., :2].nan_to_num().unbind(dim=-1)
    column = _profile(x, size[1], sigma)
    row = _profile(y, size[0], sigma) * present[..., None]
    return row[..., :, None] * column[..., None, :]


def _profile(centre: Tensor, length: int, sigma: float) -> Tensor:
    offset = torch.arange(length, device=centre.device, dtype=torch.float32) - centre[..., None]
    power = -0.5 * (offset / sigma) ** 2
    # Zero beyond six sigma (1.5e-8): products of two such tails would be denormal, and those are slow on a CPU.
    return torch.where(power > -18, power.exp(), 0.0)
