"""Files as they lie in iPER."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from motioncopy.skeletons import BODY25

#: What SMPL's joints lack of body25.
FEET = [i for i, name in enumerate(BODY25.joints) if "toe" in name or "heel" in name]


def put(folder: Path, *names: str) -> None:
    """Images, PNG data whatever their names, each ten brighter than the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, name in enumerate(names):
        done, content = cv2.imencode(".png", np.full((16, 16, 3), 10 * k % 256, np.uint8))
        assert done
        (folder / name).write_bytes(content.tobytes())


def put_pickle(path: Path, content: Any) -> Path:
    """A pickle of anything."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))
    return path


def vid_info(joints: NDArray[np.float32], ids: list[int], shape: tuple[int, int]) -> dict[str, Any]:
    """As iPERCore writes it, as far as it is read."""
    poses = [{"pose_keypoints_2d": pose, "face_keypoints_2d": []} for pose in joints]
    return {
        "orig_shape": shape,
        "processed_pose2d": {"keypoints": poses, "boxes_XYXY": [np.zeros(4, np.float32)] * len(poses)},
        "valid_img_info": {"crop_ids": ids, "ids": ids[:1], "names": ["0.jpg"], "stage": "parser"},
        "has_finished": True,
    }
