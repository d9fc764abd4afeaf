"""Fits a method's stages in order: skips what is finished, resumes what was killed.

A run folder holds ``stages/NN-name/{last.ckpt, done.json}`` and, when all stages are done, ``method.ckpt``.
A stage's key is the hash of its config, its data, its seed, the code that its training imports and its upstream stages'
keys; a finished stage with the same key is loaded, not fitted again, wherever under the same ``runs`` folder it lies.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_info

from motioncopy.building import class_paths
from motioncopy.errors import CheckpointError, ConfigError, MotionCopyError, TrainingError
from motioncopy.files.documents import read_json
from motioncopy.files.tensors import check_tensors, first_line, load_tensors
from motioncopy.files.writing import write_whole
from motioncopy.method import Method, Stage
from motioncopy.metrics.speed import peak_memory
from motioncopy.records.provenance import device
from motioncopy.request import TrainingData
from motioncopy.training import checkpoint
from motioncopy.training.code import code_digest
from motioncopy.training.processes import from_first, several

#: Builds the Trainer of one stage: (stage, its folder, its epochs, extra callbacks) -> Trainer.
TrainerFactory = Callable[[Stage, Path, int, list[Callback]], Trainer]

# The stages that were done when the first process started this one, as a JSON list.
_DONE_BEFORE = "MOTIONCOPY_DONE_STAGES"


def fit(
    method: Method[Any],
    data: TrainingData,
    run: Path,
    make_trainer: TrainerFactory,
    *,
    seed: int,
    only: str | None = None,
    budget: timedelta | None = None,
    world_size: int = 1,
    accumulate: int = 1,
    precision: str = "32-true",
    fresh: bool = False,
    checkpoint_every: timedelta = timedelta(minutes=2),
) -> list[str]:
    """Fits all stages, or one, and writes ``method.ckpt`` when all are done.

    Args:
        method: Built by :func:`motioncopy.training.checkpoint.build` or the command line.
        data: The training data.
        run: The run's folder.
        make_trainer: Builds one Trainer a stage.
        seed: Of the sample order and of each stage's random numbers.
        only: Fit this stage alone; those before it must be done.
        budget: Time for all stages together, shared by :attr:`Stage.share`. A stage ends early when its part is
            used up; such a training cannot be repeated exactly.
        world_size: Processes; losses that couple a batch depend on it. A stage's batch is shared by them, and has at
            least one window for each.
        accumulate: In how many parts each process takes its share of a batch, see
            :class:`motioncopy.training.updates.TrainsByUpdates`; fewer where the share is smaller.
        precision: Lightning's name of what ``make_trainer`` computes in.
        fresh: Do not take over what neighbouring runs have finished.
        checkpoint_every: How much work a kill may cost at most; a checkpoint is also written after every epoch.

    Returns:
        The stages that were trained by this call from their first step to their last.

    Raises:
        ConfigError: If ``only`` names no stage, or ``accumulate`` is below 1.
        CheckpointError: If ``only`` needs a stage that is not done.
        TrainingError: If a loss is not finite; the last good checkpoint is kept.
    """
    stages = list(method.stages)
    names = [s.name for s in stages]
    if only is not None and only not in names:
        raise ConfigError(f"there is no stage {only!r}", expected=f"one of {', '.join(names) or 'none'}")
    if accumulate < 1:
        raise ConfigError("a batch cannot be taken in fewer parts than one", found=accumulate)
    batches = {stage.name: stage.request.batch_size for stage in stages}
    for stage in stages:
        _share(stage, world_size, accumulate)
    method.prepare(data)
    keys: dict[str, str] = {}
    loaded: list[str] = []
    trained: list[str] = []
    shares = sum(s.share for s in stages)
    for number, stage in enumerate(stages):
        folder = run / "stages" / f"{number:02d}-{stage.name}"
        limit = budget * (stage.share / shares) if budget is not None else None
        keys[stage.name] = key = stage_key(
            method, stage, data, seed, keys, limit=limit, world_size=world_size, precision=precision
        )
        seed_everything(seed + 1000 * number, verbose=False)  # a skipped stage must not change the next one's draw
        stage.prepare(data)
        if _is_done(run, folder, stage, key, fresh, world_size):
            loaded.append(stage.name)
            _load_stage(stage, folder / "last.ckpt")
            rank_zero_info(f"Stage {stage.name}: done before ({stage.steps} steps), loaded.")
        elif only is not None and names.index(only) > number:
            raise CheckpointError(f"stage {only} needs stage {stage.name}, which is not done", remedy="fit it first")
        elif only is None or only == stage.name:
            if world_size > 1 and "LOCAL_RANK" not in os.environ:
                os.environ[_DONE_BEFORE] = json.dumps(loaded)  # for the processes that Lightning is about to start
            if _fit_stage(stage, data, folder, make_trainer, seed, key, checkpoint_every, limit, batches[stage.name]):
                trained.append(stage.name)
    if only is None or only == names[-1]:
        _save_method(method, run, keys)
    return trained


def stage_key(
    method: Method[Any],
    stage: Stage,
    data: TrainingData,
    seed: int,
    upstream: Mapping[str, str],
    *,
    limit: timedelta | None = None,
    world_size: int = 1,
    precision: str = "32-true",
) -> str:
    """The hash of all that determines a stage's result.

    That is config, data, seed, upstream, time limit, processes, parts of a batch, precision, and the code that is
    imported by the method, by the data set and by the classes that the config names (see
    :mod:`motioncopy.training.code`).
    """
    arguments = method.init_args or {}
    unknown = [k for k in stage.config_keys if k not in arguments]
    if unknown:
        raise ConfigError(f"stage {stage.name} depends on unknown arguments", found=unknown, expected=sorted(arguments))
    config = {k: arguments[k] for k in stage.config_keys}
    return checkpoint.digest(
        {
            "stage": f"{_name(stage)}:{stage.name}",
            "config": config,
            "request": vars(stage.request),
            "epochs": stage.epochs,
            "data": data.fingerprint(),
            "seed": seed,
            "limit": limit.total_seconds() if limit else None,
            "world_size": world_size,
            "parts": stage.parts,
            "precision": precision,
            "code": code_digest(_name(method), _name(data), *(name for _, name in class_paths(config, ""))),
            "upstream": {name: upstream[name] for name in stage.depends},
        }
    )


def _fit_stage(
    stage: Stage,
    data: TrainingData,
    folder: Path,
    make_trainer: TrainerFactory,
    seed: int,
    key: str,
    checkpoint_every: timedelta,
    limit: timedelta | None,
    batch: int,
) -> bool:
    """Whether it was trained from its first step on: not, where a killed fit was gone on with."""
    last, started = folder / "last.ckpt", folder / "key.json"
    for path in (last, started, folder / "done.json"):
        if path.exists() and not path.is_file():
            raise CheckpointError(f"{path} is no file", remedy=_anew(folder))
    stale = last.is_file() and _key_of(started) != key
    resumed = last if last.is_file() and not stale else None
    if stale:
        rank_zero_info(f"Stage {stage.name}: its half-done state belongs to another config, starting anew.")
    if _is_first():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "done.json").unlink(missing_ok=True)  # of another config: what follows is not what it speaks of
        if stale:
            last.unlink()
        _write_json(started, {"key": key})
    savers: list[Callback] = [
        _saver(folder, every_n_epochs=1),
        _saver(folder, train_time_interval=checkpoint_every),
    ]
    budget = _TimeLimit(limit) if limit is not None else None
    first = _FirstBatch()
    trainer = make_trainer(stage, folder, stage.epochs, [*savers, first, budget] if budget else [*savers, first])
    if resumed:
        rank_zero_info(f"Stage {stage.name}: going on from {resumed}.")
        check_tensors(last, error=CheckpointError, remedy=_anew(folder))
    batches = data.for_request(stage.request, seed)
    try:
        with _restoring(last, first) if resumed else nullcontext():
            trainer.fit(stage, datamodule=batches, ckpt_path=resumed, weights_only=True)
    except OSError as error:
        raise CheckpointError(
            f"stage {stage.name} stopped at step {stage.steps}: a file in {folder} cannot be written or read",
            found=error.strerror or str(error),
            remedy="free some disk space, then call fit again: it goes on from the last checkpoint",
        ) from error
    timed_out = budget is not None and budget.reached
    if trainer.current_epoch < stage.epochs and not timed_out:
        raise TrainingError(
            f"stage {stage.name} stopped before its end", expected=f"{stage.epochs} epochs", found=trainer.current_epoch
        )
    trainer.save_checkpoint(last, weights_only=False)  # a stage of no epochs has none yet
    if trainer.is_global_zero:
        _write_json(
            folder / "done.json",
            {
                "stage": stage.name,
                "key": key,
                "steps": stage.steps,
                "epochs": stage.epochs,
                "ended_by": "time" if timed_out else "epochs",
                "samples_digest": stage.samples_digest,
                "seconds": round(stage.seconds, 3),
                "data_seconds": round(stage.data_seconds, 3),
                "world_size": trainer.world_size,
                "training": _training(stage, trainer, batch),
                "parameters": sum(p.numel() for p in stage.parameters()),
                "peak_memory_bytes": peak_memory(trainer.strategy.root_device),
            },
        )
    trainer.strategy.barrier()
    return resumed is None


def _share(stage: Stage, world_size: int, accumulate: int) -> None:
    """Gives each of several processes the windows that a stage needs, and makes no part smaller than that."""
    asked = stage.request.batch_size
    needed = world_size * stage.least if world_size > 1 else 1
    if asked < needed:
        stage.request = replace(stage.request, batch_size=needed)
        rank_zero_info(
            f"Stage {stage.name}: batches of {needed} windows instead of {asked}, {stage.least} for each process."
        )
    stage.parts = max(1, min(accumulate, stage.request.batch_size // (world_size * stage.least)))
    if stage.parts < accumulate:
        rank_zero_info(
            f"Stage {stage.name}: batches are taken in {stage.parts} parts, they have too few windows for more."
        )


def _training(stage: Stage, trainer: Trainer, batch: int) -> dict[str, Any]:
    """See :class:`motioncopy.records.StageTraining`. The rate is the config's, whatever the processes."""
    groups = [optimizer.param_groups[0] for optimizer in trainer.optimizers]
    gpus = trainer.world_size if trainer.strategy.root_device.type == "cuda" else 0
    return {
        "batch": batch,
        "effective_batch": stage.request.batch_size,
        "processes": trainer.world_size,
        "accumulate": stage.parts,
        "learning_rates": [float(group.get("initial_lr", group["lr"])) for group in groups],
        "precision": str(trainer.precision),
        "device": asdict(device(gpus)),
    }


