"""What metrics look at: some consecutive frames of one clip, and what there is to hold them against."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import torch
from torch import Tensor

from motioncopy.errors import BatchError
from motioncopy.skeletons import skeleton

#: The videos that belong to a clip.
Video = Literal["generated", "truth", "driving"]
#: What a metric can ask for besides the generated frames.
Input = Literal["truth", "mask", "driving", "joints"]
#: What an error message calls them.
NAMES: dict[str, str] = {
    "truth": "true frames",
    "mask": "masks",
    "driving": "driving video",
    "joints": "driving joints",
}


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
        previous: The frame before the first of these, a chunk of one frame; ``None`` at the clip's start.

    Raises:
        BatchError: If a shape or type is wrong.
    """

    generated: Tensor
    truth: Tensor | None = None
    mask: Tensor | None = None
    driving: Tensor | None = None
    joints: Tensor | None = None
    skeleton: str = "body25"
    previous: Chunk | None = None

    def __post_init__(self) -> None:
        if self.generated.ndim != 4:
            raise BatchError(
                "generated has the wrong shape", expected="(n, 3, H, W)", found=tuple(self.generated.shape)
            )
        n, _, height, width = self.generated.shape
        for name in ("generated", "truth", "driving"):
            video = getattr(self, name)
            if video is None:
                continue
            size = tuple(video.shape[2:]) if name == "driving" and video.ndim == 4 else (height, width)
            _check(name, video, (n, 3, *size))
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

    def last(self) -> Chunk:
        """The last frame alone, which has no previous one."""
        return replace(self._map(lambda t: t[-1:]), previous=None)

    def to(self, device: torch.device) -> Chunk:
        """All tensors on a device; the previous frame too."""
        moved = self._map(lambda t: t.to(device))
        return replace(moved, previous=self.previous.to(device) if self.previous is not None else None)

    def _map(self, change: Any) -> Chunk:
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{k: change(v) for k, v in tensors.items() if isinstance(v, Tensor)})


def _check(name: str, value: Tensor, expected: tuple[int, ...]) -> None:
    if tuple(value.shape) != expected:
        raise BatchError(f"{name} has the wrong shape", expected=expected, found=tuple(value.shape))
