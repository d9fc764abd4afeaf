"""Scores all clips, in one process or several, keeps what is done, and sums up.

Every clip leaves its scores (JSON) and its features in the folder, which is all that processes share: a stranger's file
may kill the one that opens it, and a process that is gone takes part in no synchronisation of metrics' states. What is
on disk by then stays, so that an evaluation that was killed goes on, and the sums do not depend on who scored what.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from benchmarks import left_out
from benchmarks.evaluation.clips import Case
from benchmarks.evaluation.scoring import Segment, score, states_rate
from benchmarks.evaluation.workers import DIED, Workers
from motioncopy.errors import RecordError
from motioncopy.files.documents import read_json
from motioncopy.files.names import file_name, printable
from motioncopy.files.writing import check_writable, write_whole
from motioncopy.footage import open_footage
from motioncopy.metrics.evaluator import ClipScores, Evaluator
from motioncopy.records import Kind, Results
from motioncopy.records.provenance import packages


@dataclass(frozen=True)
class Plan:
    """What all processes need to know.

    Attributes:
        metrics: Metric keys.
        folder: Where scores and features go.
        fps: Frames per second of files that do not know.
        detect_masks: Whether masks are found in the true frames by MediaPipe.
        threads: Threads of PyTorch's CPU operations in each process; its own choice by default.
    """

    metrics: tuple[str, ...]
    folder: Path
    fps: float | None = None
    detect_masks: bool = False
    threads: int | None = None

    @property
    def features(self) -> Path:
        """Where features go."""
        return self.folder / "features"

    def scores(self, name: str) -> Path:
        """Where the scores of a clip go."""
        return self.folder / "clips" / f"{file_name(name)}.json"

    def key(self, case: Case, networks: dict[str, str]) -> str:
        """Another one for other files, metrics or networks: scores of this key need not be computed again."""
        files = {}
        for role, path in case.files.items():
            listed = sorted(path.iterdir()) if path.is_dir() else [path]
            files[role] = [[str(p), *_stamp(p)] for p in listed]
        # All packages: an upgrade of a decoder or of the segmenter changes frames and masks as well.
        content = [files, self.metrics, self.fps, self.detect_masks, networks, packages()]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:  # a link that leads nowhere, beside the images
        return 0, 0
    return found.st_size, found.st_mtime_ns


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
    cases: Sequence[Case],
    plan: Plan,
    workers: Workers[Plan],
    *,
    fresh: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Scores clips.

    Args:
        cases: What to score.
        plan: How.
        workers: Of :func:`workers_of` this plan.
        fresh: Whether clips that are scored already are scored again.
        progress: Is told how many frames have been scored since it was told last.

    Raises:
        MotionCopyError: If the folder cannot be written.
    """
    check_writable(plan.folder / "clips")  # rather than after an hour's work
    check_writable(plan.features)
    evaluator = Evaluator(plan.metrics, folder=plan.features)
    outcome = Outcome(missing=dict(evaluator.missing), networks=evaluator.networks)
    waiting = []
    for case in cases:
        kept = None if fresh else _kept(plan, case, evaluator.networks)
        if kept is None:
            waiting.append(case)
        else:
            progress(kept.frames)
    if waiting and plan.detect_masks:
        _segmenter()  # what it lacks is said once, here, and of no clip
    for case, done in workers.each(_score, waiting):
        if done is None:
            outcome.failures[case.name] = DIED
        else:
            progress(done.frames)
            if done.failure is not None:
                outcome.failures[case.name] = printable(done.failure)
    scored = [case for case in cases if case.name not in outcome.failures]
    sets: dict[Kind, Any] = {}
    for kind in dict.fromkeys(case.kind for case in scored):
        names = [case.name for case in scored if case.kind == kind]
        outcome.clips[kind] = [_read(plan, name) for name in names]
        sets[kind], reasons = evaluator.sets(names)
        outcome.missing |= reasons
    outcome.results = Results.of(outcome.clips, outcome.missing, sets)
    return outcome


