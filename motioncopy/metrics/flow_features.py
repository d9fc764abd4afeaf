"""Optical flow of a video, from each frame to the one before, and where it can be trusted."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motioncopy.metrics.extractor import Extractor, Stream
from motioncopy.metrics.inception import exact
from motioncopy.metrics.networks import Provider, published
from motioncopy.perception.flow import DISFlow
from motioncopy.perception.raft import build, flow_between

Frames = NDArray[np.uint8]
Flow = NDArray[np.float32]


def consistent(forward: Flow, backward: Flow) -> NDArray[np.bool_]:
    """Where the way back leads to where the way there began: pixels that both frames show.

    |f + b|² < 0.01 (|f|² + |b|²) + 0.5, where f is the forward flow at the place that the backward flow b leads to
    (Sundaram, Brox, Keutzer: Dense point trajectories by GPU-accelerated large displacement optical flow, ECCV 2010,
    equation 5). Pixels that b leads out of the frame do not count as seen.

    Args:
        forward: ``(H, W, 2)`` pixels: from the frame before to this one.
        backward: ``(H, W, 2)`` pixels: from this frame to the one before.

    Returns:
        ``(H, W)``.
    """
    x, y = _places(backward)
    height, width = backward.shape[:2]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    there = cv2.remap(forward, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    gap = np.square(there + backward).sum(axis=2)
    lengths = np.square(there).sum(axis=2) + np.square(backward).sum(axis=2)
    return np.asarray(inside & (gap < 0.01 * lengths + 0.5))


def warped(before: Frames, backward: Flow) -> NDArray[np.float32]:
    """The frame before as this frame sees it, ``(H, W, 3)`` float32 in [0, 255]; bilinear, the border repeats."""
    x, y = _places(backward)
    image = cv2.remap(before.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(image, np.float32)


def _places(flow: Flow) -> tuple[Flow, Flow]:
    height, width = flow.shape[:2]
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    return np.asarray(x, np.float32), np.asarray(y, np.float32)


class _Flow(Extractor):
    """Two rows a frame: ``backward`` ``(n, 2, H, W)`` pixels (x, y), and ``visible`` ``(n, 1, H, W)`` bool.

    This frame at p shows what the frame before showed at p + backward; visible says where both show it. A clip's first
    frame has no flow and nothing is visible in it.
    """

    outputs = ("backward", "visible")

    def start(self, clip: str) -> Stream:
        """See :meth:`Extractor.start`."""
        return _FlowStream(self)

    @abstractmethod
    def between(self, now: Frames, before: Frames) -> Flow:
        """Flow ``(n, H, W, 2)`` from frames to those before, both ``(n, H, W, 3)``."""


class _FlowStream:
    """One video: keeps its last frame."""

    def __init__(self, owner: _Flow) -> None:
        self._owner = owner
        self._last: Frames | None = None

    def update(self, frames: Tensor) -> Mapping[str, Tensor]:
        """See :meth:`Stream.update`."""
        images = np.ascontiguousarray(frames.permute(0, 2, 3, 1).numpy(force=True))
        n, height, width = images.shape[:3]
        backward, visible = np.zeros((n, height, width, 2), np.float32), np.zeros((n, height, width), bool)
        together = images if self._last is None else np.concatenate([self._last, images])
        pairs = len(together) - 1
        if pairs > 0:
            later = slice(n - pairs, n)
            now, before = together[1:], together[:-1]
            backward[later] = self._owner.between(now, before)
            forward = self._owner.between(before, now)
            visible[later] = [consistent(f, b) for f, b in zip(forward, backward[later], strict=True)]
        if n:
            self._last = images[-1:].copy()
        found = {
            "backward": torch.from_numpy(backward.transpose(0, 3, 1, 2)),
            "visible": torch.from_numpy(visible[:, None]),
        }
        return {name: found[name].to(frames.device) for name in self._owner.wanted}


class FlowDIS(_Flow):
    """OpenCV's DIS flow, preset ``medium``: no weights, on a CPU."""

    name = "flow_dis"

    def __init__(self, networks: Provider = published, *, wanted: frozenset[str], device: torch.device) -> None:
        super().__init__(networks, wanted=wanted, device=device)
        self._dis = DISFlow("medium")

    def between(self, now: Frames, before: Frames) -> Flow:
        """See :meth:`_Flow.between`."""
        return self._dis(now, before)


class FlowRAFT(_Flow):
    """RAFT, torchvision's ``raft_large`` with its default weights."""

    name = "flow_raft"

    def __init__(self, networks: Provider = published, *, wanted: frozenset[str], device: torch.device) -> None:
        super().__init__(networks, wanted=wanted, device=device)
        weights = networks("raft-large")
        self.identities = {"raft-large": weights.identity}
        self._network = build("large", weights.state).to(device)

    def between(self, now: Frames, before: Frames) -> Flow:
        """See :meth:`_Flow.between`."""
        with exact(self.device):
            return flow_between(self._network, now, before, self.device)
