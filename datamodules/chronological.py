"""The split of one clip by time: training frames, a gap, test frames."""

from __future__ import annotations

from dataclasses import dataclass

from datamodules.views import Excerpt
from motioncopy.errors import DataError
from motioncopy.footage.clips import Clip
from motioncopy.footage.perception.background import median_background

_BACKGROUND_FRAMES = 60
_LEAST_TRAIN, _LEAST_TEST = 8, 2


@dataclass(frozen=True)
class Chronological:
    """How a clip is split by time.

    Attributes:
        test_share: The last part of every clip, held out; between 0 and 1.
        gap: Frames between training and test that belong to neither: neighbours are near copies.
    """

    test_share: float = 0.2
    gap: int = 2

    def __post_init__(self) -> None:
        if not 0 < self.test_share < 1 or self.gap < 0:
            raise DataError(
                "the split by time is wrong",
                expected="test_share between 0 and 1, and no negative gap",
                found=f"test_share {self.test_share}, gap {self.gap}",
            )

    def split(self, clip: Clip) -> tuple[Excerpt, Excerpt]:
        """Training frames, with a background that has seen no other, and test frames of a clip.

        Raises:
            DataError: If the clip is too short.
        """
        frames = len(clip)
        held_out = round(frames * self.test_share)
        train = frames - held_out - self.gap
        if train < _LEAST_TRAIN or held_out < _LEAST_TEST:
            raise DataError(
                f"clip {clip.id} is too short to train and test on",
                expected=f"at least {_LEAST_TRAIN} frames to train on and {_LEAST_TEST} to test on",
                found=f"{frames} frames: {max(0, train)} and {held_out}, {self.gap} between them",
                remedy="record a longer video",
            )
        # The clip's own background has seen the test frames; this one has not.
        indices = list(range(0, train, max(1, train // _BACKGROUND_FRAMES)))
        background = median_background(clip.images(indices), clip.mask(indices))
        return Excerpt(clip, 0, train, background), Excerpt(clip, frames - held_out, frames)
