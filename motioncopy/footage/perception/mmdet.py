"""People and their masks with mmdet's networks, trained on COCO.

:class:`PersonDetector` is RTMDet-m (Lyu et al., RTMDet: An Empirical Study of Designing Real-Time Object Detectors,
2022). :class:`MaskRCNN` is Mask R-CNN (He et al., ICCV 2017) with a ResNet-50 and a feature pyramid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motioncopy.errors import ConfigError
from motioncopy.footage import Footage
from motioncopy.footage.perception.backends import Images, Joints, Masks, Poses
from motioncopy.footage.perception.device import device as device_named
from motioncopy.footage.perception.openmmlab import Network
from motioncopy.footage.perception.tracking import CONTINUES

RTMDET = Network("mmdet", "rtmdet/rtmdet_m_8xb32-300e_coco.py", "rtmdet-m")
MASK_RCNN = Network(
    "mmdet",
    "mask_rcnn/mask-rcnn_r50_fpn_ms-poly-3x_coco.py",
    "mask-rcnn-r50",
    # No threshold: masks come as they are, from 0 to 255.
    {"model.test_cfg.rcnn.mask_thr_binary": -1},
)
# Where the configs keep the least score. What is below it is then neither suppressed by others nor given a mask.
_RTMDET_SCORE, _MASK_RCNN_SCORE = "model.test_cfg.score_thr", "model.test_cfg.rcnn.score_thr"
# Each of RTMDet's coarsest features stands for so many pixels a side.
_STRIDE = 32
# COCO's first class.
_PERSON = 0
# A mask that holds fewer of the joints than this is another person's.
_LEAST_HELD = 0.5


class _People:
    """What an mmdet network finds of class person, frame by frame."""

    def __init__(
        self, network: Network, score: str, device: str, min_score: float, batch: int, size: tuple[int, int]
    ) -> None:
        if batch < 1 or not 0 <= min_score <= 1:
            raise ConfigError(
                "a detector's options are out of range",
                expected="batch of at least 1, min_score in [0, 1]",
                found=(batch, min_score),
            )
        self.network = replace(network, options={**network.options, score: min_score})
        self.device, self.min_score, self.batch, self.size = device_named(device), min_score, batch, size

    @property
    def version(self) -> str:
        """Changes with mmdet, the weights, the least score and the size.

        Raises:
            WeightsError: If the weights are not on this machine.
        """
        # The second number counts changes of this file that change what it returns.
        return f"{self.network.version}+1 from {self.min_score:g} at {self.size[0]}x{self.size[1]}"

    def _seen(self, images: Images) -> Iterator[Any]:
        """For each frame mmengine's ``InstanceData``, on the CPU."""
        for start in range(0, len(images), self.batch):
            # mmdet takes images as OpenCV reads them, with blue first.
            frames = [np.ascontiguousarray(image[..., ::-1]) for image in images[start : start + self.batch]]
            with self.network.scope():
                samples = [self._pipeline({"img": frame, "img_id": 0}) for frame in frames]
            for sample in self.network.run(self._built, samples):
                found = sample.pred_instances.cpu()
                yield found[found.labels == _PERSON]

    @cached_property
    def _built(self) -> Any:
        return self.network.build().to(self.device)

    @cached_property
    def _pipeline(self) -> Any:
        from mmengine.dataset import Compose

        steps = [dict(step) for step in self._built.cfg.test_dataloader.dataset.pipeline]
        steps[0] = {"type": "LoadImageFromNDArray"}
        for step in steps:
            if step["type"] == "Resize":
                step["scale"] = self.size
            elif step["type"] == "Pad":
                step["size"] = self.size
        return Compose([step for step in steps if step["type"] != "LoadAnnotations"])


