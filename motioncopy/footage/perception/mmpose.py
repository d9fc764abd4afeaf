"""Pose of the main person with mmpose, top-down: people are detected, one is followed, and a network sees their box.

What each model fills of body25:

- ``rtmpose``, RTMPose-m on Halpe's 26 points: all of it.
- ``hrnet``, HRNet-w32 on COCO's 17: all but toes and heels.
- ``wholebody``, RTMPose-m on COCO-WholeBody's 133: all of it; besides, both hands (21 joints each) and the face but for
  its pupils (points 0 to 67; 68 and 69 have confidence 0).

``neck`` and ``mid_hip`` are always the means of the shoulders and of the hips, with the lower confidence of the two, as
with every other backend here, even where a model has points of these names.

Confidence is the model's score, cut to [0, 1]. Joints beyond the frame's edge are where the model guesses them.
Who is followed: see :mod:`motioncopy.footage.perception.tracking`. Frames in which they are not seen have confidence 0.

RTMPose: Jiang et al., RTMPose: Real-Time Multi-Person Pose Estimation based on MMPose, 2023. HRNet: Sun et al., Deep
High-Resolution Representation Learning for Human Pose Estimation, CVPR 2019.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from motioncopy.errors import ConfigError
from motioncopy.footage import Footage
from motioncopy.footage.perception.backends import GROUPS, Images, Joints, Poses
from motioncopy.footage.perception.device import device as device_named
from motioncopy.footage.perception.mmdet import PersonDetector
from motioncopy.footage.perception.openmmlab import Network
from motioncopy.footage.perception.tracking import Person, follow
from motioncopy.skeletons import BODY25, Skeleton, view

MODELS = {
    "rtmpose": Network(
        "mmpose",
        "body_2d_keypoint/rtmpose/body8/rtmpose-m_8xb512-700e_body8-halpe26-256x192.py",
        "rtmpose-m-halpe26",
    ),
    "hrnet": Network(
        "mmpose",
        "body_2d_keypoint/topdown_heatmap/coco/td-hm_hrnet-w32_8xb64-210e_coco-256x192.py",
        "hrnet-w32-coco",
    ),
    "wholebody": Network(
        "mmpose",
        "wholebody_2d_keypoint/rtmpose/coco-wholebody/rtmpose-m_8xb64-270e_coco-wholebody-256x192.py",
        "rtmpose-m-wholebody",
    ),
}
_MEANS = ("neck", "mid_hip")
# Groups of the whole-body model: the first point's name, and how many follow it (itself included).
_FIRST = {"hand_left": ("left_hand_root", 21), "hand_right": ("right_hand_root", 21), "face": ("face-0", 68)}


class Detector(Protocol):
    """Finds people; :class:`motioncopy.footage.perception.mmdet.PersonDetector` does."""

    @property
    def version(self) -> str:
        """Changes whenever the boxes may."""

    def __call__(self, images: Images) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """For each frame, boxes ``(k, 4)`` and scores ``(k,)``."""


class TopDownPose:
    """Joints of the main person.

    Args:
        model: See the head of this file.
        detector: What finds people; :class:`motioncopy.footage.perception.mmdet.PersonDetector` by default.
        device: ``auto`` (the GPU where there is one), or a device of torch.
        batch: Boxes that the network sees at once.
    """

    skeleton = BODY25.name

    def __init__(
        self,
        model: Literal["rtmpose", "hrnet", "wholebody"] = "rtmpose",
        *,
        detector: Detector | None = None,
        device: str = "auto",
        batch: int = 16,
    ) -> None:
        if model not in MODELS:
            raise ConfigError(f"unknown pose model {model!r}", expected=", ".join(MODELS))
        if batch < 1:
            raise ConfigError("batch is too small", expected="at least 1", found=batch)
        self.network, self.name, self.device, self.batch = MODELS[model], f"mmpose-{model}", device_named(device), batch
        self.groups: tuple[str, ...] = tuple(GROUPS) if model == "wholebody" else ()
        self.detector = detector or PersonDetector(device=device)
        self._people: tuple[Person, ...] = ()

    @property
    def version(self) -> str:
        """Changes with mmpose, the weights and the detector.

        Raises:
            PerceptionError: If mmpose is not installed.
            WeightsError: If the weights are not on this machine.
        """
        # The second number counts changes of this file, or of how people are followed, that change what it returns.
        return f"{self.network.version}+1, {self.detector.version}"

    def start(self, footage: Footage) -> None:
        """Forgets who was followed."""
        self._people = ()

    def __call__(self, images: Images) -> Poses:
        """See :class:`motioncopy.footage.perception.backends.PoseEstimator`; the mask is left to others.

        Raises:
            PerceptionError: If mmpose is not installed.
            WeightsError: If the weights are not on this machine.
        """
        boxes: dict[int, NDArray[np.float32]] = {}
        for i, (seen, scores) in enumerate(self.detector(images)):
            self._people, main = follow(self._people, seen, scores)
            if main is not None:
                boxes[i] = seen[main]
        points = np.zeros((len(images), len(self._names), 3), np.float32)
        frames = list(boxes)
        for start in range(0, len(frames), self.batch):
            some = frames[start : start + self.batch]
            points[some] = self._points(images[some], [boxes[i] for i in some])
        return Poses(body25(points, self._names), **self._groups(points))

    def _points(self, images: Images, boxes: list[NDArray[np.float32]]) -> Joints:
        """``(n, K, 3)``: the model's own points of one person an image."""
        samples = [
            {
                # mmpose takes images as OpenCV reads them, with blue first.
                "img": np.ascontiguousarray(image[..., ::-1]),
                "bbox": box[None].astype(np.float32),
                "bbox_score": np.ones(1, np.float32),
                **self._points_of_the_data,
            }
            for image, box in zip(images, boxes, strict=True)
        ]
        with self.network.scope():
            samples = [self._pipeline(sample) for sample in samples]
        found = [sample.pred_instances for sample in self.network.run(self._built, samples)]
        places = np.concatenate([one.keypoints for one in found])
        scores = np.concatenate([one.keypoint_scores for one in found]).clip(0, 1)
        return np.concatenate([places, scores[..., None]], axis=-1).astype(np.float32)

    def _groups(self, points: Joints) -> dict[str, Any]:
        groups: dict[str, Joints] = {}
        for group in self.groups:
            first, count = _FIRST[group]
            start = self._names.index(first)
            groups[group] = np.zeros((len(points), GROUPS[group], 3), np.float32)
            groups[group][:, :count] = points[:, start : start + count]
        return groups

    @cached_property
    def _built(self) -> Any:
        return self.network.build().to(self.device)

    @cached_property
    def _pipeline(self) -> Any:
        from mmengine.dataset import Compose

        return Compose(self._built.cfg.test_dataloader.dataset.pipeline)

    @cached_property
    def _points_of_the_data(self) -> dict[str, Any]:
        """Names, mirror pairs and more of the data set that the model was trained on; its pipeline needs them."""
        with self.network.scope():
            from mmpose.datasets.datasets.utils import parse_pose_metainfo
            from mmpose.registry import DATASETS

            trained_on = self._built.cfg.train_dataloader.dataset
            info = trained_on.get("metainfo") or DATASETS.get(trained_on.type).METAINFO
            parsed: dict[str, Any] = parse_pose_metainfo(dict(info))
        return parsed

    @property
    def _names(self) -> list[str]:
        names: dict[int, str] = self._points_of_the_data["keypoint_id2name"]
        return [names[i] for i in range(len(names))]


def body25(points: Joints, names: list[str]) -> Joints:
    """A model's points as body25.

    Args:
        points: ``(n, K, 3)``.
        names: K names; those that body25 has too are taken over, except that means stay means.

    Returns:
        ``(n, 25, 3)``; joints that the model lacks have confidence 0.
    """
    shared = [i for i, name in enumerate(names) if name in BODY25.joints and name not in _MEANS]
    source = Skeleton("points", tuple(names[i] for i in shared), ())
    return view(points[:, shared], source, BODY25)
