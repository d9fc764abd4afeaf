"""Optical flow with OpenCV's DIS (Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016).

It needs no weights and is therefore the default.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from motioncopy.footage import Footage
from motioncopy.footage.perception.backends import Images

# OpenCV's DIS refuses frames below 12 pixels a side, and wide ones below 16 rows end the process: those are continued
# by their last row and column.
_LEAST_SIDE = 16
_PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}


class DISFlow:
    """Flow from each frame to the one before it.

    Args:
        preset: OpenCV's trade of speed for quality.
    """

    def __init__(self, preset: Literal["ultrafast", "fast", "medium"] = "medium") -> None:
        self.name = f"dis-{preset}"
        self.version = "1"
        self._dis = cv2.DISOpticalFlow.create(_PRESETS[preset])

    def start(self, footage: Footage) -> None:
        """Nothing to do: every frame is seen for itself."""

    def __call__(self, images: Images, previous: Images) -> NDArray[np.float32]:
        """See :class:`motioncopy.footage.perception.backends.FlowEstimator`."""
        height, width = images.shape[1:3]
        below, beside = max(0, _LEAST_SIDE - height), max(0, _LEAST_SIDE - width)
        flow = np.empty((*images.shape[:3], 2), np.float32)
        for i, (now, before) in enumerate(zip(images, previous, strict=True)):
            here, there = (
                cv2.copyMakeBorder(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 0, below, 0, beside, cv2.BORDER_REPLICATE)
                for image in (now, before)
            )
            flow[i] = self._dis.calc(here, there, None)[:height, :width]
        return flow
