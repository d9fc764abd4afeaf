"""A fish seen from above: 21 joints along its midline, and its mask."""

from __future__ import annotations

import numpy as np

from motioncopy.errors import PerceptionError
from motioncopy.footage import Footage
from motioncopy.perception.animals import Bools, Floats, Head, Scene, grey, midline, resampled, soft
from motioncopy.perception.backends import Images, Poses
from motioncopy.skeletons import FISH21

#: A fish is at least this many times as long as it is wide; what is not is something else.
_LEAST_ELONGATION = 2.0


class FishMidline:
    """The midline of the largest thing that stands out, head first: the thicker end, which also stands out more.

    Confidence is 1 where the fish has its usual size and falls to 0 where it has a third or three times of it; joints
    of frames without a fish have confidence 0.
    """

    skeleton = FISH21.name
    groups: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.name, self.version = "fish-midline", "1"
        self._scene: Scene | None = None
        self._head = Head()

    def start(self, footage: Footage) -> None:
        """Learns the background from frames of the whole footage."""
        self._scene = Scene.of(footage)
        self._head.forget()

    def __call__(self, images: Images) -> Poses:
        """See :class:`motioncopy.perception.backends.PoseEstimator`."""
        if self._scene is None:
            raise PerceptionError("the fish's footage has not been looked at", remedy="call start(footage) first")
        n, height, width = images.shape[:3]
        joints = np.zeros((n, len(FISH21), 3), np.float32)
        masks = np.zeros((n, height, width), np.uint8)
        for i, frame in enumerate(grey(images)):
            mask = self._scene.segment(frame)
            line = None if mask is None else midline(mask)
            if mask is None or line is None:
                self._head.forget()
                continue
            points, widths = line
            if len(points) < _LEAST_ELONGATION * 2 * widths.mean():
                continue
            if not self._head.first(points, self._evidence(mask, frame, points, widths)):
                points = points[::-1]
            joints[i, :, :2] = resampled(points, np.linspace(0, 1, len(FISH21)))
            joints[i, :, 2] = self._scene.sureness(mask)
            masks[i] = soft(mask, (height, width))
        return Poses(joints, mask=masks)

    def _evidence(self, mask: Bools, frame: np.ndarray, points: Floats, widths: Floats) -> float:
        """For the first end: how much thicker, and how much more of the contrast lies in its half."""
        assert self._scene is not None
        third = max(1, len(points) // 3)
        thick = np.log((widths[:third].mean() + 0.5) / (widths[-third:].mean() + 0.5))
        stands_out = np.where(mask, np.maximum(self._scene.contrast_of(frame), 0), 0)
        x, y = points.round().astype(int).T
        x, y = x.clip(0, frame.shape[1] - 1), y.clip(0, frame.shape[0] - 1)
        contrast = stands_out[y, x]
        strong = np.log((contrast[:third].mean() + 2) / (contrast[-third:].mean() + 2))
        return float(thick + 0.5 * strong)
