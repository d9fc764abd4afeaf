"""Finished runs whose generated frames still lie on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from benchmarks.jobs import Job
from benchmarks.report.groups import group_id, slug
from benchmarks.stack import Stack
from datamodules.base import ClipDataModule
from motioncopy.checkpoint import digest
from motioncopy.errors import MotionCopyError
from motioncopy.metrics.scores import ClipScores
from motioncopy.records import Record
from motioncopy.request import DataRequest
from motioncopy.trials import scores_of


@dataclass(frozen=True)
class Run:
    """One run folder.

    Attributes:
        folder: Where it lies.
        record: The record it left.
        config: Its resolved config.
        trials: The summaries of its test trials, as :class:`motioncopy.trials.TrialRunner` wrote them, by trial id.
    """

    folder: Path
    record: Record
    config: Mapping[str, Any]
    trials: Mapping[str, Mapping[str, Any]]

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
        return DataRequest(1, (height, width), crop=args.get("crop", "frame"))

    @cached_property
    def view(self) -> str:
        """Digits of all that truth, motion and appearance depend on: runs of one view share these panels."""
        kept = self.folder / "data.sha256"
        data = kept.read_text() if kept.is_file() else digest(self.config["data"])
        return digest([data, list(self.request.image_size), self.request.crop])[:8]

    def frames(self, trial: str) -> Path:
        """The file of a trial's generated frames."""
        return self.folder / "outputs" / f"{self.record.protocol}-test" / f"{trial}.npy"

    def scores(self, trial: str) -> ClipScores:
        """A trial's values, frame by frame."""
        return scores_of(dict(self.trials[trial]))

    def data(self) -> ClipDataModule:
        """The data module that the run was tested on.

        Raises:
            MotionCopyError: If the data are not there any more, or the config's files are not.
        """
        r = self.record
        ablation = tuple(r.ablation.split("+")) if r.ablation else ()
        stack = Stack(r.method, r.data, variant=r.variant or "", preset=r.preset or "", overlays=ablation)
        return Job(stack, runs=self.folder.parent, seed=r.seed or 0, overrides=self.config).data()


def find(folder: Path) -> tuple[list[Run], list[tuple[str, str]]]:
    """The runs below a folder that have finished, and have frames to show.

    Args:
        folder: Where runs lie.

    Returns:
        The runs, whole methods before baselines, and for each folder that is left aside its name and the reason.
    """
    found, aside = [], []
    for path in sorted(folder.glob("*/record.json")):
        try:
            found.append(_read(path))
        except (MotionCopyError, OSError, ValueError, KeyError, TypeError) as error:
            aside.append((path.parent.name, str(error)))
    return sorted(found, key=_order), aside


def _read(path: Path) -> Run:
    record = Record.from_dict(json.loads(path.read_text(encoding="utf-8")), path.parent.name)
    summary = path.parent / "outputs" / f"{record.protocol}-test" / "summary.json"
    config = yaml.safe_load((path.parent / "stack.yaml").read_text(encoding="utf-8"))
    trials = {trial["id"]: trial for trial in json.loads(summary.read_text(encoding="utf-8"))["trials"]}
    run = Run(path.parent, record, config, trials)
    missing = [t for t in trials if not run.frames(t).is_file()]
    if missing:
        raise MotionCopyError(f"the frames of {len(missing)} of {len(trials)} trials are gone", found=missing[0])
    _ = run.request, run.view
    return run


def _order(run: Run) -> tuple[Any, ...]:
    from benchmarks.tables import BASELINES

    r = run.record
    return (r.method in BASELINES, r.method, r.ablation or "", r.subject or "", r.seed or 0, r.created)


def seeds_apart(runs: Sequence[Run]) -> bool:
    """Whether several of them are one method by different seeds, which a reader must tell apart."""
    names = [(r.record.method, r.record.ablation, r.record.subject) for r in runs]
    return len(set(names)) < len(names)
