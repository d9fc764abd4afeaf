"""The three generators: Layout GAN, Region GAN and Whole Composition Network (sections 3.1 and 3.2, figure 2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from methods.remot.texture_alignment import TextureAlignment
from motioncopy.batch import PARSING_CLASSES
from motioncopy.nets.coder import Decoder, Encoder, Norm, head
from motioncopy.nets.warp import warp

#: Layout classes, the background first.
CLASSES = len(PARSING_CLASSES)
#: Classes that are generated one by one.
REGIONS = CLASSES - 1
#: vid2vid's factor, by which a network's flow starts out in pixels.
_FLOW_SCALE = 20.0
#: Black and white lie at infinity for the tanh: an image that is to be changed keeps so much away from them.
_NEARLY = 0.98
#: A layout that is to be changed is never surer than this of a pixel, for the same reason.
_SURE = 0.02


@dataclass(frozen=True)
class Blended:
    """What a generator draws, and what it keeps of the frame before.

    Attributes:
        raw: ``(N, C, H, W)``, drawn anew.
        flow: ``(N, 2, H, W)`` in pixels, from this frame to the one before.
        weight: ``(N, 1, H, W)`` in [0, 1], of ``raw``.
        warped: ``(N, C, H, W)``, the frame before seen through ``flow``, or ``None`` in the first frame.
        final: ``weight * raw + (1 - weight) * warped`` (equation 2c); ``raw`` in the first frame.
    """

    raw: Tensor
    flow: Tensor
    weight: Tensor
    warped: Tensor | None
    final: Tensor

    @classmethod
    def of(cls, raw: Tensor, flow: Tensor, weight: Tensor, before: Tensor | None) -> Blended:
        """Blends; ``before`` is the frame before, ``None`` in the first one."""
        if before is None:
            return cls(raw, flow, weight, None, raw)
        warped = warp(before, flow)
        return cls(raw, flow, weight, warped, weight * raw + (1 - weight) * warped)


class LayoutGenerator(nn.Module):
    """Draws where each region of the person lies in the driving pose (equation 2).

    Args:
        pose_channels: Channels of one drawn pose.
        width: See :class:`motioncopy.nets.coder.Encoder`.
        downs: Likewise.
        encoder_blocks: Residual blocks of an encoder.
        decoder_blocks: Residual blocks of a decoder.
        norm: See :class:`motioncopy.nets.coder.Encoder`.
    """

    def __init__(
        self,
        *,
        pose_channels: int = 3,
        width: int = 64,
        downs: int = 3,
        encoder_blocks: int = 5,
        decoder_blocks: int = 4,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        self.source, self.poses, self.previous = (
            Encoder(channels, width=width, downs=downs, blocks=encoder_blocks, norm=norm)
            for channels in (CLASSES, 3 * pose_channels, 2 * CLASSES)
        )
        deep = self.source.out_channels
        self.raw, self.motion = (Decoder(deep, ups=downs, blocks=decoder_blocks, norm=norm) for _ in range(2))
        self.classes = head(width, CLASSES)
        self.flow, self.weight = head(width, 2), head(width, 1)

    def encode(self, source: Tensor) -> Tensor:
        """What the source person determines, once.

        Args:
            source: ``(N, 6, H, W)`` one-hot layout of the source image.

        Returns:
            ``(N, C, h, w)``.
        """
        features: Tensor = self.source(source)
        return features

    def forward(self, source: Tensor, poses: Tensor, previous: Tensor, *, first: bool) -> Blended:
        """Draws the layout of one frame.

        Args:
            source: From :meth:`encode`.
            poses: ``(N, 3 * pose_channels, H, W)``: the poses of frames t-2, t-1 and t.
            previous: ``(N, 12, H, W)``: the layouts of frames t-2 and t-1, zeros before the first.
            first: Whether there is no frame before.

        Returns:
            Class probabilities ``(N, 6, H, W)``.
        """
        shared = self.poses(poses) + self.previous(previous)
        raw = self.classes(self.raw(source + shared)).softmax(dim=1)
        motion = self.motion(shared)
        before = None if first else previous[:, CLASSES:]
        return Blended.of(raw, _FLOW_SCALE * self.flow(motion), self.weight(motion).sigmoid(), before)


class RegionGenerator(nn.Module):
    """Draws one region of the person; the same network for all five (equation 5).

    Args:
        width: See :class:`motioncopy.nets.coder.Encoder`.
        downs: Likewise.
        encoder_blocks: Residual blocks of an encoder.
        decoder_blocks: Residual blocks of the decoder.
        norm: See :class:`motioncopy.nets.coder.Encoder`.
    """

    def __init__(
        self,
        *,
        width: int = 64,
        downs: int = 3,
        encoder_blocks: int = 5,
        decoder_blocks: int = 4,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        self.mask, self.appearance = (
            Encoder(channels, width=width, downs=downs, blocks=encoder_blocks, norm=norm) for channels in (1, 9)
        )
        self.decoder = Decoder(self.mask.out_channels, ups=downs, blocks=decoder_blocks, norm=norm)
        self.image = head(width, 3)

    def forward(
        self,
        mask: Tensor,
        previous: Tensor,
        source: Tensor,
        *,
        base: Tensor | None = None,
        within: Tensor | None = None,
    ) -> Tensor:
        """Draws regions.

        Args:
            mask: ``(N, 1, H, W)`` in [0, 1], where the region lies in the driving pose.
            previous: ``(N, 6, H, W)``: the region as drawn in frames t-2 and t-1, -1 before the first.
            source: ``(N, 3, H, W)``: the region in the source image, aligned, -1 outside it.
            base: ``(N, 3, H, W)`` in [-1, 1]: what the network changes rather than draws; in the paper it draws.
            within: ``(N, 1, H, W)`` in [0, 1], outside which the region is black by construction, or ``None``; in the
                paper it learns to be.

        Returns:
            ``(N, 3, H, W)`` in [-1, 1].
        """
        features = self.mask(mask) + self.appearance(torch.cat((previous, source), dim=1))
        image = changed(base, self.image(self.decoder(features)))
        return image if within is None else (image + 1) * within - 1


def changed(base: Tensor | None, drawn: Tensor) -> Tensor:
    """An image in [-1, 1] of what a network draws without bounds, upon ``base`` where there is one."""
    image: Tensor = (drawn if base is None else drawn + (_NEARLY * base).atanh()).tanh()
    return image


@dataclass(frozen=True)
class Composed:
    """What the Whole Composition Network makes of one frame.

    Attributes:
        foreground: The person on -1.
        mask: ``(N, 1, H, W)`` in [0, 1], 1 where the place shows (m of equation 15).
        image: ``(N, 3, H, W)``: foreground and place together; it can reach beyond [-1, 1].
    """

    foreground: Blended
    mask: Tensor
    image: Tensor


class WholeGenerator(nn.Module):
    """Refines the joined regions and puts them into the place (equations 14 and 15).

    Args:
        pose_channels: Channels of one drawn pose.
        alignment: From source and target features ``(N, C, h, w)`` to their fusion.
        width: See :class:`motioncopy.nets.coder.Encoder`.
        downs: Likewise.
        encoder_blocks: Residual blocks of an encoder.
        decoder_blocks: Residual blocks of a decoder.
        norm: See :class:`motioncopy.nets.coder.Encoder`.
        residual: Whether the joined regions and the layout's mask are changed; in the paper both are drawn anew.
    """

    def __init__(
        self,
        *,
        pose_channels: int = 3,
        alignment: nn.Module | None = None,
        width: int = 64,
        downs: int = 3,
        encoder_blocks: int = 5,
        decoder_blocks: int = 4,
        norm: Norm = "instance",
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.residual = residual
        self.source, self.regions, self.guide = (
            Encoder(channels, width=width, downs=downs, blocks=encoder_blocks, norm=norm)
            for channels in (3, 9, 3 * (CLASSES + pose_channels))
        )
        self.alignment = alignment if alignment is not None else TextureAlignment()
        deep = self.source.out_channels
        self.raw, self.rest = (Decoder(deep, ups=downs, blocks=decoder_blocks, norm=norm) for _ in range(2))
        self.image = head(width, 3)
        self.mask, self.flow, self.weight = head(width, 1), head(width, 2), head(width, 1)

    def forward(
        self, source: Tensor, regions: Tensor, previous: Tensor, guide: Tensor, background: Tensor, *, first: bool
    ) -> Composed:
        """Composes one frame.

        Args:
            source: ``(N, 3, H, W)``: the person of the source image, aligned, on -1.
            regions: ``(N, 3, H, W)``: the joined regions, on -1 (equation 11).
            previous: ``(N, 6, H, W)``: the foregrounds of frames t-2 and t-1, -1 before the first.
            guide: ``(N, 3 * (6 + pose_channels), H, W)``: layouts and poses of frames t-2, t-1 and t.
            background: ``(N, 3, H, W)`` in [-1, 1].
            first: Whether there is no frame before.
        """
        f1, f2 = self.source(source), self.regions(torch.cat((previous, regions), dim=1))
        f3 = self.guide(guide)
        raw = changed(regions if self.residual else None, self.image(self.raw(f3 + self.alignment(f1, f2))))
        rest = self.rest(f2 + f3)
        before = None if first else previous[:, 3:]
        foreground = Blended.of(raw, _FLOW_SCALE * self.flow(rest), self.weight(rest).sigmoid(), before)
        mask = self.mask(rest)
        if self.residual:  # the layout's own background, of frame t
            mask = mask + guide[:, 2 * CLASSES : 2 * CLASSES + 1].logit(_SURE)
        mask = mask.sigmoid()
        # Equation 15 adds images of which black is 0; here black is -1.
        image = foreground.final + mask * (background + 1)
        return Composed(foreground, mask, image)
