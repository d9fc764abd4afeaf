"""Retargeting: the driver's limb directions on the target's limb lengths, with the feet on the target's ground.

A limb seen at 60% of its own full length in the driver's clip is drawn at 60% of the target's full length, in the
driver's direction. Full lengths come from each side's own frames, both sides of the body together. Where a person
walks to and from the camera, lengths are taken relative to the size at the nearest ground line.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch
from torch import Tensor

from motioncopy.poses import measure
from motioncopy.skeletons import Skeleton

#: Limbs from the root outwards: (parent, child, the limb whose mirror image it is, or itself).
Tree = list[tuple[int, int, int]]
_LOG = logging.getLogger(__name__)

_FULL = 0.9  # the percentile of a limb's visible lengths that counts as its full length
_GROUND = 0.95  # the percentile of the feet's line that counts as the ground: jumps and raised feet lie above it
_LOWER = 0.6  # share of the lower ankle in the feet's line; a striding foot is nearer and lower than the other one
_DOUBT = 30.0  # a limb's own ratio counts half where the two sides' foreshortening is 1 / sqrt(30) = 0.18 together
_FEW, _UNKNOWN = 5, 0.2  # a limb in fewer frames counts as foreshortened by so much
_LIMIT = 0.4  # a limb's ratio is held to the body's within a factor exp(0.4) = 1.5
_GROWTH, _RANGE = 1.1, 0.1  # depth: the body grows by 10% while the feet's line moves by 10% of the height
_LONG = {("mid_hip", "neck"), ("neck", "hip"), ("hip", "knee"), ("knee", "ankle")}  # trunk and legs: the body's scale


@dataclass(frozen=True)
class Retargeted:
    """A driving clip on the target's body, and how hands and face follow.

    Attributes:
        joints: ``(T, J, 3)``, the body in pixels of the target's images; missing joints are as they were.
        here: ``(T, J, 2)``, the driver's joints; a missing one stands in at its nearest ancestor that is seen.
        there: ``(T, J, 2)``, the same on the target's body.
        hand: ``(T,)``, scale of the hands: the forearm's.
        head: ``(T,)``, scale of the face: the eyes'.
        skeleton: Of ``joints``.
    """

    joints: Tensor
    here: Tensor
    there: Tensor
    hand: Tensor
    head: Tensor
    skeleton: Skeleton

    def __call__(self, joints: Tensor, group: str = "joints") -> Tensor:
        """Moves a group ``(T, K, 3)``: ``joints``, ``hand_left``, ``hand_right`` or ``face``.

        Hands hang on the wrists and the face on the nose, or on the nearest ancestor that is seen; the hands take the
        forearm's scale and the face the head's. Missing points stay as they are.
        """
        if group == "joints":
            return self.joints.clone()
        name = {"hand_left": "left_wrist", "hand_right": "right_wrist"}.get(group, "nose")
        at, scale = self.skeleton.index(name), self.head if group == "face" else self.hand
        here, there = self.here[:, at, None], self.there[:, at, None]
        moved = there + (joints[..., :2] - here) * scale[:, None, None]
        return torch.cat([torch.where(joints[..., 2:] > 0, moved, joints[..., :2]), joints[..., 2:]], dim=-1)


def retargetable(skeleton: Skeleton) -> bool:
    """Whether a skeleton has the limbs of a human: body25 and coco18 do, fish, mice, hands and faces do not."""
    return skeleton.has("nose", "neck", "left_wrist", "right_wrist", "left_ankle", "right_ankle")


def retarget(
    source: Tensor, target: Tensor, skeleton: Skeleton, source_size: tuple[int, int], target_size: tuple[int, int]
) -> Retargeted:
    """The driver's motion on the target's body.

    **Lengths.** A limb's full length is the 90th percentile of its visible lengths over the frames that show both its
    ends confidently (at least half of the clip's median confidence), left and right together. The body's scale is the
    ratio, target to driver, of trunk, thighs and shins together; where not one of them is seen in both, of all limbs
    that are. Each limb's own ratio departs from it as far as the limb was seen in full: the departure is multiplied
    by 1 / (1 + 30 (a^2 + b^2)), a and b being the logarithms of full over median length in either clip, and at least
    0.2 for a limb in fewer than five frames. Limbs that point at the camera half of the time (feet, ears) thus keep
    the driver's proportions, as do limbs that only one side shows.

    **Depth.** A clip has depth where the body grows by 10% or more from the far to the near third of the feet's line
    and that line moves by more than 10% of the body's height; lengths are then relative to a size that is linear in
    the feet's line. A jump moves the line and not the size, and is no depth.

    **Ground.** Everybody Dance Now's rule: p = (y - far) / (near - far) of the driver's feet is looked up in the
    target's range, cut around its middle to the driver's length where it is longer; x is scaled about the images'
    middles. Departures: far and near are the 5th and 95th percentiles of the feet's line (.6 of the lower ankle's y
    and .4 of the other's; the paper takes extremes); a driver without depth stands on the target's ground line and its
    jumps are scaled with the body; x is that of the ankles' middle; there is no median over time. Frames without both
    ankles move with the hips from the last frame that had them. Where either clip shows no pair of ankles, the joints
    of the trunk that both show keep the median height that they have in the target's frames, and x the hips' or neck's.

    What had to be assumed is logged as a warning.

    Args:
        source: ``(T, J, 3)``, the whole driving clip.
        target: ``(R, J, 3)``, the target person's frames, one or more.
        skeleton: Of both; see :func:`retargetable`.
        source_size: (height, width) of the driver's images.
        target_size: (height, width) of the target's images.

    Example:
        >>> import torch
        >>> from motioncopy.poses.retarget import retarget
        >>> from motioncopy.skeletons import BODY25
        >>> joints = torch.rand(20, 25, 3) + torch.tensor([40.0, 40.0, 0.1])
        >>> there = retarget(joints, joints, BODY25, (99, 99), (99, 99)).joints  # one's own body
        >>> bool(there.allclose(joints, atol=1e-4))
        True
    """
    tree = _tree(skeleton)
    feet = skeleton.index("left_ankle"), skeleton.index("right_ankle")
    driver, shown = (_Clip.of(joints, skeleton, tree, feet) for joints in (source, target))
    ratios, body = _ratios(driver, shown, skeleton, tree)

    driver_foot = measure.hold(driver.foot, driver.standing) if driver.standing.any() else driver.foot
    line, size = _ground(driver, shown, driver_foot, body)
    scale = size / driver.size(driver_foot)  # per frame, beside the limbs' ratios
    here, there = _compose(source, tree, ratios * scale[:, None], body * scale)

    middles = torch.tensor([(s[1] - 1) / 2 for s in (source_size, target_size)]).to(source)
    both = body * scale
    if driver.standing.any() and shown.standing.any():
        here_x, there_x = here[:, feet, 0].mean(dim=1), there[:, feet, 0].mean(dim=1)
        x = middles[1] + both * (here_x - middles[0]) - there_x
        y = line - _foot(there[:, feet, 1])
        offset = torch.stack([measure.hold(x, driver.standing), measure.hold(y, driver.standing)], dim=-1)
    else:
        root = tree[0][0]
        x = middles[1] + both * (here[:, root, 0] - middles[0]) - there[:, root, 0]
        offset = torch.stack([x, _level(source, target, there, skeleton).expand_as(x)], dim=-1)
    there = there + offset[:, None]
    seen = source[..., 2:] > 0
    joints = torch.cat([torch.where(seen, there, source[..., :2]), source[..., 2:]], dim=-1)
    wrist, eye = (_limb(tree, skeleton.index(name)) for name in ("left_wrist", "left_eye"))
    return Retargeted(joints, here, there, ratios[wrist] * scale, ratios[eye] * scale, skeleton)


@dataclass(frozen=True)
class _Clip:
    """What is measured on one side.

    Attributes:
        lengths: ``(T, limbs)``, relative to the size at the nearest line; NaN where not confidently seen.
        foot: ``(T,)``, y of the feet's line.
        standing: ``(T,)``, whether both ankles are seen.
        far: y of the farthest ground line.
        near: y of the nearest.
        growth: Size at ``near`` over size at ``far``; 1 for a clip without depth.
    """

    lengths: Tensor
    foot: Tensor
    standing: Tensor
    far: Tensor
    near: Tensor
    growth: Tensor

    @classmethod
    def of(cls, joints: Tensor, skeleton: Skeleton, tree: Tree, feet: tuple[int, int]) -> _Clip:
        confidence = joints[..., 2]
        present = confidence > 0
        least = confidence[present].quantile(0.5) / 2 if present.any() else confidence.new_zeros(())
        sure = present & (confidence >= least)
        a, b = (torch.tensor([limb[k] for limb in tree], device=joints.device) for k in (0, 1))
        lengths = torch.linalg.vector_norm(joints[:, b, :2] - joints[:, a, :2], dim=-1)
        lengths = torch.where(sure[:, a] & sure[:, b], lengths, torch.nan)
        foot, standing = _foot(joints[:, feet, 1]), present[:, feet].all(dim=1)
        one = joints.new_ones(())
        if not standing.any():
            return cls(lengths, foot, standing, one, one, one)
        far, near = foot[standing].quantile(1 - _GROUND), foot[standing].quantile(_GROUND)
        growth = one
        third = (near - far) / 3
        back, front = standing & (foot <= far + third), standing & (foot >= near - third)
        top, bottom, whole = measure.rows(joints, skeleton)
        if whole.any() and near - far > _RANGE * (bottom - top)[whole].quantile(0.95):
            ratio = lengths[front].nanquantile(_FULL, dim=0) / lengths[back].nanquantile(_FULL, dim=0)
            # The thirds' middles are two thirds of the range apart.
            growth = (1 + 1.5 * (ratio.nanquantile(0.5) - 1)) if ratio.isfinite().any() else one
        if not growth >= _GROWTH:
            return cls(lengths, foot, standing, near, near, one)
        clip = cls(lengths, foot, standing, far, near, growth)
        sizes = clip.size(measure.hold(foot, standing))
        return cls(lengths / sizes[:, None], foot, standing, far, near, growth)

    def size(self, foot: Tensor) -> Tensor:
        """Size of a body that stands at this line, 1 at the nearest."""
        share = ((foot - self.far) / (self.near - self.far).clamp_min(1e-6)).clamp(0, 1)
        least = 1 / self.growth
        return torch.where(self.growth > 1, least + share * (1 - least), torch.ones_like(foot))


def _foot(ankles: Tensor) -> Tensor:
    """The feet's line (T,) from both ankles' y (T, 2)."""
    return _LOWER * ankles.amax(dim=1) + (1 - _LOWER) * ankles.amin(dim=1)


def _tree(skeleton: Skeleton) -> Tree:
    root = skeleton.index("mid_hip" if skeleton.has("mid_hip") else "neck")
    limbs: list[tuple[int, int]] = []
    reached = [root]
    for joint in reached:  # grows while it is walked
        for a, b in skeleton.limbs:
            child = b if a == joint else a if b == joint else None
            if child is not None and child not in reached:
                limbs.append((joint, child))
                reached.append(child)
    mirror = skeleton.mirror
    first = {limb: i for i, limb in reversed(list(enumerate(limbs)))}
    twins = [(min(i, first.get((mirror[a], mirror[b]), i))) for i, (a, b) in enumerate(limbs)]
    return [(a, b, twin) for (a, b), twin in zip(limbs, twins, strict=True)]


def _limb(tree: Tree, child: int) -> int:
    return next(i for i, limb in enumerate(tree) if limb[1] == child)


def _ratios(driver: _Clip, shown: _Clip, skeleton: Skeleton, tree: Tree) -> tuple[Tensor, Tensor]:
    """Each limb's ratio (limbs,) target to driver, and the body's."""
    twins = torch.tensor([twin for *_, twin in tree], device=driver.lengths.device)
    (a, a_doubt), (b, b_doubt) = (_full(clip.lengths, twins) for clip in (driver, shown))
    both = (a > 0) & (b > 0)
    if not both.any():
        _LOG.warning("retargeting: driver and target share no limb that is seen; the body keeps its size")
        return torch.ones_like(a), a.new_ones(())
    names = [[skeleton.joints[j].removeprefix("left_").removeprefix("right_") for j in limb[:2]] for limb in tree]
    long = torch.tensor([tuple(pair) in _LONG for pair in names], device=a.device) & both
    if not long.any():
        _LOG.warning("retargeting: no trunk or leg is seen in both; the scale is that of the limbs that are")
    counted = long if long.any() else both
    body = b[counted].sum() / a[counted].sum()
    trust = 1 / (1 + _DOUBT * (a_doubt.square() + b_doubt.square()))
    own = torch.where(both, b / a.clamp_min(1e-6) / body, torch.ones_like(a)).clamp_min(1e-6).log()
    if len(shown.foot) < _FEW or len(driver.foot) < _FEW:
        _LOG.warning(
            "retargeting: %d driving and %d reference frames; limbs keep half of what their lengths say of the body",
            len(driver.foot),
            len(shown.foot),
        )
    return body * (trust * own).clamp(-_LIMIT, _LIMIT).exp(), body


def _full(lengths: Tensor, twins: Tensor) -> tuple[Tensor, Tensor]:
    """Full length of every limb (0 where it is never seen), and how much it is foreshortened by, as a logarithm."""
    full, doubt = lengths.new_zeros(len(twins)), lengths.new_zeros(len(twins))
    for twin in twins.unique():
        members = twins == twin
        seen = lengths[:, members]
        seen = seen[seen.isfinite()]
        if len(seen) == 0:
            continue
        # One that was seen, no mixture: the same frames, taken twice, then give the same length.
        full[members], half = (seen.quantile(q, interpolation="higher").clamp_min(1e-6) for q in (_FULL, 0.5))
        spread = (full[members][0] / half).log()
        doubt[members] = spread.clamp_min(_UNKNOWN) if len(lengths) < _FEW else spread
    return full, doubt


def _ground(driver: _Clip, shown: _Clip, foot: Tensor, body: Tensor) -> tuple[Tensor, Tensor]:
    """The feet's line (T,), a y in the target's images, and the target's size there (T,)."""
    length, far, near = driver.near - driver.far, shown.far, shown.near
    if length < near - far:
        centre = (near + far) / 2
        far, near = centre - length / 2, centre + length / 2
    if length > 0:
        share = (foot - driver.far) / length
        size = shown.size(far + share.clamp(0, 1) * (near - far))
        return far + share * (near - far), size
    size = shown.size(near.expand_as(foot))
    return near + body * size * (foot - driver.near), size


def _compose(joints: Tensor, tree: Tree, ratios: Tensor, body: Tensor) -> tuple[Tensor, Tensor]:
    """The driver's joints (T, J, 2) with stand-ins for missing ones, and the same with limbs scaled (T, limbs)."""
    root = tree[0][0]
    present, here = joints[..., 2:] > 0, joints[..., :2].clone()
    count = present.sum(dim=1).clamp_min(1)
    centre = torch.where(present, here, torch.zeros_like(here)).sum(dim=1) / count
    # A missing root stands in at the mean of its neighbours, or of all joints that are seen.
    around = [child for parent, child, _ in tree if parent == root]
    near = present[:, around]
    mean = torch.where(near, here[:, around], torch.zeros_like(here[:, around])).sum(dim=1) / near.sum(1).clamp_min(1)
    stand_in = torch.where(near.any(dim=1), mean, centre)
    here[:, root] = torch.where(present[:, root], here[:, root], stand_in)
    there = here.clone()
    there[:, root] = here[:, root] * body[:, None]
    for i, (parent, child, _) in enumerate(tree):
        here[:, child] = torch.where(present[:, child], here[:, child], here[:, parent])
        there[:, child] = there[:, parent] + (here[:, child] - here[:, parent]) * ratios[:, i, None]
    return here, there


def _level(source: Tensor, target: Tensor, there: Tensor, skeleton: Skeleton) -> Tensor:
    """By how much a body without feet is lowered."""
    _LOG.warning("retargeting: driver or target shows no pair of ankles; the body is placed by what both show")
    trunk = [skeleton.index(n) for n in ("neck", "mid_hip", "left_shoulder", "right_shoulder") if skeleton.has(n)]
    shared = measure.often_seen(source) & measure.often_seen(target)
    chosen = [j for j in trunk if shared[j]] or [j for j in range(len(shared)) if shared[j]]
    if not chosen:
        _LOG.warning("retargeting: no joint is often seen in both; the bodies' middles are laid on one another")
        a, b = source[..., 2] > 0, target[..., 2] > 0
        return target[..., 1][b].quantile(0.5) - there[..., 1][a].quantile(0.5)
    moves = []
    for j in chosen:
        a, b = source[:, j, 2] > 0, target[:, j, 2] > 0
        moves.append(target[b, j, 1].quantile(0.5) - there[a, j, 1].quantile(0.5))
    return torch.stack(moves).mean()
