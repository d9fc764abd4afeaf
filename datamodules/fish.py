"""Fish: zebrafish filmed from above (FakeVideo, section 4.5; poses of Lie-X)."""

from __future__ import annotations

from typing import ClassVar

from datamodules.animals import AnimalData
from motioncopy.footage.perception.backends import PoseEstimator
from motioncopy.footage.perception.fish import FishMidline
from motioncopy.skeletons import FISH21


class Fish(AnimalData):
    """14 videos of 6 fish, 2,250 to 24,000 frames each; 21 joints along the body. See the base for the layout.

    In the pose texts that are public (``BII-wushuang/Lie-Group-Motion-Prediction``, 63 numbers a line), the first joint
    is the one that swims ahead, so it is the head. Their frame rate is not published; where a recording does not say
    its own, it counts as that of the mouse videos.
    """

    data_set: ClassVar[str] = "fish"
    origin: ClassVar[str] = (
        "The videos of Lie-X's fish are not public, its poses are "
        "(github.com/BII-wushuang/Lie-Group-Motion-Prediction, src/data/Fish/Raw); ask its authors, or use your own."
    )
    skeleton = FISH21
    tail_first = False

    @classmethod
    def perception(cls) -> PoseEstimator:
        """The midline of the segmented body."""
        return FishMidline()
