"""Scores all clips, in one process or several, keeps what is done, and sums up.

Every clip leaves its scores (JSON) and its features in the folder, so that processes share nothing else, an evaluation
that was killed goes on, and the sums do not depend on who scored what.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import torch

from benchmarks.evaluation.clips import Case
from benchmarks.evaluation.scoring import Segment, score, states_rate
from motioncopy.errors import MotionCopyError
from motioncopy.files import write_whole
from motioncopy.footage import open_footage
from motioncopy.metrics.evaluator import ClipScores, Evaluator
from motioncopy.provenance import packages
from motioncopy.records import Kind, Results


@dataclass(frozen=True)
class Plan:
    """What all processes need to know.

    Attributes:
        metrics: Metric keys.
        folder: Where scores and features go.
        fps: Frames per second of files that do not know.
        detect_masks: Whether masks are found in the true frames by MediaPipe.
    """

    metrics: tuple[str, ...]
    folder: Path
    fps: float | None = None
    detect_masks: bool = False

    @property
    def features(self) -> Path:
        """Where features go."""
        return self.folder / "features"

    def scores(self, name: str) -> Path:
        """Where the scores of a clip go."""
        return self.folder / "clips" / f"{quote(name, safe='')}.json"

    def key(self, case: Case, networks: dict[str, str]) -> str:
        """Another one for other files, metrics or networks: scores of this key need not be computed again."""
        files = {}
        for role, path in case.files.items():
            listed = sorted(path.iterdir()) if path.is_dir() else [path]
            files[role] = [[str(p), (s := p.stat()).st_size, s.st_mtime_ns] for p in listed]
        # All packages: an upgrade of a decoder or of the segmenter changes frames and masks as well.
        content = [files, self.metrics, self.fps, self.detect_masks, networks, packages()]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass
class Outcome:
    """What an evaluation found.

    Attributes:
        clips: Scores by kind.
        failures: Why a clip could not be scored, by name.
        missing: Why a metric could not be computed.
        results: The sums.
        networks: Pretrained networks behind the values.
    """

    clips: dict[Kind, list[ClipScores]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    results: Results = field(default_factory=Results)
    networks: dict[str, str] = field(default_factory=dict)


def evaluate(
    cases: Sequence[Case], plan: Plan, *, processes: int = 1, fresh: bool = False, progress: Callable[[int], None]
) -> Outcome:
    """Scores clips.

    Args:
        cases: What to score.
        plan: How.
        processes: How many work side by side.
        fresh: Whether clips that are scored already are scored again.
        progress: Is told how many frames have been scored since it was told last.
    """
    evaluator = Evaluator(plan.metrics, folder=plan.features)
    outcome = Outcome(missing=dict(evaluator.missing), networks=evaluator.networks)
    (plan.folder / "clips").mkdir(parents=True, exist_ok=True)
    waiting = []
    for case in cases:
        kept = None if fresh else _kept(plan, case, evaluator.networks)
        if kept is None:
            waiting.append(case)
        else:
            progress(kept.frames)
    if processes == 1 or len(waiting) < 2:
        done = _alone(waiting, plan, evaluator, progress)
    else:
        if plan.detect_masks:
            _segmenter()  # what it lacks is said once, here, and is no death of a worker
        done = _side_by_side(waiting, plan, processes, progress)
    outcome.failures |= {name: failure for name, failure in done if failure is not None}
    scored = [case for case in cases if case.name not in outcome.failures]
    sets: dict[Kind, Any] = {}
    for kind in dict.fromkeys(case.kind for case in scored):
        names = [case.name for case in scored if case.kind == kind]
        outcome.clips[kind] = [_read(plan, name) for name in names]
        sets[kind], reasons = evaluator.sets(names)
        outcome.missing |= reasons
    outcome.results = Results.of(outcome.clips, outcome.missing, sets)
    return outcome


def _alone(
    cases: Sequence[Case], plan: Plan, evaluator: Evaluator, progress: Callable[[int], None]
) -> Iterator[tuple[str, str | None]]:
    segment = _segmenter() if plan.detect_masks else None
    for case in cases:
        yield case.name, _one(case, plan, evaluator, segment, progress)


def _side_by_side(
    cases: Sequence[Case], plan: Plan, processes: int, progress: Callable[[int], None]
) -> Iterator[tuple[str, str | None]]:
    """A process that dies takes the pool with it, and nobody knows over which clip.

    So the clips that may have been under way are scored again, each in a process of its own, and the rest together:
    a file that kills its decoder costs its own scores and no other's.
    """
    waiting = list(cases)
    while waiting:
        unfinished = []
        for case, done in _pool(waiting, plan, min(processes, len(waiting)), progress):
            if done is None:
                unfinished.append(case)
            else:
                yield case.name, done.failure
        names = {case.name for case in unfinished}
        waiting = [case for case in waiting if case.name in names]  # in the order in which they were begun
        # A pool hands out one clip a process, and one more.
        suspects, waiting = waiting[: processes + 1], waiting[processes + 1 :]
        for case in suspects:
            ((_, done),) = _pool([case], plan, 1, progress)
            yield case.name, done.failure if done is not None else "the process that scored it died"


def _pool(
    cases: Sequence[Case], plan: Plan, processes: int, progress: Callable[[int], None]
) -> Iterator[tuple[Case, _Done | None]]:
    """Every clip once; ``None`` where a process died before it was done."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _begin, (plan,)) as pool:
        try:
            futures = {pool.submit(_work, case): case for case in cases}
        except BrokenProcessPool:  # while clips were still handed in
            yield from ((case, None) for case in cases)
            return
        for future in as_completed(futures):
            try:
                done = future.result()
            except BrokenProcessPool:
                yield futures[future], None
            else:
                progress(done.frames)
                yield futures[future], done


