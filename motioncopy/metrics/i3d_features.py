"""I3D over windows of a video: what FVD is computed from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from motioncopy.errors import WeightsError
from motioncopy.metrics.extractor import Extractor, Stream
from motioncopy.metrics.i3d import CLASSES, I3D, SIZE, state_dict_of
from motioncopy.metrics.inception import exact
from motioncopy.metrics.networks import Network, Provider, published

#: Names of the weights in :mod:`motioncopy.weights`: two conversions of the same file; the first that is there serves.
WEIGHTS = ("i3d-kinetics-400", "i3d-kinetics-400-hassony2")
# Windows that go through the network together.
_TOGETHER = 4


def load(networks: Provider) -> tuple[str, Network]:
    """The weights of I3D that are there, and their name.

    Raises:
        WeightsError: If neither of the two files is on this machine; the message is that of the first.
    """
    errors = []
    for name in WEIGHTS:
        try:
            return name, networks(name)
        except WeightsError as error:
            errors.append(error)
    raise errors[0]


@lru_cache(maxsize=2)  # windows of 16 and of 30 frames share one network
def _network(networks: Provider, device: torch.device) -> I3D:
    network = I3D()
    network.load_state_dict(state_dict_of(load(networks)[1].state))
    return network.requires_grad_(False).eval().to(device)


def preprocess(frames: Tensor) -> Tensor:
    """Frames as I3D sees them: resized to 224x224 and scaled to [-1, 1].

    Bilinear, corners not aligned, without a filter against aliasing; the frame's shape is not kept.

    Args:
        frames: ``(n, 3, H, W)`` uint8 RGB.

    Returns:
        ``(n, 3, 224, 224)`` float32.
    """
    resized = interpolate(frames.float(), SIZE, mode="bilinear", align_corners=False, antialias=False)
    return resized / 127.5 - 1


class _I3DWindows(Extractor):
    """Scores of windows: ``blocks`` of windows side by side, ``sliding`` from every frame on."""

    outputs = ("blocks", "sliding")
    length: ClassVar[int]

    def __init__(self, networks: Provider = published, *, wanted: frozenset[str], device: torch.device) -> None:
        super().__init__(networks, wanted=wanted, device=device)
        name, found = load(networks)
        self.identities = {name: found.identity}
        self.network = _network(networks, device)

    def start(self, clip: str) -> Stream:
        """See :meth:`Extractor.start`."""
        return _Windows(self)

    def scores(self, windows: Tensor) -> Tensor:
        """``(m, 3, length, 224, 224)`` to ``(m, 400)``."""
        with exact(self.device):
            parts = [self.network(part) for part in windows.split(_TOGETHER) if len(part)]
        return torch.cat([torch.empty(0, CLASSES, device=self.device), *parts])


class _Windows:
    """One video: keeps the frames that windows still to come begin with."""

    def __init__(self, owner: _I3DWindows) -> None:
        self._owner, self._step = owner, 1 if "sliding" in owner.wanted else owner.length
        self._frames = torch.empty(0, 3, *SIZE, device=owner.device)
        self._first = 0  # number of the first kept frame, which the next window begins with

    def update(self, frames: Tensor) -> Mapping[str, Tensor]:
        """See :meth:`Stream.update`."""
        length, wanted = self._owner.length, self._owner.wanted
        found: dict[str, list[Tensor]] = {name: [] for name in wanted}
        # Few frames at a time, so that a long chunk does not take more memory than a short one.
        for part in frames.to(self._owner.device).split(length):
            self._frames = torch.cat([self._frames, preprocess(part)])
            starts = range(0, len(self._frames) - length + 1, self._step)
            if not starts:
                continue
            windows = torch.stack([self._frames[s : s + length].transpose(0, 1) for s in starts])
            rows = self._owner.scores(windows)
            beside = torch.tensor([(self._first + s) % length == 0 for s in starts], device=rows.device)
            for name, kept in found.items():
                kept.append(rows if name == "sliding" else rows[beside])
            done = starts[-1] + self._step
            self._frames, self._first = self._frames[done:].clone(), self._first + done
        empty = torch.empty(0, CLASSES, device=self._owner.device)
        return {name: torch.cat([empty, *kept]) for name, kept in found.items()}


class I3DWindows16(_I3DWindows):
    """Windows of 16 frames."""

    name = "i3d_16"
    length = 16


class I3DWindows30(_I3DWindows):
    """Windows of 30 frames."""

    name = "i3d_30"
    length = 30
