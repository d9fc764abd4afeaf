"""The three generators: Layout GAN, Region GAN and Whole Composition Network (sections 3.1 and 3.2, figure 2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from motioncopy.batch import PARSING_CLASSES
from motioncopy.nets.blocks import Decoder, Encoder, Norm, output_layer
from motioncopy.nets.warp import warp
from motioncopy.training.precision import at_least_float32

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

    def detach(self) -> Blended:
        """The same without a gradient."""
        warped = self.warped.detach() if self.warped is not None else None
        return Blended(self.raw.detach(), self.flow.detach(), self.weight.detach(), warped, self.final.detach())


class LayoutGenerator(nn.Module):
    """Draws where each region of the person lies in the driving pose (equation 2).

    Args:
        pose_channels: Channels of one drawn pose.
        width: See :class:`motioncopy.nets.blocks.Encoder`.
        downs: Likewise.
        encoder_blocks: Residual blocks of an encoder.
        decoder_blocks: Residual blocks of a decoder.
        norm: See :class:`motioncopy.nets.blocks.Encoder`.
    """

    def __init__(
        self,
        *,
        pose_channels: int = 3,
        width: int = 64,
        downs: int = 3,
        encoder_blocks: int = 5,
        decoder_blocks: int = 4,
        norm: Norm = "affine_instance",
    ) -> None:
        super().__init__()
        self.source, self.poses, self.previous = (
            Encoder(channels, width=width, downs=downs, blocks=encoder_blocks, norm=norm)
            for channels in (CLASSES, 3 * pose_channels, 2 * CLASSES)
        )
        deep = self.source.out_channels
        self.raw, self.motion = (Decoder(deep, ups=downs, blocks=decoder_blocks, norm=norm) for _ in range(2))
        self.classes = output_layer(width, CLASSES)
        self.flow, self.weight = output_layer(width, 2), output_layer(width, 1)

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
        width: See :class:`motioncopy.nets.blocks.Encoder`.
        downs: Likewise.
        encoder_blocks: Residual blocks of an encoder.
        decoder_blocks: Residual blocks of the decoder.
        norm: See :class:`motioncopy.nets.blocks.Encoder`.
    """

    def __init__(
        self,
        *,
        width: int = 64,
        downs: int = 3,
        encoder_blocks: int = 5,
        decoder_blocks: int = 4,
        norm: Norm = "affine_instance",
    ) -> None:
        super().__init__()
        self.mask, self.appearance = (
            Encoder(channels, width=width, downs=downs, blocks=encoder_blocks, norm=norm) for channels in (1, 9)
        )
        self.decoder = Decoder(self.mask.out_channels, ups=downs, blocks=decoder_blocks, norm=norm)
        self.image = output_layer(width, 3)

    def forward(
        self,
        mask: Tensor,
        previous: Tensor,
        source: Tensor,
        *,
        base: Tensor | None = None,
        support: Tensor | None = None,
    ) -> Tensor:
        """Draws regions.

        Args:
            mask: ``(N, 1, H, W)`` in [0, 1], where the region lies in the driving pose.
            previous: ``(N, 6, H, W)``: the region as drawn in frames t-2 and t-1, -1 before the first.
            source: ``(N, 3, H, W)``: the region in the source image, aligned, -1 outside it.
            base: ``(N, 3, H, W)`` in [-1, 1]: what the network changes rather than draws; in the paper it draws.
            support: ``(N, 1, H, W)`` in [0, 1], outside which the region is black by construction, or ``None``; in the
                paper it learns to be.

        Returns:
            ``(N, 3, H, W)`` in [-1, 1].
        """
        features = self.mask(mask) + self.appearance(torch.cat((previous, source), dim=1))
        image = residual_image(base, self.image(self.decoder(features)))
        return image if support is None else (image + 1) * support - 1


def residual_image(base: Tensor | None, drawn: Tensor) -> Tensor:
    """An image in [-1, 1] of what a network draws without bounds, upon ``base`` where there is one."""
    image: Tensor = (drawn if base is None else drawn + (_NEARLY * base).atanh()).tanh()
    return image


