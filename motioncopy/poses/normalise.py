"""Normalisation between bodies: one person's motion, moved and scaled to where another person stands.

Every normaliser turns a driving sequence and the target person's reference frames into a move of body, hands and face:
one similarity a frame (:class:`Similarity`), or limb by limb (:mod:`motioncopy.poses.retarget`). Missing joints enter
no statistic and stay missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from motioncopy.batch import GROUPS, Motion
from motioncopy.errors import BatchError, ConfigError
from motioncopy.poses import measure
from motioncopy.poses.raster import Size, check_joints
from motioncopy.poses.retarget import Retargeted, retarget, retargetable
from motioncopy.poses.smooth import moving_median
from motioncopy.skeletons import Skeleton, skeleton, view


@dataclass(frozen=True)
class Similarity:
    """For every frame t: ``x -> scale[t] * x + offset[t]``, then a moving median over the frames.

    Attributes:
        scale: ``(T,)``.
        offset: ``(T, 2)``, pixels.
        median: Frames of the median's window, odd; 1 for none.

    Example:
        >>> import torch
        >>> from motioncopy.poses.normalise import Similarity
        >>> move = Similarity(scale=torch.tensor([2.0]), offset=torch.tensor([[10.0, 0.0]]))
        >>> move(torch.tensor([[[3.0, 4.0, 1.0], [0.0, 0.0, 0.0]]]))  # the second joint is missing
        tensor([[[16.,  8.,  1.],
                 [ 0.,  0.,  0.]]])
    """

    scale: Tensor
    offset: Tensor
    median: int = 1

    def __call__(self, joints: Tensor, group: str = "joints") -> Tensor:
        """Moves joints ``(T, J, 3)``, every group alike; missing ones stay as they are."""
        moved = joints[..., :2] * self.scale[:, None, None] + self.offset[:, None]
        moved = torch.where(joints[..., 2:] > 0, moved, joints[..., :2])
        return moving_median(torch.cat([moved, joints[..., 2:]], dim=-1), window=self.median)


@dataclass(frozen=True)
class Pair:
    """Who drives and who is to be shown.

    Attributes:
        source: ``(T, J, 3)``, the driving sequence in pixels of its own images.
        target: ``(R, J, 3)``, reference frames of the person to be shown, one or more.
        skeleton: Of both.
        source_size: (height, width) of the driving images.
        target_size: (height, width) of the reference images.

    Example:
        >>> import torch
        >>> from motioncopy.poses.normalise import Pair
        >>> from motioncopy.skeletons import BODY25
        >>> joints = torch.arange(75.0).reshape(1, 25, 3) + 1  # one frame, all joints seen
        >>> there = joints * torch.tensor([2.0, 2.0, 1.0])
        >>> pair = Pair(joints, there, BODY25, source_size=(99, 99), target_size=(198, 198))
    """

    source: Tensor
    target: Tensor
    skeleton: Skeleton
    source_size: Size
    target_size: Size

    def __post_init__(self) -> None:
        for name, joints in (("source", self.source), ("target", self.target)):
            check_joints(joints, self.skeleton)
            if joints.ndim != 3:
                raise BatchError(f"{name} joints have the wrong shape", expected="(T, J, 3)", found=tuple(joints.shape))
        if not _anyone(self.target):
            raise BatchError(
                "the reference frames show no joint", remedy="choose reference frames that show the person"
            )


class Move(Protocol):
    """Takes a driving clip's joints ``(T, K, 3)`` of a group of :class:`motioncopy.batch.Motion` to the target."""

    def __call__(self, joints: Tensor, group: str = "joints") -> Tensor:
        """The joints in the target's images."""


Normaliser = Callable[[Pair], Similarity]


