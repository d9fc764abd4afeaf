"""Videos whose motion is known: a texture that moves, and a small one that moves before a still one."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, shift
from torch import Tensor

SIDE = 96


def texture(seed: int = 0) -> np.ndarray:
    image = gaussian_filter(np.random.default_rng(seed).normal(size=(SIDE, SIDE, 3)), (2, 2, 0))
    return np.asarray(127 + 110 * image / np.abs(image).max())


def moving(frames: int = 9, speed: float = 1.5) -> Tensor:
    """A texture that moves to the right, with a little noise of the camera; ``(n, 3, 96, 96)`` uint8."""
    return _filmed([shift(texture(), (0, speed * t, 0), order=1, mode="nearest") for t in range(frames)])


def mostly_still(frames: int = 9) -> Tensor:
    """A patch of a sixteenth of the frame that moves before a still texture, with a little noise of the camera."""
    images = []
    for t in range(frames):
        image, left = texture(), 20 + 2 * t
        image[36:60, left : left + 24] = texture(1)[36:60, 36:60]
        images.append(image)
    return _filmed(images)


def noisy(video: Tensor, level: float) -> Tensor:
    noise = torch.randn(video.shape, generator=torch.Generator().manual_seed(0))
    return (video + level * noise).clamp(0, 255).to(torch.uint8)


def frozen(video: Tensor) -> Tensor:
    return video[:1].expand_as(video).contiguous()


def _filmed(images: list[np.ndarray]) -> Tensor:
    video = np.stack(images)
    video = video + np.random.default_rng(1).normal(0, 2, video.shape)
    return torch.from_numpy(np.clip(video, 0, 255).astype(np.uint8)).permute(0, 3, 1, 2).contiguous()
