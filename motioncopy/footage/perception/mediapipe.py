"""Pose, person mask and (on request) hands with MediaPipe's solutions, whose models lie in its wheel.

It finds one person a frame. What it fills of body25: all joints but the small toes; ``neck`` and ``mid_hip`` are the
means of the shoulders and of the hips. Of the face group: the mouth corners, 48 and 54. Of the hand groups: nothing
by default, all 21 joints with ``hands=True`` (two to four times slower).

Confidence is MediaPipe's visibility. It stays near 1 on the face of a person seen from behind, so nose, eyes and
mouth are dropped wherever MediaPipe's own depth puts the nose behind the ears. A joint beyond the frame's edge keeps
its guessed place (and a low visibility), so that a limb which leaves the picture still points out of it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from motioncopy.errors import PerceptionError
from motioncopy.footage import Footage
from motioncopy.footage.perception.backends import GROUPS, Images, Joints, Masks, Poses
from motioncopy.footage.perception.masks import PoseMask
from motioncopy.skeletons import BODY25, FACE70, HAND21

# MediaPipe's landmark for each joint; two where the joint is their mean.
_BODY: dict[str, tuple[int, ...]] = {
    "nose": (0,), "neck": (11, 12), "mid_hip": (23, 24),
    "right_shoulder": (12,), "right_elbow": (14,), "right_wrist": (16,),
    "left_shoulder": (11,), "left_elbow": (13,), "left_wrist": (15,),
    "right_hip": (24,), "right_knee": (26,), "right_ankle": (28,),
    "left_hip": (23,), "left_knee": (25,), "left_ankle": (27,),
    "right_eye": (5,), "left_eye": (2,), "right_ear": (8,), "left_ear": (7,),
    "right_heel": (30,), "left_heel": (29,), "right_big_toe": (32,), "left_big_toe": (31,),
}  # fmt: skip
_NOSE, _EARS = 0, (7, 8)
_FACE_LANDMARKS = (0, 1, 2, 3, 4, 5, 6, 9, 10)
#: OpenPose's corners of the mouth, the person's right one first, and MediaPipe's landmarks of them.
_MOUTH = {48: 10, 54: 9}


class MediaPipePose:
    """Joints and mask from one run.

    Args:
        hands: Whether to look for hands too.
        smooth: MediaPipe's own filter over time. It halves the jitter, but takes every video for one of 30 frames
            per second and therefore lags behind the person in slower ones; the store keeps what was seen, and
            smoothing is left to whom it serves.
        still: Whether frames have nothing to do with one another: the person is then looked for anew in each,
            not followed. Slower.
    """

    skeleton = BODY25.name

    def __init__(self, *, hands: bool = False, smooth: bool = False, still: bool = False) -> None:
        self.hands, self.smooth, self.still = hands, smooth, still
        self.groups: tuple[str, ...] = tuple(GROUPS) if hands else ("face",)
        self.name = "mediapipe-holistic" if hands else "mediapipe-pose"
        try:
            # The second number counts changes of this file that change what it returns.
            self.version = f"{version('mediapipe')}+1" + "-smooth" * smooth + "-still" * still
        except PackageNotFoundError:
            raise PerceptionError("MediaPipe is not installed", remedy="run `make setup`") from None
        self._graph: Any = None
        self._started = False

    def start(self, footage: Footage) -> None:
        """Starts anew, so that a video's joints do not depend on which one came before."""
        if self._graph is not None:
            self._graph.close()
        self._graph, self._started = None, False

    def __call__(self, images: Images) -> Poses:
        """See :class:`motioncopy.footage.perception.backends.PoseEstimator`; the mask is at the images' size."""
        if self._graph is None:
            self._graph = self._open()
        n, height, width = images.shape[:3]
        poses = Poses(
            joints=np.zeros((n, len(BODY25), 3), np.float32),
            mask=np.zeros((n, height, width), np.uint8),
            face=np.zeros((n, len(FACE70), 3), np.float32),
            hand_left=np.zeros((n, len(HAND21), 3), np.float32) if self.hands else None,
            hand_right=np.zeros((n, len(HAND21), 3), np.float32) if self.hands else None,
        )
        for i, image in enumerate(images):
            result = self._process(np.ascontiguousarray(image))
            if result.pose_landmarks is None:
                continue
            landmarks = _pixels(result.pose_landmarks, width, height)
            poses.joints[i] = body25(landmarks)
            assert poses.face is not None
            assert poses.mask is not None
            for point, landmark in _MOUTH.items():
                poses.face[i, point] = _joint(_without_hidden_face(landmarks), (landmark,))
            if result.segmentation_mask is not None:
                poses.mask[i] = (result.segmentation_mask.clip(0, 1) * 255).round().astype(np.uint8)
            for group, hand in ((poses.hand_left, "left"), (poses.hand_right, "right")):
                found = getattr(result, f"{hand}_hand_landmarks", None)
                if group is not None and found is not None:
                    group[i, :, :2] = _pixels(found, width, height)[:, :2]
                    # Hands come with no visibility: a hand that was found is there.
                    group[i, :, 2] = 1
        return poses

    def _open(self) -> Any:
        try:
            with _quiet():
                import mediapipe
        except ImportError as error:
            raise PerceptionError(
                "MediaPipe cannot be imported", found=error, remedy="run `make setup`, or choose another pose estimator"
            ) from error
        solutions = mediapipe.solutions
        solution = solutions.holistic.Holistic if self.hands else solutions.pose.Pose
        with _quiet():
            # Complexity 1 is the one whose model is in the wheel. The mask is not mixed with the frame before:
            # that leaves a ghost behind fast hands.
            return solution(
                static_image_mode=self.still,
                model_complexity=1,
                enable_segmentation=True,
                smooth_landmarks=self.smooth,
                smooth_segmentation=False,
            )

    def _process(self, image: Images) -> Any:
        # Its networks start, and talk, with the first frame and with the first person.
        with nullcontext() if self._started else _quiet():
            result = self._graph.process(image)
        self._started = self._started or result.pose_landmarks is not None
        return result


