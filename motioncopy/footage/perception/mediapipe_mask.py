"""MediaPipe's person mask, for joints that come from elsewhere."""

from __future__ import annotations

from dataclasses import replace

from motioncopy.footage import Footage
from motioncopy.footage.perception.backends import Images, Masks, Poses
from motioncopy.footage.perception.masks import PoseMask
from motioncopy.footage.perception.mediapipe import MediaPipePose


class MediaPipeMask:
    """The mask from a run of MediaPipe's pose estimator; only the pieces that the given joints lie in.

    Where MediaPipe sees somebody else than whose joints those are, the mask is empty.
    """

    name = "mediapipe-mask"

    def __init__(self) -> None:
        self._seeing, self._cleaning = MediaPipePose(), PoseMask()
        self.version = f"{self._seeing.version}-{self._cleaning.version}"

    def start(self, footage: Footage) -> None:
        """See :class:`motioncopy.footage.perception.backends.PersonSegmenter`."""
        self._seeing.start(footage)

    def __call__(self, images: Images, poses: Poses) -> Masks:
        """See :class:`motioncopy.footage.perception.backends.PersonSegmenter`.

        Raises:
            PerceptionError: If MediaPipe cannot run.
        """
        return self._cleaning(images, replace(poses, mask=self._seeing(images).mask))
