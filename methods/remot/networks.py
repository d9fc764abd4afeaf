"""The three generators: Layout GAN, Region GAN and Whole Composition Network (sections 3.1 and 3.2, figure 2)."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from motioncopy.batch import PARSING_CLASSES
from motioncopy.nets.blocks import Decoder, Encoder, Norm, output_layer
from motioncopy.nets.correspondence import TextureAlignment
from motioncopy.nets.warp import Blended

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


class Generator(nn.Module):
    """What the three have in common: encoders side by side, and decoders of their sums.

    Args:
        width: See :class:`motioncopy.nets.blocks.Encoder`.
        downs: Likewise.
        encoder_blocks: Residual blocks of an encoder.
        decoder_blocks: Residual blocks of a decoder.
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
        self.width = width
        self._encoder = partial(Encoder, width=width, downs=downs, blocks=encoder_blocks, norm=norm)
        self._decoder = partial(Decoder, width * 2**downs, ups=downs, blocks=decoder_blocks, norm=norm)


class LayoutGenerator(Generator):
    """Draws where each region of the person lies in the driving pose (equation 2).

    Args:
        pose_channels: Channels of one drawn pose.
        sizes: See :class:`Generator`.
    """

    def __init__(self, *, pose_channels: int = 3, **sizes: Any) -> None:
        super().__init__(**sizes)
        self.source, self.poses, self.previous = map(self._encoder, (CLASSES, 3 * pose_channels, 2 * CLASSES))
        self.raw, self.motion = self._decoder(), self._decoder()
        self.classes = output_layer(self.width, CLASSES)
        self.flow, self.weight = output_layer(self.width, 2), output_layer(self.width, 1)

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


class RegionGenerator(Generator):
    """Draws one region of the person; the same network for all five (equation 5).

    Args:
        sizes: See :class:`Generator`.
    """

    def __init__(self, **sizes: Any) -> None:
        super().__init__(**sizes)
        self.mask, self.appearance = self._encoder(1), self._encoder(9)
        self.decoder = self._decoder()
        self.image = output_layer(self.width, 3)

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


class Composition(NamedTuple):
    """What the Whole Composition Network makes of one frame.

    Attributes:
        foreground: The person on -1.
        mask: ``(N, 1, H, W)`` in [0, 1], 1 where the place shows (m of equation 15).
        image: ``(N, 3, H, W)``: foreground and place together; it can reach beyond [-1, 1].
    """

    foreground: Blended
    mask: Tensor
    image: Tensor


class CompositionGenerator(Generator):
    """Refines the joined regions and puts them into the place (equations 14 and 15).

    Args:
        pose_channels: Channels of one drawn pose.
        alignment: From source and target features ``(N, C, h, w)`` to their fusion.
        residual: Whether the joined regions and the layout's mask are changed; in the paper both are drawn anew.
        sizes: See :class:`Generator`.
    """

    def __init__(
        self, *, pose_channels: int = 3, alignment: nn.Module | None = None, residual: bool = False, **sizes: Any
    ) -> None:
        super().__init__(**sizes)
        self.residual = residual
        self.source, self.regions, self.guidance = map(self._encoder, (3, 9, 3 * (CLASSES + pose_channels)))
        self.alignment = alignment if alignment is not None else TextureAlignment()
        self.raw, self.rest = self._decoder(), self._decoder()
        self.image, self.mask = output_layer(self.width, 3), output_layer(self.width, 1)
        self.flow, self.weight = output_layer(self.width, 2), output_layer(self.width, 1)

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