class MediaPipeMask:
    """The mask from a run of MediaPipe's pose estimator; only the pieces that the given joints lie in.

    Where MediaPipe sees somebody else than whose joints those are, the mask is empty.
    """

    name = "mediapipe-mask"

    def __init__(self) -> None:
        self._seeing, self._cleaning = MediaPipePose(), PoseMask()
        self.version = f"{self._seeing.version}-{self._cleaning.version}"

    def start(self, footage: Footage) -> None:
        """See :class:`motioncopy.footage.perception.backends.PersonSegmenter`."""
        self._seeing.start(footage)

    def __call__(self, images: Images, poses: Poses) -> Masks:
        """See :class:`motioncopy.footage.perception.backends.PersonSegmenter`.

        Raises:
            PerceptionError: If MediaPipe cannot run.
        """
        return self._cleaning(images, replace(poses, mask=self._seeing(images).mask))


def body25(landmarks: np.ndarray) -> Joints:
    """MediaPipe's landmarks as body25.

    Args:
        landmarks: ``(33, 4)``: x and y in pixels, depth (smaller is nearer, in any unit), visibility.

    Returns:
        ``(25, 3)``.
    """
    landmarks = _without_hidden_face(landmarks)
    joints = np.zeros((len(BODY25), 3), np.float32)
    for name, sources in _BODY.items():
        joints[BODY25.index(name)] = _joint(landmarks, sources)
    return joints


def _without_hidden_face(landmarks: np.ndarray) -> np.ndarray:
    if landmarks[_NOSE, 2] <= landmarks[_EARS, 2].mean():
        return landmarks
    landmarks = landmarks.copy()
    landmarks[_FACE_LANDMARKS, 3] = 0
    return landmarks


def _joint(landmarks: np.ndarray, sources: tuple[int, ...]) -> np.ndarray:
    confidence = landmarks[sources, 3].min()
    if confidence <= 0:
        return np.zeros(3, np.float32)
    return np.append(landmarks[sources, :2].mean(axis=0), confidence)


def _pixels(landmarks: Any, width: int, height: int) -> np.ndarray:
    # Normalised coordinates measure from the frame's corner, joints from the first pixel's centre.
    return np.array(
        [(p.x * width - 0.5, p.y * height - 0.5, p.z, min(max(p.visibility, 0), 1)) for p in landmarks.landmark]
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Lets nothing through to stderr: MediaPipe's C++ parts write there, whatever Python's logging says."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
