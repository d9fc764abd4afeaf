"""Lets backends see scenes and compares what they say with the truth."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.perception.measures import Backgrounds, EndPoints, JointErrors, Labels, Overlap
from benchmarks.perception.scenes import Scene
from motioncopy.batch import PARSING_CLASSES
from motioncopy.errors import PerceptionError, WeightsError
from motioncopy.footage.perception.backends import Poses
from motioncopy.footage.prepare import Backends
from motioncopy.skeletons import skeleton

_CHUNK = 16
_FIELDS = {"joints": "pose", "flow": "flow"}


@dataclass(frozen=True)
class PartScores:
    """One backend at one task.

    Attributes:
        part: ``joints``, ``mask``, ``parsing``, ``flow`` or ``background``.
        backend: Its name.
        version: Its version; empty where it could not be asked.
        given: What it was given: what the other backends saw, or the truth.
        scores: By name; empty where it was not measured.
        frames: How many frames it saw.
        fps: Frames per second, alone.
        reason: Why it was not measured, or what else to know.
    """

    part: str
    backend: str
    version: str
    given: str
    scores: dict[str, float]
    frames: int
    fps: float | None = None
    reason: str = ""


@dataclass
class _Task:
    """One backend at one task while scenes go by."""

    part: str
    backend: Any
    given: str
    measure: Any
    seconds: float = 0.0
    frames: int = 0
    reason: str = ""

    def see(self, frames: int, *arguments: Any) -> Any:
        """Calls the backend and takes the time."""
        start = time.perf_counter()
        found = self.backend(*arguments)
        self.seconds, self.frames = self.seconds + time.perf_counter() - start, self.frames + frames
        return found

    def row(self) -> PartScores:
        speed = self.frames / self.seconds if self.seconds else None
        return PartScores(
            self.part, self.backend.name, self.backend.version, self.given, self.measure.scores(), self.frames,
            None if self.part == "background" else speed, self.reason,
        )  # fmt: skip


@dataclass
class Evaluation:
    """Backends under test; scenes are added one at a time.

    Args:
        backends: What sees.
        parts: Which of their parts are measured.
    """

    backends: Backends
    parts: frozenset[str] = frozenset({"joints", "mask", "parsing", "flow", "background"})
    _tasks: dict[tuple[str, str], _Task] = field(default_factory=dict)
    _fills: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    def add(self, scene: Scene) -> None:
        """Sees a scene and adds what was right and wrong."""
        if self.parts - {"flow"}:
            self._add_poses(scene)
        if scene.flow is not None and scene.mask is not None and "flow" in self.parts:
            self.backends.flow.start(scene)
            task = self._task("flow", self.backends.flow, "", EndPoints())
            found = task.see(len(scene) - 1, scene.images[1:], scene.images[:-1])
            task.measure.add(found, scene.flow[1:], scene.mask[1:])

    def _add_poses(self, scene: Scene) -> None:
        """Joints, and what is made from them."""
        seen, b = list(self._chunks(scene)), self.backends
        poses = np.concatenate([p.joints for p, _ in seen])
        masks = np.concatenate([m for _, m in seen])
        names = skeleton(scene.skeleton).joints
        fills = self._fills.setdefault("joints", np.zeros(len(names), bool))
        fills |= (poses[..., 2] > 0).any(axis=0)
        self._task("joints", b.pose, "", JointErrors()).measure.add(poses, scene.joints, names, fills)
        if scene.mask is not None and "mask" in self.parts:
            self._task("mask", b.mask, "", Overlap()).measure.add(masks, scene.mask)
        if scene.parsing is not None and scene.mask is not None and "parsing" in self.parts:
            for given, m, j in (("found", masks, poses), ("truth", scene.mask, scene.joints)):
                task = self._task("parsing", b.parser, given, Labels(len(PARSING_CLASSES)))
                task.measure.add(task.see(len(scene), scene.images, m, j), scene.parsing)
        if scene.background is not None and scene.mask is not None and "background" in self.parts:
            for given, m in (("found", masks), ("truth", scene.mask)):
                task = self._task("background", b.background, given, Backgrounds())
                task.measure.add(task.see(len(scene), scene.images, m)[0], scene.background)

    def rows(self) -> list[PartScores]:
        """One row for each backend and what it was given."""
        return [task.row() for task in self._tasks.values() if task.part in self.parts]

    def _chunks(self, scene: Scene) -> Iterator[tuple[Poses, NDArray[np.uint8]]]:
        for backend in (self.backends.pose, self.backends.mask, self.backends.parser, self.backends.background):
            backend.start(scene)
        pose, mask = self._task("joints", self.backends.pose, "", JointErrors()), None
        if scene.mask is not None:
            mask = self._task("mask", self.backends.mask, "", Overlap())
        for images in scene.chunks(_CHUNK):
            poses = pose.see(len(images), images)
            yield poses, mask.see(len(images), images, poses) if mask else np.zeros(images.shape[:3], np.uint8)

    def _task(self, part: str, backend: Any, given: str, measure: Any) -> _Task:
        return self._tasks.setdefault((part, given), _Task(part, backend, given, measure))


def evaluate(backends: Backends, scenes: Sequence[Scene], parts: Sequence[str]) -> list[PartScores]:
    """Measures backends on scenes. What cannot run, for want of weights say, gets a row with the reason."""
    rows: list[PartScores] = []
    # Flow needs nobody else, and must not be lost where poses cannot be found.
    for group in (set(parts) - {"flow"}, set(parts) & {"flow"}):
        evaluation = Evaluation(backends, frozenset(group))
        try:
            for scene in scenes if group else ():
                evaluation.add(scene)
            rows += evaluation.rows()
        except (WeightsError, PerceptionError) as error:
            part = "flow" if group == {"flow"} else "joints"
            rows.append(
                PartScores(part, type(getattr(backends, _FIELDS[part])).__name__, "", "", {}, 0, None, error.what)
            )
    return rows
