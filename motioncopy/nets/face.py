"""A refiner of faces at their place in the frame (Everybody Dance Now, "Face GAN")."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from motioncopy.batch import Motion
from motioncopy.nets.blocks import Refiner
from motioncopy.poses.parts import PARTS, crop, part_centres, paste


class FaceRefiner(nn.Module):
    """Adds a residual to the square around the face; a frame without one stays as it is.

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
