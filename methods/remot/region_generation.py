"""The Region Generation Network (section 3.1): layouts and regions, frame by frame, by two trained generators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from methods.remot.layouts import BLACK, Source, draw_poses, join_regions, last_two
from methods.remot.networks import CLASSES, LayoutGenerator
from methods.remot.region import RegionGAN
from motioncopy.batch import Motion, MotionBatch


@dataclass
class RegionGenerationState:
    """Between two frames.

    Attributes:
        source: The person.
        encoded: What the Layout GAN makes of the source layout, once.
        layouts: The last two layouts, or as many as there were.
        regions: The last two frames' regions, likewise.
        poses: The last two drawn poses, the first one twice.
    """

    source: Source
    encoded: Tensor
    layouts: list[Tensor] = field(default_factory=list)
    regions: list[Tensor] = field(default_factory=list)
    poses: list[Tensor] = field(default_factory=list)


@dataclass(frozen=True)
class RegionGenerationOutput:
    """One frame.

    Attributes:
        layout: ``(N, 6, H, W)`` probabilities.
        foreground: ``(N, 3, H, W)``: the joined regions on black (equation 11).
        source: ``(N, 3, H, W)``: the person of the source image, aligned.
        guidance: ``(N, 3 * (6 + 3), H, W)``: layouts and poses of frames t-2 to t.
    """

    layout: Tensor
    foreground: Tensor
    source: Tensor
    guidance: Tensor

    @property
    def condition(self) -> Tensor:
        """What the discriminator sees beside the image: layout and pose of frame t, ``(N, 6 + 3, H, W)``."""
        pose = self.guidance.shape[1] // 3 - self.layout.shape[1]
        return torch.cat((self.layout, self.guidance[:, -pose:]), dim=1)

    def composed_with(self, previous: Sequence[Tensor], background: Tensor) -> dict[str, Any]:
        """The arguments of the Whole Composition Network.

        Args:
            previous: The foregrounds that it made so far, or the last two; each ``(N, 3, H, W)``.
            background: ``(N, 3, H, W)``: the place.
        """
        return {
            "source": self.source,
            "regions": self.foreground,
            "previous": last_two(previous, torch.full_like(background, BLACK)),
            "guidance": self.guidance,
            "background": background,
            "first": not previous,
        }


class RegionGeneration:
    """Draws layouts and regions of one frame after the other.

    Args:
        layout: The Layout GAN's generator.
        region: The Region GAN.
    """

    def __init__(self, layout: LayoutGenerator, region: RegionGAN) -> None:
        self.layout, self.region = layout, region

    def init_state(self, source: Source) -> RegionGenerationState:
        """All that the source alone determines."""
        return RegionGenerationState(source, self.layout.encode(source.layout))

    def generate(self, state: RegionGenerationState, pose: Tensor) -> RegionGenerationOutput:
        """Draws the next frame.

        Args:
            state: From :meth:`init_state`; changed.
            pose: ``(N, 3, H, W)``, as drawn.
        """
        source, blank = state.source, torch.zeros_like(state.source.layout)
        state.poses = state.poses or [pose, pose]
        poses = torch.cat((*state.poses, pose), dim=1)
        layout = self.layout(state.encoded, poses, last_two(state.layouts, blank), first=not state.layouts).final
        # The Region GAN is trained on true layouts, which are sharp.
        sharp = functional.one_hot(layout.argmax(dim=1), CLASSES).movedim(-1, 1).to(layout.dtype)
        before = last_two(state.regions, torch.full_like(source.regions, BLACK))
        regions = self.region.generator(previous=before, **self.region.guides(source, layout, sharp))
        output = RegionGenerationOutput(
            layout=layout,
            foreground=join_regions(regions),
            source=source.person_in(sharp),
            guidance=torch.cat((last_two(state.layouts, blank, layout), poses), dim=1),
        )
        for last, now in ((state.layouts, layout), (state.regions, regions), (state.poses, pose)):
            last[:] = [*last, now][-2:]
        return output

    def sequence(self, batch: MotionBatch) -> list[RegionGenerationOutput]:
        """Draws all frames of a batch."""
        state = self.init_state(Source.of(batch.appearance))
        return [self.generate(state, pose) for pose in self.poses(batch.motion)]

    @staticmethod
    def poses(motion: Motion) -> list[Tensor]:
        """The drawn poses of all frames, each ``(N, 3, H, W)``."""
        return list(draw_poses(motion).unbind(1))
