"""Face, hands and feet: where they are, cutting them out, and putting them back."""

from __future__ import annotations

import torch
from torch import Tensor

from motioncopy.batch import Motion
from motioncopy.errors import BatchError, ConfigError
from motioncopy.skeletons import HAND21, skeleton

#: The order of the parts, as FakeMotion's five local GANs take them.
PARTS = ("face", "left_hand", "right_hand", "left_foot", "right_foot")

# Wrist to the root of the middle finger is about this much of the forearm (adult average, 9 of 25 cm).
_HAND_OF_FOREARM = 0.36


def part_centres(motion: Motion, size: int) -> tuple[Tensor, Tensor]:
    """Centres of the five square crops of each frame.

    The points are those of FakeMotion's released code, with fallbacks where one is missing:

    - face: the nose; else the mean of the eyes and ears that are seen;
    - hands: the root of the middle finger (hand joint 9); else the wrist, prolonged by 0.36 of the forearm where
      the elbow is seen too;
    - feet: the big toe; else the ankle.

    A part is valid where such a point is seen and lies inside the image. Centres are those of whole-pixel squares
    that lie inside the image: a point near the border gives the nearest such square; an invalid part the square in
    the image's middle.

    Args:
        motion: B samples of T frames, of any skeleton; a fish has none of the parts, a mouse a face only.
        size: Side of the crops in pixels.

    Returns:
        Centres ``(B, T, 5, 2)`` (x, y; whole or half pixels) and validity ``(B, T, 5)`` bool, in the order of
        :data:`PARTS`.

    Raises:
        ConfigError: If the crop is larger than the image.

    Example:
        >>> import torch
        >>> from motioncopy.batch import Motion
        >>> from motioncopy.poses.parts import part_centres
        >>> motion = Motion(torch.rand(1, 4, 25, 3), "body25", (64, 48))
        >>> centres, valid = part_centres(motion, size=16)
        >>> centres.shape, valid.shape  # of :data:`PARTS`
        (torch.Size([1, 4, 5, 2]), torch.Size([1, 4, 5]))
    """
    height, width = motion.size
    point, seen = _part_points(motion)
    limit = point.new_tensor([width - 1, height - 1])
    seen = seen & (point >= 0).all(dim=-1) & (point <= limit).all(dim=-1)
    point = torch.where(seen[..., None], point, limit / 2)
    return crop_corner(point, size, motion.size) + (size - 1) / 2, seen


def crop_corner(centres: Tensor, size: int, image_size: tuple[int, int]) -> Tensor:
    """Upper left pixels of the squares inside the image that are nearest to these centres.

    Args:
        centres: ``(..., 2)``, x and y in pixels.
        size: Side of the squares in pixels.
        image_size: (height, width).

    Returns:
        ``(..., 2)``, whole numbers of the type of ``centres``. A centre half way between two squares gives the first.

    Raises:
        ConfigError: If the square is larger than the image.

    Example:
        >>> import torch
        >>> from motioncopy.poses.parts import crop_corner
        >>> crop_corner(torch.tensor([[10.0, 2.0]]), size=8, image_size=(64, 48))
        tensor([[6., 0.]])
    """
    if not 1 <= size <= min(image_size):
        raise ConfigError(
            "crops must be at least 1 px and fit into the image", expected=f"1 to {min(image_size)}", found=size
        )
    corner = torch.ceil(centres - size / 2)
    return torch.minimum(corner.clamp_min(0), corner.new_tensor([image_size[1] - size, image_size[0] - size]))


def crop(images: Tensor, centres: Tensor, size: int) -> Tensor:
    """Cuts a square out of each image, at whole pixels.

    Args:
        images: ``(B, C, H, W)``, any type; differentiable where it is floating point.
        centres: ``(B, 2)``, x and y in pixels, rounded to the nearest square that lies inside the image.
        size: Side in pixels.

    Returns:
        ``(B, C, size, size)``.

    Raises:
        BatchError: If the shapes do not fit.
        ConfigError: If the crop is larger than the image.

    Example:
        >>> import torch
        >>> from motioncopy.poses.parts import crop
        >>> images = torch.arange(36.0).reshape(1, 1, 6, 6)
        >>> crop(images, torch.tensor([[2.5, 2.5]]), size=2)
        tensor([[[[14., 15.],
                  [20., 21.]]]])
    """
    index = _pixels(images, centres, size)
    return images.flatten(2).gather(2, index).reshape(*images.shape[:2], size, size)