class _FirstBatch(Callback):
    """Knows whether a batch has been trained on."""

    done = False

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        self.done = True


@contextmanager
def _restoring(last: Path, first: _FirstBatch) -> Iterator[None]:
    """Whatever is raised until the first batch is done comes of the file: the same code has trained with it before."""
    try:
        yield
    except CheckpointError as error:
        if first.done or str(last) in error.what:
            raise
        raise CheckpointError(
            f"{last}: {error.what}", expected=error.expected, found=error.found, remedy=_anew(last.parent)
        ) from error
    except (MotionCopyError, OSError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if first.done:
            raise
        found = f"{type(error).__name__}: {first_line(error)}"
        raise CheckpointError(f"cannot go on from {last}", found=found, remedy=_anew(last.parent)) from error


def _anew(folder: Path) -> str:
    return f"delete {folder} and fit again"


class _TimeLimit(Callback):
    """Ends a stage when its share of the time budget is used up, on all processes at the same step."""

    def __init__(self, limit: timedelta) -> None:
        self.limit, self.reached = limit, False

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *_: Any) -> None:
        over = pl_module.seconds >= self.limit.total_seconds()
        if trainer.strategy.reduce_boolean_decision(over, all=False):
            self.reached = trainer.should_stop = True


def _saver(folder: Path, **when: Any) -> ModelCheckpoint:
    # One file, written over; Lightning writes aside and renames.
    saver = ModelCheckpoint(dirpath=folder, filename="last", save_top_k=1, enable_version_counter=False, **when)
    saver.CHECKPOINT_EQUALS_CHAR = "-"
    return saver


