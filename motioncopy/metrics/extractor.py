"""Feature networks and other looks at a video that several metrics share: one pass serves them all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from motioncopy.metrics.chunk import Video
from motioncopy.metrics.networks import Provider, published


class Stream(Protocol):
    """Looks at one video of one clip."""

    def update(self, frames: Tensor) -> Mapping[str, Tensor]:
        """Takes the next frames, in order.

        Args:
            frames: ``(n, 3, H, W)`` uint8 RGB, n of any number, on any device.

        Returns:
            For each output that was wanted, its rows: one a frame where the extractor sees frames; where it sees
            windows of frames, one for each window that has become whole with these frames, ``(m, d)``, m maybe 0.
            The rows of a clip do not depend on how it was cut into chunks (1e-6 relative).
        """


class Extractor(ABC):
    """What is looked at, and with which network. Made once; starts a stream for every video of every clip.

    Args:
        networks: Where pretrained weights come from.
        wanted: The outputs that anybody needs; others need not be computed.
        device: Where to compute.

    Attributes:
        name: What records and file names call it: lower case, digits, ``_``.
        outputs: The names of what it can give.
        identities: The pretrained networks behind it: name to SHA-256.

    Raises:
        WeightsError: If the weights are not on this machine.
    """

    name: ClassVar[str]
    outputs: ClassVar[tuple[str, ...]]

    def __init__(self, networks: Provider = published, *, wanted: frozenset[str], device: torch.device) -> None:
        self.networks, self.wanted, self.device = networks, wanted, device
        self.identities: dict[str, str] = {}

    @abstractmethod
    def start(self, clip: str) -> Stream:
        """A stream for one video of this clip; several may be under way at once."""


@dataclass(frozen=True)
class Output:
    """One output of one extractor.

    Attributes:
        extractor: The extractor's class.
        name: One of its ``outputs``.
    """

    extractor: type[Extractor]
    name: str

    @property
    def id(self) -> str:
        """``extractor.output``, part of file names."""
        return f"{self.extractor.name}.{self.name}"


@dataclass(frozen=True)
class Seen:
    """One output of one extractor on one of a clip's videos: what a clip metric can ask for."""

    output: Output
    video: Video


#: What the extractors saw in a chunk, for all that the metrics asked for.
Found = Mapping[Seen, Tensor]
