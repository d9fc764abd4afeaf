"""The Region Generation Network (section 3.1): layouts and regions, frame by frame, by two trained generators."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from methods.remot.layouts import BLACK, PreviousFrames, Source, draw_poses, join_regions, region_masks
from methods.remot.networks import CLASSES, LayoutGenerator, RegionGenerator
from motioncopy.batch import Motion, MotionBatch


@dataclass
class RegionGenerationState:
    """Between two frames.

    Attributes:
        source: The person.
        encoded: What the Layout GAN makes of the source layout, once.
        layouts: The last two layouts.
        regions: The last two frames' regions.
        poses: The last two drawn poses; ``None`` before the first.
    """

    source: Source
    encoded: Tensor
    layouts: PreviousFrames
    regions: PreviousFrames
    poses: tuple[Tensor, Tensor] | None = None


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


class RegionGeneration:
    """Draws layouts and regions of one frame after the other.

    Args:
        layout: The Layout GAN's generator.
        region: The Region GAN's generator.
        aligned: Whether the source's regions go through the Global Alignment Module.
        residual: Whether the source's regions, fitted into the wanted ones, are changed rather than drawn anew.
        masked: Whether a region is black outside its mask by construction.
    """

    def __init__(
        self, layout: LayoutGenerator, region: RegionGenerator, *, aligned: bool, residual: bool, masked: bool
    ) -> None:
        self.layout, self.region = layout, region
        self.aligned, self.residual, self.masked = aligned, residual, masked

    def init_state(self, source: Source) -> RegionGenerationState:
        """All that the source alone determines."""
        return RegionGenerationState(
            source,
            self.layout.encode(source.layout),
            PreviousFrames(torch.zeros_like(source.layout)),
            PreviousFrames(torch.full_like(source.regions, BLACK)),
        )

    def generate(self, state: RegionGenerationState, pose: Tensor) -> RegionGenerationOutput:
        """Draws the next frame.

        Args:
            state: From :meth:`init_state`; changed.
            pose: ``(N, 3, H, W)``, as drawn.
        """
        before = state.poses if state.poses is not None else (pose, pose)
        poses = torch.cat((*before, pose), dim=1)
        layout = self.layout(state.encoded, poses, state.layouts.stacked(), first=state.layouts.first).final
        # The Region GAN is trained on true layouts, which are sharp.
        sharp = functional.one_hot(layout.argmax(dim=1), CLASSES).movedim(-1, 1).to(layout.dtype)
        source = state.source.regions_in(sharp, moved=self.aligned)
        base = state.source.fitted_in(sharp) if self.residual else None
        # Where the layout is not sure, regions and place share the pixel: their weights add up to 1.
        support = region_masks(layout) if self.masked else None
        regions = self.region(region_masks(sharp), state.regions.stacked(), source, base=base, support=support)
        output = RegionGenerationOutput(
            layout=layout,
            foreground=join_regions(regions),
            source=state.source.person_in(sharp),
            guidance=torch.cat((state.layouts.stacked(layout), poses), dim=1),
        )
        state.layouts.push(layout)
        state.regions.push(regions)
        state.poses = (before[1], pose)
        return output

    def sequence(self, batch: MotionBatch) -> list[RegionGenerationOutput]:
        """Draws all frames of a batch."""
        state = self.init_state(Source.of(batch.appearance))
        return [self.generate(state, pose) for pose in self.poses(batch.motion)]

    @staticmethod
    def poses(motion: Motion) -> list[Tensor]:
        """The drawn poses of all frames, each ``(N, 3, H, W)``."""
        return list(draw_poses(motion).unbind(1))
