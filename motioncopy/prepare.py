"""From videos to prepared clips: decode, shrink, see, store; in chunks, so that memory does not grow with length.

A clip that is there already and would come out the same is left alone. Every other outcome is whole: a clip is made
aside and takes its place when it is finished, or nothing is left behind.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from motioncopy.clips import Backend, Clip, ClipWriter, Source, stale
from motioncopy.errors import ClipError, ConfigError, DataError, MotionCopyError, PerceptionError
from motioncopy.footage import Footage
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

    def start(self, footage: Footage) -> None:
        """The next frames are this footage's."""
        for backend in (self.pose, self.mask, self.parser, self.background, self.flow):
            backend.start(footage)

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
class Recording:
    """Footage on its way to a clip.

    Attributes:
        id: A plain name: of the clip and of its folder.
        open: Opens the frames.
        person: Who is in it; by default the name that a clip bears already, else the id.
        backends: Makes what sees it; called only if the clip has to be looked at. Those of all recordings by default.
    """

    id: str
    open: Callable[[], Footage]
    person: str | None = None
    backends: Callable[[], Backends] | None = None


@dataclass(frozen=True)
class Prepared:
    """What became of one recording.

    Attributes:
        name: Its id: of a video, the stem of its file's name.
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

    name: str
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
    recordings = [Recording(Path(video).stem, partial(VideoReader, video), person) for video in videos]
    yield from prepare_recordings(
        recordings, out, max_size=max_size, parts=parts, force=force, backends=backends, progress=progress
    )


def prepare_recordings(
    recordings: Sequence[Recording],
    out: str | Path,
    *,
    max_size: int = MAX_SIZE,
    parts: Sequence[str] = ("mask",),
    force: bool = False,
    backends: Backends | None = None,
    progress: bool = True,
) -> Iterator[Prepared]:
    """Prepares footage of any kind, each piece with its own backends; see :func:`prepare_each`.

    Args:
        recordings: With different ids; each becomes ``out/<id>/``.
        out: The folder for the clips.
        max_size: Longest side of stored frames in pixels.
        parts: As for :func:`prepare_each`.
        force: Whether clips are made anew that need not be.
        backends: For recordings that name none; :meth:`Backends.default` by default.
        progress: Whether a bar is shown on a terminal.

    Yields:
        One result a recording, as soon as it is done.

    Raises:
        ConfigError: If the arguments are wrong, or two recordings have one id.
        PerceptionError: If the default backends are needed and not installed.
    """
    _check_arguments([r.id for r in recordings], max_size, parts)
    if backends is None and any(r.backends is None for r in recordings):
        backends = Backends.default()
    with _bar(progress) as bar:
        for r in recordings:
            job = _Job(r, Path(out) / r.id, max_size, r.person, ("mask", *parts), force, backends, bar)
            try:
                yield job.run()
            except MotionCopyError as error:
                yield Prepared(r.id, job.clip, "failed", reason=str(error), error=error)


def stored_size(size: tuple[int, int], max_size: int) -> tuple[int, int]:
    """(height, width) at which frames of that (height, width) are stored: longest side at most ``max_size``."""
    scale = min(1.0, max_size / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


@dataclass
class _Job:
    """One recording on its way to its clip."""

    recording: Recording
    clip: Path
    max_size: int
    person: str | None
    parts: tuple[str, ...]
    force: bool
    shared: Backends | None
    bar: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self) -> Prepared:
        start, name = time.perf_counter(), self.recording.id
        with self.recording.open() as footage:
            if len(footage) < _LEAST_FRAMES:
                raise DataError(
                    f"{footage.path} is too short",
                    expected=f"at least {_LEAST_FRAMES} frames",
                    found=len(footage),
                    remedy="film longer",
                )
            source = Source.of(footage.path)
            reason = self._why(footage, source)
            if reason is None:
                return Prepared(name, self.clip, "up to date", frames=len(footage))
            found, unseen = self._make(footage, source)
            elapsed = time.perf_counter() - start
            return Prepared(name, self.clip, "made", reason, len(footage), found, unseen, self.seconds, elapsed)

    @cached_property
    def backends(self) -> Backends:
        """The recording's own, or those of all."""
        own = self.recording.backends() if self.recording.backends else self.shared
        assert own is not None
        return own

    def _why(self, footage: Footage, source: Source) -> str | None:
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
                f"{self.clip} is another recording's clip",
                expected=source.file,
                found=old.source.file if old.source else "a clip without a source",
                remedy="rename it, or prepare it into another folder",
            )
        self.parts = tuple(part for part in PARTS if part in {*self.parts, *clip.parts})
        wanted_person, self.person = self.person, self.person or old.person
        size = stored_size(footage.size, self.max_size)
        if (reason := stale(old, source.sha256, self.backends.makers(self.parts))) is not None:
            return reason
        if old.size != size:
            return f"its frames are {old.size[1]}x{old.size[0]}, now they would be {size[1]}x{size[0]}"
        if wanted_person not in (None, old.person):
            return f"its person is called {old.person}"
        return "asked for" if self.force else None

    def _make(self, footage: Footage, source: Source) -> tuple[int, float]:
        size = stored_size(footage.size, self.max_size)
        look = stored_size(footage.size, max(self.max_size, _LOOK_SIZE))
        step = max(1, min(_CHUNK_FRAMES, _CHUNK_BYTES // (3 * footage.size[0] * footage.size[1])))
        sample, sample_images, sample_masks = sample_frames(len(footage), size), [], []
        found, last, chunks = 0, None, footage.chunks(step)
        task = self.bar.add_task(self.recording.id, total=len(footage))
        writer = ClipWriter(
            self.clip,
            clip_id=self.recording.id,
            person=self.person or self.recording.id,
            fps=footage.fps,
            size=size,
            skeleton=self.backends.pose.skeleton,
            source=source,
            backends=self.backends.makers(self.parts),
            parts=self.parts,
            overwrite=True,
        )
        self.backends.start(footage)
        try:
            with writer:
                for start in range(0, len(footage), step):
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
                self._check_found(footage, found)
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

    def _check_found(self, footage: Footage, found: int) -> None:
        count = len(footage)
        if not found:
            raise PerceptionError(
                f"no person was found in {footage.path}",
                remedy="give a video of one whole person, well lit and in view",
            )
        if found < _LEAST_FOUND * count:
            raise PerceptionError(
                f"the person of {footage.path} was found in too few frames",
                expected=f"at least {_LEAST_FOUND:.0%} of them",
                found=f"{found} of {count}",
                remedy="cut the video to where the person is in view; `motioncopy check` says where they are not",
            )

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0) + time.perf_counter() - start


def _check_arguments(ids: Sequence[str], max_size: int, parts: Sequence[str]) -> None:
    if max_size < 16:
        raise ConfigError("max_size is too small", expected="at least 16 pixels", found=max_size)
    unknown = set(parts) - set(PARTS)
    if unknown:
        raise ConfigError("unknown parts", expected=", ".join(PARTS), found=", ".join(sorted(unknown)))
    twice = sorted(name for name, count in Counter(ids).items() if count > 1)
    if twice:
        raise ConfigError(
            "several videos would become one clip",
            found=", ".join(twice),
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
