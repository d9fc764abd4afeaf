"""The rasteriser: every sample, the nearest surface, perspective-correct."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datamodules.puppets.raster import Hits, rasterise


def _draw(
    points: list[tuple[float, float]], depth: list[float], triangles: list[tuple[int, int, int]], two: bool
) -> Hits:
    faces = np.array(triangles)
    near = 1 / np.array(depth)
    return rasterise(np.array(points, float), near, faces, np.full(len(faces), two), (20, 30))


def _picture(hits: Hits) -> NDArray[np.int64]:
    picture = np.full(hits.nearness.shape, -1)
    picture[hits.rows, hits.columns] = hits.faces
    return picture


def test_a_mesh_covers_every_sample_once() -> None:
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.linspace(-3, 33, 13), np.linspace(-3, 23, 9))
    points = np.stack([x, y], -1) + rng.uniform(-0.7, 0.7, (*x.shape, 2))
    index = np.arange(x.size).reshape(x.shape)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    hits = rasterise(points.reshape(-1, 2), np.full(x.size, 0.5), faces, np.zeros(len(faces), bool), (20, 30))
    assert len(hits.rows) == 600
    assert (hits.nearness > 0).all()
    places = hits.blend(points.reshape(-1, 2), faces)
    np.testing.assert_allclose(places, np.stack([hits.columns, hits.rows], 1), atol=1e-2)


def test_the_nearest_wins_whatever_the_order() -> None:
    points = [(2.0, 2.0), (27.0, 2.0), (2.0, 17.0)] * 2
    for depth, nearest in (([2, 2, 2, 3, 3, 3], 0), ([3, 3, 3, 2, 2, 2], 1)):
        picture = _picture(_draw(points, [float(d) for d in depth], [(0, 1, 2), (3, 4, 5)], False))
        assert set(np.unique(picture)) == {-1, nearest}


def test_crossing_triangles_share_the_picture() -> None:
    points = [(2.0, 2.0), (27.0, 2.0), (2.0, 17.0)] * 2
    picture = _picture(_draw(points, [2, 4, 2, 3, 3, 3], [(0, 1, 2), (3, 4, 5)], False))
    assert picture[3, 3] == 0
    assert picture[3, 23] == 1


def test_backs_are_seen_only_of_two_sided_triangles() -> None:
    points, depth, triangle = [(2.0, 2.0), (2.0, 17.0), (27.0, 2.0)], [2.0, 2.0, 2.0], [(0, 1, 2)]
    assert len(_draw(points, depth, triangle, False).rows) == 0
    assert len(_draw(points, depth, triangle, True).rows) > 100


def test_shares_are_perspective_correct() -> None:
    hits = _draw([(0.0, 0.0), (20.0, 0.0), (0.0, 19.0)], [1.0, 3.0, 1.0], [(0, 1, 2)], False)
    middle = np.flatnonzero((hits.rows == 0) & (hits.columns == 10))[0]
    # Halfway on the screen is nearer than halfway in space: the share of the far corner is 1/4.
    np.testing.assert_allclose(hits.shares[middle], [0.75, 0.25, 0], atol=1e-4)
    np.testing.assert_allclose(1 / hits.nearness[0, 10], 1.5, rtol=1e-5)
