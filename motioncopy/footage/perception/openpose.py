"""Poses from OpenPose's output: one JSON file a frame."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from motioncopy.errors import DataError
from motioncopy.files.documents import read_json
from motioncopy.footage import Footage, Framing
from motioncopy.footage.perception.annotations import AnnotationFiles, at_size
from motioncopy.footage.perception.backends import GROUPS, Images, Joints, Poses
from motioncopy.skeletons import BODY25, COCO18, view

_BODY = "pose_keypoints_2d"
# A crowd; each of them is compared with the person who is followed.
_MOST_PEOPLE = 1000
# Beyond every picture's side; and confidences, which go a little beyond 0 and 1.
_FARTHEST, _LEAST_SURE, _MOST_SURE = 1e6, -0.5, 1.5
_AGAIN = "unpack or download it again"
# The joints of one person: ``joints`` and all groups.
_Person = dict[str, Joints]


class OpenPoseFolder:
    """A pose estimator that reads OpenPose's JSON files.

    The body can be BODY_25 or COCO-18. One person is followed: at first the one with the greatest extent (the
    diagonal of the box around the joints) times mean confidence; from then on the one nearest to where the person was
    last, by the mean distance of the joints that both have. Who is farther away than the person's greatest extent so
    far, times the frames since, is somebody else. A frame without the person has confidence 0.

    Args:
        folder: The files, ordered as :func:`motioncopy.footage.sequence.frame_files` says; coordinates in pixels.
        framing: From the frames that OpenPose saw to the footage's; ``None`` where those are the same.
        names: Just these files, in this order.

    Raises:
        DataError: If there are no files, or one is missing in the middle.
    """

    name = "openpose-json"
    skeleton = BODY25.name

    def __init__(
        self, folder: str | Path, *, framing: Framing | None = None, names: Sequence[str] | None = None
    ) -> None:
        self.files = AnnotationFiles(folder, (".json",), framing=framing, names=names)
        self._size = (1, 1)
        self._last: Joints | None = None
        self._extent, self._since = 0.0, 0

    @property
    def version(self) -> str:
        """Changes with the files."""
        return f"1+{self.files.digest}"

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Those that the first person who was found has.

        Raises:
            DataError: If a file up to there is damaged.
        """
        for file in self.files.paths:
            for person in _people(file):
                return tuple(group for group in GROUPS if person.get(f"{group}_keypoints_2d"))
        return ()

    def start(self, footage: Footage) -> None:
        """The next files are those of this footage's first frames.

        Raises:
            DataError: If there are more or fewer files than frames, or the framing gives frames of another size.
        """
        self.files.start(footage)
        self._size, self._last, self._extent, self._since = footage.size, None, 0.0, 0

    def __call__(self, images: Images) -> Poses:
        """See :class:`~motioncopy.footage.perception.backends.PoseEstimator`; only number and size of images matter.

        Raises:
            DataError: If a file is damaged; the message names it and the field.
        """
        n = len(images)
        counts = {"joints": len(BODY25), **{group: GROUPS[group] for group in self.groups}}
        joints = {group: np.zeros((n, count, 3), np.float32) for group, count in counts.items()}
        for i, file in enumerate(self.files.take(n)):
            person = self._main([_read(person, file) for person in _people(file)])
            for group in joints:
                if person is not None:
                    joints[group][i] = person[group]
        framed: dict[str, Any] = {group: self.files.framing.joints(values) for group, values in joints.items()}
        return at_size(Poses(**framed), self._size, images)

    def _main(self, people: list[_Person]) -> _Person | None:
        """The person who is followed."""
        people = [person for person in people if person["joints"][:, 2].any()]
        self._since += 1
        if self._last is None:
            chosen = max(people, key=lambda p: _extent(p["joints"]) * p["joints"][:, 2].mean(), default=None)
        else:
            last = self._last
            chosen = min(people, key=lambda p: _distance(p["joints"], last), default=None)
            if chosen is not None and _distance(chosen["joints"], last) > self._extent * self._since:
                chosen = None
        if chosen is not None:
            self._last, self._since = chosen["joints"], 0
            self._extent = max(self._extent, _extent(chosen["joints"]))
        return chosen


def _extent(joints: Joints) -> float:
    """Diagonal of the box around the joints."""
    return float(np.linalg.norm(np.ptp(joints[joints[:, 2] > 0, :2], axis=0))) + 1


def _distance(joints: Joints, last: Joints) -> float:
    """Mean distance of the joints that both have; of the two centres if there is none."""
    common = (joints[:, 2] > 0) & (last[:, 2] > 0)
    if common.any():
        return float(np.linalg.norm(joints[common, :2] - last[common, :2], axis=1).mean())
    centres = [j[j[:, 2] > 0, :2].mean(axis=0) for j in (joints, last)]
    return float(np.linalg.norm(centres[0] - centres[1]))


def _people(file: Path) -> list[dict[str, Any]]:
    """The entries of ``people`` in a file."""
    content = read_json(file, error=DataError, remedy=_AGAIN)
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise DataError(
            f"{file} is damaged, or not OpenPose's", expected='an object with a list of objects "people"', remedy=_AGAIN
        )
    if len(people) > _MOST_PEOPLE:
        raise DataError(f"{file} shows too many people", expected=f"at most {_MOST_PEOPLE}", found=len(people))
    return people


def _read(person: dict[str, Any], file: Path) -> _Person:
    """The joints of all groups; zeros where the person has none."""
    body = _values(person.get(_BODY), (len(BODY25), len(COCO18)), f"{_BODY} of {file}")
    seen = body[body[:, 2] > 0, :2]
    if len(seen) > 1 and np.abs(seen).max() <= 1:
        raise DataError(
            f"{_BODY} of {file} is not in pixels",
            found="values within -1 and 1",
            remedy="run OpenPose with --keypoint_scale 0",
        )
    read = {"joints": body if len(body) == len(BODY25) else view(body, COCO18, BODY25)}
    for group, count in GROUPS.items():
        field = f"{group}_keypoints_2d"
        there = person.get(field)
        read[group] = _values(there, (count,), f"{field} of {file}") if there else np.zeros((count, 3), np.float32)
    return read


def _values(values: Any, counts: tuple[int, ...], where: str) -> Joints:
    """``(count, 3)`` from a flat list."""
    expected = " or ".join(f"{count}x3" for count in counts) + " numbers in pixels"
    if not isinstance(values, list) or len(values) not in [3 * count for count in counts]:
        found = f"{len(values)} values" if isinstance(values, list) else type(values).__name__
        raise DataError(f"{where} is not whole", expected=expected, found=found)
    if wrong := [value for value in values if type(value) not in (int, float) or not abs(value) <= _FARTHEST]:
        raise DataError(f"{where} is damaged", expected=expected, found=repr(wrong[0])[:80], remedy=_AGAIN)
    joints = np.array(values, np.float32).reshape(len(values) // 3, 3)
    if joints[:, 2].min() < _LEAST_SURE or joints[:, 2].max() > _MOST_SURE:
        raise DataError(
            f"confidences of {where} are out of range",
            expected="0 to 1",
            found=f"{joints[:, 2].min():g} to {joints[:, 2].max():g}",
            remedy=_AGAIN,
        )
    joints[:, 2] = joints[:, 2].clip(0, 1)
    joints[joints[:, 2] == 0] = 0
    return joints
