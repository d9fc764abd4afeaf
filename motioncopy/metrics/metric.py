"""The base classes of all metrics: torchmetrics' ``update`` and ``compute`` on 8-bit frames.

A family states its definition and computes one number a frame (:class:`ClipMetric`, :class:`FrameMetric`), or one
number of the features of whole sets (:class:`motioncopy.metrics.features.SetMetric`).
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from motioncopy.errors import BatchError
from motioncopy.metrics.clip import NAMES, Chunk, Clip, Extractors, Input, Output, Provider, Seen, published
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.scores import mean_over_clips, mean_over_frames

# -- the arguments of functions ---------------------------------------------------------------------------------------


def check_images(generated: Tensor, truth: Tensor) -> None:
    """Refuses anything but two alike ``(n, 3, H, W)`` tensors, uint8 or floating point in [0, 255].

    Raises:
        BatchError: If a shape, type, device or value is wrong.

    >>> check_images(torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), 255.0))
    """
    for name, images in (("generated", generated), ("truth", truth)):
        if images.ndim != 4 or images.shape[1] != 3:
            raise BatchError(f"{name} has the wrong shape", expected="(n, 3, H, W)", found=tuple(images.shape))
        if images.dtype != torch.uint8 and not images.is_floating_point():
            raise BatchError(f"{name} has the wrong type", expected="uint8, or float in [0, 255]", found=images.dtype)
        if images.is_floating_point() and images.numel():
            least, most = images.aminmax()
            if not (least >= 0 and most <= 255):  # written so that NaN is refused
                raise BatchError(
                    f"{name} has values out of range",
                    expected="[0, 255]",
                    found=f"[{least.item():g}, {most.item():g}]",
                )
    if generated.shape != truth.shape:
        raise BatchError("generated and truth differ in shape", expected=tuple(truth.shape), found=generated.shape)
    if generated.device != truth.device:
        raise BatchError("generated and truth are on two devices", expected=truth.device, found=generated.device)


def check_mask(mask: Tensor, truth: Tensor) -> None:
    """Refuses a mask that is not ``(n, 1, H, W)`` uint8 or bool beside ``(n, 3, H, W)`` images.

    Raises:
        BatchError: If its shape, type or device is wrong.

    >>> check_mask(torch.ones(1, 1, 8, 8, dtype=torch.bool), torch.zeros(1, 3, 8, 8))
    """
    expected = (len(truth), 1, *truth.shape[2:])
    if tuple(mask.shape) != expected:
        raise BatchError("mask has the wrong shape", expected=expected, found=tuple(mask.shape))
    if mask.dtype not in (torch.uint8, torch.bool):
        raise BatchError("mask has the wrong type", expected="uint8 in [0, 255], or bool", found=mask.dtype)
    if mask.device != truth.device:
        raise BatchError("mask and truth are on two devices", expected=truth.device, found=mask.device)


def as_arrays(images: Tensor) -> npt.NDArray[np.generic]:
    """Images in main memory as OpenCV takes them: uint8 as it is, everything else as float32.

    >>> as_arrays(torch.zeros(1, 3, 2, 2, dtype=torch.bfloat16)).dtype
    dtype('float32')
    """
    return (images if images.dtype == torch.uint8 else images.float()).numpy(force=True)


# -- all metrics ------------------------------------------------------------------------------------------------------


class VideoMetric(Metric):
    """What all metrics share.

    Args:
        networks: Where pretrained weights come from; a metric without a network does not ask.
        extractors: What it shares with other metrics; its own by default.
        kwargs: Of torchmetrics.

    Attributes:
        definition: What the metric is.
        inputs: What it cannot do without, besides the generated frames.
        sees: What it needs of extractors.
        least_side: Frames of fewer pixels a side have no value.
        own_networks: The pretrained networks that it does not share: name to SHA-256 of the weights' file.

    >>> from motioncopy.metrics.psnr import PSNR
    >>> PSNR.higher_is_better, sorted(PSNR.inputs)
    (True, ['truth'])
    """

    definition: ClassVar[Definition]
    inputs: ClassVar[frozenset[Input]] = frozenset()
    sees: ClassVar[tuple[Seen, ...]] = ()
    least_side: ClassVar[int] = 1
    full_state_update = False
    is_differentiable = False
    kind: Tensor

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "definition" in cls.__dict__:
            cls.higher_is_better = {"higher": True, "lower": False, "none": None}[cls.definition.direction]

    def __init__(self, *, networks: Provider = published, extractors: Extractors | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.extractors = extractors if extractors is not None else Extractors(networks)
        self.own_networks: dict[str, str] = {}
        for output in self.outputs():
            self.extractors.want(output)
        self._clip: Clip | None = None
        # No two metrics have equal states: MetricCollection would take them for one from its first batch on, for
        # instance two that found nothing to count in it.
        self.add_state("kind", torch.tensor(number(self.definition.key)), dist_reduce_fx="max")

    @classmethod
    def outputs(cls) -> tuple[Output, ...]:
        """The outputs of extractors that it needs."""
        return tuple(seen.output for seen in cls.sees)

    @property
    def networks(self) -> dict[str, str]:
        """The pretrained networks that give the values: name to SHA-256 of the weights' file.

        Raises:
            WeightsError: If the weights of an extractor are not on this machine.
            PerceptionError: If a package that an extractor needs is not installed.
        """
        found: dict[str, str] = {}
        for output in self.outputs():
            found |= self.extractors[output.extractor].identities
        return found | self.own_networks

    def unfit(self, chunk: Chunk) -> str | None:
        """Why clips like this have no value of this metric, or ``None`` if they have."""
        for name in sorted(self.inputs - chunk.inputs):
            return f"the clip has no {NAMES[name]}"
        if min(chunk.size) < self.least_side:
            return f"the frames are smaller than {self.least_side} pixels a side"
        return None

    def update(
        self,
        generated: Tensor | Chunk,
        truth: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        driving: Tensor | None = None,
        joints: Tensor | None = None,
        skeleton: str = "body25",
        real: Tensor | None = None,
        clip: str = "clip",
    ) -> None:
        """Adds consecutive frames of a clip; another name begins another clip.

        Args:
            generated: ``(n, 3, H, W)`` uint8 RGB; or a chunk that holds these and all the rest, which several metrics
                then share.
            truth: See :class:`motioncopy.metrics.clip.Chunk`, as for the rest.
            mask: Of the person in ``truth``.
            driving: The video whose motion was asked for.
            joints: The pose that was asked for.
            skeleton: Of the joints.
            real: Real frames for metrics over sets, where they are not the true ones.
            clip: Its name. Means are taken over a clip's frames first, then over clips.

        Raises:
            BatchError: If a shape or type is wrong, something that the metric needs is not there, or the frames do not
                continue those before.
        """
        if isinstance(generated, Chunk):
            chunk = generated
        else:
            if self._clip is None or self._clip.name != clip:
                self._clip = Clip(clip, self.extractors)
            chunk = self._clip.chunk(
                generated, truth, mask, driving=driving, joints=joints, skeleton=skeleton, real=real, device=self.device
            )
        if (reason := self.unfit(chunk)) is not None:
            raise BatchError(f"{self.definition.key} cannot be computed: {reason}")
        with torch.no_grad():
            self.add(chunk)

    @abstractmethod
    def add(self, chunk: Chunk) -> None:
        """Adds a chunk to the state."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Adds frames like ``update``: torchmetrics would take the state away meanwhile, with the frame before these.

        Returns:
            ``None``: frames alone have no value, but where a subclass says so.
        """
        self.update(*args, **kwargs)
        self._forward_cache: Any = None

    def sync(self, *args: Any, **kwargs: Any) -> None:
        """Gathers the states of all processes; see torchmetrics, whose empty lists are of another type than ours."""
        for name, empty in self._empty().items():
            if not len(getattr(self, name)):
                getattr(self, name).append(empty.to(self.device))
        super().sync(*args, **kwargs)

    def _empty(self) -> dict[str, Tensor]:
        """What stands for a list state without an entry."""
        return {}

    def __getstate__(self) -> dict[str, Any]:
        """Copies have the values, and begin a clip anew: streams of OpenCV and MediaPipe do not travel."""
        return super().__getstate__() | {"_clip": None}

    def reset(self) -> None:
        """Forgets everything."""
        self._clip = None
        super().reset()


def number(name: str) -> int:
    """A whole number that stands for a name on all processes.

    >>> number("walk") == number("walk") != number("run")
    True
    """
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[:8], signed=True)


# -- metrics of clips -------------------------------------------------------------------------------------------------


class ClipMetric(VideoMetric):
    """One number a frame; the mean over each clip's frames, then over the clips of all processes.

    A clip is scored by one process. Values are kept, gathered from all processes, so that the mean does not depend on
    how clips are spread over them.

    Attributes:
        values: Tensors ``(n,)`` float64; NaN for a frame that has no value.
        clips: The same, the numbers of the clips.

    >>> from motioncopy.metrics.psnr import PSNR
    >>> metric, black = PSNR(), torch.zeros(3, 3, 8, 8, dtype=torch.uint8)
    >>> metric.update(black, black, clip="walk")  # 100 dB, the cap
    >>> metric.update(black[:1] + 255, black[:1], clip="run")  # 0 dB
    >>> metric.compute()  # a clip counts as much as another, however long
    tensor(50., dtype=torch.float64)
    >>> metric.of("walk")
    (100.0, 100.0, 100.0)
    """

    values: list[Tensor]
    clips: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("values", [], dist_reduce_fx="cat")
        self.add_state("clips", [], dist_reduce_fx="cat")

    @abstractmethod
    def per_frame(self, chunk: Chunk) -> Tensor:
        """The value of every frame.

        Args:
            chunk: All of :attr:`inputs` are there, and what extractors see is in ``chunk.found``.

        Returns:
            ``(n,)`` float64; NaN for a frame that has no value and is skipped.

        Raises:
            BatchError: If the frames cannot be scored.
        """

    def add(self, chunk: Chunk) -> None:
        """See :meth:`VideoMetric.add`."""
        if not len(chunk):
            return
        values = self.per_frame(chunk).to(self.device, torch.float64)
        self.values.append(values)
        self.clips.append(torch.full(values.shape, number(chunk.clip), device=self.device))
        # As in a binary counter, so that few small tensors live long: thousands of them would keep freed frames' memory
        # from being used again.
        while len(self.values) > 1 and len(self.values[-2]) <= len(self.values[-1]):
            for state in (self.values, self.clips):
                state[-2:] = [torch.cat(state[-2:])]

    def of(self, clip: str) -> tuple[float | None, ...]:
        """The values of a clip's frames, in order; ``None`` for a frame that has none.

        Synchronised states hold the clips of all processes, others those of this one.
        """
        values, clips = self._all()
        # NaN is not equal to itself.
        return tuple(v if v == v else None for v in values[clips == number(clip)].tolist())

    def forget(self, clip: str) -> None:
        """Drops the values of a clip."""
        values, clips = self._all()
        others = clips != number(clip)
        if not others.all():
            self._set(values[others], clips[others])

    def _all(self) -> tuple[Tensor, Tensor]:
        empty = self._empty()
        states = {n: getattr(self, n) for n in empty}  # lists, but tensors while they are synchronised
        parts = ([empty[n].to(self.device), *([s] if isinstance(s, Tensor) else s)] for n, s in states.items())
        values, clips = map(torch.cat, parts)
        return values, clips

    def _set(self, values: Tensor, clips: Tensor) -> None:
        self.values[:], self.clips[:] = [values], [clips]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Adds frames like ``update``, and gives the mean over these alone; NaN if none of them has a value."""
        before = sum(map(len, self.values))
        super().forward(*args, **kwargs)
        self._forward_cache = self._all()[0][before:].nanmean()
        return self._forward_cache

    def compute(self) -> Tensor:
        """The mean, a float64 scalar; NaN if no frame has a value."""
        by_clip: dict[int, list[float]] = {}
        values, clips = (dim_zero_cat(state) if len(state) else torch.empty(0) for state in (self.values, self.clips))
        for clip, value in zip(clips.tolist(), values.tolist(), strict=True):
            by_clip.setdefault(clip, []).append(value)
        means = [mean_over_frames(values) for _, values in sorted(by_clip.items())]
        return torch.tensor(mean_over_clips(means), dtype=torch.float64, device=self.device)

    def _empty(self) -> dict[str, Tensor]:
        return {"values": torch.empty(0, dtype=torch.float64), "clips": torch.empty(0, dtype=torch.int64)}


