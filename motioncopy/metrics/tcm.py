"""Temporal consistency metric (TCM): whether a video changes from frame to frame as much as a real one does.

Where the frame before, warped to this frame by optical flow, differs from this frame, something changed that motion
does not explain: flicker, or texture that slides. A real video has some of that too, so that the ratio of the two is
taken. Whose flow, and whose video is the real one, differs between papers and codes: every combination has its name.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from motioncopy.footage.perception.flow import DISFlow
from motioncopy.footage.perception.raft import build, flow_between
from motioncopy.metrics.clip import Chunk, Extractor, Input, Output, Provider, Seen, Stream, Video, published
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.inception import exact
from motioncopy.metrics.metric import ClipMetric

Frames = NDArray[np.uint8]
Flow = NDArray[np.float32]


def followed(images: Tensor, flow: Tensor) -> Tensor:
    """What stands in ``images`` at the place that the flow leads each pixel to; bilinear, the border repeats.

    By torch, since OpenCV's ``remap`` rounds places to 1/32 pixel, in all versions or in some of them, depending on
    the number of channels.

    Args:
        images: ``(n, c, H, W)`` float.
        flow: ``(n, 2, H, W)`` pixels (x, y).

    Returns:
        ``(n, c, H, W)`` float.

    >>> ramp = torch.arange(4.0).expand(1, 1, 1, 4)
    >>> flow = torch.zeros(1, 2, 1, 4)
    >>> flow[:, 0] = 1  # to the right; the border repeats
    >>> followed(ramp, flow)
    tensor([[[[1., 2., 3., 3.]]]])
    """
    x, y = _places(flow)
    height, width = flow.shape[2:]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    return grid_sample(images, grid, padding_mode="border", align_corners=False)


def consistent(forward: Tensor, backward: Tensor) -> Tensor:
    """Where the way back leads to where the way there began: pixels that both frames show.

    |f + b|² < 0.01 (|f|² + |b|²) + 0.5, where f is the forward flow at the place that the backward flow b leads to
    (Sundaram, Brox, Keutzer: Dense point trajectories by GPU-accelerated large displacement optical flow, ECCV 2010,
    equation 5). Pixels that b leads out of the frame do not count as seen.

    Args:
        forward: ``(n, 2, H, W)`` pixels: from the frame before to this one.
        backward: ``(n, 2, H, W)`` pixels: from this frame to the one before.

    Returns:
        ``(n, 1, H, W)`` bool.

    >>> backward = torch.zeros(1, 2, 1, 4)
    >>> backward[:, 0] = -1  # what the first column shows comes from outside
    >>> consistent(-backward, backward)
    tensor([[[[False,  True,  True,  True]]]])
    """
    x, y = _places(backward)
    height, width = backward.shape[2:]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    there = followed(forward, backward)
    gap = (there + backward).square().sum(dim=1)
    lengths = (there.square() + backward.square()).sum(dim=1)
    return (inside & (gap < 0.01 * lengths + 0.5)).unsqueeze(1)


def _places(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Where each pixel is led, (x, y), each ``(n, H, W)``."""
    height, width = flow.shape[2:]
    x = flow[:, 0] + torch.arange(width, device=flow.device)
    y = flow[:, 1] + torch.arange(height, device=flow.device).unsqueeze(1)
    return x, y


class _Flow(Extractor):
    """Two rows a frame: ``backward`` ``(n, 2, H, W)`` float32 pixels (x, y), and ``visible`` ``(n, 1, H, W)`` bool.

    This frame at p shows what the frame before showed at p + backward; visible says where both show it. In a clip's
    first frame the flow is 0 and nothing is visible, so that whoever asks what is visible need not know the first.
    Each pair of frames is seen for itself, so that chunks change nothing.
    """

    outputs = ("backward", "visible")

    def start(self) -> Stream:
        """See :meth:`Extractor.start`."""
        return _FlowStream(self)

    @abstractmethod
    def between(self, now: Frames, before: Frames, device: torch.device) -> Flow:
        """Flow ``(1, H, W, 2)`` from one frame to another, both ``(1, H, W, 3)``; a network computes on the device."""


