"""Optical flow of a video, from each frame to the one before, and where it can be trusted."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from motioncopy.footage.perception.flow import DISFlow
from motioncopy.footage.perception.raft import build, flow_between
from motioncopy.metrics.extractor import Extractor, Stream
from motioncopy.metrics.inception import exact
from motioncopy.metrics.networks import Provider, published

Frames = NDArray[np.uint8]
Flow = NDArray[np.float32]


def followed(images: Tensor, flow: Tensor) -> Tensor:
    """What stands in ``images`` at the place that the flow leads each pixel to; bilinear, the border repeats.

    By torch, since OpenCV's ``remap`` rounds places to 1/32 pixel, in all versions or in some of them, depending on
    the number of channels.

    Args:
        images: ``(n, c, H, W)`` float.
        flow: ``(n, 2, H, W)`` pixels (x, y).

    Returns:
        ``(n, c, H, W)`` float.
    """
    x, y = _places(flow)
    height, width = flow.shape[2:]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    return grid_sample(images, grid, padding_mode="border", align_corners=False)


def consistent(forward: Tensor, backward: Tensor) -> Tensor:
    """Where the way back leads to where the way there began: pixels that both frames show.

    |f + b|² < 0.01 (|f|² + |b|²) + 0.5, where f is the forward flow at the place that the backward flow b leads to
    (Sundaram, Brox, Keutzer: Dense point trajectories by GPU-accelerated large displacement optical flow, ECCV 2010,
    equation 5). Pixels that b leads out of the frame do not count as seen.

    Args:
        forward: ``(n, 2, H, W)`` pixels: from the frame before to this one.
        backward: ``(n, 2, H, W)`` pixels: from this frame to the one before.

    Returns:
        ``(n, 1, H, W)`` bool.
    """
    x, y = _places(backward)
    height, width = backward.shape[2:]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    there = followed(forward, backward)
    gap = (there + backward).square().sum(dim=1)
    lengths = (there.square() + backward.square()).sum(dim=1)
    return (inside & (gap < 0.01 * lengths + 0.5)).unsqueeze(1)


def _places(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Where each pixel is led, (x, y), each ``(n, H, W)``."""
    height, width = flow.shape[2:]
    x = flow[:, 0] + torch.arange(width, device=flow.device)
    y = flow[:, 1] + torch.arange(height, device=flow.device).unsqueeze(1)
    return x, y


class _Flow(Extractor):
    """Two rows a frame: ``backward`` ``(n, 2, H, W)`` float32 pixels (x, y), and ``visible`` ``(n, 1, H, W)`` bool.

    This frame at p shows what the frame before showed at p + backward; visible says where both show it. In a clip's
    first frame the flow is 0 and nothing is visible, so that whoever asks what is visible need not know the first.
    Each pair of frames is seen for itself, so that chunks change nothing.
    """

    outputs = ("backward", "visible")

    def start(self, clip: str) -> Stream:
        """See :meth:`Extractor.start`."""
        return _FlowStream(self)

    @abstractmethod
    def between(self, now: Frames, before: Frames) -> Flow:
        """Flow ``(1, H, W, 2)`` from one frame to another, both ``(1, H, W, 3)``."""


class _FlowStream:
    """One video: keeps its last frame."""

    def __init__(self, owner: _Flow) -> None:
        self._owner = owner
        self._last: Frames | None = None

    def update(self, frames: Tensor) -> Mapping[str, Tensor]:
        """See :meth:`Stream.update`."""
        n, _, height, width = frames.shape
        found = {
            "backward": torch.zeros(n, 2, height, width, device=frames.device),
            "visible": torch.zeros(n, 1, height, width, dtype=torch.bool, device=frames.device),
        }
        images = np.ascontiguousarray(frames.permute(0, 2, 3, 1).numpy(force=True))
        for i in range(n):
            now, before = images[i : i + 1], self._last
            if before is not None:
                backward, forward = (
                    torch.from_numpy(self._owner.between(a, b)).to(frames.device).permute(0, 3, 1, 2)
                    for a, b in ((now, before), (before, now))
                )
                found["backward"][i], found["visible"][i] = backward[0], consistent(forward, backward)[0]
            self._last = now
        if self._last is not None:
            self._last = self._last.copy()  # one frame, not a view that keeps the chunk alive
        return {name: found[name] for name in self._owner.wanted}


class FlowDIS(_Flow):
    """OpenCV's DIS flow, preset ``medium``: no weights, on a CPU; the number of threads does not change it."""

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
