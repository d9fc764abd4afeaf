"""Says beforehand what would go wrong with a video: a handful of its frames are looked at, the video is not changed.

Findings are measured on evenly spaced frames, so what lasts less than the distance between two of them can be missed.
The limits below are rules of thumb, set on filmed clips; each finding gives the measured value beside its verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from motioncopy.footage.perception.backends import Images, Joints, Masks, PoseEstimator
from motioncopy.footage.perception.masks import clean
from motioncopy.footage.video import VideoReader
from motioncopy.skeletons import BODY25

Level = Literal["ok", "warning", "problem"]

#: Frames looked at.
SAMPLES = 24
#: Longer side at which they are looked at, in pixels.
_SIDE = 512
# Mean difference of 8-bit thumbnails above which neighbours count as two scenes, if it is also four times the one
# before and after it. Real cuts gave 50 and more at 7 times; dancing gave 15 and 3 times.
_CUT = 15.0
_ENDS = {"head": ("nose",), "hands": ("left_wrist", "right_wrist"), "feet": ("left_ankle", "right_ankle")}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: What.
        level: How bad; a video with a ``problem`` cannot serve as it is.
        measured: What was found, with its value.
        remedy: What to do about it; empty where all is well.
    """

    topic: str
    level: Level
    measured: str
    remedy: str = ""


@dataclass(frozen=True)
class _Sample:
    """The frames that were looked at, at reduced size."""

    numbers: list[int]
    images: Images
    joints: Joints
    masks: Masks
    scale: float  # pixels of the video for one of these
    fps: float

    @property
    def found(self) -> np.ndarray:
        """``(n,)``: whether a person was found."""
        return np.asarray(self.joints[..., 2].max(axis=1) > 0)

    def when(self, which: np.ndarray) -> str:
        """The times of the frames that are marked in ``which``, as text."""
        times = [f"{self.numbers[i] / self.fps:.1f}" for i in np.flatnonzero(which)]
        return ", ".join(times[:4]) + (", ..." if len(times) > 4 else "") + " s"


def check(video: str | Path, *, pose: PoseEstimator | None = None, samples: int = SAMPLES) -> list[Finding]:
    """Looks at a video.

    Args:
        video: The file.
        pose: Finds the person in single frames and gives a mask; MediaPipe by default.
        samples: How many frames are looked at.

    Returns:
        One finding a topic, those that are well included.

    Raises:
        VideoError: If the file cannot be read as a video.
        PerceptionError: If the pose estimator cannot run.
    """
    if pose is None:
        from motioncopy.footage.perception.mediapipe import MediaPipePose

        pose = MediaPipePose(still=True)
    with VideoReader(video) as reader:
        sample = _look(reader, pose, samples)
        cuts = _cuts(reader, sample)
        findings = [
            _file(reader), _length(len(reader), reader.fps), _rate(reader.fps), _resolution(reader.size),
            _light(sample), _person(sample),
        ]  # fmt: skip
        if sample.found.any():
            findings += [_height(sample), _several(sample, pose), _limbs(sample)]
        return [*findings, _cut(cuts, reader.fps), _camera(sample, cuts)]


def _graded(topic: str, bad: bool, poor: bool, measured: str, remedy: str) -> Finding:
    level: Level = "problem" if bad else "warning" if poor else "ok"
    return Finding(topic, level, measured, remedy if bad or poor else "")


def _shrink(image: Images) -> Images:
    height, width = image.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    if scale == 1:
        return image
    # Of a frame like a thread, a pixel stays of the short side.
    wide, high = max(scale, 1 / width), max(scale, 1 / height)
    return np.asarray(cv2.resize(image, None, fx=wide, fy=high, interpolation=cv2.INTER_AREA))


def _look(reader: VideoReader, pose: PoseEstimator, samples: int) -> _Sample:
    numbers = np.linspace(0, len(reader) - 1, min(samples, len(reader))).round().astype(int).tolist()
    # One at a time: a handful of large frames would fill the memory.
    images = np.stack([_shrink(reader.frames([n])[0]) for n in numbers])
    poses = pose(images)
    raw = np.zeros(images.shape[:3], np.uint8) if poses.mask is None else poses.mask
    masks = np.stack([clean(mask, joints) for mask, joints in zip(raw, poses.joints, strict=True)])
    return _Sample(numbers, images, poses.joints, masks, reader.size[0] / images.shape[1], reader.fps)


def _file(reader: VideoReader) -> Finding:
    if reader.missing:
        text = f"{reader.missing} of {len(reader) + reader.missing} frames cannot be decoded"
        return Finding("file", "warning", text, "copy or download the file anew")
    if reader.resampled:
        text = f"the frame rate varies; read as {reader.fps:.2f} frames/s, some frames twice, some not at all"
        return Finding("file", "warning", text, "convert it to a constant frame rate (ffmpeg -vsync cfr)")
    return Finding("file", "ok", f"{len(reader)} frames can be read")