class _FlowStream:
    """One video: keeps its last frame."""

    def __init__(self, owner: _Flow) -> None:
        self._owner = owner
        self._last: Frames | None = None

    def update(self, frames: Tensor) -> Mapping[str, Tensor]:
        """See :meth:`Stream.update`."""
        n, _, height, width = frames.shape
        found = {
            "backward": torch.zeros(n, 2, height, width, device=frames.device),
            "visible": torch.zeros(n, 1, height, width, dtype=torch.bool, device=frames.device),
        }
        images = np.ascontiguousarray(frames.permute(0, 2, 3, 1).numpy(force=True))
        for i in range(n):
            now, before = images[i : i + 1], self._last
            if before is not None:
                backward, forward = (
                    torch.from_numpy(self._owner.between(a, b, frames.device)).to(frames.device).permute(0, 3, 1, 2)
                    for a, b in ((now, before), (before, now))
                )
                found["backward"][i], found["visible"][i] = backward[0], consistent(forward, backward)[0]
            self._last = now
        if self._last is not None:
            self._last = self._last.copy()  # one frame, not a view that keeps the chunk alive
        return {name: found[name] for name in self._owner.wanted}


class FlowDIS(_Flow):
    """OpenCV's DIS flow, preset ``medium``: no weights, on a CPU; the number of threads does not change it.

    >>> stream = FlowDIS(wanted=frozenset({"backward"})).start()
    >>> stream.update(torch.zeros(2, 3, 16, 16, dtype=torch.uint8))["backward"].shape
    torch.Size([2, 2, 16, 16])
    """

    name = "flow_dis"

    def __init__(self, networks: Provider = published, *, wanted: frozenset[str] = frozenset()) -> None:
        super().__init__(networks, wanted=wanted)
        self._dis = DISFlow("medium")

    def between(self, now: Frames, before: Frames, device: torch.device) -> Flow:
        """See :meth:`_Flow.between`."""
        return self._dis(now, before)


class FlowRAFT(_Flow):
    """RAFT, torchvision's ``raft_large`` with its default weights.

    >>> FlowRAFT.name, FlowRAFT.outputs
    ('flow_raft', ('backward', 'visible'))
    """

    name = "flow_raft"

    def __init__(self, networks: Provider = published, *, wanted: frozenset[str] = frozenset()) -> None:
        super().__init__(networks, wanted=wanted)
        weights = networks("raft-large")
        self.identities = {"raft-large": weights.identity}
        self._network = build("large", weights.state)

    def between(self, now: Frames, before: Frames, device: torch.device) -> Flow:
        """See :meth:`_Flow.between`."""
        with exact(device):
            return flow_between(self._network.to(device), now, before, device)


# -- the metric ------------------------------------------------------------------------------------------------------

Motion = Literal["truth", "driving", "own_truth", "own_driving"]

#: A real frame that changes by less, as a mean square of values in [0, 1], is as good as still: no ratio is taken.
STILL = 1e-6

_FLOWS: dict[str, tuple[type[Extractor], str]] = {
    "dis": (FlowDIS, "OpenCV's DIS flow, preset medium"),
    "raft": (FlowRAFT, "RAFT (torchvision's raft_large, C_T_SKHT_V2)"),
}
_WHOSE: dict[Motion, str] = {
    "truth": "the true video's flow warps both, where it is visible in the true video",
    "driving": "the driving video's flow, scaled to the frame's size, warps both, where it is visible there",
    "own_truth": "each video is warped by its own flow, where that is visible",
    "own_driving": "each video is warped by its own flow, where that is visible",
}
_NAMES: dict[Motion, str] = {
    "truth": "truth's motion",
    "driving": "driving motion",
    "own_truth": "own motion",
    "own_driving": "own motion, driving video",
}


def change(now: Tensor, before: Tensor, backward: Tensor, visible: Tensor) -> Tensor:
    """How much a frame differs from the one before, seen through the flow.

    Args:
        now: ``(3, H, W)`` uint8.
        before: The same, the frame before.
        backward: ``(2, h, w)`` pixels, from ``now`` to ``before``; scaled if it is of another size.
        visible: ``(1, h, w)`` bool: where to look.

    Returns:
        Mean square difference of values in [0, 1] over visible pixels and channels, a float64 scalar; NaN where
        nothing is visible.

    >>> now, before = torch.full((3, 2, 2), 51, dtype=torch.uint8), torch.zeros(3, 2, 2, dtype=torch.uint8)
    >>> change(now, before, torch.zeros(2, 2, 2), torch.ones(1, 2, 2, dtype=torch.bool))  # a fifth, squared
    tensor(0.0400, dtype=torch.float64)
    """
    flow, seen = backward.unsqueeze(0), visible.unsqueeze(0)
    size = now.shape[1:]
    if flow.shape[2:] != size:
        scale = flow.new_tensor([size[1] / flow.shape[3], size[0] / flow.shape[2]]).view(1, 2, 1, 1)
        flow = interpolate(flow, size, mode="bilinear", align_corners=False) * scale
        seen = interpolate(seen.float(), size, mode="nearest-exact").bool()
    error = followed(before.unsqueeze(0).float(), flow)[0] - now
    return error.square().mean(dim=0)[seen[0, 0]].double().mean() / 255**2


