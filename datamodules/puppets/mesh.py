"""Surfaces: lofted tubes with texture coordinates, bound to bones by linear blend skinning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from datamodules.puppets.bodies import BONE, BONES, Floats

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """One surface of a figure: a grid of rings by columns, wrapped around an axis.

    A part's texture is a strip of its own: u in [0, 1] runs around it, from the back over the person's right, the
    front and the person's left to the back again; v in [0, 1] runs along it, downwards.

    Attributes:
        name: Also the name of its texture strip.
        points: ``(rings, columns + 1, 3)`` rest positions in metres; the last column repeats the first.
        weights: ``(rings, columns + 1, bones)``, summing to 1 over the bones.
        along: ``(rings,)`` metres along the part, downwards; the strip spans its first to its last value.
        girth: Metres around, at the widest ring.
        two_sided: Whether the inside can be seen (skirts, long hair).
    """

    name: str
    points: Floats
    weights: Floats
    along: Floats
    girth: float
    two_sided: bool = False

    @property
    def normals(self) -> Floats:
        """``(rings, columns + 1, 3)`` unit normals, outwards."""
        wrapped = np.concatenate([self.points[:, -2:-1], self.points, self.points[:, 1:2]], axis=1)
        around = wrapped[:, 2:] - wrapped[:, :-2]
        downward = np.gradient(self.points, axis=0)
        normal = np.cross(downward, around)
        length = np.linalg.norm(normal, axis=-1, keepdims=True)
        # Where a ring shrinks to a point the normal is that of the axis' end: its neighbours' mean.
        mean = normal.mean(axis=1, keepdims=True)
        normal = np.where(length < 1e-9, mean, normal)
        return np.asarray(normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12))

    @property
    def uv(self) -> Floats:
        """``(rings, columns + 1, 2)``."""
        columns = self.points.shape[1]
        v = (self.along - self.along[0]) / (self.along[-1] - self.along[0])
        u = np.linspace(0, 1, columns)
        return np.stack(np.broadcast_arrays(u[None, :], v[:, None]), axis=-1)

    @property
    def faces(self) -> Ints:
        """``(n, 3)`` indices into the flattened points; clockwise on the screen when seen from outside."""
        rings, columns = self.points.shape[:2]
        index = np.arange(rings * columns).reshape(rings, columns)
        a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
        upper, lower = np.stack([a, b, c], -1), np.stack([a, c, d], -1)
        return np.concatenate([upper.reshape(-1, 3), lower.reshape(-1, 3)])

    def moved(self, rotation: Floats, pivot: Floats) -> Self:
        """A copy turned about a pivot, in the rest pose."""
        return replace(self, points=(self.points - pivot) @ rotation.T + pivot)


def loft(
    name: str,
    table: Sequence[tuple[float, ...]],
    origin: Sequence[float] | Floats,
    *,
    bones: Sequence[str],
    joints: Sequence[float] = (),
    width: float | Sequence[float] = 0.05,
    rings: int,
    columns: int,
    unit: float = 1.0,
    power: float = 2.0,
    cuts: Sequence[float] = (),
    closed: tuple[bool, bool] = (True, True),
    two_sided: bool = False,
) -> Part:
    """A tube that hangs down from ``origin``.

    Args:
        name: Name of the part.
        table: Rows ``(along, half width, front[, back[, forward]])``: half width in x, radii in +z and -z (front and
            back, alike where one is missing) and the axis' shift in z, all in ``unit``; smooth in between.
        origin: Where ``along`` is 0, in metres.
        bones: The bones that it passes along, first to last.
        joints: Metres along it where each bone hands over to the next.
        width: Half the length over which it does, in metres.
        rings: Rings between the table's first and last row.
        columns: Faces around.
        unit: Metres per table unit.
        power: 2 is an ellipse, more is boxier.
        cuts: Places (in metres) that get a ring 3 mm before and after, for the step at a garment's end.
        closed: Whether the upper and the lower end are closed by a rounded cap.
        two_sided: See :class:`Part`.
    """
    rows = np.array([(*r[:3], r[2] if len(r) < 4 else r[3], 0.0 if len(r) < 5 else r[4]) for r in table]) * unit
    along = np.linspace(rows[0, 0], rows[-1, 0], rings)
    inner = [c + d for c in cuts for d in (-0.003, 0.003) if rows[0, 0] < c + d < rows[-1, 0]]
    along = np.sort(np.concatenate([along, inner]))
    profile = PchipInterpolator(rows[:, 0], rows[:, 1:])(along)
    along, profile = _cap(along, profile, closed)
    angle = np.linspace(-np.pi, np.pi, columns + 1)
    sin, cos = np.sin(angle), np.cos(angle)
    x = np.sign(sin) * np.abs(sin) ** (2 / power)
    z = np.sign(cos) * np.abs(cos) ** (2 / power)
    wide, front, back, forward = (profile[:, i, None] for i in range(4))
    depth = np.where(cos >= 0, front, back) * z + forward
    points = np.stack(np.broadcast_arrays(wide * x, -along[:, None], depth), axis=-1) + np.asarray(origin)
    points[:, -1] = points[:, 0]
    weights = np.broadcast_to(chain(along, bones, joints, width)[:, None], (*points.shape[:2], len(BONES)))
    girth = float(2 * np.pi * profile[:, :3].mean(axis=1).max())
    return Part(name, points, weights, along, girth, two_sided)


def _cap(along: Floats, profile: Floats, closed: tuple[bool, bool]) -> tuple[Floats, Floats]:
    """Adds a quarter circle of rings to the ends that are closed."""
    turn = np.array([0.35, 0.7, 0.95, 1.0]) * np.pi / 2
    for end, is_closed in zip((0, -1), closed, strict=True):
        if not is_closed:
            continue
        radius = profile[end, :3].min()
        cap = np.repeat(profile[end : end + 1] if end == 0 else profile[-1:], len(turn), axis=0)
        cap[:, :3] *= np.maximum(np.cos(turn), 1e-3)[:, None]
        offset = radius * np.sin(turn)
        if end == 0:
            along, profile = np.concatenate([along[0] - offset[::-1], along]), np.concatenate([cap[::-1], profile])
        else:
            along, profile = np.concatenate([along, along[-1] + offset]), np.concatenate([profile, cap])
    return along, profile


def chain(along: Floats, bones: Sequence[str], joints: Sequence[float], width: float | Sequence[float]) -> Floats:
    """Weights of a tube that passes from bone to bone.

    Args:
        along: ``(k,)`` metres along the tube.
        bones: n bone names, from the first to the last.
        joints: n - 1 places where one bone hands over to the next.
        width: Half the length over which it does, one value or one a joint.

    Returns:
        ``(k, bones)``.
    """
    weights = np.zeros((len(along), len(BONES)))
    widths = np.broadcast_to(width, (len(joints),))
    later = [_smooth((along - at + w) / (2 * w)) for at, w in zip(joints, widths, strict=True)]
    reached = [np.ones_like(along), *later]
    for i, bone in enumerate(bones):
        following = reached[i + 1] if i + 1 < len(reached) else np.zeros_like(along)
        weights[:, BONE[bone]] += np.maximum(reached[i] - following, 0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _smooth(x: Floats) -> Floats:
    x = np.clip(x, 0, 1)
    return np.asarray(x * x * (3 - 2 * x))


def smoothstep(low: float, high: float, x: Floats) -> Floats:
    """0 below ``low``, 1 above ``high``, smooth in between; ``low`` may be the greater."""
    return _smooth((x - low) / (high - low))