class PersonDetector(_People):
    """Finds everybody in view.

    Args:
        device: ``auto`` (the GPU where there is one), or a device of torch.
        min_score: Least score in [0, 1] of a box that is returned.
        side: Pixels, a multiple of 32, of the square into which frames are fitted; smaller is faster, and enough
            where people fill the frame. The network was trained for the default.
        batch: Frames that the network sees at once.
    """

    name = "rtmdet-m"

    def __init__(self, *, device: str = "auto", min_score: float = CONTINUES, side: int = 640, batch: int = 8) -> None:
        if side < _STRIDE or side % _STRIDE:
            raise ConfigError("a detector's side is wrong", expected=f"a multiple of {_STRIDE}", found=side)
        super().__init__(RTMDET, _RTMDET_SCORE, device, min_score, batch, (side, side))

    def __call__(self, images: Images) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """The people in each frame.

        Args:
            images: ``(n, H, W, 3)`` uint8 RGB.

        Returns:
            For each frame, boxes ``(k, 4)`` (left, top, right, bottom in pixels, within the frame) and scores ``(k,)``
            in [0, 1].

        Raises:
            PerceptionError: If mmdet is not installed.
            WeightsError: If the weights are not on this machine.
        """
        height, width = images.shape[1:3]
        # The network sees frames padded to a square, and boxes may reach into the padding.
        edges = np.array([width, height, width, height], np.float32)
        return [(found.bboxes.numpy().clip(0, edges), found.scores.numpy()) for found in self._seen(images)]


class MaskRCNN(_People):
    """The mask of the person whose joints are given.

    Of the people in a frame it is the one for whom the product of two numbers is greatest: their score, and the mean
    of their mask at the joints, weighted with the joints' confidence. A frame without joints, or with nobody whose mask
    holds half of them, has an empty mask.

    Args:
        device: ``auto`` (the GPU where there is one), or a device of torch.
        min_score: Least score in [0, 1] of a person who is considered.
        size: Longest and shortest side in pixels to which frames are brought; smaller is faster. The network was
            trained for the default.
        batch: Frames that the network sees at once.
    """

    name = "mask-rcnn-r50"

    def __init__(
        self,
        *,
        device: str = "auto",
        min_score: float = CONTINUES,
        size: tuple[int, int] = (1333, 800),
        batch: int = 2,
    ) -> None:
        super().__init__(MASK_RCNN, _MASK_RCNN_SCORE, device, min_score, batch, size)

    def start(self, footage: Footage) -> None:
        """Nothing to do: the joints say who is followed."""

    def __call__(self, images: Images, poses: Poses) -> Masks:
        """See :class:`motioncopy.footage.perception.backends.PersonSegmenter`; masks are soft.

        Raises:
            PerceptionError: If mmdet is not installed.
            WeightsError: If the weights are not on this machine.
        """
        masks = np.zeros(images.shape[:3], np.uint8)
        seen = np.flatnonzero(poses.found)
        for i, found in zip(seen, self._seen(images[seen]), strict=True):
            best = held_best(poses.joints[i], found.masks.numpy(), found.scores.numpy())
            if best is not None:
                masks[i] = found.masks[best].numpy()
        return masks


def held_best(joints: Joints, masks: Masks, scores: NDArray[np.floating]) -> int | None:
    """Whose mask holds the joints, by the rule of :class:`MaskRCNN`.

    Args:
        joints: ``(J, 3)`` of one person.
        masks: ``(k, H, W)``, one a person.
        scores: ``(k,)``, how sure it is that each is a person.

    Returns:
        An index, or ``None`` if nobody's mask holds half of the joints.
    """
    height, width = masks.shape[1:]
    x, y = joints[:, :2].round().astype(int).T
    sure = joints[:, 2] * ((x >= 0) & (x < width) & (y >= 0) & (y < height))
    if not len(masks) or not sure.any():
        return None
    at_joints = masks[:, y.clip(0, height - 1), x.clip(0, width - 1)] / 255
    held = at_joints @ sure / sure.sum()
    best = int(np.argmax(np.where(held >= _LEAST_HELD, held * scores, -1)))
    return best if held[best] >= _LEAST_HELD else None
