"""Makes a video of one person with another's motion: prepare, train, generate, put back into the place, mark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.bench import runner
from benchmarks.bench.config_stack import ConfigStack, merge
from benchmarks.bench.config_stack import read as read_config
from benchmarks.bench.jobs import Job
from benchmarks.loggers.results import log_record
from benchmarks.pictures.sheets import contact_sheet, evenly_spaced, side_by_side, write_png
from motioncopy.batch import Motion
from motioncopy.footage.clips.clip import Clip
from motioncopy.footage.prepare import prepare
from motioncopy.footage.video import VideoWriter
from motioncopy.poses.sticks import draw_motion_sticks
from motioncopy.training.checkpoint import digest, read, resolve

Image = NDArray[np.uint8]
_MARK = "synthetic"
_COMMENT = "Synthetic video made with motioncopy: the person shown did not perform this motion."
_CHUNK = 32


def copy_motion(
    appearance: Path,
    motion: Path,
    output: Path,
    *,
    stack: ConfigStack,
    runs: Path,
    checkpoint: Path | None = None,
    seed: int = 0,
    minutes: float | None = None,
    visible_mark: bool = True,
    max_size: int = 512,
) -> list[tuple[Path, str]]:
    """Makes the video.

    Args:
        appearance: Video of the person to show.
        motion: Video of the motion.
        output: The result, an MP4 file.
        stack: Method and preset, on the data set ``pair``.
        runs: Where preparation and training go.
        checkpoint: The ``method.ckpt`` of a method that has been fitted, of which nothing is trained then.
        seed: Of the training.
        minutes: A time budget for training, or ``None``.
        visible_mark: Whether the picture says that it is synthetic; the metadata always do.
        max_size: Longest side of the prepared frames, and so of the result, in pixels.

    Returns:
        The files that were made, and what each is.
    """
    prepared = runs / "prepared"
    clips = []
    # Two videos may have one name in two folders; they are not of one person then, and the motion has to be fitted.
    namesakes = motion.stem == appearance.stem and motion.resolve() != appearance.resolve()
    for path, person in ((appearance, appearance.stem), (motion, f"{motion.stem}-2" if namesakes else motion.stem)):
        folder = prepared / digest(str(path.resolve()))[:8]
        prepare([path], folder, max_size=max_size, person=person, parts=("mask", "parsing"))
        clips.append(Clip.open(folder / path.stem))
    paths = {"appearance": str(clips[0].path), "motion": str(clips[1].path)}
    overrides: dict[str, Any] = {"data": {"init_args": paths}}
    if checkpoint is None:
        job = Job(stack, runs, seed, minutes=minutes, overrides=overrides)
        print(f"Training on {clips[0].person}; the run's folder is {job.folder}", flush=True)
        runner.run(job, listeners=[log_record])
    else:
        model = resolve(read(checkpoint), path=checkpoint)
        for file in stack.pair_files():  # crop and fit are those of two videos, not of what it was trained on
            model = merge(model, read_config(file).get("model", {}))
        overrides["model"] = model
        job = Job(stack, runs, seed, overrides=overrides)
        print(f"Generating by {checkpoint}; the run's folder is {job.folder}", flush=True)
        runner.predict(job, checkpoint)

    trials, folder = job.test_trials()
    (trial,) = trials.specs
    frames = np.load(folder / f"{trial.id}.npy", mmap_mode="r")
    box = trials[0].box
    trained = {"preset": stack.preset} if checkpoint is None else {"checkpoint": checkpoint.parent.name}
    comment = json.dumps({"synthetic": True, "note": _COMMENT, "method": stack.method, **trained})
    metadata = {"comment": comment, "title": f"{clips[0].person} with the motion of {clips[1].person} (synthetic)"}
    beside = output.with_name(f"{output.stem}_side_by_side.mp4")
    sheet = output.with_name(f"{output.stem}_contact_sheet.png")
    output.parent.mkdir(parents=True, exist_ok=True)
    fps, size = clips[1].fps, clips[0].size
    shown = clips[0].images([len(clips[0]) // 2])[0]
    picks = set(evenly_spaced(len(frames), 8))
    moments: dict[str, list[Image]] = {"motion": [], "copy": []}
    second: VideoWriter | None = None
    with ExitStack() as videos:
        video = videos.enter_context(VideoWriter(output, fps, size, metadata=metadata))
        for first, whole in _whole_frames(frames, clips[0].background, box):
            marked = np.stack([_mark(f) for f in whole]) if visible_mark else whole
            video.write(marked)
            driver = [_letterboxed(f, size) for f in _with_sticks(clips[1], range(first, first + len(whole)))]
            for panels in side_by_side(shown, driver, marked, labels=("person", "motion", "copy")):
                if second is None:
                    second = videos.enter_context(VideoWriter(beside, fps, panels.shape[:2], metadata=metadata))
                second.write(panels[None])
            for k in sorted(picks & set(range(first, first + len(whole)))):
                moments["motion"].append(driver[k - first])
                moments["copy"].append(marked[k - first])
    write_png(contact_sheet({"person": [shown], **moments}, numbers=sorted(picks)), sheet, comment)
    return [
        (output, "the person with the motion"),
        (beside, "person, motion and copy side by side"),
        (sheet, "eight moments of it"),
        (job.folder, "the training" if checkpoint is None else "the generated frames"),
    ]


def _whole_frames(
    frames: NDArray[np.uint8], background: Image, box: tuple[int, int, int, int]
) -> Iterator[tuple[int, Image]]:
    """The generated crops, put back into the person's place at its full size.

    Where a crop shows what the background shows, the sharp background stays: only what differs is laid over it, so
    that neither the crop's frame nor its lower resolution is seen around the person.
    """
    left, top, right, bottom = box
    height, width = background.shape[:2]
    if frames.shape[1:3] == (height, width) == (bottom, right):  # whole frames already
        for first in range(0, len(frames), _CHUNK):
            yield first, np.asarray(frames[first : first + _CHUNK])
        return
    inside = (slice(max(0, top), min(height, bottom)), slice(max(0, left), min(width, right)))
    part = (
        slice(inside[0].start - top, inside[0].stop - top),
        slice(inside[1].start - left, inside[1].stop - left),
    )
    padded = cv2.copyMakeBorder(
        background[inside],
        part[0].start,
        bottom - top - part[0].stop,
        part[1].start,
        right - left - part[1].stop,
        cv2.BORDER_REPLICATE,
    )
    small = cv2.resize(padded, frames.shape[2:0:-1], interpolation=cv2.INTER_AREA).astype(np.float32)
    for first in range(0, len(frames), _CHUNK):
        out = []
        for frame in frames[first : first + _CHUNK]:
            differs = np.abs(frame.astype(np.float32) - small).max(axis=2)
            weight = cv2.GaussianBlur(np.clip((differs - 12) / 24, 0, 1), (0, 0), 0.8)
            large = cv2.resize(frame, (right - left, bottom - top), interpolation=cv2.INTER_CUBIC)[part]
            blend = cv2.resize(weight, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)[part][..., None]
            whole = background.copy()
            whole[inside] = (blend * large + (1 - blend) * background[inside]).round().astype(np.uint8)
            out.append(whole)
        yield first, np.stack(out)


def _with_sticks(clip: Clip, indices: range) -> Image:
    import torch

    images = clip.images(indices)
    joints = torch.from_numpy(clip.joints[np.asarray(indices)].copy())[None]
    motion = Motion(joints, clip.skeleton, clip.size)
    sticks = ((draw_motion_sticks(motion)[0].permute(0, 2, 3, 1).numpy() + 1) * 127.5).astype(np.uint8)
    drawn = sticks.max(axis=-1, keepdims=True) > 40
    return np.where(drawn, sticks, images)


def _letterboxed(image: Image, size: tuple[int, int]) -> Image:
    """The image as large as it fits into another size, on black."""
    scale = min(size[0] / image.shape[0], size[1] / image.shape[1])
    height, width = max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale))
    out = np.zeros((*size, 3), np.uint8)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    out[top : top + height, left : left + width] = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return out


def _mark(frame: Image) -> Image:
    """The frame with the word on a dark plate in its lower left corner."""
    marked = frame.copy()
    scale = max(0.4, frame.shape[0] / 800)
    (width, height), below = cv2.getTextSize(_MARK, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    bottom = frame.shape[0] - 4
    cv2.rectangle(marked, (4, bottom - height - below - 6), (12 + width, bottom), (32, 32, 32), cv2.FILLED)
    place = (8, bottom - below - 1)
    cv2.putText(marked, _MARK, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA)
    return marked
