"""Scores all clips, in one process or several, keeps what is done, and sums up.

Every clip leaves its scores (JSON) and its features in the folder, so that processes share nothing else, an evaluation
that was killed goes on, and the sums do not depend on who scored what.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import torch

from benchmarks.evaluation.clips import Case
from benchmarks.evaluation.scoring import Segment, score
from motioncopy.errors import MotionCopyError
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
        used = {name: version for name, version in packages().items() if name in ("torch", "numpy", "motioncopy")}
        content = [files, self.metrics, self.fps, self.detect_masks, networks, used]
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
    one = processes == 1 or len(waiting) < 2
    done = _alone(waiting, plan, evaluator, progress) if one else _side_by_side(waiting, plan, processes, progress)
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
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(cases)), context, _begin, (plan,)) as pool:
        futures = {pool.submit(_work, case): case for case in cases}
        for future in as_completed(futures):
            case = futures[future]
            try:
                failure, frames = future.result()
            except BrokenProcessPool:
                failure, frames = "the process that scored it, or another one beside it, died: call again", 0
            progress(frames)
            yield case.name, failure


_worker: tuple[Plan, Evaluator, Segment | None] | None = None


def _begin(plan: Plan) -> None:
    global _worker
    torch.set_num_threads(1)
    _worker = plan, Evaluator(plan.metrics, folder=plan.features), _segmenter() if plan.detect_masks else None


def _work(case: Case) -> tuple[str | None, int]:
    assert _worker is not None
    plan, evaluator, segment = _worker
    frames: list[int] = []
    return _one(case, plan, evaluator, segment, frames.append), sum(frames)


def _one(
    case: Case, plan: Plan, evaluator: Evaluator, segment: Segment | None, progress: Callable[[int], None]
) -> str | None:
    """Scores one clip and keeps the scores; what went wrong, if anything did."""
    try:
        scores = score(case, evaluator, fps=plan.fps, segment=segment, seen=progress)
    except MotionCopyError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 -- whatever a broken file does to a library, the others are scored
        return f"{type(error).__name__}: {error}"
    target = plan.scores(case.name)
    partial = target.with_suffix(".json.partial")
    partial.write_text(json.dumps({"key": plan.key(case, evaluator.networks), "scores": scores.to_dict()}))
    partial.replace(target)
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


def frames_of(cases: Sequence[Case], fps: float | None) -> int:
    """How many frames there are to score; files that cannot be opened count nothing."""
    total = 0
    for case in cases:
        try:
            with open_footage(case.generated, fps=fps) as footage:
                total += len(footage)
        except MotionCopyError:
            continue
    return total


def _segmenter() -> Segment:
    from motioncopy.perception.masks import PoseMask
    from motioncopy.perception.mediapipe import MediaPipePose

    pose, cleaning = MediaPipePose(still=True), PoseMask()
    return lambda images: cleaning(images, pose(images))