def workers_of(plan: Plan, processes: int) -> Workers[Plan]:
    """Processes that score clips by a plan, and look at them before."""
    return Workers(processes, _begin, replace(plan, threads=1) if processes > 1 else plan)


@dataclass(frozen=True)
class _Done:
    """What a worker says of a clip: what went wrong, if anything did, and how many frames it scored."""

    failure: str | None
    frames: int


_plan: Plan | None = None


def _begin(plan: Plan) -> None:
    global _plan
    _plan = plan
    if plan.threads is not None:
        torch.set_num_threads(plan.threads)


@cache
def _tools(plan: Plan) -> tuple[Evaluator, Segment | None]:
    return Evaluator(plan.metrics, folder=plan.features), _segmenter() if plan.detect_masks else None


def _score(case: Case) -> _Done:
    """Scores one clip and keeps the scores.

    Raises:
        MotionCopyError: If they cannot be kept: nor could those of the other clips.
    """
    assert _plan is not None
    frames: list[int] = []
    try:
        evaluator, segment = _tools(_plan)
        key = _plan.key(case, evaluator.networks)  # before: a file that changes meanwhile is scored again next time
        scores = score(case, evaluator, fps=_plan.fps, segment=segment, seen=frames.append)
        content = json.dumps({"key": key, "scores": scores.to_dict()}, allow_nan=False)
    except Exception as error:
        if isinstance(error.__cause__, OSError) and str(_plan.features) in str(error):
            raise
        return _Done(left_out.reason(error), sum(frames))
    write_whole(_plan.scores(case.name), content)
    return _Done(None, sum(frames))


def _kept(plan: Plan, case: Case, networks: dict[str, str]) -> ClipScores | None:
    """The scores of an earlier evaluation, if they are those of the same files and metrics."""
    try:
        content = read_json(plan.scores(case.name), error=RecordError)
        return ClipScores.from_dict(content["scores"]) if content["key"] == plan.key(case, networks) else None
    except (OSError, KeyError, TypeError, RecordError):
        return None


def _read(plan: Plan, name: str) -> ClipScores:
    return ClipScores.from_dict(read_json(plan.scores(name), error=RecordError)["scores"])


@dataclass(frozen=True)
class Survey:
    """What there is to score.

    Attributes:
        frames: How many.
        rateless: Clips whose rates cannot be compared because a file does not say its own.
        failures: Clips whose files end the process that opens them, and why.
    """

    frames: int
    rateless: list[str]
    failures: dict[str, str]


def survey(cases: Sequence[Case], workers: Workers[Plan]) -> Survey:
    """What there is to score, of the clips that can be opened."""
    found = {case.name: seen for case, seen in workers.each(_look, cases)}
    return Survey(
        sum(seen.frames for seen in found.values() if seen is not None),
        sorted(name for name, seen in found.items() if seen is not None and seen.rateless),
        {name: DIED for name, seen in found.items() if seen is None},
    )


@dataclass(frozen=True)
class _Seen:
    frames: int = 0
    rateless: bool = False
    size: tuple[int, int] | None = None


def _look(case: Case) -> _Seen:
    try:
        with ExitStack() as stack:
            opened = {role: stack.enter_context(open_footage(path)) for role, path in case.files.items()}
            rateless = not all(states_rate(f) for role, f in opened.items() if role != "real")
            return _Seen(len(opened["generated"]), rateless, opened["generated"].size)
    except Exception:  # noqa: BLE001 -- what is wrong is said when the clip is scored
        return _Seen()


def sizes(paths: Sequence[Path], workers: Workers[Plan]) -> dict[Path, tuple[int, int]]:
    """(height, width) of the files that can be opened."""
    looked = workers.each(_look, [Case(path.name, "reconstruction", path) for path in paths])
    return {case.generated: seen.size for case, seen in looked if seen is not None and seen.size is not None}


def _segmenter() -> Segment:
    from motioncopy.footage.perception.masks import PoseMask
    from motioncopy.footage.perception.mediapipe import MediaPipePose

    pose, cleaning = MediaPipePose(still=True), PoseMask()
    return lambda images: cleaning(images, pose(images))
