"""Metrics that hold a frame against the true one: their base class and the check of their arguments."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from motioncopy.errors import BatchError
from motioncopy.metrics.chunk import Chunk, Input
from motioncopy.metrics.clip_metric import ClipMetric
from motioncopy.metrics.extractor import Found


def check_images(generated: Tensor, truth: Tensor) -> None:
    """Refuses anything but two alike ``(n, 3, H, W)`` tensors, uint8 or floating point in [0, 255].

    Raises:
        BatchError: If a shape, type, device or value is wrong.
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
    """
    expected = (len(truth), 1, *truth.shape[2:])
    if tuple(mask.shape) != expected:
        raise BatchError("mask has the wrong shape", expected=expected, found=tuple(mask.shape))
    if mask.dtype not in (torch.uint8, torch.bool):
        raise BatchError("mask has the wrong type", expected="uint8 in [0, 255], or bool", found=mask.dtype)
    if mask.device != truth.device:
        raise BatchError("mask and truth are on two devices", expected=truth.device, found=mask.device)


def as_arrays(images: Tensor) -> npt.NDArray[np.generic]:
    """Images in main memory as OpenCV takes them: uint8 as it is, everything else as float32."""
    return (images if images.dtype == torch.uint8 else images.float()).numpy(force=True)


class FrameMetric(ClipMetric):
    """A metric that holds every generated frame against its true one, by pixels or by features; see `ClipMetric`."""

    inputs: ClassVar[frozenset[Input]] = frozenset({"truth"})

    @abstractmethod
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

    def values(self, chunk: Chunk, found: Found) -> Tensor:
        """See :meth:`ClipMetric.values`."""
        assert chunk.truth is not None
        return self.frames(chunk.generated, chunk.truth, chunk.mask)

    def update(self, generated: Tensor, truth: Tensor, mask: Tensor | None = None) -> None:  # type: ignore[override]
        """Adds frames; the arguments are those of :meth:`frames`."""
        self.add(self.frames(generated, truth, mask))
