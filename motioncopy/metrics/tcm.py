"""Temporal consistency metric (TCM): whether a video changes from frame to frame as much as a real one does.

Where the frame before, warped to this frame by optical flow, differs from this frame, something changed that motion
does not explain: flicker, or texture that slides. A real video has some of that too, so that the ratio of the two is
taken. Whose flow, and whose video is the real one, differs between papers and codes: every combination has its name.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motioncopy.metrics.chunk import Chunk, Input, Video
from motioncopy.metrics.clip_metric import ClipMetric
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.extractor import Extractor, Found, Output, Seen
from motioncopy.metrics.flow_features import FlowDIS, FlowRAFT, warped

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


def change(now: Tensor, before: Tensor, backward: Tensor, visible: Tensor) -> float:
    """How much a frame differs from the one before, seen through the flow.

    Args:
        now: ``(3, H, W)`` uint8.
        before: The same, the frame before.
        backward: ``(2, h, w)`` pixels, from ``now`` to ``before``; scaled if it is of another size.
        visible: ``(1, h, w)`` bool: where to look.

    Returns:
        Mean square difference of values in [0, 1] over visible pixels and channels; NaN where nothing is visible.
    """
    image, last = (t.permute(1, 2, 0).numpy(force=True) for t in (now, before))
    flow, seen = backward.permute(1, 2, 0).numpy(force=True), visible[0].numpy(force=True)
    if flow.shape[:2] != image.shape[:2]:
        flow, seen = _resized(flow, seen, image.shape[0], image.shape[1])
    if not seen.any():
        return float("nan")
    error = (warped(np.ascontiguousarray(last), np.ascontiguousarray(flow)) - image)[seen]
    return float(np.square(error, dtype=np.float64).mean() / 255**2)


def _resized(
    flow: NDArray[np.float32], seen: NDArray[np.bool_], height: int, width: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    scale = np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
    resized = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR) * scale
    mask = cv2.resize(seen.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(resized, np.float32), mask.astype(bool)


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

    def ratios(self, chunk: Chunk, found: Found) -> NDArray[np.float64]:
        """How many times as much as the real video each frame changes: ``(n,)``, NaN where that cannot be said."""
        real = chunk.video(self.reference)
        assert real is not None
        own: Video = "generated" if self.motion.startswith("own") else self.reference
        ratios = np.full(len(chunk), np.nan)
        for t in range(len(chunk)):
            before = chunk.previous if t == 0 else None
            if t == 0 and before is None:
                continue  # a clip's first frame
            last = before.generated[0] if before is not None else chunk.generated[t - 1]
            last_real = before.video(self.reference)[0] if before is not None else real[t - 1]  # type: ignore[index]
            expected = change(real[t], last_real, *self._flow(found, self.reference, t))
            if expected >= STILL:  # also refuses NaN
                ratios[t] = change(chunk.generated[t], last, *self._flow(found, own, t)) / expected
        return ratios

    def _flow(self, found: Found, video: Video, t: int) -> tuple[Tensor, Tensor]:
        backward, visible = (found[Seen(Output(self.extractor, name), video)] for name in ("backward", "visible"))
        return backward[t], visible[t]


class _TCM(_Temporal):
    def values(self, chunk: Chunk, found: Found) -> Tensor:
        """exp(-|r - 1|) of every frame, ``(n,)`` float64 in (0, 1]."""
        return torch.from_numpy(np.exp(-np.abs(self.ratios(chunk, found) - 1)))


class _Ratio(_Temporal):
    def values(self, chunk: Chunk, found: Found) -> Tensor:
        """The ratio r of every frame, ``(n,)`` float64, at least 0."""
        return torch.from_numpy(self.ratios(chunk, found))


_SOURCE = (
    "Yao, Chang, Chien: Occlusion-aware video temporal consistency, ACM MM 2017 (the ratio); the bounded form as a "
    "later re-implementation of C2F-FWN's metric has it"
)
_CHOICE = (
    "Yao et al. correspond by PatchMatch, either on each video by itself or the real one's on both; C2F-FWN, whose "
    "values REMOT and others continue, by FlowNet2, in code that was never released. No published value can be "
    "reproduced, and values of two flows do not compare. truth_dis is the default where there is a truth, "
    "own_driving_dis where a motion is imitated (the two videos are not aligned then): DIS needs no weights, so that "
    "every machine gives the same. The raft variants are nearer to the learned flow of the papers."
)
_CAUTION = (
    "Says nothing about likeness: a blurred or empty video can be as steady as a real one. Freezing it costs most of "
    "the value under truth and driving motion, where still textures do not follow the flow; under own motion a frozen "
    "video has r = 0 and gets exp(-1) = 0.37, not 0."
)
_RATIO_CAUTION = (
    "Neither high nor low is good: 1 is as steady as the real video. Freezing a video makes r smaller under its own "
    "motion, so that a smaller value must not be read as a better one; single frames of a nearly still real video "
    "dominate the mean."
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
            "or nothing is visible, are skipped and counted as such."
        ),
        choice=_CHOICE,
        caution=_CAUTION if bounded else _RATIO_CAUTION,
    )
    looks: tuple[Video, ...] = (reference, "generated") if motion.startswith("own") else (reference,)
    inputs: frozenset[Input] = frozenset({reference})
    return type(
        f"{kind.__name__.strip('_')}_{motion}_{flow}",
        (kind,),
        {
            "__doc__": f"{definition.title}; see the definition.",
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
#: All combinations of motion and flow; the defaults first.
TCM_METRICS = tuple(_variant(_TCM, motion, flow) for flow in _FLOWS for motion in _MOTIONS)
TCM_RATIOS = tuple(_variant(_Ratio, motion, flow) for flow in _FLOWS for motion in _MOTIONS)
TCM_DEFAULTS = ("tcm/truth_dis@1", "tcm/own_driving_dis@1")
