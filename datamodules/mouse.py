"""Mouse: mice filmed from above by a depth camera (FakeVideo, section 4.5; poses of Lie-X)."""

from __future__ import annotations

from typing import ClassVar

from datamodules.animals import AnimalData
from motioncopy.footage.perception.backends import PoseEstimator
from motioncopy.footage.perception.mouse import MouseAxis
from motioncopy.skeletons import MOUSE5


class Mouse(AnimalData):
    """12 depth videos of 4 mice, 500 to 30,000 frames each, 25 a second; 5 joints. See the base for the layout.

    In the pose texts that are public (``BII-wushuang/Lie-Group-Motion-Prediction``, 15 numbers a line, millimetres,
    Z negative in front of the camera), the *last* joint walks ahead, and it is the one that leaves the floor when the
    animal rears, while the first stays down: lines run from the base of the tail to the nose.
    """

    data_set: ClassVar[str] = "mouse"
    origin: ClassVar[str] = (
        "The depth videos of Lie-X's mice are not public, its poses are "
        "(github.com/BII-wushuang/Lie-Group-Motion-Prediction, src/data/Mouse/Raw); ask its authors, or use your own."
    )
    skeleton = MOUSE5
    tail_first = True

    @classmethod
    def perception(cls) -> PoseEstimator:
        """The long axis of the segmented body."""
        return MouseAxis()
