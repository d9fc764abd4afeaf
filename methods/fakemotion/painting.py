"""What stands between the generator and the frame: faces, local parts, and the fusion with the background."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.fakemotion.face import FaceEnhancer, FaceGallery
from methods.fakemotion.face_search import FaceViews
from methods.fakemotion.parts import radial_weight
from motioncopy.batch import Motion
from motioncopy.poses.parts import PARTS, crop, part_centres, paste

FACE = 0  # index of the face in motioncopy.poses.parts.PARTS


class Fusion(nn.Module):
    """Lays the foreground over the background."""

    @abstractmethod
    def forward(self, foreground: Tensor, mask: Tensor | None, background: Tensor, drawing: Tensor) -> Tensor:
        """Fuses.

        Args:
            foreground: ``(N, 3, H, W)`` in [-1, 1], 0 outside the person.
            mask: ``(N, 1, H, W)`` in [0, 1], where the generator predicts one.
            background: ``(N, 3, H, W)``.
            drawing: ``(N, C, H, W)``, the frame's own pose.

        Returns:
            ``(N, 3, H, W)`` in [-1, 1].
        """


class MaskFusion(Fusion):
    """Equation 12: M ⊙ F + (1 - M) ⊙ B, with the mask that the generator predicts.

    The paper takes M from the pre-processing, where a new pose has none; a further output channel of the generator,
    trained on the training masks, stands for it.
    """

    def forward(self, foreground: Tensor, mask: Tensor | None, background: Tensor, drawing: Tensor) -> Tensor:
        """See :class:`Fusion`; the drawing is not looked at."""
        assert mask is not None, "MaskFusion needs a generator with a fourth output channel"
        return mask * foreground + (1 - mask) * background


class LearnedFusion(Fusion):
    """The released code: a network of its own sees pose, background and foreground and paints the frame.

    Args:
        network: From 65 + 3 + 3 channels (the drawing's, the background's, the foreground's) to 3.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, foreground: Tensor, mask: Tensor | None, background: Tensor, drawing: Tensor) -> Tensor:
        """See :class:`Fusion`; a predicted mask is not looked at."""
        painted: Tensor = self.network(torch.cat((drawing, background, foreground), dim=1))
        return painted


class PartPainter(nn.Module):
    """Local generators: each adds a residual to its crop (equations 10 and 11).

    Args:
        refiner: The network of one part; every part gets its own copy.
        size: Side of the crops in pixels (the released code: 48 of 512).
        parts: Which of :data:`motioncopy.poses.parts.PARTS`.
        soft_edge: Whether residuals weaken towards the crop's corners, as in the released code's inference.
    """

    def __init__(self, refiner: nn.Module, *, size: int, parts: Sequence[str] = PARTS, soft_edge: bool = False) -> None:
        super().__init__()
        self.size = size
        self.indices = [PARTS.index(p) for p in parts]
        self.refiners = nn.ModuleList(copy.deepcopy(refiner) for _ in parts)
        self.register_buffer("weight", radial_weight(size) if soft_edge else torch.ones(size, size), persistent=False)
        self.weight: Tensor

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
        for refiner, (pieces, centres, seen) in zip(self.refiners, self.crops(images, motion), strict=True):
            if len(pieces):
                refined = pieces + self.weight * refiner(pieces)
                images = images.clone()
                images[seen] = paste(images[seen], refined.clamp(-1, 1).to(images.dtype), centres)
        return images


class FacePainter:
    """Replaces generated faces by blends with real ones that look the same way (section 2.3).

    Args:
        enhancer: Searches and blends.
        size: Side of the face crops in pixels.
        describe: Gives image features of crops, where the search goes by them ("image feature", table 2).
    """

    def __init__(self, enhancer: FaceEnhancer, *, size: int, describe: nn.Module | None = None) -> None:
        self.enhancer, self.size, self.describe = enhancer, size, describe
        self.gallery: FaceGallery | None = None

    def look(self, images: Tensor, motion: Motion) -> tuple[Tensor, FaceViews, Tensor, Tensor]:
        """Face crops of the frames that show one, their views, their centres, and which frames they are."""
        centres, valid = part_centres(motion.flatten(), size=self.size)
        seen, middle = valid[:, 0, FACE], centres[:, 0, FACE]
        faces = crop(images[seen], middle[seen], self.size)
        features = self._describe(faces) if self.describe is not None else None
        kept = motion.flatten()._map(lambda t: t[seen])
        views = self.enhancer.similarity.views(kept, middle[seen], self.size, features)
        return faces, views, middle[seen], seen

    def __call__(self, images: Tensor, motion: Motion, exclude: tuple[Sequence[str], Tensor] | None = None) -> Tensor:
        """Enhances the faces of N frames.

        Args:
            images: ``(N, 3, H, W)`` in [-1, 1].
            motion: N frames in all.
            exclude: Clip ids and frame numbers ``(N,)`` of training frames, which may not find themselves.
        """
        if self.gallery is None or len(self.gallery) == 0:
            return images
        gallery = self.gallery = self.gallery.to(images.device)
        faces, views, centres, seen = self.look(images, motion)
        if len(faces) == 0:
            return images
        near = None
        if exclude is not None:
            clips = [c for c, s in zip(exclude[0], seen.tolist(), strict=True) if s]
            near = gallery.near(clips, exclude[1][seen], self.enhancer.neighbours)
        images = images.clone()
        images[seen] = paste(images[seen], self.enhancer(faces, views, gallery, near), centres)
        return images

    def _describe(self, faces: Tensor) -> Tensor:
        assert self.describe is not None
        describe = self.describe.to(faces.device)  # no module of the method's: it is in no checkpoint, and moves alone
        with torch.no_grad():
            features = describe(functional.interpolate(faces, size=(64, 64), mode="bilinear", antialias=True))
        deepest = list(features.values())[-1]
        return functional.normalize(deepest.mean(dim=(2, 3)) if deepest.ndim == 4 else deepest, dim=1)