class _Temporal(ClipMetric):
    """What all variants share.

    Attributes:
        motion: Whose motion.
        extractor: The flow.
        reference: The video that counts as real.
    """

    motion: ClassVar[Motion]
    extractor: ClassVar[type[Extractor]]
    reference: ClassVar[Literal["truth", "driving"]]

    def ratios(self, chunk: Chunk) -> Tensor:
        """How many times as much as the real video each frame changes: ``(n,)`` float64, NaN where it has no ratio."""
        own: Video = "generated" if self.motion.startswith("own") else self.reference
        expected = self._changes(chunk, self.reference, by=self.reference)
        # A comparison with NaN is false, so that frames in which nothing is visible stay NaN.
        return self._changes(chunk, "generated", by=own) / expected.where(expected >= STILL, torch.nan)

    def _changes(self, chunk: Chunk, video: Video, *, by: Video) -> Tensor:
        """:func:`change` of each frame of a video by the flow of another, ``(n,)`` float64; NaN for the first frame."""
        frames, previous = chunk.video(video), chunk.previous.video(video) if chunk.previous is not None else None
        assert frames is not None
        backward, visible = (chunk.found[Seen(Output(self.extractor, name), by)] for name in ("backward", "visible"))
        changes = torch.full((len(frames),), torch.nan, dtype=torch.float64, device=frames.device)
        for t, now in enumerate(frames):
            before = frames[t - 1] if t else previous[0] if previous is not None else None
            if before is not None:
                changes[t] = change(now, before, backward[t], visible[t])
        return changes


class _TCM(_Temporal):
    def per_frame(self, chunk: Chunk) -> Tensor:
        """exp(-|r - 1|) of every frame, ``(n,)`` float64 in [0, 1]."""
        return torch.exp(-(self.ratios(chunk) - 1).abs())


class _Ratio(_Temporal):
    def per_frame(self, chunk: Chunk) -> Tensor:
        """The ratio r of every frame, ``(n,)`` float64, at least 0."""
        return self.ratios(chunk)


_SOURCE = (
    "Yao, Chang, Chien: Occlusion-aware video temporal consistency, ACM MM 2017 (the ratio); the bounded form as a "
    "later re-implementation of C2F-FWN's metric has it (REMOT, FakeMotion and FakeVideo print no formula)"
)
# The figures are of 28 rendered clips of 12 frames at 128x128: two pairs of people, 14 motions, DIS. Noise has a
# standard deviation of 5 grey levels, blur one of a pixel.
_CHOICE = (
    "Yao et al. correspond by PatchMatch, either on each video by itself or the real one's on both. C2F-FWN takes "
    "FlowNet2 in code that was never released; REMOT, FakeMotion and FakeVideo name no flow. So no published value can "
    "be reproduced, and values compare only within one table: another flow gives others. DIS is the default since it "
    "needs no weights, so that every machine can compute it; raft is nearer to C2F-FWN's learned flow. Where there is "
    "a truth, truth_dis is the default: wrong motion costs under the truth's flow, and own flow would explain it away "
    "(shuffled frames get 0.04 against 0.26). Where a motion is imitated, the people are in different places, and "
    "own_driving_dis is the default: of 28 rendered true imitations all get more than their frozen copies and 27 more "
    "than their blurred ones (driving_dis: 22 and 22), 27 more than their noisy ones (driving_dis: 28). Yao's 1e-9 in "
    "the denominator is left out: nearly still frames are skipped, so that it would change r by less than 0.1%, and "
    "keep a video from being exactly as steady as itself."
)
_COMMON_CAUTION = (
    "Says nothing about likeness: an empty video gets exp(-1) = 0.37. Steadier than the real video costs as well, so "
    "that blur lowers it. "
)
_CAUTIONS: dict[Motion, str] = {
    "truth": (
        "Rewards freezing where most of the picture is still: frozen copies of 28 rendered clips get 0.49 on average "
        "and up to 0.83, and in 23 of them more than a copy with noise of 5 grey levels. Read FVD beside it."
    ),
    "driving": (
        "Rewards freezing where most of the picture is still: frozen copies of 28 rendered imitations get 0.57 on "
        "average, the true imitations, which are not in the same place as the driving person, 0.72; in 6 of them the "
        "frozen one gets more. Read FVD beside it."
    ),
    "own_truth": (
        "A frozen video has r = 0 and gets 0.37, more than one that flickers (r > 2). Explains wrong motion away by "
        "the video's own flow, and does not look where that cannot be followed: shuffled frames of 28 rendered clips "
        "get 0.26 on average, up to 0.48, and of a texture that moves as a whole 0.84. Read FVD beside it."
    ),
    "own_driving": (
        "A frozen video has r = 0 and gets 0.37, more than one that flickers (r > 2). Explains wrong motion away by "
        "the video's own flow, and does not look where that cannot be followed: shuffled frames of 28 rendered "
        "imitations get 0.35 on average, up to 0.65 (the true imitations 0.74), and of a texture that moves as a whole "
        "0.84. Read FVD beside it."
    ),
}
_RATIO_CAUTION = (
    "Neither high nor low is good: 1 is as steady as the real video. Freezing or emptying a video can make r smaller, "
    "down to 0, so that a smaller value must not be read as a better one. Single frames in which the real video "
    "nearly stands still dominate the mean."
)


