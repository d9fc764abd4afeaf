"""What normalisation measures on a body: height, feet, head, extent; missing joints never count."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from motioncopy.skeletons import Skeleton

_HEAD = ("nose", "right_eye", "left_eye", "right_ear", "left_ear")
_ARMS = ("shoulder", "elbow", "wrist")


@dataclass(frozen=True)
class Stature:
    """Per frame (T,): height (head to the ankles' middle), y of the lower ankle, mean x, and whether all were seen.

    Example:
        >>> import torch
        >>> from motioncopy.poses.measure import stature
        >>> from motioncopy.skeletons import BODY25
        >>> stature(torch.zeros(3, 25, 3), BODY25).valid  # nobody is seen
        tensor([False, False, False])
    """

    height: Tensor
    foot: Tensor
    x: Tensor
    valid: Tensor


def stature(joints: Tensor, skeleton: Skeleton) -> Stature:
    """Measures standing bodies as Everybody Dance Now does.

    The head is the nose, or the middle of both ears where the nose is missing. A frame is valid where it shows the
    head and both ankles. Skeletons without such joints give no valid frame.

    Example:
        >>> import torch
        >>> from motioncopy.poses.measure import stature
        >>> from motioncopy.skeletons import BODY25
        >>> joints = torch.arange(75.0).reshape(1, 25, 3) + 1  # one frame, all joints seen
        >>> body = stature(joints, BODY25)
        >>> body.height, body.foot
        (tensor([53.0330]), tensor([44.]))
    """
    frames = joints.shape[0]
    if not skeleton.has("nose", "left_ankle", "right_ankle"):
        nothing = joints.new_zeros(frames)
        return Stature(nothing, nothing, nothing, torch.zeros(frames, dtype=torch.bool, device=joints.device))
    nose, left, right = (joints[:, skeleton.index(name)] for name in ("nose", "left_ankle", "right_ankle"))
    head, head_seen = nose[:, :2], nose[:, 2] > 0
    if skeleton.has("left_ear", "right_ear"):
        ears = joints[:, [skeleton.index("left_ear"), skeleton.index("right_ear")]]
        between = (ears[..., 2] > 0).all(dim=1)
        head = torch.where(head_seen[:, None], head, ears[..., :2].mean(dim=1))
        head_seen = head_seen | between
    height = torch.linalg.vector_norm(head - (left[:, :2] + right[:, :2]) / 2, dim=-1)
    x, _ = _mean(joints[..., 0], joints[..., 2] > 0)
    valid = head_seen & (left[:, 2] > 0) & (right[:, 2] > 0)
    return Stature(height, torch.maximum(left[:, 1], right[:, 1]), x, valid)


def depth_range(foot: Tensor) -> tuple[Tensor, Tensor]:
    """Everybody Dance Now's far and close foot lines among a clip's (n,) foot lines.

    Example:
        >>> import torch
        >>> from motioncopy.poses.measure import depth_range
        >>> depth_range(torch.tensor([40.0, 50.0, 55.0, 60.0]))
        (tensor(50.), tensor(60.))
    """
    close, median = foot.max(), foot.quantile(0.5)
    above = foot[(foot < median) & (median - foot < 0.5 * (close - median))]
    return (above.min() if len(above) else median), close


def heights_at_ends(body: Stature, far: Tensor, close: Tensor) -> tuple[Tensor, Tensor]:
    """Tallest body near each end of a depth range: (far, close). See :func:`motioncopy.poses.normalise.edn`.

    Example:
        >>> import torch
        >>> from motioncopy.poses.measure import Stature, depth_range, heights_at_ends
        >>> foot = torch.tensor([40.0, 60.0])
        >>> body = Stature(torch.tensor([20.0, 30.0]), foot, torch.zeros(2), torch.ones(2, dtype=torch.bool))
        >>> heights_at_ends(body, *depth_range(foot))
        (tensor(30.), tensor(30.))
    """
    height, foot = body.height[body.valid], body.foot[body.valid]
    reach = 0.05 * (close - far)

    def tallest(line: Tensor) -> Tensor:
        away = (foot - line).abs()
        return height[away <= torch.maximum(reach, away.min())].max()

    near, tallest_of_all = tallest(close), height.max()
    return tallest(far), torch.where(tallest_of_all - near > 0.1 * tallest_of_all, tallest_of_all, near)


def head_y(joints: Tensor, skeleton: Skeleton) -> tuple[Tensor, Tensor]:
    """Mean y of the head's joints (T,), and where any is seen; of all joints for a clip that never shows the head.

    Example:
        >>> import torch
        >>> from motioncopy.poses.measure import head_y
        >>> from motioncopy.skeletons import BODY25
        >>> joints = torch.zeros(2, 25, 3)
        >>> joints[:, BODY25.index("nose")] = torch.tensor([32.0, 10.0, 1.0])
        >>> head_y(joints, BODY25)
        (tensor([10., 10.]), tensor([True, True]))
    """
    names = [name for name in _HEAD if skeleton.has(name)]
    head = joints[:, [skeleton.index(name) for name in names] or [0]]
    if not (head[..., 2] > 0).any():
        head = joints
    return _mean(head[..., 1], head[..., 2] > 0)


def rows(joints: Tensor, skeleton: Skeleton) -> tuple[Tensor, Tensor, Tensor]:
    """Top and bottom y of the body without its arms (T,), and where they lie at least 1 px apart.

    Example:
        >>> import torch
        >>> from motioncopy.poses.measure import rows
        >>> from motioncopy.skeletons import BODY25
        >>> joints = torch.arange(75.0).reshape(1, 25, 3) + 1  # one frame, all joints seen
        >>> rows(joints, BODY25)
        (tensor([2.]), tensor([74.]), tensor([True]))
    """
    body = [i for i, name in enumerate(skeleton.joints) if not name.endswith(_ARMS)]
    y, present = joints[:, body, 1], joints[:, body, 2] > 0
    top = torch.where(present, y, torch.inf).amin(dim=1)
    bottom = torch.where(present, y, -torch.inf).amax(dim=1)
    return top, bottom, bottom - top >= 1


def box(joints: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Bounding box of the joints: its diagonal (T,) and centre (T, 2), and whether it shows any joint (T,).

    Example:
        >>> import torch
        >>> from motioncopy.poses.measure import box
        >>> box(torch.tensor([[[0.0, 0.0, 1.0], [6.0, 8.0, 1.0], [99.0, 99.0, 0.0]]]))
        (tensor([10.]), tensor([[3., 4.]]), tensor([True]))
    """
    present = joints[..., 2:] > 0
    low = torch.where(present, joints[..., :2], torch.inf).amin(dim=1)
    high = torch.where(present, joints[..., :2], -torch.inf).amax(dim=1)
    return torch.linalg.vector_norm(high - low, dim=-1), (low + high) / 2, present.any(dim=1).squeeze(-1)


def often_seen(joints: Tensor) -> Tensor:
    """Which joints (J,) are seen in at least half of the frames that show any.

    Example:
        >>> import torch
        >>> from motioncopy.poses.measure import often_seen
        >>> often_seen(torch.tensor([[[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]], [[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]]]))
        tensor([ True, False])
    """
    present = joints[..., 2] > 0
    shown = present.any(dim=1).sum()
    return (shown > 0) & (2 * present.sum(dim=0) >= shown)


def hold(values: Tensor, valid: Tensor) -> Tensor:
    """Replaces invalid entries (T,) by the last valid one before, the first ones by the first valid one.

    Example:
        >>> import torch
        >>> from motioncopy.poses.measure import hold
        >>> hold(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([False, True, False]))
        tensor([2., 2., 2.])
    """
    time = torch.arange(len(values), device=values.device)
    last = torch.where(valid, time, -1).cummax(dim=0).values
    first = valid.int().argmax()
    return values[torch.where(last < 0, first, last)]


def _mean(values: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Mean over the joints that are present (T,), and where there is one."""
    count = present.sum(dim=1)
    total = torch.where(present, values, torch.zeros_like(values)).sum(dim=1)
    return total / count.clamp_min(1), count > 0
