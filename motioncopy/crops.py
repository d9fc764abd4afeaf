"""Windows that follow the person: where they lie, what is seen through them, and what was drawn in them put back.

A small network spends its pixels on the person and not on the wall. The window has one size for a whole clip, a
multiple of the person's stature, and its place is a function of the joints alone, so that it exists for a driving
motion too; what a method generates in it is laid over the frame's own background at the frame's own resolution.

Boxes are ``(..., 4)`` int64: left, top, right, bottom in pixels of the frame, right and bottom exclusive. They can
reach beyond the frame, whose border is repeated there.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from motioncopy.batch import Appearance, Motion
from motioncopy.poses import measure
from motioncopy.request import DataRequest, Follow
from motioncopy.skeletons import Skeleton, skeleton

#: Share of a window's side that fades into the frame where a method draws everything.
_FEATHER = 1 / 12


def follow(appearance: Appearance, motion: Motion, known: Motion, request: DataRequest) -> tuple[Appearance, Motion]:
    """A person and a motion as the windows that follow the person show them; the whole place stays beside them.

    Args:
        appearance: B = 1, float, of whole frames.
        motion: B = 1, in pixels of these frames.
        known: B = 1: the frames by which the person's stature is known.
        request: Its crop follows the person.

    Returns:
        Both in pixels of the request's images.
    """
    window, size = request.follow, request.image_size
    assert window is not None
    sides = window_size(known.joints[0], skeleton(motion.skeleton), window, size[1] / size[0])
    driving, shown = (windows(m.joints[0], sides, window) for m in (motion, appearance.motion))
    seen = replace(
        appearance,
        images=look(appearance.images[0], shown, size).clamp(-1, 1)[None],
        mask=look(appearance.mask[0], shown, size).clamp(0, 1)[None],
        motion=appearance.motion.through(shown[None], size),
        background=look(appearance.background, shown[:1], size).clamp(-1, 1),
        parsing=None if appearance.parsing is None else look_at_labels(appearance.parsing[0], shown, size)[None],
        place=appearance.background,
    )
    return seen, motion.through(driving[None], size)


def window_size(joints: Tensor, body: Skeleton, crop: Follow, aspect: float) -> tuple[int, int]:
    """How large a person's window is.

    Args:
        joints: ``(T, J, 3)`` in pixels of the frame: all that is known of the person.
        body: Their skeleton.
        crop: See :class:`motioncopy.request.Follow`.
        aspect: Width over height.

    Returns:
        (height, width) in pixels: ``crop.statures`` times the 95th percentile of the height from head to ankles, over
        the frames that show both. Where none does, the longer side of what is seen stands for it. At least 8.
    """
    standing = measure.stature(joints, body)
    if standing.valid.any():
        stature = float(standing.height[standing.valid].quantile(0.95))
    else:
        low, high, seen = _extent(joints)
        sides = (high - low)[seen].amax(dim=-1)
        stature = float(sides.quantile(0.95)) if len(sides) else 0.0
    height = max(8, round(stature * crop.statures))
    return height, max(8, round(height * aspect))


def windows(joints: Tensor, size: tuple[int, int], crop: Follow) -> Tensor:
    """Where the window lies in every frame.

    Its middle is that of the box around all joints seen, smoothed in time; it then moves no further than it must for
    the box to lie inside. Frames without a joint keep the window of the last one before.

    Args:
        joints: ``(T, J, 3)`` in pixels of the frame.
        size: From :func:`window_size`.
        crop: See :class:`motioncopy.request.Follow`.

    Returns:
        ``(T, 4)`` boxes, all of the given size.
    """
    low, high, seen = _extent(joints)
    if not seen.any():
        low, high, seen = torch.zeros_like(low), torch.zeros_like(high), torch.ones_like(seen)
    low, high = (torch.stack([measure.hold(v[:, k], seen) for k in (0, 1)], dim=1) for v in (low, high))
    sides = low.new_tensor([size[1], size[0]])
    corner = _smooth((low + high) / 2, crop.smoothing) - sides / 2
    fits = (high - low + 1) <= sides  # else the middle of what is seen is as good as any
    corner = torch.where(fits, torch.minimum(torch.maximum(corner, high + 1 - sides), low), corner)
    first = corner.round().long()
    return torch.cat([first, first + sides.long()], dim=1)


def _extent(joints: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Lowest and highest x and y of the joints that are seen ``(T, 2)``, and whether any is ``(T,)``."""
    present = joints[..., 2:] > 0
    low = torch.where(present, joints[..., :2], torch.inf).amin(dim=1)
    high = torch.where(present, joints[..., :2], -torch.inf).amax(dim=1)
    return low, high, present.any(dim=1)[:, 0]


