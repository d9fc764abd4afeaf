"""The 19 key points that HMR regresses from an SMPL body, as body25.

iPER's ``kps.pkl`` holds them. Their order is HMR's "COCO+" set: Leeds Sports Pose's fourteen, then COCO's five of the
face (akanazawa/hmr at f149abeb0a7e, ``src/util/renderer.py``; svip-lab/impersonator at b041dd415157 names them alike in
``utils/visdom_visualizer.py``). What body25 has beyond them: ``mid_hip`` is the mean of the hips; the feet are unknown.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from motioncopy.errors import DataError
from motioncopy.footage.perception.backends import Joints
from motioncopy.skeletons import BODY25

#: The key points' names, in order; as body25 names them, but for ``head_top``, which it lacks.
SMPL_KPS = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle",
    "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
    "neck", "head_top", "nose", "left_eye", "right_eye", "left_ear", "right_ear",
)  # fmt: skip
# From the middle of the frame, in halves of it.
_FARTHEST = 1000
#: For each joint of body25, the key points whose mean it is; none for the feet.
SMPL_KPS_TO_BODY25 = tuple(
    (2, 3) if joint == "mid_hip" else (SMPL_KPS.index(joint),) if joint in SMPL_KPS else () for joint in BODY25.joints
)


def body25(kps: NDArray[Any], size: int) -> Joints:
    """Key points as joints.

    Args:
        kps: ``(F, 19, 2)`` or ``(F, 19, 3)``, x and y from -1 (left, top) to 1 over a square frame; more is left out.
        size: Height and width of that frame in pixels.

    Returns:
        ``(F, 25, 3)``: x and y in its pixels; confidence 1, as a fitted body hides nothing, and 0 for the feet.

    Raises:
        DataError: If the shape is another one, or a number is not finite or far beyond the frame.
    """
    kps = np.asarray(kps)
    if kps.ndim != 3 or kps.shape[1] != len(SMPL_KPS) or kps.shape[2] not in (2, 3) or kps.dtype.kind != "f":
        raise DataError(
            "the SMPL key points do not fit",
            expected=f"floats of shape (F, {len(SMPL_KPS)}, 2)",
            found=f"{kps.dtype} {kps.shape}",
        )
    if not (np.abs(kps[..., :2]) <= _FARTHEST).all():  # false for NaN
        raise DataError("the SMPL key points are not finite, or far beyond the frame", expected="around -1 to 1")
    joints = np.zeros((len(kps), len(BODY25), 3), np.float32)
    for joint, sources in enumerate(SMPL_KPS_TO_BODY25):
        if sources:
            joints[:, joint, :2] = (kps[:, sources, :2].mean(axis=1) + 1) / 2 * size
            joints[:, joint, 2] = 1
    return joints
