"""One recording on its way to its clip."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import cv2
import numpy as np
from rich.progress import Progress

from motioncopy.errors import ClipError, DataError, MotionCopyError, PerceptionError
from motioncopy.files.lock import locked
from motioncopy.files.writing import unwritable
from motioncopy.footage import Footage
from motioncopy.footage.clips import Clip, ClipWriter, Manifest, Source, stale
from motioncopy.footage.perception.annotations import at_size
from motioncopy.footage.perception.backends import Images, Joints, Masks, Poses
from motioncopy.footage.perception.background import BackgroundSample
from motioncopy.footage.prepare.backends import PARTS, Backends
from motioncopy.skeletons import BODY25

T = TypeVar("T")
_END = object()

#: Longest side of stored frames in pixels, unless another is asked for.
MAX_SIZE = 512

# Perception sees frames at least this large, if the video is, even where smaller ones are stored.
_LOOK_SIZE = 512
# Several chunks are in memory at once, one or two a stage. Small ones also start the pipeline sooner; networks take no
# more frames than this at a time.
_CHUNK_BYTES = 32 * 1024**2
_CHUNK_FRAMES = 16
# Fewer frames than this are no motion: a pose window needs a frame before and one after.
_LEAST_FRAMES = 3
# A clip whose person is found less often than this would teach a model that people vanish.
_LEAST_FOUND = 0.5


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
        name: Its id.
        clip: The clip's folder.
        outcome: ``failed`` leaves the folder as it was.
        reason: Why it was made anew, or why it failed.
        frames: Frames of the clip.
        found: In how many of them the person was found; 0 if nothing was done.
        unseen: Fraction of the background that no frame showed, and that was made up; 0 if nothing was done.
        seconds: How long each stage was at work. Stages work at the same time: together they take less.
        elapsed: Seconds that all of it took, without waiting for other processes.
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


def stored_size(size: tuple[int, int], max_size: int) -> tuple[int, int]:
    """(height, width) at which frames of that (height, width) are stored: longest side at most ``max_size``."""
    scale = min(1.0, max_size / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


class _Plan(NamedTuple):
    """What is to be done: why, whose clip it becomes, with which parts."""

    reason: str
    person: str
    parts: tuple[str, ...]


@dataclass
class Job:
    """Prepares one recording; the fields are arguments of :func:`motioncopy.footage.prepare.prepare_recordings`."""

    recording: Recording
    clip: Path
    max_size: int
    parts: tuple[str, ...]
    force: bool
    shared: Backends | None
    overlap: bool
    bar: Progress
    seconds: dict[str, float] = field(default_factory=dict)
    waited: float = 0.0

    def run(self) -> Prepared:
        """Makes the clip, if it has to be made.

        Raises:
            MotionCopyError: If it cannot be made; what was there stays.
        """
        began, name = time.perf_counter(), self.recording.id
        with self.recording.open() as footage:
            if len(footage) < _LEAST_FRAMES:
                raise DataError(
                    f"{footage.path} is too short",
                    expected=f"at least {_LEAST_FRAMES} frames",
                    found=len(footage),
                    remedy="film longer",
                )
            source = Source.of(footage.path)
            # First without the lock: a clip that is up to date may lie where nobody can write.
            if self._plan(footage, source) is not None:
                with self._alone():
                    plan = self._plan(footage, source)
                    if plan is not None:
                        found, unseen = self._make(footage, source, plan)
                        elapsed = time.perf_counter() - began - self.waited
                        return Prepared(
                            name, self.clip, "made", plan.reason, len(footage), found, unseen, self.seconds, elapsed
                        )
            return Prepared(name, self.clip, "up to date", frames=len(footage))

    @cached_property
    def backends(self) -> Backends:
        """The recording's own, or those of all."""
        own = self.recording.backends() if self.recording.backends else self.shared
        assert own is not None
        return own

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Waits until no other process is at work on the clip, and keeps others away."""
        with ExitStack() as lock:
            try:
                self.clip.parent.mkdir(parents=True, exist_ok=True)
                if not lock.enter_context(locked(self.clip, wait=False)):
                    self.bar.console.print(f"{self.recording.id}: another process prepares it; waiting for that")
                    began = time.perf_counter()
                    lock.enter_context(locked(self.clip))
                    self.waited = time.perf_counter() - began
            except OSError as error:
                raise unwritable(self.clip, error, ClipError) from error
            yield

    def _plan(self, footage: Footage, source: Source) -> _Plan | None:
        """What is to be done with the clip as it is now; ``None`` if nothing."""
        person = self.recording.person
        plan = _Plan("new", person or self.recording.id, tuple(part for part in PARTS if part in self.parts))
        if self.clip.exists():
            try:
                clip = Clip.open(self.clip)
            except ClipError as error:
                plan = plan._replace(reason=f"the clip there cannot be used ({error.what})")
            else:
                parts = tuple(part for part in PARTS if part in {*self.parts, *clip.parts})
                reason = self._why(clip.manifest, footage, source, parts)
                if reason is None:
                    return None
                plan = _Plan(reason, person or clip.person, parts)
        self.backends.check(plan.parts)
        return plan

    def _why(self, old: Manifest, footage: Footage, source: Source, parts: tuple[str, ...]) -> str | None:
        """Why a clip must be made anew; ``None`` if it need not be."""
        if old.source is None or old.source.file != source.file:
            raise ClipError(
                f"{self.clip} is another recording's clip",
                expected=source.file,
                found=old.source.file if old.source else "a clip without a source",
                remedy="rename it, or prepare it into another folder",
            )
        if (reason := stale(old, source.sha256, self.backends.makers(parts))) is not None:
            return reason
        size = stored_size(footage.size, self.max_size)
        if old.size != size:
            return f"its frames are {old.size[1]}x{old.size[0]}, now they would be {size[1]}x{size[0]}"
        if self.recording.person not in (None, old.person):
            return f"its person is called {old.person}"
        return "asked for" if self.force else None

    def _make(self, footage: Footage, source: Source, plan: _Plan) -> tuple[int, float]:
        """Makes the clip: in how many frames the person was found, and how much of the background was not."""
        size = stored_size(footage.size, self.max_size)
        sample = BackgroundSample(len(footage), size)
        writer = ClipWriter(
            self.clip,
            clip_id=self.recording.id,
            person=plan.person,
            fps=footage.fps,
            size=size,
            skeleton=self.backends.pose.skeleton,
            source=source,
            backends=self.backends.makers(plan.parts),
            parts=plan.parts,
            overwrite=True,
        )
        found, last = 0, None
        task = self.bar.add_task(self.recording.id, total=len(footage))
        try:
            self.backends.start(footage)
            with writer, closing(self._chunks(footage, size)) as chunks:
                for images, poses, masks in chunks:
                    dense = self._dense(plan.parts, images, masks, poses.joints, last)
                    groups = {name: getattr(poses, name) for name in self.backends.pose.groups}
                    with self._timed("store"):
                        writer.append(images, poses.joints, masks, **groups, **dense)
                        sample.add(images, masks, poses.found)
                    found, last = found + int(poses.found.sum()), images[-1]
                    self.bar.update(task, advance=len(images))
                self._check_found(footage, found)
                with self._timed("background"):
                    background, unseen = self.backends.background(*sample.taken)
                    writer.set_background(background)
        finally:
            self.bar.remove_task(task)
        return found, unseen

    def _chunks(self, footage: Footage, size: tuple[int, int]) -> Generator[tuple[Images, Poses, Masks], None, None]:
        """What is stored. Each stage takes from the one before, and may be at work while the next one is."""
        look = stored_size(footage.size, max(self.max_size, _LOOK_SIZE))
        stage = ahead if self.overlap else _in_turn
        return stage(self._cut(stage(self._posed(stage(self._decoded(footage, look, size)))), size))

    def _decoded(
        self, footage: Footage, look: tuple[int, int], size: tuple[int, int]
    ) -> Generator[tuple[Images, Images], None, None]:
        """Frames as perception sees them, and as they are stored."""
        height, width = footage.size
        chunks = footage.chunks(max(1, min(_CHUNK_FRAMES, _CHUNK_BYTES // (3 * height * width))))
        while True:
            with self._timed("decode"):
                frames = next(chunks, None)
            if frames is None:
                return
            with self._timed("shrink"):
                seen = _resized(frames, look)
                images = _resized(seen, size)
            yield seen, images

    def _posed(
        self, chunks: Generator[tuple[Images, Images], None, None]
    ) -> Generator[tuple[Images, Images, Poses], None, None]:
        """With the joints in the frames as perception sees them."""
        with closing(chunks):
            for seen, images in chunks:
                with self._timed("pose"):
                    poses = self.backends.pose(seen)
                yield seen, images, poses

    def _cut(
        self, chunks: Generator[tuple[Images, Images, Poses], None, None], size: tuple[int, int]
    ) -> Generator[tuple[Images, Poses, Masks], None, None]:
        """Frames, joints and masks at the stored size."""
        with closing(chunks):
            for seen, images, poses in chunks:
                with self._timed("mask"):
                    masks = _resized(self.backends.mask(seen, poses), size)
                yield images, at_size(poses, seen.shape[1:3], images), masks

    def _dense(
        self, parts: tuple[str, ...], images: Images, masks: Masks, joints: Joints, last: Images | None
    ) -> dict[str, Any]:
        """The parts that come on demand: labels, and flow from each frame to the one before it."""
        dense: dict[str, Any] = {}
        if "parsing" in parts:
            with self._timed("parsing"):
                dense["parsing"] = self.backends.parser(images, masks, joints)
        if "flow" in parts:
            with self._timed("flow"):
                before = images[:1] if last is None else last[None]
                dense["flow"] = self.backends.flow(images, np.concatenate([before, images[:-1]]))
                if last is None:
                    dense["flow"][0] = 0
        return dense

    def _check_found(self, footage: Footage, found: int) -> None:
        who, count = "person" if self.backends.pose.skeleton == BODY25.name else "animal", len(footage)
        if not found:
            raise PerceptionError(
                f"no {who} was found in {footage.path}",
                remedy=f"give a video of one whole {who}, well lit and in view",
            )
        if found < _LEAST_FOUND * count:
            raise PerceptionError(
                f"the {who} of {footage.path} was found in too few frames",
                expected=f"at least {_LEAST_FOUND:.0%} of them",
                found=f"{found} of {count}",
                remedy=f"cut the video to where the {who} is in view; `motioncopy check` says where people are not",
            )

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0) + time.perf_counter() - start


def ahead(items: Generator[T, None, None]) -> Generator[T, None, None]:
    """Yields the same items in the same order, but lets a thread make the next one meanwhile.

    Generators that take from one another are thereby stages of a pipeline: all are at work at once, each on one item
    at a time, and none gets more than one item ahead of the one behind it. What a stage raises is raised here.
    Closing this closes ``items``, which run in the thread only, and with them the stages before.
    """
    with closing(items), ThreadPoolExecutor(1) as thread:
        try:
            following: Future[Any] = thread.submit(next, items, _END)
            while (item := following.result()) is not _END:
                following = thread.submit(next, items, _END)
                yield item
        finally:
            thread.shutdown(cancel_futures=True)


def _in_turn(items: Generator[T, None, None]) -> Generator[T, None, None]:
    return items


def _resized(images: Any, size: tuple[int, int]) -> Any:
    """``(n, h, w, ...)`` images or masks at another (height, width); area averaging, which suits shrinking."""
    if images.shape[1:3] == size:
        return images
    return np.stack([cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA) for image in images])
