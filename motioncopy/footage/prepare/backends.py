"""Which perception backends make a clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from motioncopy.errors import PerceptionError
from motioncopy.footage import Footage
from motioncopy.footage.clips import Backend
from motioncopy.footage.perception.backends import (
    BackgroundModel,
    FlowEstimator,
    Parser,
    PersonSegmenter,
    PoseEstimator,
)
from motioncopy.footage.perception.background import MedianBackground
from motioncopy.footage.perception.flow import DISFlow
from motioncopy.footage.perception.masks import PoseMask
from motioncopy.footage.perception.parsing import LimbParser

#: What a clip can hold beside its frames, joints and background.
PARTS = ("mask", "parsing", "flow")


@dataclass(frozen=True)
class Backends:
    """What makes each part of a clip; the defaults need no download."""

    pose: PoseEstimator
    mask: PersonSegmenter = field(default_factory=PoseMask)
    parser: Parser = field(default_factory=LimbParser)
    background: BackgroundModel = field(default_factory=MedianBackground)
    flow: FlowEstimator = field(default_factory=DISFlow)

    @classmethod
    def default(cls, *, hands: bool = False) -> Backends:
        """MediaPipe, and what can be computed.

        Args:
            hands: Whether the hands' joints are looked for too, which takes two to four times as long.

        Raises:
            PerceptionError: If MediaPipe is not installed.
        """
        from motioncopy.footage.perception.mediapipe import MediaPipePose

        return cls(MediaPipePose(hands=hands))

    def check(self, parts: Sequence[str]) -> None:
        """Whether these backends can make those parts, as far as that can be told before they see a frame.

        Raises:
            PerceptionError: If the parser needs another skeleton than the pose estimator's.
            WeightsError: If a backend's weights are not on this machine.
        """
        needed = getattr(self.parser, "skeleton", None)
        if "parsing" in parts and needed not in (None, self.pose.skeleton):
            raise PerceptionError(
                f"the parser {self.parser.name} cannot label this body",
                expected=f"joints of {needed}",
                found=f"{self.pose.skeleton}, from {self.pose.name}",
                remedy="leave parsing out of the parts, or choose another parser",
            )
        self.makers(parts)  # backends with weights find them for their version

    def start(self, footage: Footage) -> None:
        """The next frames are this footage's."""
        for backend in (self.pose, self.mask, self.parser, self.background, self.flow):
            backend.start(footage)

    def makers(self, parts: Sequence[str]) -> dict[str, Backend]:
        """Who makes what, as a clip's manifest names it."""
        makers: dict[str, Any] = {
            "joints": self.pose,
            **dict.fromkeys(self.pose.groups, self.pose),
            "mask": self.mask,
            "background": self.background,
        }
        if "parsing" in parts:
            makers["parsing"] = self.parser
        if "flow" in parts:
            makers["flow"] = self.flow
        return {part: Backend(maker.name, maker.version) for part, maker in makers.items()}