def _variant(kind: type[_Temporal], motion: Motion, flow: str) -> type[_Temporal]:
    """The metric of one combination."""
    extractor, network = _FLOWS[flow]
    reference: Literal["truth", "driving"] = "driving" if motion.endswith("driving") else "truth"
    bounded = kind is _TCM
    name, title = ("tcm", "TCM") if bounded else ("tcm_ratio", "TCM ratio")
    definition = Definition(
        key=f"{name}/{motion}_{flow}@1",
        title=f"{title} ({_NAMES[motion]}, {flow.upper()})",
        direction="higher" if bounded else "none",
        unit="",
        source=_SOURCE,
        text=(
            f"{'exp(-|r - 1|)' if bounded else 'r'} of every frame but the first, then the mean over frames. r is the "
            "generated video's change over the real one's; change is the mean square difference, in [0, 1], of a "
            f"frame and the one before, warped by {network}, over channels and visible pixels; the real video is the "
            f"{'true' if reference == 'truth' else 'driving'} one, and {_WHOSE[motion]}. Visible is what passes the "
            "forward-backward check of Sundaram et al. 2010. Frames in which the real video changes by less than 1e-6, "
            "or in which nothing is visible, are skipped and counted as such."
        ),
        choice=_CHOICE,
        caution=_COMMON_CAUTION + _CAUTIONS[motion] if bounded else _RATIO_CAUTION,
    )
    looks: tuple[Video, ...] = (reference, "generated") if motion.startswith("own") else (reference,)
    inputs: frozenset[Input] = frozenset({reference})
    class_name = f"{kind.__name__.strip('_')}_{motion}_{flow}"
    return type(
        class_name,
        (kind,),
        {
            "__doc__": f"{definition.title}.\n\n>>> {class_name}().definition.key\n'{definition.key}'",
            "__module__": __name__,
            "definition": definition,
            "motion": motion,
            "extractor": extractor,
            "reference": reference,
            "inputs": inputs,
            "sees": tuple(Seen(Output(extractor, name), video) for video in looks for name in extractor.outputs),
        },
    )


_MOTIONS: tuple[Motion, ...] = ("truth", "driving", "own_truth", "own_driving")
#: All combinations of motion and flow.
TCM_METRICS = tuple(_variant(_TCM, motion, flow) for flow in _FLOWS for motion in _MOTIONS)
TCM_RATIOS = tuple(_variant(_Ratio, motion, flow) for flow in _FLOWS for motion in _MOTIONS)
#: For reconstruction, and for imitation.
TCM_DEFAULTS = ("tcm/truth_dis@1", "tcm/own_driving_dis@1")
# Pickle looks a class up by its name in its module.
globals().update({kind.__name__: kind for kind in (*TCM_METRICS, *TCM_RATIOS)})
