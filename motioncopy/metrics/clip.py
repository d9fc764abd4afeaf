"""What metrics look at: some consecutive frames of one clip, and what networks see in them.

A metric that is given tensors makes :class:`Chunk` objects of them by itself. Several metrics share one look at the
frames, and one network, where they are given one :class:`Chunk`, made by a :class:`Clip`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, ClassVar, Literal, Protocol

import torch
from torch import Tensor

from motioncopy import weights
from motioncopy.errors import BatchError, PerceptionError, WeightsError
from motioncopy.skeletons import skeleton

#: The videos that belong to a clip; ``real`` are real frames of FID and alike that are not the true ones.
Video = Literal["generated", "truth", "driving", "real"]
#: What a metric can ask for besides the generated frames.
Input = Literal["truth", "mask", "driving", "joints"]
#: What an error message calls them.
NAMES: dict[str, str] = {
    "truth": "true frames",
    "mask": "masks",
    "driving": "driving video",
    "joints": "driving joints",
}


# -- pretrained networks ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Network:
    """A state dict as published, and what it is.

    Attributes:
        state: On the CPU, not to be changed.
        identity: SHA-256 of the file, or words such as ``random, seed 0``.

    >>> Network({"weight": torch.ones(2)}, "random, seed 0").identity
    'random, seed 0'
    """

    state: Mapping[str, Tensor]
    identity: str


#: Gives the network of a name in :mod:`motioncopy.weights`; raises a ``WeightsError`` where it is not to be had. The
#: audit and the tests hand in another one than :func:`published`, whose weights are random and say so.
Provider = Callable[[str], Network]


def published(name: str) -> Network:
    """The published weights, from this machine.

    Raises:
        WeightsError: If they are not here (the message says how to get them), or are not what their hash promises.

    >>> published("no-such-network")
    Traceback (most recent call last):
    ...
    motioncopy.errors.WeightsError: ...
    """
    return _loaded(name, weights.identity(name).rpartition(":")[2])


@lru_cache(maxsize=4)  # extractors of several outputs and metrics of several variants share one file
def _loaded(name: str, sha256: str) -> Network:
    return Network(weights.load(name), sha256)


# -- extractors: one pass over a video serves all metrics -------------------------------------------------------------


class Stream(Protocol):
    """Looks at one video of one clip.

    >>> from motioncopy.metrics.tcm import FlowDIS
    >>> stream = FlowDIS(wanted=frozenset({"visible"})).start()
    >>> stream.update(torch.zeros(2, 3, 16, 16, dtype=torch.uint8))["visible"].shape
    torch.Size([2, 1, 16, 16])
    """

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
    """A feature network or another look at a video that several metrics share.

    Made once; starts a stream for every video of every clip. It computes where the frames are.

    Args:
        networks: Where pretrained weights come from.
        wanted: The outputs that anybody needs; others need not be computed.

    Attributes:
        name: What records and file names call it: lower case, digits, ``_``.
        outputs: The names of what it can give.
        identities: The pretrained networks behind it: name to SHA-256.

    Raises:
        WeightsError: If the weights are not on this machine.

    >>> from motioncopy.metrics.tcm import FlowDIS
    >>> FlowDIS.name, FlowDIS.outputs
    ('flow_dis', ('backward', 'visible'))
    """

    name: ClassVar[str]
    outputs: ClassVar[tuple[str, ...]]

    def __init__(self, networks: Provider = published, *, wanted: frozenset[str] = frozenset()) -> None:
        self.networks, self.wanted = networks, set(wanted)
        self.identities: dict[str, str] = {}

    @abstractmethod
    def start(self) -> Stream:
        """A stream for one video of one clip; several may be under way at once."""


@dataclass(frozen=True)
class Output:
    """One output of one extractor.

    Attributes:
        extractor: The extractor's class.
        name: One of its ``outputs``.

    >>> from motioncopy.metrics.inception import InceptionTF
    >>> Output(InceptionTF, "pool").id
    'inception_tf.pool'
    """

    extractor: type[Extractor]
    name: str

    @property
    def id(self) -> str:
        """``extractor.output``, part of file names."""
        return f"{self.extractor.name}.{self.name}"


@dataclass(frozen=True)
class Seen:
    """One output of one extractor on one of a clip's videos: what a metric can ask for.

    >>> from motioncopy.metrics.inception import InceptionTF
    >>> Seen(Output(InceptionTF, "pool"), "generated").video
    'generated'
    """

    output: Output
    video: Video


class Extractors:
    """The extractors that some metrics share, one of each kind, each made when it is first needed.

    Args:
        networks: Where pretrained weights come from.

    >>> from motioncopy.metrics.tcm import FlowDIS
    >>> shared = Extractors()
    >>> shared.want(Output(FlowDIS, "visible"))
    >>> shared[FlowDIS] is shared[FlowDIS], shared[FlowDIS].wanted
    (True, {'visible'})
    """

    def __init__(self, networks: Provider = published) -> None:
        self.networks = networks
        self._wanted: dict[type[Extractor], set[str]] = {}
        self._made: dict[type[Extractor], Extractor | Exception] = {}

    def want(self, output: Output) -> None:
        """Says that somebody needs this output."""
        self._wanted.setdefault(output.extractor, set()).add(output.name)

    def __getitem__(self, kind: type[Extractor]) -> Extractor:
        """The extractor of a kind that somebody wants.

        Raises:
            WeightsError: If its weights are not on this machine.
            PerceptionError: If a package that it needs is not installed.
        """
        if kind not in self._made:
            try:
                self._made[kind] = kind(self.networks)
            except (WeightsError, PerceptionError) as error:
                self._made[kind] = error
        made = self._made[kind]
        if isinstance(made, Exception):
            raise made
        made.wanted |= self._wanted[kind]
        return made

    def __deepcopy__(self, memo: Any) -> Extractors:
        return self  # copies of a metric share the networks

    def __getstate__(self) -> dict[str, Any]:
        """OpenCV's and MediaPipe's objects do not travel: another process makes them anew."""
        return {"networks": self.networks, "_wanted": self._wanted, "_made": {}}


# -- clips and chunks -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chunk:
    """Consecutive frames of one clip. Only what the 8 bits of a video file hold is looked at.

    Attributes:
        generated: ``(n, 3, H, W)`` uint8 RGB.
        truth: The same, the true frames.
        mask: ``(n, 1, H, W)`` uint8, 255 on the person in ``truth``.
        driving: ``(n, 3, H', W')`` uint8 RGB, the video whose motion was asked for; of any size.
        joints: ``(n, J, 3)`` float (x, y, confidence): the pose that was asked for, in pixels of the generated frame.
        skeleton: Of the joints, a name of :mod:`motioncopy.skeletons`.
        real: ``(m, 3, H', W')`` uint8 RGB, m of any number: the real frames of metrics over sets; ``None`` where the
            true frames are the real ones.
        clip: The clip's name.
        previous: The frame before the first of these, a chunk of one frame; ``None`` at the clip's start.
        found: What extractors see in the frames; of a :class:`Clip`'s chunk, looked up when it is asked for.

    Raises:
        BatchError: If a shape or type is wrong.

    >>> chunk = Chunk(torch.zeros(2, 3, 8, 6, dtype=torch.uint8))
    >>> len(chunk), chunk.size, chunk.inputs
    (2, (8, 6), frozenset())
    """

    generated: Tensor
    truth: Tensor | None = None
    mask: Tensor | None = None
    driving: Tensor | None = None
    joints: Tensor | None = None
    skeleton: str = "body25"
    real: Tensor | None = None
    clip: str = "clip"
    previous: Chunk | None = None
    found: Mapping[Seen, Tensor] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.generated.ndim != 4:
            raise BatchError(
                "generated has the wrong shape", expected="(n, 3, H, W)", found=tuple(self.generated.shape)
            )
        n, _, height, width = self.generated.shape
        for name in ("generated", "truth", "driving", "real"):
            video = getattr(self, name)
            if video is None:
                continue
            size = tuple(video.shape[2:]) if name in ("driving", "real") and video.ndim == 4 else (height, width)
            _check(name, video, (len(video) if name == "real" else n, 3, *size))
            if video.dtype != torch.uint8:
                raise BatchError(
                    f"{name} is not 8-bit", expected="uint8", found=video.dtype, remedy="use motioncopy.batch.to_uint8"
                )
        if self.mask is not None:
            _check("mask", self.mask, (n, 1, height, width))
            if self.mask.dtype not in (torch.uint8, torch.bool):
                raise BatchError(
                    "mask has the wrong type", expected="uint8 in [0, 255], or bool", found=self.mask.dtype
                )
        if self.joints is not None:
            _check("joints", self.joints, (n, len(skeleton(self.skeleton)), 3))

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.generated)

    def video(self, name: Video) -> Tensor | None:
        """The frames of one video, or ``None`` if the clip has it not."""
        frames: Tensor | None = getattr(self, name)
        return frames

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the generated frames."""
        return int(self.generated.shape[2]), int(self.generated.shape[3])

    @property
    def inputs(self) -> frozenset[str]:
        """Names of what there is besides the generated frames."""
        return frozenset(name for name in NAMES if getattr(self, name) is not None)

    @property
    def real_video(self) -> Video | None:
        """The video that metrics over sets take for real, or ``None`` if there is none."""
        return "real" if self.real is not None else "truth" if self.truth is not None else None

    def last(self) -> Chunk:
        """The last frame alone, which has no previous one."""
        return replace(self._map(lambda t: t[-1:]), previous=None, real=None, found={})

    def to(self, device: torch.device) -> Chunk:
        """All tensors on a device; the previous frame too."""
        moved = self._map(lambda t: t.to(device))
        return replace(moved, previous=self.previous.to(device) if self.previous is not None else None)

    def _map(self, change: Callable[[Tensor], Tensor]) -> Chunk:
        changed: dict[str, Any] = {}
        for one in fields(self):
            if isinstance(value := getattr(self, one.name), Tensor):
                changed[one.name] = change(value)
        return replace(self, **changed)