class FrameMetric(ClipMetric):
    """A metric that holds every generated frame against its true one, by pixels or by features; see `ClipMetric`.

    Attributes:
        function: Its functional form: generated and true frames to one value a frame; the mask comes third where the
            metric needs one.

    >>> from motioncopy.metrics.psnr import PSNR
    >>> black = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    >>> PSNR().frames(black + 255, black)
    tensor([0., 0.], dtype=torch.float64)
    """

    inputs: ClassVar[frozenset[Input]] = frozenset({"truth"})
    function: Callable[..., Tensor]

    def frames(self, generated: Tensor, truth: Tensor, mask: Tensor | None = None) -> Tensor:
        """The value of every frame.

        Args:
            generated: ``(n, 3, H, W)`` RGB, uint8 or floating point in [0, 255].
            truth: The same.
            mask: ``(n, 1, H, W)`` uint8 in [0, 255] or bool, set on the person.

        Returns:
            ``(n,)`` float64; NaN for a frame that has no value and is skipped.

        Raises:
            BatchError: If an argument has a wrong shape, type or range.
        """
        if "mask" not in self.inputs:
            return self.function(generated, truth)
        if mask is None:
            raise BatchError("a masked metric was given no mask", expected="(n, 1, H, W) uint8")
        return self.function(generated, truth, mask)

    def per_frame(self, chunk: Chunk) -> Tensor:
        """See :meth:`ClipMetric.per_frame`."""
        assert chunk.truth is not None
        return self.frames(chunk.generated, chunk.truth, chunk.mask)
