"""Layouts and regions, frame by frame: what the Region Generation Network gives the Whole Composition Network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from methods.remot.networks import CLASSES, LayoutGenerator, RegionGenerator
from methods.remot.scene import BLACK, History, Source, draw_poses, join, regions_of
from methods.remot.whole import Rough
from motioncopy.batch import Motion, MotionBatch


@dataclass
class SketchState:
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
    layouts: History
    regions: History
    poses: tuple[Tensor, Tensor] | None = None


class Sketcher:
    """Draws layouts and regions of one frame after the other.

    Args:
        layout: The Layout GAN's generator.
        region: The Region GAN's generator.
        aligned: Whether the source's regions go through the Global Alignment Module.
        filled: Whether the source's regions, fitted into the wanted ones, are changed rather than drawn anew.
        confined: Whether a region is black outside its mask by construction.
    """

    def __init__(
        self, layout: LayoutGenerator, region: RegionGenerator, *, aligned: bool, filled: bool, confined: bool
    ) -> None:
        self.layout, self.region = layout, region
        self.aligned, self.filled, self.confined = aligned, filled, confined

    def start(self, source: Source) -> SketchState:
        """All that the source alone determines."""
        return SketchState(
            source,
            self.layout.encode(source.layout),
            History(torch.zeros_like(source.layout)),
            History(torch.full_like(source.regions, BLACK)),
        )

    def draw(self, state: SketchState, pose: Tensor) -> Rough:
        """Draws the next frame.

        Args:
            state: From :meth:`start`; changed.
            pose: ``(N, 3, H, W)``, as drawn.
        """
        before = state.poses if state.poses is not None else (pose, pose)
        poses = torch.cat((*before, pose), dim=1)
        layout = self.layout(state.encoded, poses, state.layouts.stacked(), first=state.layouts.first).final
        # The Region GAN is trained on true layouts, which are sharp.
        sharp = functional.one_hot(layout.argmax(dim=1), CLASSES).movedim(-1, 1).to(layout.dtype)
        source = state.source.regions_in(sharp, moved=self.aligned)
        base = state.source.base_in(sharp) if self.filled else None
        # Where the layout is not sure, regions and place share the pixel: their weights add up to 1.
        within = regions_of(layout) if self.confined else None
        regions = self.region(regions_of(sharp), state.regions.stacked(), source, base=base, within=within)
        rough = Rough(
            layout=layout,
            foreground=join(regions),
            source=state.source.person_in(sharp),
            guide=torch.cat((state.layouts.stacked(layout), poses), dim=1),
        )
        state.layouts.push(layout)
        state.regions.push(regions)
        state.poses = (before[1], pose)
        return rough

    def sequence(self, batch: MotionBatch) -> list[Rough]:
        """Draws all frames of a batch."""
        state = self.start(Source.of(batch.appearance))
        return [self.draw(state, pose) for pose in self.poses(batch.motion)]

    @staticmethod
    def poses(motion: Motion) -> list[Tensor]:
        """The drawn poses of all frames, each ``(N, 3, H, W)``."""
        return list(draw_poses(motion).unbind(1))
