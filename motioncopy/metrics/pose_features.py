"""Joints found again in a video's frames: what pose errors are measured by."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from motioncopy.metrics.extractor import Extractor, Stream
from motioncopy.metrics.networks import Provider, published
from motioncopy.perception.mediapipe import MediaPipePose
from motioncopy.skeletons import BODY25

#: What MediaPipe finds of body25: all but the small toes.
FOUND = tuple(i for i, joint in enumerate(BODY25.joints) if "small_toe" not in joint)


class PoseMediaPipe(Extractor):
    """MediaPipe's pose, frame by frame: ``joints`` ``(n, 25, 3)``, body25, pixels of the frame, confidence in [0, 1].

    Every frame is looked at for itself. Followed through the video, a person would be guessed in a spoilt frame from
    the good ones before it.
    """

    name = "pose_mediapipe"
    outputs = ("joints",)

    def __init__(self, networks: Provider = published, *, wanted: frozenset[str], device: torch.device) -> None:
        super().__init__(networks, wanted=wanted, device=device)
        self._pose = MediaPipePose(still=True)
        self.identities = {self._pose.name: self._pose.version}

    def start(self, clip: str) -> Stream:
        """Nothing is remembered, so that all streams are one."""
        return self

    def update(self, frames: Tensor) -> Mapping[str, Tensor]:
        """See :meth:`Stream.update`."""
        images = np.ascontiguousarray(frames.permute(0, 2, 3, 1).numpy(force=True))
        return {"joints": torch.from_numpy(self._pose(images).joints).to(frames.device)}
