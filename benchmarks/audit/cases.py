"""The fixed cases: pairs of frames with masks, and a short video of a puppet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import torch
from torch import Tensor

from datamodules.puppets.rendering import Performance, render
from motioncopy.metrics.clip import Chunk

#: MS-SSIM needs as many pixels a side.
SIDE = 192


@dataclass(frozen=True)
class Frames:
    """Pairs of frames.

    Attributes:
        generated: ``(n, 3, H, W)`` uint8.
        truth: The same.
        mask: ``(n, 1, H, W)`` uint8.
    """

    generated: Tensor
    truth: Tensor
    mask: Tensor


def _pictures(count: int, height: int, width: int) -> Tensor:
    """Pictures with fine and coarse structure."""
    generator = torch.Generator().manual_seed(count * height + width)
    picture = torch.zeros(count, 3, height, width)
    for cells in (4, 16, 60):
        coarse = torch.rand(count, 3, cells, cells, generator=generator) * 85
        picture += torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    return picture.clamp(0, 255).to(torch.uint8)


def noisy(frames: Tensor, amount: float) -> Tensor:
    """Frames with Gaussian noise of this deviation; the same noise for every amount."""
    noise = torch.randn(frames.shape, generator=torch.Generator().manual_seed(7))
    return (frames + amount * noise).clamp(0, 255).to(torch.uint8)


def blurred(frames: Tensor, sigma: float) -> Tensor:
    """Frames blurred by a Gaussian of this deviation in pixels."""
    images = frames.permute(0, 2, 3, 1).numpy()
    return torch.from_numpy(np.stack([cv2.GaussianBlur(i, (0, 0), sigma) for i in images])).permute(0, 3, 1, 2)


def shifted(frames: Tensor, pixels: float) -> Tensor:
    """Frames moved to the right by whole pixels; the left column is repeated."""
    moved = torch.nn.functional.pad(frames.float(), (int(pixels), 0, 0, 0), mode="replicate")
    return moved[..., : frames.shape[3]].to(torch.uint8)


#: Ways to spoil frames, and four amounts of each, rising.
DAMAGES: dict[str, tuple[Callable[[Tensor, float], Tensor], tuple[float, ...]]] = {
    "blur": (blurred, (0.5, 1, 2, 4)),
    "noise": (noisy, (3, 8, 20, 50)),
    "shift": (shifted, (1, 2, 3, 4)),
}


def ghosted(frames: Tensor, amount: float) -> Tensor:
    """A video through which that of eight frames earlier shines, by this share."""
    before = torch.cat([frames[:1].expand(8, -1, -1, -1), frames[:-8]])
    return (frames * (1 - amount) + before * amount).to(torch.uint8)


def _wrong_clothes(frames: Tensor) -> Tensor:
    """The person in other colours: red, green and blue change places inside the mask."""
    return torch.where(_puppet()[1] > 0, frames[:, [2, 0, 1]], frames)


#: Damage of videos, rising, beside :data:`DAMAGES`.
VIDEO_DAMAGES: dict[str, tuple[Callable[[Tensor, float], Tensor], tuple[float, ...]]] = {
    "ghost": (ghosted, (0.1, 0.2, 0.35, 0.5)),
}
#: Faults that have no amount, of the video of :func:`puppet`.
SPOILT: dict[str, Callable[[Tensor], Tensor]] = {
    "blur": lambda frames: blurred(frames, 1),
    "ghost": lambda frames: ghosted(frames, 0.2),
    "wrong clothes": _wrong_clothes,
    "frozen": lambda frames: frames[:1].expand_as(frames).contiguous(),
    "shuffled": lambda frames: frames[torch.randperm(len(frames), generator=torch.Generator().manual_seed(0))],
}


@cache
def frames() -> dict[str, Frames]:
    """By name; every one is a few frames of a size that not every metric takes."""
    truth = _pictures(3, SIDE, SIDE)
    odd = _pictures(1, SIDE + 9, SIDE - 13)
    tiny = truth.clone()
    tiny[:, 0, 5, 5] ^= 1
    flat = torch.full((1, 3, SIDE, SIDE), 40, dtype=torch.uint8)
    small, smallest = _pictures(2, 33, 47), _pictures(2, 11, 11)
    apart = noisy(truth, 1)
    apart[..., :120] = 0
    across = truth.clone()
    across[..., :120] = 255
    pairs = {
        "noise": (noisy(truth, 12), truth),
        "blur": (blurred(truth, 1.5), truth),
        "shift": (shifted(truth, 2), truth),
        "odd size": (noisy(odd, 30), odd),
        "one level of one value": (tiny, truth),
        "saturated": (noisy(truth, 200), truth),
        "flat": (flat + 3, flat),
        "black and white": (flat * 0, flat * 0 + 255),
        "areas far apart": (apart, across),
        "faint noise": (noisy(truth, 0.6), truth),
        "small": (noisy(small, 20), small),
        "smallest": (noisy(smallest, 20), smallest),
    }
    return {name: Frames(x.contiguous(), y, _mask(y)) for name, (x, y) in pairs.items()}


def _mask(frames: Tensor) -> Tensor:
    """An ellipse in the middle, like a person."""
    n, _, height, width = frames.shape
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    inside = (x / 0.3).square() + (y / 0.8).square() < 1
    return (inside.to(torch.uint8) * 255).expand(n, 1, height, width).contiguous()


@cache
def _puppet() -> tuple[Tensor, Tensor]:
    shots = [render(Performance("ana", "walk", 3, 24, 25.0, (128, 128)), i) for i in range(24)]
    images, masks = (torch.from_numpy(np.stack([getattr(s, name) for s in shots])) for name in ("image", "mask"))
    return images.permute(0, 3, 1, 2).contiguous(), masks.reshape(24, 1, 128, 128)


def puppet() -> Tensor:
    """A puppet that walks, ``(24, 3, 128, 128)`` uint8."""
    return _puppet()[0]


@cache
def video(count: int = 33, side: int = 128) -> Chunk:
    """A puppet that waves, with a camera's noise, beside a spoilt copy; the number of frames is odd."""
    shots = [render(Performance("ana", "wave", 3, count, 25.0, (side, side)), i) for i in range(count)]
    truth = noisy(torch.from_numpy(np.stack([s.image for s in shots])).permute(0, 3, 1, 2), 2).contiguous()
    joints = torch.from_numpy(np.stack([s.joints for s in shots]))
    spoilt = noisy(blurred(truth, 0.8), 3).contiguous()
    return Chunk(spoilt, truth, driving=truth, joints=joints)
