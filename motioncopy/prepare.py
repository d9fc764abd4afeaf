"""From videos to prepared clips: decode, shrink, see, store; in chunks, so that memory does not grow with length.

A clip that is there already and would come out the same is left alone. Every other outcome is whole: a clip is made
aside and takes its place when it is finished, or nothing is left behind.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from motioncopy.clips import Backend, Clip, ClipWriter, Source, stale
from motioncopy.errors import ClipError, ConfigError, DataError, MotionCopyError, PerceptionError
from motioncopy.perception.backends import (
    BackgroundModel,
    FlowEstimator,
    Images,
    Joints,
    Masks,
    Parser,
    PersonSegmenter,
    PoseEstimator,
)
from motioncopy.perception.background import MedianBackground, sample_frames
from motioncopy.perception.flow import DISFlow
from motioncopy.perception.masks import PoseMask
from motioncopy.perception.parsing import LimbParser
from motioncopy.video import VideoReader

#: Files with these suffixes are taken for videos where a whole folder is given.
VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"})
#: What a clip can hold beside its frames, joints and background.
PARTS = ("mask", "parsing", "flow")
#: Longest side of stored frames in pixels, unless another is asked for.
MAX_SIZE = 512

# Perception sees frames at least this large, if the video is, even where smaller ones are stored.
_LOOK_SIZE = 512
_CHUNK_BYTES = 64 * 1024**2
_CHUNK_FRAMES = 32
# Fewer frames than this are no motion: a pose window needs a frame before and one after.
_LEAST_FRAMES = 3
# A clip whose person is found less often than this would teach a model that people vanish.
_LEAST_FOUND = 0.5


@dataclass(frozen=True)
class Backends:
    """What makes each part of a clip; the defaults need no download."""

    pose: PoseEstimator
    mask: PersonSegmenter = field(default_factory=PoseMask)
    parser: Parser = field(default_factory=LimbParser)
    background: BackgroundModel = field(default_factory=MedianBackground)
    flow: FlowEstimator = field(default_factory=DISFlow)

    @classmethod
    def default(cls, *, hands: bool = False) -> Backends:
        """MediaPipe, and what can be computed.

        Args:
            hands: Whether the hands' joints are looked for too, which takes two to four times as long.

        Raises:
            PerceptionError: If MediaPipe is not installed.
        """
        from motioncopy.perception.mediapipe import MediaPipePose

        return cls(MediaPipePose(hands=hands))

    def makers(self, parts: Sequence[str]) -> dict[str, Backend]:
        """Who makes what, as a clip's manifest names it."""
        makers: dict[str, Any] = {
            "joints": self.pose,
            **dict.fromkeys(self.pose.groups, self.pose),
            "mask": self.mask,
            "background": self.background,
        }
        if "parsing" in parts:
            makers["parsing"] = self.parser
        if "flow" in parts:
            makers["flow"] = self.flow
        return {part: Backend(maker.name, maker.version) for part, maker in makers.items()}


@dataclass(frozen=True)
class Prepared:
    """What became of one video.

    Attributes:
        video: The video.
        clip: The clip's folder.
        outcome: ``failed`` leaves the folder as it was.
        reason: Why it was made anew, or why it failed.
        frames: Frames of the clip.
        found: In how many of them the person was found; 0 if nothing was done.
        unseen: Fraction of the background that no frame showed, and that was made up; 0 if nothing was done.
        seconds: What each stage took.
        elapsed: Seconds that all of it took.
        error: What went wrong.
    """

    video: Path
    clip: Path
    outcome: Literal["made", "up to date", "failed"]
    reason: str = ""
    frames: int = 0
    found: int = 0
    unseen: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    elapsed: float = 0.0
    error: MotionCopyError | None = None


def prepare(videos: Sequence[str | Path], out: str | Path, **options: Any) -> list[Prepared]:
    """Prepares videos, all of them, and raises afterwards if one failed.

    Args:
        videos: Video files.
        out: The folder for the clips; each goes to ``out/<stem of the video>/``.
        **options: As :func:`prepare_each` takes them.

    Returns:
        One result a video, in order.

    Raises:
        MotionCopyError: What went wrong with the first video that failed; and what :func:`prepare_each` raises.
    """
    results = list(prepare_each(videos, out, **options))
    for result in results:
        if result.error is not None:
            raise result.error
    return results


