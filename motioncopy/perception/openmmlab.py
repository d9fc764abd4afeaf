"""Lets mmdet and mmpose run on mmcv-lite, which is mmcv without its compiled operators.

mmcv looks for its operators in the module ``mmcv._ext``. The stand-in installed here forwards the two that person
detection and segmentation need, ``nms`` and ``roi_align_forward``, to torchvision; with them Mask R-CNN gives bit for
bit what compiled mmcv gives. HRNet and RTMPose need none.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

from torch import Tensor
from torchvision.ops import nms as torchvision_nms
from torchvision.ops import roi_align

from motioncopy.errors import PerceptionError

_NAME = "mmcv._ext"
_REMEDY = (
    "install mmcv with its operators compiled: "
    "`MMCV_WITH_OPS=1 pip install --no-deps --no-build-isolation mmcv==2.1.0` (about ten minutes)"
)


def install_stand_in() -> None:
    """Puts the stand-in where mmcv looks for its operators; call it before mmdet or mmpose is imported.

    Does nothing where mmcv was compiled with its operators, or where the stand-in is there already.

    Raises:
        PerceptionError: If mmcv is not installed.
    """
    if _NAME in sys.modules:
        return
    if importlib.util.find_spec("mmcv") is None:
        raise PerceptionError("mmcv is not installed", remedy="run `make setup`")
    if importlib.util.find_spec(_NAME) is None:
        sys.modules[_NAME] = _StandIn(_NAME)


def _nms(boxes: Tensor, scores: Tensor, *, iou_threshold: float, offset: int) -> Tensor:
    """The ``nms`` of mmcv: with ``offset=1``, a box's far edge lies a pixel beyond its last coordinate."""
    if offset:
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    kept: Tensor = torchvision_nms(boxes, scores, iou_threshold)
    return kept


def _roi_align_forward(
    features: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,  # noqa: ARG001 - only the maximum needs it
    argmax_x: Tensor,  # noqa: ARG001
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """The ``roi_align_forward`` of mmcv: writes into ``output``; ``pool_mode`` is 0 for the maximum, 1 for the mean."""
    if pool_mode != 1:
        raise PerceptionError("RoIAlign by maximum is not in the stand-in for mmcv's operators", remedy=_REMEDY)
    size = (aligned_height, aligned_width)
    output.copy_(roi_align(features, rois, size, spatial_scale, sampling_ratio, aligned))


class _StandIn(ModuleType):
    """Has every operator that mmcv asks for; those that are not forwarded raise when they are called."""

    nms = staticmethod(_nms)
    roi_align_forward = staticmethod(_roi_align_forward)

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        if name.startswith("__"):
            # Python's own questions about a module are not operators.
            raise AttributeError(name)

        def missing(*_: Any, **__: Any) -> NoReturn:
            raise PerceptionError(f"mmcv's operator {name} is not in the stand-in", remedy=_REMEDY)

        return missing
