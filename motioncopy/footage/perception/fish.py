"""A fish seen from above: 21 joints along its midline, and its mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motioncopy.footage.perception.animals import AnimalEstimator, Bools, Floats
from motioncopy.skeletons import FISH21

#: A fish is at least this many times as long as it is wide; what is not is something else.
_LEAST_ELONGATION = 2.0


class FishMidline(AnimalEstimator):
    """The midline of the largest thing that stands out, head first: the thicker end, which also stands out more."""

    skeleton = FISH21.name

    def __init__(self) -> None:
        super().__init__("fish-midline", "1", np.linspace(0, 1, len(FISH21)))

    def plausible(self, points: Floats, widths: Floats) -> bool:
        """Whether it is as long as a fish."""
        return bool(len(points) >= _LEAST_ELONGATION * 2 * widths.mean())

    def evidence(
        self, stands_out: NDArray[np.float32], mask: Bools, body: Bools, points: Floats, widths: Floats
    ) -> float:
        """How much thicker the first third is than the last, and how much more it stands out."""
        third = max(1, len(points) // 3)
        thick = np.log((widths[:third].mean() + 0.5) / (widths[-third:].mean() + 0.5))
        x, y = points.round().astype(int).T
        x, y = x.clip(0, mask.shape[1] - 1), y.clip(0, mask.shape[0] - 1)
        contrast = np.where(mask, np.maximum(stands_out, 0), 0)[y, x]
        strong = np.log((contrast[:third].mean() + 2) / (contrast[-third:].mean() + 2))
        return float(thick + 0.5 * strong)