def prepare_each(
    videos: Sequence[str | Path],
    out: str | Path,
    *,
    max_size: int = MAX_SIZE,
    person: str | None = None,
    parts: Sequence[str] = ("mask",),
    force: bool = False,
    backends: Backends | None = None,
    progress: bool = True,
) -> Iterator[Prepared]:
    """Prepares videos one after the other; one that fails does not keep the others from being prepared.

    Args:
        videos: Video files, with different stems.
        out: The folder for the clips; each goes to ``out/<stem of the video>/``.
        max_size: Longest side of stored frames in pixels; frames are never enlarged.
        person: Who is in the videos; by default the name that a clip bears already, else the video's stem.
        parts: Those of :data:`PARTS` that are wanted (the mask always is). Parts that a clip has already stay.
        force: Whether clips are made anew that need not be.
        backends: What sees; :meth:`Backends.default` by default.
        progress: Whether a bar is shown on a terminal.

    Yields:
        One result a video, as soon as it is done.

    Raises:
        ConfigError: If the arguments are wrong, or two videos have one stem.
        PerceptionError: If the default backends are not installed.
    """
    paths = [Path(video) for video in videos]
    _check_arguments(paths, max_size, parts)
    backends = backends or Backends.default()
    with _bar(progress) as bar:
        for path in paths:
            job = _Job(path, Path(out) / path.stem, max_size, person, ("mask", *parts), force, backends, bar)
            try:
                yield job.run()
            except MotionCopyError as error:
                yield Prepared(job.video, job.clip, "failed", reason=str(error), error=error)


