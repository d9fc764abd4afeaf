"""Real clips with joints that others found or drew: what is measured on them is agreement, not truth.

Three forms are read: SLEAP's HDF5 files (``.slp``) with COCO's 17 joints, JSON lists of MediaPipe's 33 landmarks for
each frame, and DeepLabCut's CSV of labelled stills.
"""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.perception.scenes import Scene
from motioncopy.errors import DataError
from motioncopy.footage import ImageFolder
from motioncopy.footage.perception.mediapipe import body25
from motioncopy.footage.video import VideoReader
from motioncopy.skeletons import BODY25, MOUSE5

#: A mouse's labelled points, and the joints of mouse5 that are the same.
MOUSE_POINTS = {"snout": "nose", "tailbase": "tail_base"}


def clip(video: Path, joints: Path) -> Scene:
    """A video whose joints lie in a file beside it.

    Raises:
        DataError: If the file is of no known form, or has another number of frames than the video.
    """
    readers = {".slp": sleap_coco17, ".json": mediapipe33}
    if joints.suffix not in readers:
        raise DataError(f"{joints} is of no known form", expected=" or ".join(readers))
    stored = readers[joints.suffix](joints)
    with VideoReader(video) as reader:
        if len(reader) != len(stored):
            raise DataError(f"{joints} is not of {video}", expected=f"{len(reader)} frames", found=len(stored))
        return Scene(video.stem, reader.frames(range(len(reader))), stored, BODY25.name, fps=reader.fps)


def sleap_coco17(path: Path) -> NDArray[np.float32]:
    """``(F, 25, 3)`` body25 from SLEAP's predictions of named joints; confidence 1 where it gives one.

    Where a frame holds several instances, the first prediction counts.
    """
    with h5py.File(path) as file:
        metadata = json.loads(file["metadata"].attrs["json"])
        frames, instances, points = file["frames"][:], file["instances"][:], file["pred_points"][:]
    names = [metadata["nodes"][node["id"]]["name"] for node in metadata["skeletons"][0]["nodes"]]
    found = np.zeros((int(frames["frame_idx"].max()) + 1, len(BODY25), 3), np.float32)
    for frame in frames:
        own = instances[frame["instance_id_start"] : frame["instance_id_end"]]
        predicted = own[own["instance_type"] == 1]
        if len(predicted):
            rows = points[predicted[0]["point_id_start"] : predicted[0]["point_id_end"]]
            for name, row in zip(names, rows, strict=True):
                if np.isfinite(row["x"]):
                    found[frame["frame_idx"], BODY25.index(name)] = row["x"], row["y"], 1
    return found


def mediapipe33(path: Path) -> NDArray[np.float32]:
    """``(F, 25, 3)`` body25 from MediaPipe's landmarks in pixels: a list of 33 (x, y, z) for each frame."""
    landmarks = np.array(json.loads(path.read_text(encoding="utf-8")), np.float64)
    if landmarks.ndim != 3 or landmarks.shape[1:] != (33, 3):
        raise DataError(f"{path} holds other joints", expected="frames of 33 (x, y, z)", found=landmarks.shape)
    seen = np.concatenate([landmarks, np.ones((*landmarks.shape[:2], 1))], axis=2)
    return np.stack([body25(frame) for frame in seen])


def stills(folder: Path) -> Scene:
    """A mouse's labelled stills from one camera; those of the table that are not there are left out.

    Raises:
        DataError: If there is no table, it lacks a point of :data:`MOUSE_POINTS`, or none of its stills is there.
    """
    tables = sorted(folder.glob("*.csv"))
    if len(tables) != 1:
        raise DataError(f"{folder} is no folder of labelled stills", expected="one CSV", found=len(tables))
    table = pd.read_csv(tables[0], header=[1, 2], index_col=0)
    points = set(table.columns.get_level_values(0))
    if not points >= MOUSE_POINTS.keys():
        raise DataError(f"{tables[0]} lacks points", expected=", ".join(MOUSE_POINTS), found=sorted(points))
    table.index = [Path(name).name for name in table.index]
    table = table[[(folder / name).is_file() for name in table.index]]
    if table.empty:
        raise DataError(f"none of the stills of {tables[0]} is there", remedy="put them beside it")
    joints = np.zeros((len(table), len(MOUSE5), 3), np.float32)
    for point, joint in MOUSE_POINTS.items():
        places = table[point][["x", "y"]].to_numpy(np.float32)
        drawn = np.isfinite(places).all(axis=1)
        joints[drawn, MOUSE5.index(joint), :2] = places[drawn]
        joints[drawn, MOUSE5.index(joint), 2] = 1
    with ImageFolder(folder, names=list(table.index)) as images:
        return Scene(folder.name, images.frames(range(len(images))), joints, MOUSE5.name)