@dataclass(frozen=True)
class _Done:
    """What a worker says of a clip: what went wrong, if anything did, and how many frames it scored."""

    failure: str | None
    frames: int


_worker: tuple[Plan, Evaluator, Segment | None] | None = None


def _begin(plan: Plan) -> None:
    global _worker
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    _worker = plan, Evaluator(plan.metrics, folder=plan.features), _segmenter() if plan.detect_masks else None


def _end_with_parent() -> None:
    """A worker waits for clips on a pipe that it holds open itself: without this it would outlive a killed parent."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(case: Case) -> _Done:
    assert _worker is not None
    plan, evaluator, segment = _worker
    frames: list[int] = []
    return _Done(_one(case, plan, evaluator, segment, frames.append), sum(frames))


def _one(
    case: Case, plan: Plan, evaluator: Evaluator, segment: Segment | None, progress: Callable[[int], None]
) -> str | None:
    """Scores one clip and keeps the scores; what went wrong, if anything did."""
    try:
        key = plan.key(case, evaluator.networks)  # before: a file that changes meanwhile is scored again next time
        scores = score(case, evaluator, fps=plan.fps, segment=segment, seen=progress)
        write_whole(plan.scores(case.name), json.dumps({"key": key, "scores": scores.to_dict()}))
    except MotionCopyError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 -- whatever a broken file does to a library, the others are scored
        return f"{type(error).__name__}: {error}"
    return None


def _kept(plan: Plan, case: Case, networks: dict[str, str]) -> ClipScores | None:
    """The scores of an earlier evaluation, if they are those of the same files and metrics."""
    try:
        content = json.loads(plan.scores(case.name).read_text())
        return ClipScores.from_dict(content["scores"]) if content["key"] == plan.key(case, networks) else None
    except (OSError, ValueError, KeyError, TypeError, MotionCopyError):
        return None


def _read(plan: Plan, name: str) -> ClipScores:
    return ClipScores.from_dict(json.loads(plan.scores(name).read_text())["scores"])


def survey(cases: Sequence[Case]) -> tuple[int, list[str]]:
    """What there is to score, of the clips that can be opened.

    Returns:
        How many frames, and the names of clips whose rates cannot be compared because a file does not say its own.
    """
    total, rateless = 0, []
    for case in cases:
        try:
            with ExitStack() as stack:
                opened = {role: stack.enter_context(open_footage(path)) for role, path in case.files.items()}
                total += len(opened["generated"])
                if not all(states_rate(f) for role, f in opened.items() if role != "real"):
                    rateless.append(case.name)
        except MotionCopyError:
            continue
    return total, rateless


def _segmenter() -> Segment:
    from motioncopy.perception.masks import PoseMask
    from motioncopy.perception.mediapipe import MediaPipePose

    pose, cleaning = MediaPipePose(still=True), PoseMask()
    return lambda images: cleaning(images, pose(images))