def _smooth(places: Tensor, sigma: float) -> Tensor:
    """A Gaussian mean over neighbouring frames ``(T, 2)``; the first and the last frame stand for those beyond."""
    if sigma <= 0:
        return places
    reach = round(3 * sigma)
    offsets = torch.arange(-reach, reach + 1, dtype=places.dtype, device=places.device)
    kernel = torch.exp(-((offsets / sigma) ** 2) / 2)
    padded = functional.pad(places.T[None], (reach, reach), mode="replicate")[0]
    return functional.conv1d(padded[:, None], (kernel / kernel.sum())[None, None])[:, 0].T


def look(images: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """What is seen through windows.

    Args:
        images: ``(N, C, H, W)`` floating point, or ``(1, C, H, W)`` for all windows.
        boxes: ``(N, 4)``.
        size: (height, width) of the result.

    Returns:
        ``(N, C, *size)``, averaged over pixels where the window is larger.
    """
    parts = [_cut(images[k if len(images) > 1 else 0], box.tolist()) for k, box in enumerate(boxes)]
    return torch.cat([_resize(part[None], size) for part in parts])


def look_at_labels(labels: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """The same for label images ``(N, 1, H, W)``: each pixel gets the label that stands at its centre."""
    parts = [_cut(image, box.tolist()) for image, box in zip(labels, boxes, strict=True)]
    small = [functional.interpolate(part[None].float(), size, mode="nearest-exact") for part in parts]
    return torch.cat(small).to(labels)


def behind(appearance: Appearance, motion: Motion) -> Tensor:
    """The background of each frame of a B = 1 motion, ``(T, 3, H, W)`` in pixels of the motion."""
    if motion.boxes is None or appearance.place is None:
        return appearance.background.expand(len(motion), -1, -1, -1)
    return look(appearance.place, motion.boxes[0], motion.size).clamp(-1, 1)


def _cut(image: Tensor, box: list[int]) -> Tensor:
    left, top, right, bottom = box
    height, width = image.shape[-2:]
    rows = torch.arange(top, bottom, device=image.device).clamp(0, height - 1)
    columns = torch.arange(left, right, device=image.device).clamp(0, width - 1)
    return image[..., rows[:, None], columns]


def _resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(images.shape[-2:]) == size:
        return images
    grows = images.shape[-2] < size[0]
    way = "bicubic" if grows else "bilinear"
    return functional.interpolate(images, size, mode=way, antialias=not grows, align_corners=False)


def paste(drawn: Tensor, behind: Tensor, boxes: Tensor | None = None) -> Tensor:
    """Lays what was drawn over the background.

    Args:
        drawn: ``(N, 4, h, w)``: colours in [-1, 1], multiplied by the coverage in [0, 1] that is the fourth channel; or
            ``(N, 3, h, w)``: everything, the background as well.
        behind: ``(1, 3, H, W)`` in [-1, 1]: the frame without the person.
        boxes: ``(N, 4)``, where in the frame it was drawn; ``None``: it is the frame.

    Returns:
        ``(N, 3, H, W)``. Outside the windows it is the background to the bit. Inside it is F + (1 - A) B where the
        coverage A is known; else the window, fading out towards its border.
    """
    if boxes is None:
        return drawn if drawn.shape[1] == 3 else (drawn[:, :3] + (1 - drawn[:, 3:]) * behind).clamp(-1, 1)
    frames = behind.expand(len(drawn), -1, -1, -1).clone()
    height, width = frames.shape[-2:]
    for frame, picture, box in zip(frames, drawn, boxes.tolist(), strict=True):
        left, top, right, bottom = box
        large = _resize(picture[None], (bottom - top, right - left))[0]
        colours, cover = large[:3], large[3:].clamp(0, 1)
        if len(cover) == 0:
            cover = _feather(bottom - top, right - left).to(large)
            colours = colours * cover
        inside = slice(max(0, top), min(height, bottom)), slice(max(0, left), min(width, right))
        part = (..., slice(inside[0].start - top, inside[0].stop - top),
                slice(inside[1].start - left, inside[1].stop - left))  # fmt: skip
        if inside[0].start < inside[0].stop and inside[1].start < inside[1].stop:
            frame[:, *inside] = colours[part] + (1 - cover[part]) * frame[:, *inside]
    return frames.clamp(-1, 1)


def _feather(height: int, width: int) -> Tensor:
    """``(1, h, w)``: 1 inside, falling to 0 at the border."""

    def ramp(length: int) -> Tensor:
        at = torch.arange(length) + 0.5
        return (torch.minimum(at, length - at) / max(1.0, length * _FEATHER)).clamp(max=1)

    return torch.minimum(ramp(height)[:, None], ramp(width)[None])[None]
