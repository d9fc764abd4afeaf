"""REMOT's Global Alignment Module: the source person moved and scaled to where the driving person stands.

Section 3.1, equation 4, which scales about the origin and shifts by the difference of the centres: the person would
then end up elsewhere. Here the scaling is about the source's centre, x_d = c_d + R (x_s - c_s), which maps centre and
height exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from motioncopy.errors import BatchError

#: No person is scaled by less or more: a mask of a few pixels says nothing about a body's height.
SCALES = (0.5, 2.0)


@dataclass(frozen=True)
class Extent:
    """Where people stand in images, in pixels; the centre of the top left pixel is (0, 0).

    Attributes:
        centre: ``(N, 2)`` x, y of the middle of the box around the person.
        height: ``(N,)`` of that box, from edge to edge.
        present: ``(N,)`` bool; where nobody is, centre and height mean nothing.
    """

    centre: Tensor
    height: Tensor
    present: Tensor

    @classmethod
    def of_mask(cls, mask: Tensor) -> Extent:
        """The boxes around masks.

        Args:
            mask: ``(N, 1, H, W)`` in [0, 1]; above 0.5 is inside.
        """
        inside = mask[:, 0] > 0.5
        left, right = _ends(inside.any(dim=1))
        top, bottom = _ends(inside.any(dim=2))
        centre = torch.stack([left + right, top + bottom], dim=1) / 2
        return cls(centre, bottom - top + 1, inside.flatten(1).any(dim=1))

    @classmethod
    def of_joints(cls, joints: Tensor) -> Extent:
        """The boxes around joints; a joint is a point, so that the box is smaller than the body.

        Args:
            joints: ``(N, J, 3)`` x, y, confidence; 0 where a joint was not found.
        """
        found = joints[..., 2] > 0
        places = joints[..., :2]
        low = places.masked_fill(~found[..., None], torch.inf).amin(dim=1)
        high = places.masked_fill(~found[..., None], -torch.inf).amax(dim=1)
        present = found.any(dim=1) & (high[:, 1] > low[:, 1])
        low, high = (torch.where(present[:, None], t, 0.0) for t in (low, high))
        return cls((low + high) / 2, high[:, 1] - low[:, 1], present)

    def repeat(self, times: int) -> Extent:
        """Each of them so many times, side by side."""
        return Extent(*(t.repeat_interleave(times, dim=0) for t in (self.centre, self.height, self.present)))


def align(images: Tensor, source: Extent, driving: Extent, *, fill: float = -1.0) -> Tensor:
    """Moves and scales people so that they stand where others do, and are as tall.

    Args:
        images: ``(N, C, H, W)`` floating point, people on ``fill``.
        source: Where they stand.
        driving: Where they shall stand, in images of the same size.
        fill: What is around them.

    Returns:
        ``(N, C, H, W)``; all ``fill`` where the source shows nobody, unmoved where the driving mask is empty.

    Raises:
        BatchError: If the numbers of images and extents differ.
    """
    if not len(images) == len(source.height) == len(driving.height):
        raise BatchError(
            "images and extents do not pair",
            expected=len(images),
            found=f"{len(source.height)} and {len(driving.height)}",
        )
    known = source.present & driving.present
    scale = (driving.height / source.height.clamp_min(1e-6)).clamp(*SCALES).where(known, 1.0)
    place = torch.where(known[:, None], driving.centre, source.centre)
    moved = move(images - fill, source.centre, place, scale[:, None].expand(-1, 2)) + fill
    return moved.where(source.present[:, None, None, None], fill)


def move(images: Tensor, start: Tensor, end: Tensor, scale: Tensor, *, padding: str = "zeros") -> Tensor:
    """Scales images about a place, and moves that place, bilinearly.

    Args:
        images: ``(N, C, H, W)`` floating point.
        start: ``(N, 2)`` x, y of the place in pixels.
        end: ``(N, 2)``: where it shall lie.
        scale: ``(N, 2)`` along x and y; above 1 enlarges.
        padding: What lies beyond the edges: ``zeros``, or ``border``, which goes on.

    Returns:
        ``(N, C, H, W)``.
    """
    n, _, height, width = images.shape
    # grid_sample asks, for each place of the result, where it comes from; both in [-1, 1] from edge to edge.
    size = images.new_tensor([width, height])
    from_edge, to_edge = ((2 * place + 1) / size - 1 for place in (start, end))
    theta = images.new_zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = (1 / scale).unbind(dim=1)
    theta[:, :, 2] = from_edge - to_edge / scale
    grid = functional.affine_grid(theta, [n, 1, height, width], align_corners=False)
    return functional.grid_sample(images, grid, padding_mode=padding, align_corners=False)


def _ends(hit: Tensor) -> tuple[Tensor, Tensor]:
    """First and last place that is set, ``(N, L)`` to twice ``(N,)`` float."""
    places = torch.arange(hit.shape[1], device=hit.device, dtype=torch.float32)
    first = places.masked_fill(~hit, torch.inf).amin(dim=1)
    last = places.masked_fill(~hit, -torch.inf).amax(dim=1)
    empty = ~hit.any(dim=1)
    return first.masked_fill(empty, 0.0), last.masked_fill(empty, 0.0)