def none(pair: Pair) -> Similarity:
    """Leaves the joints where they are.

    Example:
        >>> import torch
        >>> from motioncopy.poses.normalise import Pair, none
        >>> from motioncopy.skeletons import BODY25
        >>> joints = torch.arange(75.0).reshape(1, 25, 3) + 1  # one frame, all joints seen
        >>> there = joints * torch.tensor([2.0, 2.0, 1.0])
        >>> pair = Pair(joints, there, BODY25, source_size=(99, 99), target_size=(198, 198))
        >>> none(pair).scale
        tensor([1.])
    """
    frames = len(pair.source)
    return Similarity(pair.source.new_ones(frames), pair.source.new_zeros(frames, 2))


def global_height(pair: Pair) -> Similarity:
    """One similarity for the whole clip; our own rule, made for short clips and few reference frames.

    The scale is the ratio of the 95th percentiles of the heights (nose to the middle of the ankles), which crouching
    does not lower. The feet's line (the median over the frames of the lower ankle's y) comes to the target's, and
    the horizontal position (the median over the frames of the joints' mean x) to the target's.

    Where either person's head and ankles are never seen together (half bodies; fish and mice have none), the joints'
    bounding box stands in: the scale is the ratio of the 95th percentiles of its diagonal, and the medians of its
    centre come to lie on one another. Only joints that both show in at least half of their frames count, if there
    are two such.

    Example:
        >>> import torch
        >>> from motioncopy.poses.normalise import Pair, global_height
        >>> from motioncopy.skeletons import BODY25
        >>> joints = torch.arange(75.0).reshape(1, 25, 3) + 1  # one frame, all joints seen
        >>> there = joints * torch.tensor([2.0, 2.0, 1.0])
        >>> pair = Pair(joints, there, BODY25, source_size=(99, 99), target_size=(198, 198))
        >>> global_height(pair).scale
        tensor([2.])
    """
    a, b = measure.stature(pair.source, pair.skeleton), measure.stature(pair.target, pair.skeleton)
    if not (a.valid.any() and b.valid.any()):
        return _by_box(pair)
    here, there = (torch.stack((body.x, body.foot), dim=-1)[body.valid] for body in (a, b))
    return _overlaid(a.height[a.valid], b.height[b.valid], here, there, len(pair.source))


def edn(pair: Pair) -> Similarity:
    """Everybody Dance Now's global pose normalisation (appendix; ``data_prep/graph_posenorm.py``).

    A person's place in depth is the y of the lower ankle (the paper's text averages both). ``close`` is its largest
    value in a clip; ``far`` is the smallest among those above the median by less than half the way from the median
    to ``close``, so that raised feet do not count. If the target covers more depth than the source, its range is cut
    to the source's length around its middle. Then p = (y - far) / (close - far) of the source's frame is looked up
    in the target's range: the foot comes to far + p (close - far), and the scale is the same mixture of the two
    height ratios, target to source, of the tallest bodies within 5% of the range around ``far`` and ``close``; at
    ``close``, the clip's tallest body stands in where it is more than 10% taller. x is scaled about the image's
    middle and not moved further. A frame without head and both ankles takes the transform before it. Last comes a
    median over 7 frames.

    The released script is departed from where it breaks: feet land on their line in every frame (it scales about the
    first frame's foot); p is held to [0, 1] for the scale (it extrapolates, so that a jump in a clip of little depth
    would shrink the body to nothing); where no frame lies in a band, the nearest one counts (it would scale by
    zero); a source that keeps its depth (less than 1 px) is shifted as a whole (it would divide by zero); the
    middles are those of both images (it knows one size). With one reference frame the feet stay on that frame's
    line, jumps included: prefer :func:`global_height` there.

    Where head and ankles are never seen together in either, as :func:`global_height`'s bounding boxes.

    Example:
        >>> import torch
        >>> from motioncopy.poses.normalise import Pair, edn
        >>> from motioncopy.skeletons import BODY25
        >>> joints = torch.arange(75.0).reshape(1, 25, 3) + 1  # one frame, all joints seen
        >>> there = joints * torch.tensor([2.0, 2.0, 1.0])
        >>> pair = Pair(joints, there, BODY25, source_size=(99, 99), target_size=(198, 198))
        >>> edn(pair).scale
        tensor([2.])
    """
    a, b = measure.stature(pair.source, pair.skeleton), measure.stature(pair.target, pair.skeleton)
    if not (a.valid.any() and b.valid.any()):
        return replace(_by_box(pair), median=7)
    s_far, s_close = measure.depth_range(a.foot[a.valid])
    t_far, t_close = measure.depth_range(b.foot[b.valid])
    length = s_close - s_far
    if length < t_close - t_far:
        centre = (t_far + t_close) / 2
        t_far, t_close = centre - length / 2, centre + length / 2
    far, close = (
        _ratio(tall_b, tall_a)
        for tall_a, tall_b in zip(
            measure.heights_at_ends(a, s_far, s_close), measure.heights_at_ends(b, t_far, t_close), strict=True
        )
    )
    foot = measure.hold(a.foot, a.valid)
    if length >= 1:
        p = (foot - s_far) / length
        scale = far + p.clamp(0, 1) * (close - far)
        line = t_far + p * (t_close - t_far)
    else:
        scale = close.expand_as(foot)
        line = t_close + (foot - s_close)
    y = line - scale * foot
    x = _middle_x(pair.target_size) - scale * _middle_x(pair.source_size)
    return Similarity(scale, torch.stack([x, y], dim=-1), median=7)