def _length(count: int, fps: float) -> Finding:
    remedy = "film longer: a model of a person wants some hundred different frames"
    return _graded("length", count < 20, count < 60, f"{count} frames, {count / fps:.1f} s", remedy)


def _rate(fps: float) -> Finding:
    if fps > 60:
        return Finding("frame rate", "warning", f"{fps:.1f} frames/s", "convert it to 25 or 30: neighbours are alike")
    remedy = "film at 25 frames/s or more: between frames this far apart the motion cannot be followed"
    return _graded("frame rate", fps < 2, fps < 10, f"{fps:.1f} frames/s", remedy)


def _resolution(size: tuple[int, int]) -> Finding:
    short = min(size)
    remedy = "use a larger version of the video"
    return _graded("resolution", short < 128, short < 256, f"{size[1]}x{size[0]} pixels", remedy)


def _light(sample: _Sample) -> Finding:
    grey = np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in sample.images])
    # The person counts; a dark wall behind them does no harm.
    on = sample.masks > 127
    mean = float(grey[on].mean() if on.any() else grey.mean())
    where = "on the person" if on.any() else "in the frame"
    remedy = "film with more light, or brighten the video"
    return _graded("light", mean < 20, mean < 45, f"mean brightness {where} {mean:.0f} of 255", remedy)


def _person(sample: _Sample) -> Finding:
    found = sample.found
    share = float(found.mean())
    text = f"found in {found.sum()} of {len(found)} frames"
    if found.any() and not found.all():
        text += f" (not at {sample.when(~found)})"
    remedy = "cut the video to where one whole person is well seen" if found.any() else "film one whole person"
    return _graded("person", share < 0.5, share < 0.95, text, remedy)


def _height(sample: _Sample) -> Finding:
    rows = [np.flatnonzero(mask.any(axis=1)) for mask in sample.masks > 127]
    heights = [np.ptp(r) * sample.scale for r in rows if len(r)]
    height = float(np.median(heights)) if heights else 0.0
    remedy = "film from nearer, or crop the video to the person"
    return _graded("person's size", height < 48, height < 128, f"{height:.0f} pixels high", remedy)