def _is_done(run: Path, folder: Path, stage: Stage, key: str, fresh: bool, world_size: int) -> bool:
    """Whether this stage lies finished in its folder, as the first process finds it.

    A neighbouring run may finish it between the looks of two processes, which would then wait for each other for ever.
    """
    if several():
        return from_first(_is_first() and _find_done(run, folder, stage, key, fresh))
    if world_size > 1 and "LOCAL_RANK" in os.environ:
        if _DONE_BEFORE in os.environ:
            return stage.name in json.loads(os.environ[_DONE_BEFORE])
        # Not started by the first process, and not yet able to ask it. No other run changes this one's folder.
        fresh = True
    return _find_done(run, folder, stage, key, fresh)


def _find_done(run: Path, folder: Path, stage: Stage, key: str, fresh: bool) -> bool:
    """Whether this stage lies finished with this key here, or in a neighbouring run: it is then copied here."""
    neighbours = [] if fresh else sorted(run.parent.glob(f"*/stages/*-{stage.name}/done.json"))
    for path in [folder / "done.json", *neighbours]:
        if not path.is_file() or not path.with_name("last.ckpt").is_file():
            continue
        if _key_of(path) != key:
            continue
        if path.parent != folder:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path.with_name("last.ckpt"), folder / ".last.ckpt.tmp")
            (folder / ".last.ckpt.tmp").replace(folder / "last.ckpt")
            _write_json(folder / "done.json", _read_done(path) | {"taken_over": True})
        return True
    return False


def _key_of(path: Path) -> str | None:
    """The key in a ``key.json`` or ``done.json``; ``None`` where there is none, or the file is damaged."""
    try:
        key = _read_done(path).get("key")
    except CheckpointError:
        return None
    return key if isinstance(key, str) else None


def _read_done(path: Path) -> dict[str, Any]:
    content = read_json(path, error=CheckpointError, remedy=_anew(path.parent))
    return content if isinstance(content, dict) else {}


def _load_stage(stage: Stage, last: Path) -> None:
    with _restoring(last, _FirstBatch()):
        content = load_tensors(last, error=CheckpointError, remedy=_anew(last.parent))
        stage.on_load_checkpoint(content)
        stage.load_state_dict(content["state_dict"])


def _save_method(method: Method[Any], run: Path, keys: Mapping[str, str]) -> None:
    if _is_first():
        checkpoint.save(method, run / "method.ckpt", hashes={"stages": dict(keys)})
    rank_zero_info(f"Fitted method: {run / 'method.ckpt'}")


def _name(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _is_first() -> bool:
    """Whether this is the process that writes; Lightning's launcher sets the rank before any Trainer is there."""
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))) == 0


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_whole(path, json.dumps(content, indent=1))


def stage_summaries(run: Path, names: Sequence[str]) -> list[dict[str, Any]]:
    """What ``done.json`` says of each stage, in order, for the record."""
    return [_read_done(run / "stages" / f"{k:02d}-{name}" / "done.json") for k, name in enumerate(names)]