def head_translation(pair: Pair) -> Similarity:
    """The CoCosNet transfer paper's normalisation (section III-B, equation 1): the head's height, and nothing else.

    N = t_min + (L - s_min) / (s_max - s_min) (t_max - t_min), with L the mean y of the frame's head joints (nose,
    eyes, ears; the first joint of skeletons without them) and the extremes over each clip; the frame is shifted by
    N - L. Nothing is scaled. Images of different width are laid on one another by their middles (the paper has one
    size). A source whose head never moves gets the middle of the target's range; a frame without a head takes the
    shift before it; where a clip has no head at all, the mean y of its joints stands in.

    Example:
        >>> import torch
        >>> from motioncopy.poses.normalise import Pair, head_translation
        >>> from motioncopy.skeletons import BODY25
        >>> joints = torch.arange(75.0).reshape(1, 25, 3) + 1  # one frame, all joints seen
        >>> there = joints * torch.tensor([2.0, 2.0, 1.0])
        >>> pair = Pair(joints, there, BODY25, source_size=(99, 99), target_size=(198, 198))
        >>> head_translation(pair).offset
        tensor([[49.5000, 41.6000]])
    """
    level, seen = measure.head_y(pair.source, pair.skeleton)
    target_level, target_seen = measure.head_y(pair.target, pair.skeleton)
    level = measure.hold(level, seen)
    s_min, s_max = level.aminmax()
    t_min, t_max = target_level[target_seen].aminmax()
    share = (level - s_min) / (s_max - s_min) if s_max > s_min else torch.full_like(level, 0.5)
    y = t_min + share * (t_max - t_min) - level
    x = torch.full_like(y, _middle_x(pair.target_size) - _middle_x(pair.source_size))
    return Similarity(torch.ones_like(level), torch.stack([x, y], dim=-1))