def stored_size(size: tuple[int, int], max_size: int) -> tuple[int, int]:
    """(height, width) at which frames of that (height, width) are stored: longest side at most ``max_size``."""
    scale = min(1.0, max_size / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


@dataclass
class _Job:
    """One video on its way to its clip."""

    video: Path
    clip: Path
    max_size: int
    person: str | None
    parts: tuple[str, ...]
    force: bool
    backends: Backends
    bar: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self) -> Prepared:
        start = time.perf_counter()
        with VideoReader(self.video) as reader:
            if len(reader) < _LEAST_FRAMES:
                raise DataError(
                    f"{self.video} is too short",
                    expected=f"at least {_LEAST_FRAMES} frames",
                    found=len(reader),
                    remedy="film longer",
                )
            source = Source.of(self.video)
            reason = self._why(reader, source)
            if reason is None:
                return Prepared(self.video, self.clip, "up to date", frames=len(reader))
            found, unseen = self._make(reader, source)
            elapsed = time.perf_counter() - start
            return Prepared(self.video, self.clip, "made", reason, len(reader), found, unseen, self.seconds, elapsed)

    def _why(self, reader: VideoReader, source: Source) -> str | None:
        """Why the clip must be made; ``None`` if it need not be. Takes over what is to stay from the clip there is."""
        if not self.clip.exists():
            return "new"
        try:
            clip = Clip.open(self.clip)
        except ClipError as error:
            return f"the clip there cannot be used ({error.what})"
        old = clip.manifest
        if old.source is None or old.source.file != source.file:
            raise ClipError(
                f"{self.clip} is another video's clip",
                expected=source.file,
                found=old.source.file if old.source else "a clip without a source",
                remedy="rename the video, or prepare it into another folder",
            )
        self.parts = tuple(part for part in PARTS if part in {*self.parts, *clip.parts})
        wanted_person, self.person = self.person, self.person or old.person
        size = stored_size(reader.size, self.max_size)
        if (reason := stale(old, source.sha256, self.backends.makers(self.parts))) is not None:
            return reason
        if old.size != size:
            return f"its frames are {old.size[1]}x{old.size[0]}, now they would be {size[1]}x{size[0]}"
        if wanted_person not in (None, old.person):
            return f"its person is called {old.person}"
        return "asked for" if self.force else None

    def _make(self, reader: VideoReader, source: Source) -> tuple[int, float]:
        size = stored_size(reader.size, self.max_size)
        look = stored_size(reader.size, max(self.max_size, _LOOK_SIZE))
        step = max(1, min(_CHUNK_FRAMES, _CHUNK_BYTES // (3 * reader.size[0] * reader.size[1])))
        sample, sample_images, sample_masks = sample_frames(len(reader), size), [], []
        found, last, chunks = 0, None, reader.chunks(step)
        task = self.bar.add_task(self.video.name, total=len(reader))
        writer = ClipWriter(
            self.clip,
            clip_id=self.video.stem,
            person=self.person or self.video.stem,
            fps=reader.fps,
            size=size,
            skeleton=self.backends.pose.skeleton,
            source=source,
            backends=self.backends.makers(self.parts),
            parts=self.parts,
            overwrite=True,
        )
        self.backends.pose.reset()
        try:
            with writer:
                for start in range(0, len(reader), step):
                    with self._timed("decode"):
                        frames = next(chunks)
                    with self._timed("shrink"):
                        seen = _resized(frames, look)
                        images = _resized(seen, size)
                    with self._timed("pose"):
                        poses = self.backends.pose(seen)
                    with self._timed("mask"):
                        masks = _resized(self.backends.mask(seen, poses), size)
                    if look != size:
                        poses = poses.scaled(size[1] / look[1], size[0] / look[0])
                    groups = {name: getattr(poses, name) for name in self.backends.pose.groups}
                    dense = self._dense(images, masks, poses.joints, last)
                    with self._timed("store"):
                        writer.append(images, poses.joints, masks, **groups, **dense)
                    for i in np.flatnonzero(poses.found):
                        if start + i in sample:
                            # Copies: a view would keep its whole chunk in memory.
                            sample_images.append(images[i].copy())
                            sample_masks.append(masks[i].copy())
                    found, last = found + int(poses.found.sum()), images[-1]
                    self.bar.update(task, advance=len(images))
                self._check_found(found, len(reader))
                with self._timed("background"):
                    background, unseen = self.backends.background(np.stack(sample_images), np.stack(sample_masks))
                    writer.set_background(background)
        finally:
            self.bar.remove_task(task)
        return found, unseen

    def _dense(self, images: Images, masks: Masks, joints: Joints, last: Images | None) -> dict[str, Any]:
        """The parts that come on demand: labels, and flow from each frame to the one before it."""
        dense: dict[str, Any] = {}
        if "parsing" in self.parts:
            with self._timed("parsing"):
                dense["parsing"] = self.backends.parser(images, masks, joints)
        if "flow" in self.parts:
            with self._timed("flow"):
                before = images[:1] if last is None else last[None]
                dense["flow"] = self.backends.flow(images, np.concatenate([before, images[:-1]]))
                if last is None:
                    dense["flow"][0] = 0
        return dense

    def _check_found(self, found: int, count: int) -> None:
        if not found:
            raise PerceptionError(
                f"no person was found in {self.video}", remedy="give a video of one whole person, well lit and in view"
            )
        if found < _LEAST_FOUND * count:
            raise PerceptionError(
                f"the person of {self.video} was found in too few frames",
                expected=f"at least {_LEAST_FOUND:.0%} of them",
                found=f"{found} of {count}",
                remedy="cut the video to where the person is in view; `motioncopy check` says where they are not",
            )

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0) + time.perf_counter() - start


def _check_arguments(paths: Sequence[Path], max_size: int, parts: Sequence[str]) -> None:
    if max_size < 16:
        raise ConfigError("max_size is too small", expected="at least 16 pixels", found=max_size)
    unknown = set(parts) - set(PARTS)
    if unknown:
        raise ConfigError("unknown parts", expected=", ".join(PARTS), found=", ".join(sorted(unknown)))
    twice = {stem for stem, count in Counter(path.stem for path in paths).items() if count > 1}
    if twice:
        raise ConfigError(
            "several videos would become one clip",
            found=", ".join(str(path) for path in paths if path.stem in twice),
            remedy="rename them, or prepare them into different folders",
        )


def _resized(images: Any, size: tuple[int, int]) -> Any:
    """``(n, h, w, ...)`` images or masks at another (height, width); area averaging, which suits shrinking."""
    if images.shape[1:3] == size:
        return images
    return np.stack([cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA) for image in images])


def _bar(visible: bool) -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("frames, left"),
        TimeRemainingColumn(), console=console, transient=True, disable=not (visible and console.is_terminal),
    )  # fmt: skip
