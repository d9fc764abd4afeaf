"""Layouts and regions of people in images, and the source person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from methods.remot.networks import CLASSES, REGIONS
from methods.remot.region_fitting import blur, fit_moments, inpaint
from motioncopy.batch import Appearance, Motion
from motioncopy.errors import BatchError
from motioncopy.nets.alignment import Extent, align
from motioncopy.poses.sticks import draw_motion_sticks

#: What surrounds a person or a region that is cut out.
BLACK = -1.0


def draw_poses(motion: Motion) -> Tensor:
    """The connection maps of all frames, ``(B, T, 3, H, W)`` in [-1, 1]."""
    return draw_motion_sticks(motion)


def one_hot(labels: Tensor) -> Tensor:
    """Layouts of label maps.

    Args:
        labels: ``(..., 1, H, W)`` uint8 labels of :data:`motioncopy.batch.PARSING_CLASSES`.

    Returns:
        ``(..., 6, H, W)`` float32.

    Raises:
        BatchError: If there is a label that is no class.
    """
    if labels.numel() and int(labels.max()) >= CLASSES:
        raise BatchError(
            "a parsing map holds a label that is no class", expected=f"0 to {CLASSES - 1}", found=int(labels.max())
        )
    hot: Tensor = functional.one_hot(labels.squeeze(-3).long(), CLASSES).movedim(-1, -3).float()
    return hot


def foreground_mask(layout: Tensor) -> Tensor:
    """The person's mask in a layout, one-hot or of probabilities: ``(N, 6, H, W)`` to ``(N, 1, H, W)``."""
    return 1 - layout[:, :1]


def region_masks(layout: Tensor) -> Tensor:
    """The regions' masks, ``(N, 6, H, W)`` to ``(5 N, 1, H, W)``; the regions of a sample lie side by side."""
    return layout[:, 1:].reshape(-1, 1, *layout.shape[-2:])


def keep_masked(images: Tensor, masks: Tensor) -> Tensor:
    """Images where the masks are 1, black elsewhere: ``(N, 3, H, W)`` and ``(N, 1, H, W)``."""
    return (images - BLACK) * masks + BLACK


def join_regions(regions: Tensor) -> Tensor:
    """Equation 11: the regions of each sample added, of which black is 0; ``(5 N, 3, H, W)`` to ``(N, 3, H, W)``."""
    together = (regions - BLACK).unflatten(0, (-1, REGIONS)).sum(dim=1) + BLACK
    joined: Tensor = together.clamp(-1, 1)
    return joined


@dataclass(frozen=True)
class Source:
    """What one image of the person gives, computed once.

    Attributes:
        image: ``(N, 3, H, W)`` in [-1, 1].
        layout: ``(N, 6, H, W)`` one-hot.
        foreground: The person on black.
        regions: ``(5 N, 3, H, W)``, the regions on black.
        extent: Where the person stands.
        background: ``(N, 3, H, W)``: the place.
    """

    image: Tensor
    layout: Tensor
    foreground: Tensor
    regions: Tensor
    extent: Extent
    background: Tensor

    @classmethod
    def of(cls, appearance: Appearance) -> Source:
        """The first of the appearance frames.

        Raises:
            BatchError: If it has no parsing.
        """
        if appearance.parsing is None:
            raise BatchError(
                "the source image has no parsing", remedy="prepare the clips with --parts parsing, and ask for it"
            )
        image, layout = appearance.images[:, 0], one_hot(appearance.parsing[:, 0])
        mask = foreground_mask(layout)
        extent = Extent.of_mask(mask)
        pieces = keep_masked(image.repeat_interleave(REGIONS, dim=0), region_masks(layout))
        return cls(image, layout, keep_masked(image, mask), pieces, extent, appearance.background)

    def check(self, people: Sequence[str]) -> None:
        """Refuses to show somebody who is not there; in training, such a frame teaches nothing and costs nothing.

        Raises:
            BatchError: Naming who is not there.
        """
        absent = [name for name, found in zip(people, self.extent.present.tolist(), strict=True) if not found]
        if absent:
            raise BatchError(
                "a source image shows no person",
                found=", ".join(absent),
                remedy="look at the clip's mask (motioncopy prepare --overlays), and give frames that show the person",
            )

    @cached_property
    def inpainted(self) -> Tensor:
        """The regions continued beyond their edges, soft, ``(5 N, 3, H, W)``; grey where the source has none such."""
        return blur(inpaint(self.image.repeat_interleave(REGIONS, dim=0), region_masks(self.layout)))

    def person_in(self, layout: Tensor) -> Tensor:
        """The person on black, moved to where the layout has the person (section 3.1, Global Alignment Module).

        Args:
            layout: ``(N, 6, H, W)`` of the driving frame.

        Returns:
            ``(N, 3, H, W)``.
        """
        return align(self.foreground, self.extent, _extent(layout))

    def regions_in(self, layout: Tensor, *, moved: bool = True) -> Tensor:
        """The regions on black, moved likewise; the scale and the offset are the whole person's for all of them.

        Args:
            layout: ``(N, 6, H, W)`` of the driving frame.
            moved: Whether to move at all (the ablation "RGN w/o GAM" does not).

        Returns:
            ``(5 N, 3, H, W)``.
        """
        if not moved:
            return self.regions
        return align(self.regions, self.extent.repeat(REGIONS), _extent(layout).repeat(REGIONS))

    def fitted_in(self, layout: Tensor) -> Tensor:
        """The regions continued beyond their edges, each fitted into the layout's own, ``(5 N, 3, H, W)``."""
        return fit_moments(self.inpainted, region_masks(self.layout), region_masks(layout.detach()))


def _extent(layout: Tensor) -> Extent:
    return Extent.of_mask(foreground_mask(layout.detach()))


def last_two(frames: Sequence[Tensor], blank: Tensor, *now: Tensor) -> Tensor:
    """The last two of the frames so far, then ``now``, along the channels; ``blank`` stands before the first."""
    return torch.cat([*[blank, blank, *frames][-2:], *now], dim=1)
