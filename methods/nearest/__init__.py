"""Trivial baseline ``nearest``: the training frame with the closest pose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from motioncopy.batch import Appearance, Motion
from motioncopy.errors import CheckpointError
from motioncopy.method import Method, Stage
from motioncopy.request import Crop, DataRequest, Regime, TrainingData


class Nearest(Method[None]):
    """Shows the training frame whose joints lie closest to the driving joints.

    The distance of two poses is the mean distance of the joints that both have, in units of the person's height, so
    that ``distance`` says how near the training data came to what was asked.

    Args:
        image_size: (height, width) in pixels.
        crop: See :data:`motioncopy.request.Crop`.
        max_frames: At most so many training frames are kept, evenly spaced.
        normalisation: See :mod:`motioncopy.poses.normalise`.
    """

    regime: Regime = "personal"  # type: ignore[misc]

    def __init__(
        self,
        *,
        image_size: tuple[int, int] = (96, 96),
        crop: Crop = "frame",
        max_frames: int = 2000,
        normalisation: str = "edn",
    ) -> None:
        super().__init__(request=DataRequest(1, image_size, crop=crop), normalisation=normalisation)
        self.max_frames = max_frames
        self.register_buffer("images", torch.zeros(0, 3, *image_size, dtype=torch.uint8), persistent=False)
        self.register_buffer("joints", torch.zeros(0, 0, 3), persistent=False)
        self.images: Tensor
        self.joints: Tensor
        self.distances: list[float] = []

    @property
    def stages(self) -> Sequence[Stage]:
        """There is nothing to train."""
        return []

    def prepare(self, data: TrainingData) -> None:
        """Keeps the training frames and their joints."""
        super().prepare(data)
        windows = data.train_windows(self.request)
        step = -(-len(windows) // self.max_frames)
        batches = [windows[k] for k in range(0, len(windows), step)]
        self.images = torch.cat([b.images[:, 0] for b in batches])
        self.joints = torch.cat([b.motion.joints[:, 0] for b in batches])

    def context(self) -> dict[str, Any]:
        """The frames and their joints: how many there are is known after training."""
        return {"images": self.images, "joints": self.joints}

    def load_context(self, context: dict[str, Any]) -> None:
        """Takes the frames back.

        Raises:
            CheckpointError: If they are of another size or type.
        """
        images, joints = context.get("images"), context.get("joints")
        if set(context) != {"images", "joints"} or not isinstance(images, Tensor) or not isinstance(joints, Tensor):
            raise CheckpointError("not the context of Nearest", expected="images and joints", found=sorted(context))
        size = images.shape[2:] if self.request.crop == "whole" else self.request.image_size
        shape = (len(joints), 3, *size)
        if images.shape != shape or images.dtype != torch.uint8 or joints.ndim != 3 or joints.dtype != torch.float32:
            raise CheckpointError("the frames of Nearest have another shape", expected=shape, found=tuple(images.shape))
        self.images, self.joints = images, joints

    def start(self, appearance: Appearance) -> None:
        """Checks the person."""
        self.check_person(appearance)
        self.distances = []

    def report(self) -> dict[str, float]:
        """How near the training poses came: the mean distance in body heights."""
        finite = [d for d in self.distances if math.isfinite(d)]
        return {"pose_distance": sum(finite) / len(finite)} if finite else {}

    def step(self, state: None, motion: Motion) -> tuple[Tensor, None]:
        """The nearest frame to each driving frame."""
        distance = pose_distance(motion.joints[0], self.joints)
        nearest = distance.argmin(dim=1)
        self.distances += distance.gather(1, nearest[:, None])[:, 0].tolist()
        return self.images[nearest].float() / 127.5 - 1, None


def pose_distance(queries: Tensor, gallery: Tensor) -> Tensor:
    """Mean distance of the joints that two poses share, in units of the gallery's median height.

    Args:
        queries: ``(T, J, 3)``.
        gallery: ``(K, J, 3)``.

    Returns:
        ``(T, K)``; infinite where two poses share no joint.
    """
    seen_q, seen_g = (queries[..., 2] > 0).float(), (gallery[..., 2] > 0).float()
    y = gallery[..., 1]
    heights = y.masked_fill(seen_g == 0, -torch.inf).amax(1) - y.masked_fill(seen_g == 0, torch.inf).amin(1)
    finite = heights[torch.isfinite(heights) & (heights > 0)]
    height = finite.median() if len(finite) else torch.ones(())
    rows = []
    for q, s in zip(queries, seen_q, strict=True):  # a row at a time: (T, K, J, 2) at once could be gigabytes
        both = seen_g * s
        apart = (gallery[..., :2] - q[:, :2]).norm(dim=-1) * both
        shared = both.sum(1)
        rows.append(torch.where(shared > 0, apart.sum(1) / shared.clamp(min=1) / height, torch.inf))
    return torch.stack(rows)
