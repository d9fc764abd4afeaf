"""Refiners of body parts at their places in the frame: EDN's of the face, FakeMotion's of face, hands and feet."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from motioncopy.batch import Motion
from motioncopy.nets.blocks import Refiner
from motioncopy.poses.parts import PARTS, crop, part_centres, paste


class FaceRefiner(nn.Module):
    """Adds a residual to the square around the face (Everybody Dance Now, "Face GAN"); a frame without one stays.

    Args:
        refiner: From the face's drawing and image, 6 channels, to the residual.
        size: Side of the square in pixels.
    """

    def __init__(self, refiner: Refiner, size: int) -> None:
        super().__init__()
        self.refiner, self.size = refiner, size

    def faces(self, images: Tensor, motion: Motion) -> Tensor:
        """The squares ``(N, C, s, s)`` of images ``(N, C, H, W)``, one a frame of ``motion``; 0 without a face."""
        centres, seen = self._places(motion)
        return torch.where(seen, crop(images, centres, self.size), 0)

    def forward(self, frames: Tensor, drawings: Tensor, motion: Motion) -> Tensor:
        """Refines frames.

        Args:
            frames: ``(N, 3, H, W)`` in [-1, 1].
            drawings: Of their poses, the same.
            motion: Of the N frames: N samples of one each.

        Returns:
            ``(N, 3, H, W)`` in [-1, 1].
        """
        centres, seen = self._places(motion)
        found = crop(frames, centres, self.size)
        residual = self.refiner(torch.cat((crop(drawings, centres, self.size), found), dim=1))
        # Unseen faces are multiplied away, not left out: every batch gives every parameter a gradient.
        return paste(frames, (found + seen * residual).clamp(-1, 1).to(frames.dtype), centres)

    def _places(self, motion: Motion) -> tuple[Tensor, Tensor]:
        """Centres ``(N, 2)``, and whether there is a face, ``(N, 1, 1, 1)``."""
        centres, seen = part_centres(motion, self.size)
        face = PARTS.index("face")
        return centres[:, 0, face], seen[:, 0, face, None, None, None]


class LocalRefiners(nn.Module):
    """Local generators: each adds a residual to the crop of one body part (FakeMotion, equations 10 and 11).

    Args:
        refiner: The network of one part; every part gets its own copy.
        size: Side of the crops in pixels (the released code: 48 of 512).
        parts: Which of :data:`motioncopy.poses.parts.PARTS`.
        soft_edge: Whether residuals weaken towards the crop's corners, as in the released code's inference.
    """

    weight: Tensor

    def __init__(self, refiner: nn.Module, *, size: int, parts: Sequence[str] = PARTS, soft_edge: bool = False) -> None:
        super().__init__()
        self.size = size
        self.indices = [PARTS.index(p) for p in parts]
        self.refiners = nn.ModuleList(copy.deepcopy(refiner) for _ in parts)
        self.register_buffer("weight", radial_weight(size) if soft_edge else torch.ones(size, size), persistent=False)

    def crops(self, images: Tensor, motion: Motion) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Each part's crops ``(K, 3, s, s)``, their centres ``(K, 2)``, and which K of N frames show it ``(N,)``."""
        centres, valid = part_centres(motion.flatten(), size=self.size)
        found = []
        for k in self.indices:
            seen = valid[:, 0, k]
            found.append((crop(images[seen], centres[seen, 0, k], self.size), centres[seen, 0, k], seen))
        return found

    def forward(self, images: Tensor, motion: Motion) -> Tensor:
        """Refines all parts of N frames.

        Args:
            images: ``(N, 3, H, W)``.
            motion: N frames in all.

        Returns:
            ``(N, 3, H, W)`` in [-1, 1].
        """
        for refiner, (crops, centres, seen) in zip(self.refiners, self.crops(images, motion), strict=True):
            if len(crops):
                refined = crops + self.weight * refiner(crops)
                images = images.clone()
                images[seen] = paste(images[seen], refined.clamp(-1, 1).to(images.dtype), centres)
        return images


def radial_weight(size: int, inside: float = 5 / 6, outside: float = 0.3) -> Tensor:
    """By how much the released code scales a residual at inference: less towards the corners, so no seam shows.

    Args:
        size: Side s of the crop in pixels.
        inside: Radius of the full weight, in half sides (the released code: 20 of 24 pixels).
        outside: Weight beyond it.

    Returns:
        ``(s, s)`` float32: 1 within the radius about pixel (s/2, s/2), ``outside`` elsewhere.
    """
    offset = torch.arange(size, dtype=torch.float32) - size / 2
    within = offset.square()[:, None] + offset.square()[None] < (inside * size / 2) ** 2
    return torch.where(within, 1.0, outside)