class TextureAlignment(nn.Module):
    """Equations 12 and 13.

    The paper does not say over which of the two positions the softmax runs. ``H1 · A`` gathers from the source for
    each target only if the columns of A, which are the weights of source positions, sum to 1: it runs over those.

    Args:
        temperature: The cosine similarities are divided by it before the softmax. The paper has none, which is 1: at
            768 positions the weights are then nearly uniform, and what is gathered is nearly the mean of the source.
    """

    def __init__(self, temperature: float = 1.0) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """The target's features plus those of the source that resemble them.

        Args:
            source: ``(N, C, h, w)``, H1 of the paper.
            target: ``(N, C, h, w)``, H2.

        Returns:
            ``(N, C, h, w)``.
        """
        # In float32 whatever autocast says: half precision errs by a tenth at low temperatures.
        with torch.autocast(source.device.type, enabled=False):
            h1, h2 = (at_least_float32(features).flatten(2) for features in (source, target))
            weights = affinity(h1, h2, self.temperature)
            return (h1 @ weights + h2).view_as(target).to(target.dtype)


def affinity(source: Tensor, target: Tensor, temperature: float) -> Tensor:
    """Equation 12.

    Args:
        source: ``(N, C, I)`` features of I positions.
        target: ``(N, C, J)`` features of J positions.
        temperature: See :class:`TextureAlignment`.

    Returns:
        ``(N, I, J)``, columns that sum to 1.
    """
    source, target = functional.normalize(source, dim=1), functional.normalize(target, dim=1)
    return torch.softmax(source.transpose(1, 2) @ target / temperature, dim=1)


class Addition(nn.Module):
    """The ablation "REMOT w/o TAM": features are added place by place, whatever they show."""

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """See :class:`TextureAlignment`."""
        return source + target


@dataclass(frozen=True)
class Composition:
    """What the Whole Composition Network makes of one frame.

    Attributes:
        foreground: The person on -1.
        mask: ``(N, 1, H, W)`` in [0, 1], 1 where the place shows (m of equation 15).
        image: ``(N, 3, H, W)``: foreground and place together; it can reach beyond [-1, 1].
    """

    foreground: Blended
    mask: Tensor
    image: Tensor

    def detach(self) -> Composition:
        """The same without a gradient."""
        return Composition(self.foreground.detach(), self.mask.detach(), self.image.detach())


class CompositionGenerator(nn.Module):
    """Refines the joined regions and puts them into the place (equations 14 and 15).

    Args:
        pose_channels: Channels of one drawn pose.
        alignment: From source and target features ``(N, C, h, w)`` to their fusion.
        width: See :class:`motioncopy.nets.blocks.Encoder`.
        downs: Likewise.
        encoder_blocks: Residual blocks of an encoder.
        decoder_blocks: Residual blocks of a decoder.
        norm: See :class:`motioncopy.nets.blocks.Encoder`.
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
        norm: Norm = "affine_instance",
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.residual = residual
        self.source, self.regions, self.guidance = (
            Encoder(channels, width=width, downs=downs, blocks=encoder_blocks, norm=norm)
            for channels in (3, 9, 3 * (CLASSES + pose_channels))
        )
        self.alignment = alignment if alignment is not None else TextureAlignment()
        deep = self.source.out_channels
        self.raw, self.rest = (Decoder(deep, ups=downs, blocks=decoder_blocks, norm=norm) for _ in range(2))
        self.image = output_layer(width, 3)
        self.mask, self.flow, self.weight = output_layer(width, 1), output_layer(width, 2), output_layer(width, 1)

    def forward(
        self, source: Tensor, regions: Tensor, previous: Tensor, guidance: Tensor, background: Tensor, *, first: bool
    ) -> Composition:
        """Composes one frame.

        Args:
            source: ``(N, 3, H, W)``: the person of the source image, aligned, on -1.
            regions: ``(N, 3, H, W)``: the joined regions, on -1 (equation 11).
            previous: ``(N, 6, H, W)``: the foregrounds of frames t-2 and t-1, -1 before the first.
            guidance: ``(N, 3 * (6 + pose_channels), H, W)``: layouts and poses of frames t-2, t-1 and t.
            background: ``(N, 3, H, W)`` in [-1, 1].
            first: Whether there is no frame before.
        """
        f1, f2 = self.source(source), self.regions(torch.cat((previous, regions), dim=1))
        f3 = self.guidance(guidance)
        raw = residual_image(regions if self.residual else None, self.image(self.raw(f3 + self.alignment(f1, f2))))
        rest = self.rest(f2 + f3)
        before = None if first else previous[:, 3:]
        foreground = Blended.of(raw, _FLOW_SCALE * self.flow(rest), self.weight(rest).sigmoid(), before)
        mask = self.mask(rest)
        if self.residual:  # the layout's own background, of frame t
            mask = mask + guidance[:, 2 * CLASSES : 2 * CLASSES + 1].logit(_SURE)
        mask = mask.sigmoid()
        # Equation 15 adds images of which black is 0; here black is -1.
        image = foreground.final + mask * (background + 1)
        return Composition(foreground, mask, image)
