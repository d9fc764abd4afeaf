"""How FakeMotion's generator sees poses: the paper's window of stick figures, the released code's one-hot maps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

import torch
from torch import Tensor

from motioncopy.batch import Motion
from motioncopy.errors import ConfigError
from motioncopy.poses.limbs import draw_onehot, onehot_channels
from motioncopy.poses.smooth import fill_missing
from motioncopy.poses.sticks import draw_motion_sticks
from motioncopy.skeletons import skeleton as skeleton_named


class PoseInput(ABC):
    """Draws the poses around a frame as the generator's input.

    Attributes:
        before: Frames before the one to generate that the input shows.
        after: Frames behind it.
        channels: Channels of one frame's drawing.
        generated: Frames of a training window that are generated where no temporal discriminator says how many: as
            many as with its own one, so that an ablation changes the loss and not the data.
    """

    before: int
    after: int
    channels: int
    generated: int

    def fill(self, motion: Motion) -> Motion:
        """The motion as it is drawn: as it is, unless an input fills in what is missing.

        Earlier frames may be looked at, so the last filled frame has to stand in front of the next chunk.
        """
        return motion

    @abstractmethod
    def draw(self, motion: Motion) -> Tensor:
        """Each frame's own drawing, ``(B, T, channels, H, W)`` in [-1, 1], of a motion from :meth:`fill`."""

    @property
    def window(self) -> int:
        """Frames that one input shows."""
        return self.before + 1 + self.after

    def inputs(self, motion: Motion) -> tuple[Tensor, Tensor]:
        """What a generator sees of the frames that have all neighbours.

        Args:
            motion: From :meth:`fill`. Where it is seen through windows that follow the person, the neighbours are drawn
                as the frame's own window shows them.

        Returns:
            Drawings of a frame and its neighbours ``(B, n, channels * window, H, W)``, and of it alone, where n is T -
            before - after.
        """
        count = len(motion) - self.before - self.after
        if motion.boxes is None:
            drawings = self.draw(motion)
            return self.stack(drawings), self.centre(drawings)
        boxes = motion.boxes[:, self.before : self.before + count]
        drawn = [self.draw(motion.frames(k, k + count).through(boxes, motion.size)) for k in range(self.window)]
        return torch.cat(drawn, dim=2), drawn[self.before]

    def stack(self, drawings: Tensor) -> Tensor:
        """Lays neighbouring drawings over one another.

        Args:
            drawings: ``(B, T, C, H, W)`` from :meth:`draw`.

        Returns:
            ``(B, T - before - after, C * window, H, W)``: the inputs of the frames that have all neighbours.
        """
        count = drawings.shape[1] - self.before - self.after
        return torch.cat([drawings[:, k : k + count] for k in range(self.window)], dim=2)

    def centre(self, drawings: Tensor) -> Tensor:
        """The drawings of those frames alone, ``(B, T - before - after, C, H, W)``."""
        return drawings[:, self.before : drawings.shape[1] - self.after]


class StickWindow(PoseInput):
    """The paper: the stick figures of frames t-1, t, t+1 as nine channels (section 2.2).

    Args:
        groups: Whether hands and face are drawn where the data has them (the paper: 18 body joints only).
        skeleton: The joints that are drawn of a human body; other bodies are drawn as they are.
        limbs: Width of a second drawing in three more channels, as a share of the image's longer side: sticks say where
            a limb is, limbs how far it reaches (not in the paper). 0 draws none.
    """

    before, after, generated = 1, 1, 3

    def __init__(self, groups: bool = False, skeleton: str = "coco18", limbs: float = 0.0) -> None:
        self.groups, self.skeleton, self.limbs = groups, skeleton, limbs
        self.channels = 6 if limbs else 3

    def draw(self, motion: Motion) -> Tensor:
        """RGB stick figures, and limbs where these are drawn."""
        if not self.groups:
            motion = replace(motion, hand_left=None, hand_right=None, face=None)
        shown = skeleton_named(self.skeleton) if motion.skeleton == "body25" else None
        sticks = draw_motion_sticks(motion, show_as=shown, background="white")
        if not self.limbs:
            return sticks
        body = replace(motion, hand_left=None, hand_right=None, face=None)
        width = self.limbs * max(motion.size)
        return torch.cat([sticks, draw_motion_sticks(body, show_as=shown, background="white", width=width)], dim=2)


class OneHotPair(PoseInput):
    """The released code: one-hot limb maps of the previous and the current frame, 2 x 65 channels.

    A missing joint copies the previous frame's (there and here).

    Args:
        skeleton: Of the motions; an animal's has fewer limbs and no hands, and so fewer channels.
    """

    before, after, generated = 1, 0, 1

    def __init__(self, skeleton: str = "body25") -> None:
        self.skeleton = skeleton
        self.channels = onehot_channels(skeleton_named(skeleton))

    def fill(self, motion: Motion) -> Motion:
        """Missing joints stay where they were seen last."""
        return fill_missing(motion)

    def draw(self, motion: Motion) -> Tensor:
        """0/1 maps of background, limbs (24 of a human) and 40 finger segments.

        Raises:
            ConfigError: If the motion is of another skeleton.
        """
        if motion.skeleton != self.skeleton:
            raise ConfigError(
                "the one-hot pose input is made for another skeleton",
                expected=self.skeleton,
                found=motion.skeleton,
                remedy="set pose.init_args.skeleton, and the channels of the networks that see the pose",
            )
        return draw_onehot(motion)
