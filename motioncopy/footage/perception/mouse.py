"""A mouse seen from above, by a depth camera or in colour: five joints along its axis, and its mask."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from motioncopy.footage.perception.animals import AnimalEstimator, Bools, Floats
from motioncopy.skeletons import MOUSE5

#: Where the joints of mouse5 lie between the nose and the base of the tail.
PLACES = (0.0, 0.22, 0.5, 0.78, 1.0)
# What is thinner than this share of the trunk is tail.
_TAIL_SHARE = 0.35
# Pixels of a tail that is plain to see, as a share of the body's.
_TAIL_AREA = 0.04
# How much a frame's cues count: the tail's root, the pear shape of the body, the way it walks.
_TAIL, _SHAPE, _WALK = 1.0, 0.6, 0.8


class MouseAxis(AnimalEstimator):
    """The midline of the body without its tail, nose first.

    Which end is the nose is told by where the tail hangs, by the body's shape (wider behind) and by the way it walks,
    summed over time.

    Args:
        still: Whether frames have nothing to do with one another: each then decides by itself.
    """

    skeleton = MOUSE5.name

    def __init__(self, *, still: bool = False) -> None:
        super().__init__("mouse-axis", "1", PLACES, still=still)
        self._centre: Floats | None = None

    def forget(self) -> None:
        """What comes next has nothing to do with what was."""
        super().forget()
        self._centre = None

    def body(self, mask: Bools) -> Bools | None:
        """The mask after an opening that nothing as thin as a tail survives; its largest piece."""
        trunk = float(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5).max())
        radius = max(1, round(_TAIL_SHARE * trunk))
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        opened = cv2.morphologyEx(np.pad(mask, radius + 1).astype(np.uint8), cv2.MORPH_OPEN, disc)
        opened = opened[radius + 1 : -radius - 1, radius + 1 : -radius - 1]
        count, pieces, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(opened))
        if count < 2:
            return None
        body: Bools = pieces == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
        return body

    def evidence(
        self, stands_out: NDArray[np.float32], mask: Bools, body: Bools, points: Floats, widths: Floats
    ) -> float:
        """Where the tail hangs, the body's shape, and the way it walks."""
        ends, length = points[[0, -1]], float(len(points))
        evidence = 0.0
        tail = _largest(mask & ~cv2.dilate(body.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool))
        if tail is not None:
            area, centre = tail
            share = min(1.0, area / (_TAIL_AREA * body.sum()))
            away = np.linalg.norm(ends - centre, axis=1)
            evidence += _TAIL * share * float(np.clip((away[0] - away[1]) / (0.5 * length), -1, 1))
        half = max(1, len(widths) // 2)
        front, behind = widths[:half].sum(), widths[-half:].sum()
        evidence += _SHAPE * float(np.clip(6 * (behind - front) / (behind + front), -1, 1))
        centre = points.mean(axis=0)
        if self._centre is not None:
            step, axis = centre - self._centre, ends[0] - ends[1]
            forward = float(step @ axis) / max(float(np.linalg.norm(axis)), 1.0)
            evidence += _WALK * float(np.clip(forward / (0.04 * length), -1, 1))
        self._centre = centre
        return evidence


def _largest(mask: Bools) -> tuple[int, Floats] | None:
    """Pixels and centre (x, y) of the largest piece."""
    _, _, stats, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if len(stats) < 2:
        return None
    k = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return int(stats[k, cv2.CC_STAT_AREA]), centres[k]
