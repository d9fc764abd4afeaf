"""What a stage asks of the data, and what a protocol asks of a method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from motioncopy.batch import Appearance, Motion
from motioncopy.errors import ConfigError

Regime = Literal["personal", "general"]
#: ``frame`` resizes the whole frame; ``person`` takes one box a clip, around all that the person of the training
#: frames covers, widened to the image's aspect ratio.
Crop = Literal["frame", "person"]
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
    parts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("batch_size", "window", "stride", "dilation"):
            if getattr(self, name) < 1:
                raise ConfigError(f"DataRequest.{name} must be positive", found=getattr(self, name))
        if self.pad < 0 or min(self.image_size) < 1:
            raise ConfigError("DataRequest.pad and image_size must not be negative", found=self)
        unknown = set(self.parts) - {"parsing", "flow"}
        if unknown:
            raise ConfigError("DataRequest.parts names unknown parts", expected="parsing, flow", found=sorted(unknown))


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
    """

    id: str
    protocol: str
    kind: Literal["reconstruction", "imitation"]
    appearance: Appearance
    motion: Motion
    driver: str
    fps: float
    truth: Callable[[int, int], tuple[Tensor, Tensor]] | None

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.motion)
