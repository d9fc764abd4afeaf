"""The rasteriser: which triangle is seen at each sample of the picture, exactly, by a z-buffer in NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datamodules.puppets.bodies import Floats
from datamodules.puppets.mesh import Ints

_FACE_BITS, _DEPTH_BITS = 20, 42  # nearness stays below 2 / m


@dataclass(frozen=True)
class Hits:
    """What is seen.

    Attributes:
        nearness: ``(h, w)`` 1 / distance in 1/m of the surface that is seen, 0 where nothing is.
        rows: ``(n,)`` rows of the samples on a surface.
        columns: ``(n,)`` their columns.
        faces: ``(n,)`` the triangles that are seen there.
        shares: ``(n, 3)`` weights of those triangles' corners, perspective-correct.
    """

    nearness: NDArray[np.float32]
    rows: Ints
    columns: Ints
    faces: Ints
    shares: Floats

    def blend(self, values: Floats, triangles: Ints) -> Floats:
        """Interpolates values given at the points.

        Args:
            values: ``(points, k)``.
            triangles: ``(faces, 3)`` indices of the triangles' points.

        Returns:
            ``(n, k)``.
        """
        corners = triangles[self.faces]
        s = self.shares
        mixed = s[:, 0, None] * values[corners[:, 0]]
        mixed += s[:, 1, None] * values[corners[:, 1]]
        mixed += s[:, 2, None] * values[corners[:, 2]]
        return np.asarray(mixed)


def rasterise(
    points: Floats, nearness: Floats, triangles: Ints, two_sided: NDArray[np.bool_], shape: tuple[int, int]
) -> Hits:
    """Finds the nearest surface at every sample.

    Args:
        points: ``(p, 2)`` x and y in samples; the samples lie at whole numbers.
        nearness: ``(p,)`` 1 / distance, which is linear on the screen.
        triangles: ``(f, 3)``, clockwise on the screen when seen from outside.
        two_sided: ``(f,)`` whether a triangle is seen from inside too.
        shape: (h, w) of the grid of samples.
    """
    height, width = shape
    a, b, c = points[triangles[:, 0]], points[triangles[:, 1]], points[triangles[:, 2]]
    ab, ac = b - a, c - a
    area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    low = np.ceil(np.minimum(np.minimum(a, b), c)).astype(np.int64).clip(0)
    high = np.floor(np.maximum(np.maximum(a, b), c)).astype(np.int64).clip(max=[width - 1, height - 1])
    size = high - low + 1
    chosen = np.flatnonzero(((area > 1e-9) | (two_sided & (area < -1e-9))) & (size > 0).all(axis=1))
    size, low, area = size[chosen], low[chosen], area[chosen]
    # Every sample in each triangle's bounding box, as flat lists.
    count = size[:, 0] * size[:, 1]
    which = np.repeat(np.arange(len(chosen), dtype=np.int32), count)
    start = np.repeat((np.cumsum(count) - count).astype(np.int32), count)
    offset = np.arange(len(which), dtype=np.int32) - start
    box_width = size[:, 0].astype(np.int32)[which]
    row = offset // box_width
    column = offset - row * box_width
    # The weights of b and c are linear in the sample's place: value at the box's corner plus slopes.
    ab, ac = ab[chosen] / area[:, None], ac[chosen] / area[:, None]
    corner = low - a[chosen]
    planes = np.column_stack([
        ac[:, 1], -ac[:, 0], corner[:, 0] * ac[:, 1] - corner[:, 1] * ac[:, 0],
        -ab[:, 1], ab[:, 0], corner[:, 1] * ab[:, 0] - corner[:, 0] * ab[:, 1],
    ]).astype(np.float32)[which]  # fmt: skip
    row, column = row.astype(np.float32), column.astype(np.float32)
    weight_b = planes[:, 0] * column + planes[:, 1] * row + planes[:, 2]
    weight_c = planes[:, 3] * column + planes[:, 4] * row + planes[:, 5]
    slack = np.float32(1e-4)  # rather a sample too many than a gap between neighbours
    inside = np.flatnonzero((weight_b >= -slack) & (weight_c >= -slack) & (weight_b + weight_c <= 1 + slack))
    which, weight_b, weight_c = which[inside], weight_b[inside].astype(float), weight_c[inside].astype(float)
    near = nearness[triangles[chosen]]
    depth = near[which, 0] + weight_b * (near[which, 1] - near[which, 0]) + weight_c * (near[which, 2] - near[which, 0])
    place = (low[which, 1] + row[inside].astype(np.int64)) * width + low[which, 0] + column[inside].astype(np.int64)
    # Depth and triangle in one integer: the greatest key at a sample is its nearest surface.
    key = (depth * 2.0**_DEPTH_BITS).astype(np.int64) << _FACE_BITS | which
    best = np.zeros(height * width, np.int64)
    np.maximum.at(best, place, key)
    won = np.flatnonzero(best[place] == key)
    which, place, depth = which[won], place[won], depth[won]
    shares = np.stack([1 - weight_b[won] - weight_c[won], weight_b[won], weight_c[won]], axis=1)
    shares *= near[which] / depth[:, None]
    seen = np.zeros(height * width, np.float32)
    seen[place] = depth
    return Hits(seen.reshape(shape), place // width, place % width, chosen[which], shares)
