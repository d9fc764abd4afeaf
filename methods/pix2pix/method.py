"""pix2pix: one generator, one stage."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from methods.pix2pix.networks import UNet
from motioncopy.losses.adversarial import AdversarialLoss, NonSaturating
from motioncopy.method import Stage
from motioncopy.nets.blocks import check_size
from motioncopy.nets.discriminators import MultiScaleDiscriminator
from motioncopy.request import Crop
from motioncopy.training.pose_to_frame import PoseToFrame, PoseToFrameGAN, PoseToFrameLosses, PoseToFrameStage


class Pix2Pix(PoseToFrame):
    """One model a person: a U-Net paints the frame of a stick figure.

    Args:
        image_size: (height, width) in pixels, which the U-Net must be able to halve as often as it has levels.
        crop: See :data:`motioncopy.request.Crop`.
        normalisation: See :mod:`motioncopy.poses.normalise` (the paper has no bodies).
        frame: The GAN.
        gan: The form of the adversarial loss.

    Raises:
        ConfigError: If the U-Net cannot work at this size; the message names the nearest that do.
    """

    def __init__(
        self,
        *,
        image_size: tuple[int, int] = (256, 256),
        crop: Crop = "frame",
        normalisation: str = "edn",
        frame: PoseToFrameGAN | None = None,
        gan: AdversarialLoss | None = None,
    ) -> None:
        super().__init__(image_size, crop, normalisation)
        # What only training needs is not registered: it is in no checkpoint of the method.
        self._frame = frame or PoseToFrameGAN(
            UNet(),
            MultiScaleDiscriminator(6, num_scales=1, norm="affine_instance", padding=1),
            PoseToFrameLosses(l1=100.0),
        )
        self._gan = gan or NonSaturating()
        self.generator = self._frame.generator
        if isinstance(self.generator, UNet):
            check_size("pix2pix", image_size, 2 ** len(self.generator.down), cells=1)

    @cached_property
    def stages(self) -> Sequence[Stage]:
        """One."""
        return [PoseToFrameStage("frame", self.request, frame=self._frame, gan=self._gan)]
