"""Finished runs whose generated frames still lie on disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks import left_out
from benchmarks.bench.config_stack import ConfigStack
from benchmarks.bench.jobs import Job
from benchmarks.report.groups import group_id, slug
from benchmarks.tables.selection import BASELINES
from datamodules.base import ClipDataModule
from motioncopy.errors import DataError, RecordError
from motioncopy.files.documents import read_json, read_yaml
from motioncopy.files.limits import check_limit
from motioncopy.files.names import printable
from motioncopy.files.schema import validated
from motioncopy.files.writing import unreadable
from motioncopy.footage import Footage, open_footage
from motioncopy.metrics.scores import ClipScores
from motioncopy.records import Kind, Record, parse
from motioncopy.request import DataRequest
from motioncopy.training.checkpoint import digest

_MOST_FPS = 1000


@dataclass(frozen=True)
class Summary:
    """What :class:`motioncopy.trials.TrialRunner` wrote of a trial, which shows a person in the motion of a driver."""

    id: str
    kind: Kind
    person: str
    driver: str
    fps: float
    frames: int
    scores: ClipScores

    def __post_init__(self) -> None:
        if not (0 < self.fps <= _MOST_FPS and self.frames > 0 and self.scores.frames == self.frames):
            raise RecordError(
                f"the summary of trial {self.id} is wrong",
                expected=f"frames, as many values, and at most {_MOST_FPS} frames a second",
                found=f"{self.frames} frames, {self.scores.frames} values, {self.fps} frames a second",
            )


@dataclass(frozen=True)
class _Outputs:
    """Of a ``summary.json``, what is shown."""

    trials: tuple[Summary, ...]


@dataclass(frozen=True)
class Run:
    """One run folder.

    Attributes:
        folder: Where it lies.
        record: The record it left.
        config: Its resolved config.
        trials: Its test trials, by id.
        unseen: Trials whose frames are not there or damaged, and why.
    """

    folder: Path
    record: Record
    config: Mapping[str, Any]
    trials: Mapping[str, Summary]
    unseen: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Its folder's name, as a part of links and file names."""
        return slug(self.folder.name)

    @property
    def group(self) -> str:
        """The id of the group that its record is of."""
        return group_id(self.record.data, self.record.protocol, self.record.regime)

    @property
    def request(self) -> DataRequest:
        """How large its images are, and which part of the frame they show."""
        args = self.config["model"]["init_args"]
        height, width = args["image_size"]
        check_limit("frame_pixels", height * width, f"the images of {self.folder}", error=DataError)
        return DataRequest(1, (height, width), crop=args.get("crop", "frame"))

    @cached_property
    def view(self) -> str:
        """Digits of all that truth, motion and appearance depend on: runs of one view share these panels."""
        kept = _within(self.folder, "data.sha256")
        if kept.is_file():
            with kept.open("rb") as file:
                data = file.read(64).decode("ascii")
        else:
            data = digest(self.config["data"])
        return digest([data, list(self.request.image_size), self.request.crop])[:8]

    def footage(self, trial: str) -> Footage:
        """A trial's generated frames.

        Raises:
            DataError: If they are not there, damaged, or others than the summary says.
            RecordError: If they are none of this run's.
        """
        summary = self.trials[trial]
        path = _within(self.folder, "outputs", f"{self.record.protocol}-test", f"{trial}.npy")
        footage = open_footage(path, fps=summary.fps)
        found = len(footage), *footage.size
        # Whole frames are as large as the data's, which may not be there.
        size = footage.size if self.request.crop == "whole" or self.request.follow else self.request.image_size
        expected = summary.frames, *size
        if found != expected:
            raise DataError(f"{path} holds other frames", expected=expected, found=found, remedy="test the run again")
        return footage

    def data(self) -> ClipDataModule:
        """The data module that the run was tested on.

        Raises:
            MotionCopyError: If the data are not there any more, or the config's files are not.
        """
        r = self.record
        ablation = tuple(r.ablation.split("+")) if r.ablation else ()
        stack = ConfigStack(r.method, r.data, variant=r.variant or "", preset=r.preset or "", overlays=ablation)
        return Job(stack, runs=self.folder.parent, seed=r.seed or 0, overrides=self.config).data()


def find(folder: Path) -> tuple[list[Run], list[tuple[str, str]]]:
    """The runs below a folder that have finished, and have frames to show.

    Args:
        folder: Where runs lie; nothing that they name outside of it is read.

    Returns:
        The runs, whole methods before baselines; and for each folder of which nothing or not all can be shown its name
        and the reason.

    Raises:
        RecordError: If the folder is there and cannot be listed.
    """
    found, aside = [], []
    try:
        listed = sorted(folder.iterdir()) if os.path.lexists(folder) else []
    except OSError as error:
        raise unreadable(folder, error, RecordError) from error
    for path in (path for path in listed if os.path.lexists(path / "record.json")):
        name = printable(path.name)
        try:
            run = _read(_within(folder, path.name))
        except Exception as error:  # noqa: BLE001 -- whatever is damaged in it, the others are shown
            aside.append((name, left_out.reason(error)))
            continue
        if run.unseen:
            first, why = next(iter(run.unseen.items()))
            aside.append((name, f"the frames of {len(run.unseen)} of {len(run.trials)} trials, such as {first}: {why}"))
        if len(run.unseen) < len(run.trials):
            found.append(run)
    return sorted(found, key=_order), aside


def _read(folder: Path) -> Run:
    record = parse(_within(folder, "record.json"))
    summary = _within(folder, "outputs", f"{record.protocol}-test", "summary.json")
    outputs = validated(
        _Outputs, read_json(summary, error=RecordError), error=RecordError, what=str(summary), more=True
    )
    trials = {one.id: one for one in outputs.trials}
    run = Run(folder, record, read_yaml(_within(folder, "stack.yaml"), error=RecordError), trials)
    _ = run.request, run.view
    for trial in trials:
        try:
            with run.footage(trial):
                pass
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with them, the other trials are shown
            run.unseen[trial] = left_out.reason(error)
    return run


def _within(folder: Path, *names: str) -> Path:
    """A path below a folder, which no name and no link leads out of it.

    Raises:
        RecordError: If one does.
    """
    path = folder.joinpath(*names)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise RecordError(
            f"{path} leads out of {folder.name}", remedy="put the file itself there: a report reads no other folder"
        )
    return path


def _order(run: Run) -> tuple[Any, ...]:
    r = run.record
    return (r.method in BASELINES, r.method, r.ablation or "", r.subject or "", r.seed or 0, r.created)
