"""What ``motioncopy bench`` would do, as lines; nothing is written, prepared or downloaded to find out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.bench.jobs import Job, baselines
from motioncopy.errors import MotionCopyError, TrainingError, own_cause
from motioncopy.files.documents import read_json
from motioncopy.files.schema import Count, validated
from motioncopy.method import Stage
from motioncopy.training import checkpoint


@dataclass(frozen=True)
class _Done:
    """What a stage that has finished says, as far as it is shown."""

    steps: Count


def of(job: Job, *, again: bool = False, data: bool = True) -> Iterator[str]:
    """What :func:`benchmarks.bench.runner.run` would do with a job and its baselines, in lines.

    Args:
        job: What would be run.
        again: Whether what has finished would be run again.
        data: Whether the data have to be there; a miniature would be written first.

    Raises:
        MotionCopyError: After the last line, if the method could not be built here or the data are not there.
    """
    stages, refusal = _stages(job)
    try:
        if data:
            job.unprepared_data()
    except MotionCopyError as error:
        refusal = error
    state = _state(job, again)
    yield f"Bench {job.id} would do this (nothing was done):"
    yield from (f"  {key:<10} {value}" for key, value in _what(job, state))
    if refusal is not None:
        yield f"  {'stages':<10} not known, as the method cannot be built here: {refusal.what}"
        yield from (f"  {'':<10} {schedule}" for schedule in _schedules(job.config["model"].get("init_args", {})))
    elif not stages:
        yield f"  {'stages':<10} none: nothing is trained"
    for number, stage in enumerate(stages):
        done = "" if again or state == "finished" else _stage_state(job.folder, number, stage)
        yield f"  {'' if number else 'stages':<10} {_steps(stage)}{done}"
    yield f"  {'baselines':<10} {', '.join(f'{b.stack.method} ({_state(b, again)})' for b in baselines(job))}"
    if refusal is not None:
        raise refusal


def _what(job: Job, state: str) -> Iterator[tuple[str, str]]:
    s = job.stack
    yield "method", ", ".join(filter(None, [s.method, f"variant {s.variant}", s.preset and f"preset {s.preset}"]))
    if s.all_overlays():
        shown = (f"{n}{'' if n in s.overlays else ' (which the preset requires)'}" for n in s.all_overlays())
        yield "overlays", ", ".join(shown)
    regime = job.config["data"].get("init_args", {}).get("regime", "personal")
    whom = (
        f"one model of one person: {job.person or 'the first'}" if regime == "personal" else "one model for all people"
    )
    missing = job.data_root is not None and not Path(job.data_root).is_dir()
    root = f" at {job.data_root}{', which is not there' if missing else ''}" if job.data_root else ""
    yield "data", f"{s.data}{root}, {whom}"
    yield "seed", str(job.seed)
    for number, name in enumerate(s.names()):
        yield ("" if number else "configs"), name
    for name, value in (("devices", job.devices if job.devices > 1 else None), ("minutes", job.minutes)):
        if value is not None:
            yield name, f"{value:g}"
    yield "folder", f"{job.folder} ({state})"


def _state(job: Job, again: bool) -> str:
    record = job.record()
    if record is not None:
        return "finished, and run again" if again else "finished"
    return "begun" if (job.folder / "stack.yaml").is_file() else "to do"


def _stages(job: Job) -> tuple[Sequence[Stage], MotionCopyError | None]:
    """The stages, of networks that take no memory."""
    model = job.config["model"]
    try:
        with torch.device("meta"):
            return tuple(checkpoint.build(model["class_path"], model.get("init_args", {})).stages), None
    except Exception as error:
        own = own_cause(error)
        if own is None:
            raise
        return (), own


def _steps(stage: Stage) -> str:
    request = stage.request
    windows = f"{request.batch_size} windows of {request.window} frame{'s' if request.window > 1 else ''}"
    if request.batches is None:
        return f"{stage.name}: {stage.epochs} epochs of all windows, {windows} a step"
    return (
        f"{stage.name}: {stage.epochs} epochs x {request.batches} = {stage.epochs * request.batches} steps of {windows}"
    )


def _stage_state(folder: Path, number: int, stage: Stage) -> str:
    place = folder / "stages" / f"{number:02d}-{stage.name}"
    if (place / "done.json").is_file():
        what, content = str(place / "done.json"), read_json(place / "done.json", error=TrainingError)
        steps = validated(_Done, content, error=TrainingError, what=what, more=True).steps
        return f"; done before ({steps} steps), and kept if nothing has changed"
    return "; begun" if (place / "last.ckpt").is_file() else ""


def _schedules(arguments: Any, where: str = "") -> Iterator[str]:
    """The epochs that stand in a config, by the keys that lead to them."""
    if not isinstance(arguments, dict):
        return
    if isinstance(arguments.get("epochs"), int):
        batches = arguments.get("batches")
        yield f"{where}: {arguments['epochs']} epochs" + (f" x {batches}" if batches else "")
    for key, value in arguments.items():
        yield from _schedules(value, f"{where}.{key}" if where else key)