def paste(images: Tensor, crops: Tensor, centres: Tensor, weight: Tensor | None = None) -> Tensor:
    """Puts squares back to where :func:`crop` took them from; its exact inverse.

    Args:
        images: ``(B, C, H, W)``.
        crops: ``(B, C, s, s)``.
        centres: As for :func:`crop`.
        weight: ``(s, s)`` or ``(B, 1, s, s)`` in [0, 1]: the crop's share, the image keeping the rest; by default 1.

    Returns:
        ``(B, C, H, W)``, a copy; differentiable in images, crops and weight.

    Raises:
        BatchError: If the shapes do not fit.
        ConfigError: If the crop is larger than the image.

    Example:
        >>> import torch
        >>> from motioncopy.poses.parts import crop, paste
        >>> images, centres = torch.rand(1, 3, 6, 6), torch.tensor([[2.5, 2.5]])
        >>> bool((paste(images, crop(images, centres, size=2), centres) == images).all())
        True
    """
    size = crops.shape[-1]
    if crops.shape != (*images.shape[:2], size, size):
        raise BatchError(
            "crops do not fit the images", expected=f"({images.shape[0]}, {images.shape[1]}, s, s)", found=crops.shape
        )
    index = _pixels(images, centres, size)
    flat = images.flatten(2)
    if weight is not None:
        crops = torch.lerp(flat.gather(2, index).view_as(crops), crops, weight.to(crops).expand_as(crops))
    return flat.scatter(2, index, crops.to(images.dtype).flatten(2)).view_as(images)


def _pixels(images: Tensor, centres: Tensor, size: int) -> Tensor:
    """Flat pixel numbers (B, C, size²) of each image's square."""
    batch, channels, height, width = images.shape
    if centres.shape != (batch, 2):
        raise BatchError("crop centres have the wrong shape", expected=(batch, 2), found=tuple(centres.shape))
    left, top = crop_corner(centres.detach(), size, (height, width)).long().unbind(dim=-1)
    step = torch.arange(size, device=images.device)
    rows, columns = top[:, None] + step, left[:, None] + step
    flat = rows[:, :, None] * width + columns[:, None, :]
    return flat.flatten(1)[:, None].expand(batch, channels, size * size)


def _part_points(motion: Motion) -> tuple[Tensor, Tensor]:
    body = skeleton(motion.skeleton)

    def joint(name: str) -> Tensor:
        return motion.joints[..., body.index(name), :] if body.has(name) else torch.zeros_like(motion.joints[..., 0, :])

    head = torch.stack([joint(name) for name in ("left_eye", "right_eye", "left_ear", "right_ear")], dim=-2)
    points = [_first_seen(joint("nose"), _mean_seen(head))]
    for side, hand in (("left", motion.hand_left), ("right", motion.hand_right)):
        wrist, elbow = joint(f"{side}_wrist"), joint(f"{side}_elbow")
        prolonged = torch.lerp(elbow, wrist, 1 + _HAND_OF_FOREARM)
        prolonged[..., 2] = torch.minimum(elbow[..., 2], wrist[..., 2])
        knuckle = torch.zeros_like(wrist) if hand is None else hand[..., HAND21.index("middle_1"), :]
        points.append(_first_seen(knuckle, prolonged, wrist))
    points += [_first_seen(joint(f"{side}_big_toe"), joint(f"{side}_ankle")) for side in ("left", "right")]
    stacked = torch.stack(points, dim=-2)
    return stacked[..., :2], stacked[..., 2] > 0


def _first_seen(*joints: Tensor) -> Tensor:
    """For each frame the first of the joints (..., 3) that is seen there, else the last."""
    chosen = joints[-1]
    for candidate in reversed(joints[:-1]):
        chosen = torch.where(candidate[..., 2:] > 0, candidate, chosen)
    return chosen


def _mean_seen(joints: Tensor) -> Tensor:
    """Mean of the joints (..., K, 3) that are seen; confidence 0 where none is."""
    seen = joints[..., 2:] > 0
    total = torch.where(seen, joints, torch.zeros_like(joints)).sum(dim=-2)
    return total / seen.sum(dim=-2).clamp_min(1)
