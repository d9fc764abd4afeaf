"""Pose error: how far the joints of the generated person are from where they should be, and how many are not there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from motioncopy.errors import SkeletonError
from motioncopy.footage.perception.mediapipe import MediaPipePose
from motioncopy.metrics.clip import Chunk, Extractor, Input, Output, Provider, Seen, Stream, published
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.metric import ClipMetric
from motioncopy.skeletons import BODY25, skeleton, view

#: What MediaPipe finds of body25: all but the small toes.
FOUND = tuple(i for i, joint in enumerate(BODY25.joints) if "small_toe" not in joint)
#: A joint that was found with less confidence was not found.
CONFIDENT = 0.5


class PoseMediaPipe(Extractor):
    """MediaPipe's pose, frame by frame: ``joints`` ``(n, 25, 3)``, body25, pixels of the frame, confidence in [0, 1].

    Every frame is looked at for itself. Followed through the video, a person would be guessed in a spoilt frame from
    the good ones before it.

    >>> PoseMediaPipe.name, PoseMediaPipe.outputs
    ('pose_mediapipe', ('joints',))
    """

    name = "pose_mediapipe"
    outputs = ("joints",)

    def __init__(self, networks: Provider = published, *, wanted: frozenset[str] = frozenset()) -> None:
        super().__init__(networks, wanted=wanted)
        self._pose = MediaPipePose(still=True)
        self.identities = {self._pose.name: self._pose.version}

    def start(self) -> Stream:
        """Nothing is remembered, so that all streams are one."""
        return self

    def update(self, frames: Tensor) -> Mapping[str, Tensor]:
        """See :meth:`Stream.update`."""
        images = np.ascontiguousarray(frames.permute(0, 2, 3, 1).numpy(force=True))
        return {"joints": torch.from_numpy(self._pose(images).joints).to(frames.device)}


JOINTS = Output(PoseMediaPipe, "joints")


def driving_body(chunk: Chunk) -> Tensor | None:
    """The driving joints as body25, ``(n, 25, 3)``, or ``None`` where there are none or they are no person's.

    >>> black = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    >>> driving_body(Chunk(black, joints=torch.ones(1, 18, 3), skeleton="coco18")).shape
    torch.Size([1, 25, 3])
    """
    if chunk.joints is None or chunk.skeleton == BODY25.name:
        return chunk.joints
    try:
        shown = view(chunk.joints.numpy(force=True), skeleton(chunk.skeleton), BODY25)
    except SkeletonError:
        return None
    return torch.as_tensor(shown, device=chunk.joints.device)


def no_person(chunk: Chunk) -> str | None:
    """Why nobody is to be found in clips like this, or ``None`` if there is no reason.

    >>> black = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    >>> no_person(Chunk(black, joints=torch.ones(1, 21, 3), skeleton="fish21"))
    'MediaPipe finds people, and the joints are those of fish21'
    """
    if chunk.joints is None or driving_body(chunk) is not None:
        return None
    return f"MediaPipe finds people, and the joints are those of {chunk.skeleton}"


def compare(found: Tensor, wanted: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Mean distance and share of missing joints of every frame.

    Args:
        found: ``(n, J, 3)`` x, y, confidence: the joints that were found again.
        wanted: ``(n, J, 3)``: where they should be; confidence 0 where nobody knows.
        size: (height, width): joints that should be outside of the frame are not looked for.

    Returns:
        ``(n,)`` mean distance of the joints that both have, in percent of the diagonal of the box around all wanted
        joints; NaN where there is none. And ``(n,)``, in [0, 1], the share of the wanted joints that were not found;
        NaN where none is wanted.

    >>> wanted = torch.tensor([[[0.0, 0, 1], [30, 40, 1]]])  # the box's diagonal is 50
    >>> found = torch.tensor([[[3.0, 4, 0.9], [0, 0, 0.1]]])
    >>> compare(found, wanted, (100, 100))
    (tensor([10.], dtype=torch.float64), tensor([0.5000]))
    """
    found, wanted = found.double(), wanted.double()
    x, y = wanted[..., 0], wanted[..., 1]
    inside = (x >= 0) & (y >= 0) & (x <= size[1] - 1) & (y <= size[0] - 1)
    asked = (wanted[..., 2] > 0) & inside
    both = asked & (found[..., 2] >= CONFIDENT)
    places = wanted[..., :2]
    low = places.masked_fill(~asked[..., None], torch.inf).amin(dim=1)
    high = places.masked_fill(~asked[..., None], -torch.inf).amax(dim=1)
    scale = (high - low).norm(dim=1)
    distances = (found[..., :2] - places).norm(dim=-1) * both
    error = 100 * distances.sum(dim=1) / both.sum(dim=1) / scale  # 0 / 0 is the NaN of no joint
    missing = (asked & ~both).sum(dim=1) / asked.sum(dim=1)
    return error.masked_fill(~torch.isfinite(error), torch.nan), missing


