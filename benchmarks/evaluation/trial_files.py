"""Trials of a data set's protocol as files to hold foreign videos against."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmarks import left_out
from benchmarks.bench.config_stack import ConfigStack
from benchmarks.bench.jobs import Job
from datamodules.base import ClipDataModule, Trials
from motioncopy.errors import DataError, MotionCopyError
from motioncopy.files.writing import check_writable, whole_file
from motioncopy.footage import open_footage
from motioncopy.records import Kind
from motioncopy.request import Crop, DataRequest, Regime, Trial

_CHUNK = 32


def data_of(name: str, *, regime: Regime, person: str | None, root: str | None) -> ClipDataModule:
    """The data set of a protocol, prepared.

    Args:
        name: ``ID`` or ``ID@VERSION``; the id is the data set's name.
        regime: Whose trials: those of one person, or those of a general model.
        person: Whom, in the personal regime.
        root: Where the data lies, if it is not embedded.

    Raises:
        ConfigError: If there is no such data set.
        DataError: If its data are not there, or its protocol has another version.
    """
    data = name.partition("@")[0]
    job = Job(
        ConfigStack("static", data, variant="trivial", preset=""),
        person=person,
        data_root=root,
        overrides={"data": {"init_args": {"regime": regime}}},
    )
    module = job.data()
    if "@" in name and module.protocol != name:
        raise DataError("the data set has another protocol", expected=name, found=module.protocol)
    return module


def kinds_of(module: ClipDataModule) -> dict[str, Kind]:
    """The kind of each test trial, by its id."""
    return {spec.id: spec.kind for spec in module.trial_specs("test")}


def write_truth(
    module: ClipDataModule, sizes: Mapping[Path, tuple[int, int]], folder: Path, crop: Crop
) -> tuple[dict[str, Path], dict[str, str]]:
    """Writes what each trial is scored against, at the size of the generated videos.

    Args:
        module: The data set.
        sizes: (height, width) of the generated videos, all of one size.
        folder: Where folders ``truth``, ``mask``, ``driving`` and ``real`` of ``.npy`` files go.
        crop: See :data:`motioncopy.request.Crop`: which part of the stored frames the generated ones show.

    Returns:
        The folders that were written, by role, and why trials could not be read, by id.

    Raises:
        DataError: If the generated videos differ in size, or none can be read.
        MotionCopyError: If the folder cannot be written.
    """
    files: dict[tuple[int, int], Path] = {}
    for path, size in sizes.items():
        files.setdefault(size, path)
    if not files:
        raise DataError(
            "none of the generated videos that the protocol asks for can be read", remedy="check --generated"
        )
    if len(files) > 1:
        raise DataError(
            "the generated videos differ in size",
            expected="one size, at which the protocol's frames are shown",
            found="; ".join(f"{p.name} {w}x{h}" for (h, w), p in files.items()),
            remedy="give the true frames by --truth",
        )
    (size,) = files
    trials: Trials = module.trials(DataRequest(1, size, crop=crop), "test")
    written: dict[str, Path] = {}
    failures: dict[str, str] = {}
    for k, name in enumerate(trials.ids):
        try:
            frames = _frames(trials[k])
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with its data, the others are scored
            failures[name] = left_out.reason(error)
            continue
        for role, images in frames.items():
            written[role] = folder / role
            check_writable(written[role])
            _keep(written[role] / f"{name}.npy", images)
    return written, failures


def _frames(trial: Trial) -> dict[str, NDArray[np.uint8]]:
    """What a trial is scored against, ``(T, H, W, 3)`` by role."""
    parts: dict[str, list[Tensor]] = {"truth": [], "mask": [], "driving": []}
    for first in range(0, len(trial), _CHUNK):
        stop = min(first + _CHUNK, len(trial))
        if trial.truth is not None:
            truth, mask = trial.truth(first, stop)
            parts["truth"].append(truth)
            parts["mask"].append(mask.expand(-1, 3, -1, -1))
        if trial.driving is not None:
            parts["driving"].append(trial.driving(first, stop))
    if trial.real is not None:
        firsts = itertools.count(0, _CHUNK)
        parts["real"] = list(itertools.takewhile(len, (trial.real(at, at + _CHUNK) for at in firsts)))
    return {
        role: np.concatenate([c.permute(0, 2, 3, 1).numpy() for c in chunks])
        for role, chunks in parts.items()
        if chunks
    }


def _keep(path: Path, frames: NDArray[np.uint8]) -> None:
    """Writes frames unless they lie there already: a file of another time would have its clip scored again."""
    if path.is_file():
        try:
            with open_footage(path) as footage:
                if len(footage) == len(frames) and np.array_equal(footage.frames(range(len(frames))), frames):
                    return
        except MotionCopyError:  # damaged
            pass
    with whole_file(path) as file:
        np.save(file, frames)