def _check(name: str, value: Tensor, expected: tuple[int, ...]) -> None:
    if tuple(value.shape) != expected:
        raise BatchError(f"{name} has the wrong shape", expected=expected, found=tuple(value.shape))


class Clip:
    """One clip from its first chunk to its last: knows the frame before, and looks once for all metrics.

    Any chunking gives the same values: to the bit for pixel metrics, to 1e-6 for those of networks.

    Args:
        name: The clip's name, unique among those that are scored together.
        extractors: Of the metrics that its chunks are for.

    >>> clip = Clip("walk", Extractors())
    >>> frames = torch.zeros(4, 3, 8, 6, dtype=torch.uint8)
    >>> clip.chunk(frames[:2]).previous is None
    True
    >>> chunk = clip.chunk(frames[2:])
    >>> len(chunk.previous), clip.frames
    (1, 4)
    """

    def __init__(self, name: str, extractors: Extractors) -> None:
        self.name, self.frames = name, 0
        self._extractors = extractors
        self._streams: dict[tuple[type[Extractor], Video], Stream] = {}
        self._last: Chunk | None = None

    def chunk(
        self,
        generated: Tensor,
        truth: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        driving: Tensor | None = None,
        joints: Tensor | None = None,
        skeleton: str = "body25",
        real: Tensor | None = None,
        device: torch.device | None = None,
    ) -> Chunk:
        """The next frames; see :class:`Chunk` for the arguments.

        Raises:
            BatchError: If a shape or type is wrong, the size changes within the clip, or what came with the first
                frames is not there now. The clip can go on with other frames.
        """
        previous = self._last
        try:
            chunk = Chunk(generated, truth, mask, driving, joints, skeleton, real, self.name, previous)
            if previous is not None and chunk.size != previous.size:
                raise BatchError("the size changes", expected=previous.size, found=chunk.size)
            if previous is not None and chunk.inputs != previous.inputs:
                odd = sorted(NAMES[name] for name in chunk.inputs ^ previous.inputs)
                raise BatchError(f"some chunks have a {' and a '.join(odd)} and some do not")
        except BatchError as error:
            raise BatchError(
                f"clip {self.name}, from frame {self.frames} on: {error.what}",
                expected=error.expected,
                found=error.found,
                remedy=error.remedy,
            ) from error
        chunk = chunk.to(device if device is not None else generated.device)
        self.frames += len(chunk)
        if len(chunk):
            self._last = chunk.last()
        return replace(chunk, found=_Looks(self, chunk))

    def real(self, frames: Tensor, device: torch.device) -> Chunk:
        """A chunk of real frames alone, for metrics over sets: ``(m, 3, H, W)`` uint8 of any size.

        Raises:
            BatchError: If their shape or type is wrong.
        """
        chunk = Chunk(frames[:0], real=frames, clip=self.name).to(device)
        return replace(chunk, found=_Looks(self, chunk))

    def look(self, kind: type[Extractor], video: Video, frames: Tensor) -> Mapping[str, Tensor]:
        """What an extractor sees in the next frames of one of the clip's videos."""
        if (kind, video) not in self._streams:
            self._streams[kind, video] = self._extractors[kind].start()
        return self._streams[kind, video].update(frames)


class _Looks(dict[Seen, Tensor]):
    """What extractors see in a chunk: each looks at each video once, when the first metric asks."""

    def __init__(self, clip: Clip, chunk: Chunk) -> None:
        super().__init__()
        self._clip, self._chunk = clip, chunk

    def __missing__(self, seen: Seen) -> Tensor:
        kind, frames = seen.output.extractor, self._chunk.video(seen.video)
        assert frames is not None
        for name, rows in self._clip.look(kind, seen.video, frames).items():
            self[Seen(Output(kind, name), seen.video)] = rows
        return self[seen]