class _Pose(ClipMetric):
    """Against the joints that were asked for.

    Attributes:
        part: Which of the two that :func:`compare` gives.
    """

    inputs: ClassVar[frozenset[Input]] = frozenset({"joints"})
    sees: ClassVar[tuple[Seen, ...]] = (Seen(JOINTS, "generated"),)
    part: ClassVar[int]

    def unfit(self, chunk: Chunk) -> str | None:
        """See :meth:`ClipMetric.unfit`; MediaPipe knows people only."""
        return no_person(chunk) or super().unfit(chunk)

    def wanted(self, chunk: Chunk) -> Tensor:
        """Where the joints should be, ``(n, 25, 3)``."""
        body = driving_body(chunk)
        assert body is not None
        return body

    def per_frame(self, chunk: Chunk) -> Tensor:
        """One of the two values of every frame, ``(n,)``; NaN where it has none."""
        chosen = list(FOUND)
        found = chunk.found[Seen(JOINTS, "generated")]
        return compare(found[:, chosen], self.wanted(chunk)[:, chosen], chunk.size)[self.part]


class _TruthPose(_Pose):
    """Against the joints that are found in the true frame."""

    inputs = frozenset({"truth"})
    sees = (Seen(JOINTS, "generated"), Seen(JOINTS, "truth"))

    def wanted(self, chunk: Chunk) -> Tensor:
        """Where the joints should be, ``(n, 25, 3)``."""
        body = chunk.found[Seen(JOINTS, "truth")].clone()
        body[..., 2] *= body[..., 2] >= CONFIDENT
        return body


_SOURCE = (
    "pose distance and missed detections of Everybody Dance Now (Chan et al., arXiv 1808.07371v1), scaled by the body "
    "as PCK and OKS are; detector: MediaPipe Pose (BlazePose, Bazarevsky et al. 2020)"
)
_LOOK = (
    "MediaPipe Pose (complexity 1, every frame for itself) finds the joints of body25 but the small toes; found is "
    f"what has a confidence of {CONFIDENT} and more."
)
_WHERE = {
    "truth": "where the same detector finds them in the true frame, so that its habits cancel out",
    "driving": "where they were asked for: the driving joints as fitted to the person",
}
_CHOICE = (
    "Everybody Dance Now re-detects with OpenPose in generated and true frames and prints pixels and joints a frame, "
    "which depend on the frame's size and the detector: here the error is divided by the body, and missing joints are "
    "a share. Every frame is detected for itself: followed through the video, a person would be guessed in a spoilt "
    "frame from the good ones before it. Against the driving joints is the default: it needs no true frames and serves "
    "imitation too. Against joints found in the truth is fairer where the driving joints are another detector's."
)


def _definition(kind: Literal["error", "missing"], reference: Literal["truth", "driving"]) -> Definition:
    error = kind == "error"
    name = "pose error" if error else "missing joints"
    return Definition(
        key=f"pose_{kind}/{reference}_mediapipe@1",
        title=f"{name.capitalize()}{' (truth)' if reference == 'truth' else ''}",
        direction="lower",
        unit="%" if error else "",
        source=_SOURCE,
        text=(
            (
                "Mean distance, over joints that are known and found, of each joint in the generated frame from "
                f"{_WHERE[reference]}, in percent of the diagonal of the box around all known joints; the mean over "
                "frames. Frames without such a joint are skipped and counted as such. "
                if error
                else "Share of the joints that should be in the frame and are not found again in the generated one, "
                f"the mean over frames; they should be {_WHERE[reference]}. 1 where nobody is found; frames in which "
                "no joint should be are skipped and counted as such. "
            )
            + _LOOK
        ),
        choice=_CHOICE,
        caution=(
            "Only joints that are found count: frames in which nobody can be seen are skipped, which rewards "
            "unreadable ones. Read it beside the share of missing joints, where such a frame counts as 1."
            if error
            else "Says nothing of where the joints are: a frame in which nobody is found counts as 1 here and is "
            "skipped by the pose error. Detectors find people in what no viewer would take for one."
        ),
    )


class PoseError(_Pose):
    """Distance to the joints that were asked for; see :func:`compare`.

    >>> PoseError().definition.key, PoseError.higher_is_better
    ('pose_error/driving_mediapipe@1', False)
    """

    part = 0
    definition = _definition("error", "driving")


class MissingJoints(_Pose):
    """Share of the joints asked for that are not found; see :func:`compare`.

    >>> MissingJoints().definition.key, MissingJoints.higher_is_better
    ('pose_missing/driving_mediapipe@1', False)
    """

    part = 1
    definition = _definition("missing", "driving")


class TruthPoseError(_TruthPose):
    """Distance to the joints found in the true frame; see :func:`compare`.

    >>> TruthPoseError().definition.key, TruthPoseError.higher_is_better
    ('pose_error/truth_mediapipe@1', False)
    """

    part = 0
    definition = _definition("error", "truth")


class TruthMissingJoints(_TruthPose):
    """Share of the joints of the true frame that are not found; see :func:`compare`.

    >>> TruthMissingJoints().definition.key, TruthMissingJoints.higher_is_better
    ('pose_missing/truth_mediapipe@1', False)
    """

    part = 1
    definition = _definition("missing", "truth")