def _several(sample: _Sample, pose: PoseEstimator) -> Finding:
    """Takes the person out of the frame and looks again."""
    chosen = np.flatnonzero(sample.found)[:: max(1, len(sample.images) // 8)]
    others = np.zeros(len(sample.images), bool)
    for i in chosen:
        others[i] = _anybody(_erase(sample.images[i], sample.masks[i]), pose)
    count = int(others.sum())
    text = f"somebody else in {count} of {len(chosen)} frames" + (f" (at {sample.when(others)})" if count else "")
    remedy = "crop or cut the video to one person: who is followed may change"
    return _graded("other people", count > 0.5 * len(chosen), count > 0, text, remedy)


def _anybody(image: Images, pose: PoseEstimator) -> bool:
    """Whether somebody is surely seen, in the whole frame or in a square of it, where small people are found."""
    height, width = image.shape[:2]
    side = min(height, width)
    squares = [slice(start, start + side) for start in range(0, max(height, width) - side + 1, max(1, side // 2))]
    for view in [image, *(image[:, part] if width >= height else image[part] for part in squares)]:
        poses = pose(view[None])
        if poses.found[0] and poses.mask is not None and _surely(poses.joints[0], poses.mask[0]):
            return True
    return False


def _surely(joints: Joints, mask: Masks) -> bool:
    """Tells people from furniture: on a bench, MediaPipe saw half a body with confidence 0.5 to 0.8 on average."""
    fillable = joints[:, 2] > 0
    points = joints[fillable, :2].round().astype(int)
    points = points[((points >= 0) & (points < mask.shape[::-1])).all(axis=1)]
    on_mask = (mask[points[:, 1], points[:, 0]] > 127).sum() / fillable.sum()
    return bool(joints[fillable, 2].mean() > 0.85 and on_mask > 0.8)


def _erase(image: Images, mask: Masks) -> Images:
    """Fills the person with their surroundings, smoothly: a sharp silhouette would be found again."""
    near = cv2.dilate((mask > 0).astype(np.uint8), np.ones((15, 15), np.uint8))
    small = tuple(max(1, n // 4) for n in image.shape[1::-1])
    # Coarse is enough, and inpainting is slow.
    coarse = cv2.inpaint(cv2.resize(image, small), cv2.resize(near, small), 3, cv2.INPAINT_TELEA)
    filled = cv2.GaussianBlur(cv2.resize(coarse, image.shape[1::-1]), (0, 0), 4)
    return np.where(near[..., None] > 0, filled, image)


def _limbs(sample: _Sample) -> Finding:
    height, width = sample.images.shape[1:3]
    x, y = sample.joints[..., 0], sample.joints[..., 1]
    outside = ((x < 0) | (y < 0) | (x > width - 1) | (y > height - 1)) & (sample.joints[..., 2] > 0)
    cut = {part: outside[:, [BODY25.index(j) for j in joints]].any(axis=1) for part, joints in _ENDS.items()}
    any_cut = np.logical_or.reduce(list(cut.values()))
    share = any_cut.sum() / sample.found.sum()
    text = f"head, hands and feet within the frame in {1 - share:.0%} of the frames"
    if any_cut.any():
        text += f"; out of it: {', '.join(part for part, which in cut.items() if which.any())}"
        text += f" (at {sample.when(any_cut)})"
    remedy = "cut those moments out, or film from further away: what is never seen cannot be learnt"
    return _graded("limbs", share > 0.5, share > 0, text, remedy)


def _cuts(reader: VideoReader, sample: _Sample) -> list[int]:
    """Numbers of frames that do not follow from the one before, at most one between two samples."""
    thumbnails = {n: _thumbnail(image) for n, image in zip(sample.numbers, sample.images, strict=True)}

    def change(first: int, last: int) -> float:
        for number in {first, last} - set(thumbnails):
            thumbnails[number] = _thumbnail(reader.frames([number])[0])
        return float(np.abs(thumbnails[first] - thumbnails[last]).mean())

    cuts = []
    for first, last in pairwise(sample.numbers):
        # Halved towards the larger change: a cut is still as large between neighbours, a motion is not.
        while last - first > 1 and change(first, last) > _CUT:
            middle = (first + last) // 2
            first, last = (first, middle) if change(first, middle) > change(middle, last) else (middle, last)
        around = (n for n in (first - 1, last) if 0 <= n < len(reader) - 1)
        jump = change(first, last)
        if last - first == 1 and jump > _CUT and all(jump > 4 * change(n, n + 1) for n in around):
            cuts.append(last)
    return cuts


def _thumbnail(image: Images) -> np.ndarray:
    return np.asarray(cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA), np.float32)


def _cut(cuts: list[int], fps: float) -> Finding:
    if not cuts:
        return Finding("cuts", "ok", "none between the frames looked at")
    times = ", ".join(f"{cut / fps:.1f}" for cut in cuts[:6])
    remedy = "cut the video into one file a scene, and prepare one of them"
    return Finding("cuts", "problem", f"{len(cuts)}, at {times} s", remedy)


def _camera(sample: _Sample, cuts: list[int]) -> Finding:
    """How far the background moves, by features tracked outside the person from sample to sample."""
    path, farthest, measured = [np.zeros(2)], 0.0, 0
    for i, (first, last) in enumerate(pairwise(sample.numbers)):
        shifts = None
        if not any(first < cut <= last for cut in cuts):
            free = (sample.masks[i] == 0) & (sample.masks[i + 1] == 0)
            shifts = _background_shifts(sample.images[i], sample.images[i + 1], free)
        if shifts is None:
            path = [np.zeros(2)]
            continue
        measured += 1
        path.append(path[-1] + np.median(shifts, axis=0))
        # A zoom moves everything, but on the whole nowhere.
        farthest = max(farthest, float(np.median(np.linalg.norm(shifts, axis=1))), *np.ptp(path, axis=0).tolist())
    if not measured:
        text = "its motion cannot be told: the background shows too little that could be followed"
        return Finding("camera", "warning", text, "look yourself whether the camera stands still")
    share = farthest / max(sample.images.shape[1:3])
    remedy = "film from a tripod, or stabilise the video: the background is taken for still"
    text = f"the background moves by {share:.1%} of the frame" if share >= 0.001 else "the background stands still"
    return _graded("camera", share > 0.05, share > 0.005, text, remedy)


def _background_shifts(before: Images, after: Images, free: np.ndarray) -> np.ndarray | None:
    """``(k, 2)`` displacements in pixels of what moves together, or ``None`` where too little can be followed."""
    here, there = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (before, after))
    # Well away from the person, whose edges are the best of features, and into whom the tracker's window would reach.
    margin = max(before.shape[:2]) // 12
    inner = cv2.erode(free.astype(np.uint8), np.ones((margin, margin), np.uint8))
    # The quality is relative to the best feature: a high one would leave those of a second person only.
    points = cv2.goodFeaturesToTrack(here, 300, 0.001, 7, mask=inner)
    if points is None:
        return None
    moved, status, _ = cv2.calcOpticalFlowPyrLK(here, there, points, None, winSize=(21, 21), maxLevel=4)
    old, new = points[status[:, 0] == 1, 0], moved[status[:, 0] == 1, 0]
    if len(old) < 12:
        return None
    _, together = cv2.estimateAffinePartial2D(old, new, ransacReprojThreshold=1.5)
    if together is None or together.sum() < max(8, 0.5 * len(old)):
        return None
    return np.asarray((new - old)[together[:, 0] == 1])
