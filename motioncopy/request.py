"""What a stage asks of the data, and what a protocol asks of a method."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from lightning import LightningDataModule
from torch import Tensor

from motioncopy.batch import Appearance, Motion, MotionBatch
from motioncopy.errors import ConfigError

Regime = Literal["personal", "general"]


@dataclass(frozen=True)
class Follow:
    """A window that follows the person; see :mod:`motioncopy.crops`.

    Attributes:
        statures: Its height, in heights of the person from head to ankles.
        jitter: In training it is moved by up to this share of its side, drawn anew for every sample.
        smoothing: Its place is smoothed over time by a Gaussian of so many frames.
    """

    statures: float = 1.6
    jitter: float = 0.06
    smoothing: float = 3.0

    def __post_init__(self) -> None:
        if not (0 < self.statures < 100 and 0 <= self.jitter < 0.5 and 0 <= self.smoothing < 1000):
            raise ConfigError(
                "crop.statures, jitter or smoothing is out of range",
                expected="0 < statures < 100, 0 <= jitter < 0.5, 0 <= smoothing < 1000",
                found=self,
            )


#: ``frame`` resizes the whole frame; ``person`` takes one box a clip, around all that the person of the training
#: frames covers, widened to the image's aspect ratio; ``follow`` takes a window that moves with the person
#: (:class:`Follow` with its defaults), of which whole frames at their own size are made again; ``whole`` leaves frames
#: as they are stored, whatever the image size.
Crop = Literal["frame", "person", "follow", "whole"] | Follow
#: Which frames show the person: the first; the one with the highest summed joint confidence; a random earlier
#: frame of the window's own clip; a random other frame of any training clip of the person.
AppearanceRule = Literal["first", "confident", "random_earlier", "random"]


@dataclass(frozen=True)
class DataRequest:
    """The data that one stage trains on. Pure values: equal requests give equal batches.

    Attributes:
        batch_size: Windows a batch, over all processes together.
        image_size: (height, width) in pixels.
        window: Frames T of a window.
        stride: Frames between the first frames of two windows.
        dilation: Frames between neighbours within a window.
        pad: Frames by which windows may overhang the clip's ends; the overhang repeats the end frame. With
            ``window=3, pad=1`` every frame is the middle of one window.
        crop: See :data:`Crop`.
        appearance: See :data:`AppearanceRule`.
        shuffle: Whether the order of windows is drawn anew every epoch.
        batches: Batches an epoch, drawn from an endless stream of reshuffled passes; ``None``: as many as one pass
            has whole batches, at least one; the rest opens the next epoch.
        parts: What is wanted besides images, masks and joints: ``"parsing"``, ``"flow"``.
    """

    batch_size: int
    image_size: tuple[int, int]
    window: int = 1
    stride: int = 1
    dilation: int = 1
    pad: int = 0
    crop: Crop = "frame"
    appearance: AppearanceRule = "confident"
    shuffle: bool = True
    batches: int | None = None
    parts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.crop == "follow" or isinstance(self.crop, Mapping):  # as configs have it
            object.__setattr__(self, "crop", Follow(**(self.crop if isinstance(self.crop, Mapping) else {})))
        for name in ("batch_size", "window", "stride", "dilation"):
            if getattr(self, name) < 1:
                raise ConfigError(f"DataRequest.{name} must be positive", found=getattr(self, name))
        if self.pad < 0 or min(self.image_size) < 1:
            raise ConfigError("DataRequest.pad and image_size must not be negative", found=self)
        if "flow" in self.parts and self.dilation > 1:
            raise ConfigError(
                "flow is known between neighbouring frames only", expected="dilation 1", found=self.dilation
            )
        unknown = set(self.parts) - {"parsing", "flow"}
        if unknown:
            raise ConfigError("DataRequest.parts names unknown parts", expected="parsing, flow", found=sorted(unknown))

    def on(self, size: tuple[int, int]) -> DataRequest:
        """What a trial on frames of this stored size shows: whole frames where a window follows the person."""
        if self.crop == "whole" or self.follow:
            return replace(self, crop="frame", image_size=size)
        return self

    @property
    def follow(self) -> Follow | None:
        """The window that follows the person, if that is the crop."""
        return self.crop if isinstance(self.crop, Follow) else None


@dataclass(frozen=True)
class Trial:
    """One thing to generate and score: a person, a motion, and the truth where there is one.

    Attributes:
        id: Unique within its protocol; also the name of its output.
        protocol: ``"<protocol id>@<version>"``.
        kind: ``reconstruction`` (the person's own held-out motion) or ``imitation`` (another's).
        appearance: B = 1, uint8.
        motion: B = 1, all T frames, in pixels of the image; *not* normalised to the person's body.
        driver: Who performs the motion.
        fps: Frames per second.
        truth: Gives the true frames ``start`` to ``stop`` as uint8 images ``(n, 3, H, W)`` and masks
            ``(n, 1, H, W)``; ``None`` where no truth exists.
        driving: Gives the driving video's frames ``start`` to ``stop`` as uint8 images ``(n, 3, H, W)``, in the
            driver's own crop; ``None`` where nobody can see it.
        real: Gives frames of the person that are the real ones for FID and alike, where they are not the true frames:
            uint8 images ``(n, 3, H, W)``; fewer than asked for at the end, none behind it.
        box: (left, top, right, bottom): the part of the person's stored frame that the images show, in its pixels.
            It can reach beyond the frame, whose border is repeated there.
        own: Whether the motion is the person's own in the very frames that the images show, so that nothing has to be
            fitted. A person in front of another camera is fitted like anybody else.
    """

    id: str
    protocol: str
    kind: Literal["reconstruction", "imitation"]
    appearance: Appearance
    motion: Motion
    driver: str
    fps: float
    truth: Callable[[int, int], tuple[Tensor, Tensor]] | None
    box: tuple[int, int, int, int]
    own: bool = False
    driving: Callable[[int, int], Tensor] | None = None
    real: Callable[[int, int], Tensor] | None = None

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.motion)


class TrainingData(Protocol):
    """What a method and its stages may ask of a data module while they train."""

    @property
    def person(self) -> str | None:
        """The one person of a personal regime, or ``None``."""

    def fingerprint(self) -> Mapping[str, Any]:
        """What the training frames are, as plain values: equal fingerprints, equal frames."""

    def train_windows(self, request: DataRequest) -> Sequence[MotionBatch]:
        """All training windows of a request in their natural order, each a ``MotionBatch`` of one sample (uint8)."""

    def train_motion(self, request: DataRequest) -> Motion:
        """The joints of all training frames as one B = 1 motion, in pixels of the request's images."""

    def for_request(self, request: DataRequest, seed: int) -> LightningDataModule:
        """Loaders whose order of samples is a pure function of (seed, epoch, index)."""

    def for_trials(self, request: DataRequest, split: Literal["val", "test"]) -> LightningDataModule:
        """Test loaders over the trials of a split, each trial given to one process only."""