def frame_height(pair: Pair) -> Similarity:
    """What FakeMotion's released code does (``normalization.py``): every frame gets the target's height.

    The height is the vertical extent without arms and hands; the target's is that of its first frame that shows one.
    The lowest point comes to a third of the target's margin above the image's lower edge, and x is scaled about the
    image's middle. A crouching source is therefore blown up to full height: the figure jitters. The code takes rows
    of drawn labels and whole pixels; joints are exact here. A frame whose extent is below 1 px takes the transform
    before it; a source or target without any such frame, and skeletons without ankles, are treated as in
    :func:`global_height`.

    Example:
        >>> import torch
        >>> from motioncopy.poses.normalise import Pair, frame_height
        >>> from motioncopy.skeletons import BODY25
        >>> joints = torch.arange(75.0).reshape(1, 25, 3) + 1  # one frame, all joints seen
        >>> there = joints * torch.tensor([2.0, 2.0, 1.0])
        >>> pair = Pair(joints, there, BODY25, source_size=(99, 99), target_size=(198, 198))
        >>> frame_height(pair).scale
        tensor([2.])
    """
    top, bottom, seen = measure.rows(pair.source, pair.skeleton)
    target_top, target_bottom, target_seen = measure.rows(pair.target, pair.skeleton)
    if not (seen.any() and target_seen.any() and pair.skeleton.has("left_ankle", "right_ankle")):
        return global_height(pair)
    first = int(target_seen.int().argmax())
    scale = (target_bottom[first] - target_top[first]) / (bottom - top).clamp_min(1e-6)
    scale, bottom = measure.hold(scale, seen), measure.hold(bottom, seen)
    edge = pair.target_size[0] - 1
    y = edge - (edge - target_bottom[first]) / 3 - scale * bottom
    x = _middle_x(pair.target_size) - scale * _middle_x(pair.source_size)
    return Similarity(scale, torch.stack([x, y], dim=-1))


def limb_by_limb(pair: Pair) -> Retargeted | Similarity:
    """:func:`motioncopy.poses.retarget.retarget`; bodies without human limbs (fish, mice) as :func:`global_height`.

    Example:
        >>> import torch
        >>> from motioncopy.poses.normalise import Pair, limb_by_limb
        >>> from motioncopy.skeletons import BODY25
        >>> joints = torch.rand(20, 25, 3) + torch.tensor([40.0, 40.0, 0.1])
        >>> pair = Pair(joints, joints, BODY25, source_size=(99, 99), target_size=(99, 99))
        >>> bool(limb_by_limb(pair)(joints).allclose(joints, atol=1e-4))
        True
    """
    if not retargetable(pair.skeleton):
        return global_height(pair)
    return retarget(pair.source, pair.target, pair.skeleton, pair.source_size, pair.target_size)


#: One similarity a frame, for all of a body.
SIMILARITIES: dict[str, Normaliser] = {
    "edn": edn,
    "head_translation": head_translation,
    "frame_height": frame_height,
    "global_height": global_height,
    "none": none,
}
#: What a config may name.
NORMALISERS: dict[str, Callable[[Pair], Move]] = {**SIMILARITIES, "retarget": limb_by_limb}


def similarity(name: str, pair: Pair) -> Similarity:
    """The similarities that the normaliser of this name finds; of a source without any joint, those of ``none``.

    Raises:
        ConfigError: If there is no such normaliser.

    Example:
        >>> import torch
        >>> from motioncopy.poses.normalise import Pair, similarity
        >>> from motioncopy.skeletons import BODY25
        >>> joints = torch.arange(75.0).reshape(1, 25, 3) + 1  # one frame, all joints seen
        >>> there = joints * torch.tensor([2.0, 2.0, 1.0])
        >>> pair = Pair(joints, there, BODY25, source_size=(99, 99), target_size=(198, 198))
        >>> similarity("global_height", pair)
        Similarity(scale=tensor([2.]), offset=tensor([[0., 0.]]), median=1)
    """
    if name not in SIMILARITIES:
        raise ConfigError(f"unknown similarity {name!r}", expected=f"one of {', '.join(SIMILARITIES)}")
    return SIMILARITIES[name](pair) if _anyone(pair.source) else none(pair)


