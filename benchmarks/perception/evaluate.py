"""Lets backends see scenes and compares what they say with the truth."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.perception.measures import background_errors, end_point_errors, joint_errors, label_errors, overlap
from benchmarks.perception.scenes import Scene
from motioncopy.errors import PerceptionError, WeightsError
from motioncopy.footage.prepare import Backends

#: What can be measured, in the order of the table.
PARTS = ("joints", "mask", "parsing", "background", "flow")
_CHUNK = 16


@dataclass(frozen=True)
class PartScores:
    """One backend at one task.

    Attributes:
        part: One of :data:`PARTS`.
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
    """One backend at one task while scenes go by.

    Attributes:
        measure: Gives the scores of what ``pairs`` hold, one after the other.
        pairs: Of each scene, what was found, the truth, and what else the measure takes.
    """

    part: str
    backend: Any
    given: str
    measure: Callable[..., dict[str, float]]
    seconds: float = 0.0
    frames: int = 0
    pairs: list[tuple[NDArray[Any], ...]] = field(default_factory=list)

    def see(self, frames: int, *arguments: Any) -> Any:
        """Calls the backend and takes the time."""
        start = time.perf_counter()
        found = self.backend(*arguments)
        self.seconds, self.frames = self.seconds + time.perf_counter() - start, self.frames + frames
        return found

    def row(self) -> PartScores:
        scores = self.measure(*(np.concatenate(arrays) for arrays in zip(*self.pairs, strict=True)))
        fps = None if self.part == "background" else self.frames / self.seconds
        return PartScores(self.part, self.backend.name, self.backend.version, self.given, scores, self.frames, fps)


class _Evaluation:
    """Backends under test; scenes are added one at a time."""

    def __init__(self, backends: Backends) -> None:
        self._backends = backends
        self.tasks: dict[tuple[str, str], _Task] = {}

    def add_flow(self, scene: Scene, _: Set[str]) -> None:
        """The flow, which needs nobody else."""
        if scene.flow is not None and scene.mask is not None:
            self._backends.flow.start(scene)
            task = self._task("flow", self._backends.flow, end_point_errors)
            found = task.see(len(scene) - 1, scene.images[1:], scene.images[:-1])
            task.pairs.append((found, scene.flow[1:], scene.mask[1:]))

    def add_poses(self, scene: Scene, parts: Set[str]) -> None:
        """Joints, and what is made from them."""
        b = self._backends
        for backend in (b.pose, b.mask, b.parser, b.background):
            backend.start(scene)
        pose, mask = self._task("joints", b.pose, joint_errors), self._task("mask", b.mask, overlap)
        found = []
        for images in scene.chunks(_CHUNK):
            poses = pose.see(len(images), images)
            found.append((poses.joints, mask.see(len(images), images, poses) if scene.mask is not None else None))
        joints = np.concatenate([j for j, _ in found])
        pose.pairs.append((joints, scene.joints))
        if scene.mask is None:
            return
        masks = np.concatenate([m for _, m in found])
        mask.pairs.append((masks, scene.mask))
        for given, m, j in (("found", masks, joints), ("truth", scene.mask, scene.joints)):
            if scene.parsing is not None and "parsing" in parts:
                task = self._task("parsing", b.parser, label_errors, given)
                task.pairs.append((task.see(len(scene), scene.images, m, j), scene.parsing))
            if scene.background is not None and "background" in parts:
                task = self._task("background", b.background, background_errors, given)
                task.pairs.append((task.see(len(scene), scene.images, m)[0][None], scene.background[None]))

    def _task(self, part: str, backend: Any, measure: Callable[..., dict[str, float]], given: str = "") -> _Task:
        return self.tasks.setdefault((part, given), _Task(part, backend, given, measure))


def evaluate(backends: Backends, scenes: Sequence[Scene], parts: Sequence[str]) -> list[PartScores]:
    """Measures backends on scenes. What cannot run, for want of weights say, gets a row with the reason.

    Args:
        backends: What sees.
        scenes: All of one size.
        parts: Some of :data:`PARTS`.
    """
    rows: list[PartScores] = []
    evaluation = _Evaluation(backends)
    # What fails for want of poses must not take the flow along.
    for first, backend, group, add in (
        ("joints", backends.pose, set(parts) - {"flow"}, evaluation.add_poses),
        ("flow", backends.flow, set(parts) & {"flow"}, evaluation.add_flow),
    ):
        try:
            for scene in scenes if group else ():
                add(scene, group)
            tasks = [task for task in evaluation.tasks.values() if task.part in group and task.pairs]
            order = sorted(tasks, key=lambda task: PARTS.index(task.part))
            rows += [task.row() for task in order]
        except (WeightsError, PerceptionError) as error:
            rows.append(PartScores(first, type(backend).__name__, "", "", {}, 0, None, error.what))
    return rows
