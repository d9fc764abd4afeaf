"""Joints found again in a video's frames: what pose errors are measured by."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from motioncopy.errors import SkeletonError
from motioncopy.footage.perception.mediapipe import MediaPipePose
from motioncopy.metrics.chunk import Chunk
from motioncopy.metrics.extractor import Extractor, Output, Stream
from motioncopy.metrics.networks import Provider, published
from motioncopy.skeletons import BODY25, skeleton, view

#: What MediaPipe finds of body25: all but the small toes.
FOUND = tuple(i for i, joint in enumerate(BODY25.joints) if "small_toe" not in joint)
#: A joint that was found with less confidence was not found.
CONFIDENT = 0.5


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


JOINTS = Output(PoseMediaPipe, "joints")


def driving_body(chunk: Chunk) -> Tensor | None:
    """The driving joints as body25, ``(n, 25, 3)``, or ``None`` where there are none or they are no person's."""
    if chunk.joints is None or chunk.skeleton == BODY25.name:
        return chunk.joints
    try:
        shown = view(chunk.joints.numpy(force=True), skeleton(chunk.skeleton), BODY25)
    except SkeletonError:
        return None
    return torch.as_tensor(shown, device=chunk.joints.device)


def no_person(chunk: Chunk) -> str | None:
    """Why nobody is to be found in clips like this, or ``None`` if there is no reason."""
    if chunk.joints is None or driving_body(chunk) is not None:
        return None
    return f"MediaPipe finds people, and the joints are those of {chunk.skeleton}"