def move(name: str, pair: Pair) -> Move:
    """How the normaliser of this name moves a driver; a source without any joint stays where it is.

    Raises:
        ConfigError: If there is no such normaliser.

    Example:
        >>> import torch
        >>> from motioncopy.poses.normalise import Pair, move
        >>> from motioncopy.skeletons import BODY25
        >>> joints = torch.arange(75.0).reshape(1, 25, 3) + 1  # one frame, all joints seen
        >>> pair = Pair(joints, joints, BODY25, source_size=(99, 99), target_size=(99, 99))
        >>> bool(move("retarget", pair)(joints).allclose(joints))
        True
    """
    if name not in NORMALISERS:
        raise ConfigError(f"unknown normalisation {name!r}", expected=f"one of {', '.join(NORMALISERS)}")
    return NORMALISERS[name](pair) if _anyone(pair.source) else none(pair)


def normalise_motion(name: str, motion: Motion, reference: Motion) -> Motion:
    """Moves a driving motion, with its hands and face, into the frame of the person to be shown.

    Args:
        name: A key of :data:`NORMALISERS`.
        motion: B samples of T frames. Statistics are over these T frames, so hand in the whole clip.
        reference: The target person's frames, B or 1 samples; of any skeleton that shares joints with the motion's.

    Returns:
        The motion in pixels of images of ``reference.size``.

    Raises:
        ConfigError: If there is no such normaliser.
        BatchError: If the batches differ, or a reference shows no joint.
        SkeletonError: If the skeletons share no joints.

    Example:
        >>> import torch
        >>> from motioncopy.batch import Motion
        >>> from motioncopy.poses.normalise import normalise_motion
        >>> motion = Motion(torch.rand(1, 4, 25, 3), "body25", (64, 64))
        >>> reference = Motion(torch.rand(1, 1, 25, 3), "body25", (128, 128))
        >>> normalise_motion("global_height", motion, reference).size
        (128, 128)
    """
    batch, references = motion.joints.shape[0], reference.joints.shape[0]
    if references not in (1, batch):
        raise BatchError("reference and motion differ in their batch", expected=f"1 or {batch}", found=references)
    body = skeleton(motion.skeleton)
    target = view(reference.joints, skeleton(reference.skeleton), body).to(motion.joints)
    moves = [
        move(name, Pair(joints, shown, body, motion.size, reference.size))
        for joints, shown in zip(motion.joints, target.expand(batch, -1, -1, -1), strict=True)
    ]

    moved: dict[str, Any] = {
        group: torch.stack([put(sample, group) for put, sample in zip(moves, joints, strict=True)])
        for group in ("joints", *GROUPS)
        if (joints := getattr(motion, group)) is not None
    }
    return replace(motion, size=reference.size, **moved)


def _by_box(pair: Pair) -> Similarity:
    source, target = pair.source, pair.target
    shared = measure.often_seen(source) & measure.often_seen(target)
    if shared.sum() >= 2:
        source, target = source[:, shared], target[:, shared]
    (diagonal, centre, valid), (there, target_centre, target_valid) = measure.box(source), measure.box(target)
    sizes, places = (diagonal[valid], there[target_valid]), (centre[valid], target_centre[target_valid])
    return _overlaid(*sizes, *places, len(pair.source))


def _overlaid(size: Tensor, target_size: Tensor, place: Tensor, target_place: Tensor, frames: int) -> Similarity:
    """One similarity for all frames: sizes ``(n,)`` alike by their 95th percentiles, places ``(n, 2)`` by medians."""
    scale = _ratio(target_size.quantile(0.95), size.quantile(0.95))
    offset = target_place.quantile(0.5, dim=0) - scale * place.quantile(0.5, dim=0)
    return Similarity(scale.expand(frames), offset.expand(frames, 2))


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    """A scale; 1 where either body has no extent."""
    return torch.where((above > 0) & (below > 0), above / below.clamp_min(1e-6), torch.ones_like(above))


def _middle_x(size: Size) -> float:
    return (size[1] - 1) / 2


def _anyone(joints: Tensor) -> bool:
    return bool((joints[..., 2] > 0).any())
