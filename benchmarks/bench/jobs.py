"""What a benchmark runs: one method on one data set with one seed, and the baselines that it is compared with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.bench.config_stack import ConfigStack
from datamodules.base import ClipDataModule, Trials
from motioncopy.building import build_from_config
from motioncopy.metrics.catalogue import select
from motioncopy.records import Record, parse
from motioncopy.request import DataRequest
from motioncopy.training.checkpoint import digest

#: What every run is compared with, by regime: of many people there is no nearest frame of the one who is tested.
BASELINES = {"personal": ("static", "nearest"), "general": ("static", "aligned")}


@dataclass(frozen=True)
class Job:
    """One method on one data set with one seed: a folder under ``runs``.

    Attributes:
        stack: The config files.
        runs: Where runs lie.
        seed: Of everything random.
        person: Whom to test, where all trials show one person; ``None`` is the data set's own choice.
        data_root: Where the data lies, for data sets that are not made here.
        devices: Processes to train with.
        precision: What training computes in: ``32``, ``bf16-mixed`` or ``16-mixed``.
        accumulate: In how many parts each process takes its share of a batch.
        minutes: A time budget for training, or ``None``.
        metrics: What to score by, see :func:`motioncopy.metrics.catalogue.select`; empty for one of every family.
        compiled: Whether the test times compiled networks too; it changes no score.
        overrides: Laid over the stack; plain values.
        logger: Where the run can be watched besides; it is no part of the config and changes no result.
        changed: Whether the user has changed values by hand (``overrides`` of a suite's row): such a run, and the
            baselines beside it, do not stand for a row of a paper.
    """

    stack: ConfigStack
    runs: Path = Path("runs")
    seed: int = 0
    person: str | None = None
    data_root: str | None = None
    devices: int = 1
    minutes: float | None = None
    metrics: tuple[str, ...] = ()
    compiled: bool = False
    overrides: Mapping[str, Any] | None = None
    logger: str = "tensorboard"
    precision: str = "32"
    accumulate: int = 1
    changed: bool = False

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved config."""
        data: dict[str, Any] = {}
        if self.person is not None:
            data["person"] = self.person
        if self.data_root is not None:
            data["root"] = self.data_root
        trainer: dict[str, Any] = {}
        if self.devices > 1:
            trainer = {"devices": self.devices, "strategy": "ddp_find_unused_parameters_true"}
        if self.precision != "32":
            trainer["precision"] = self.precision
        top: dict[str, Any] = {"seed_everything": self.seed}
        if data:
            top["data"] = {"init_args": data}
        if trainer:
            top["trainer"] = trainer
        if self.minutes is not None:
            top["minutes"] = self.minutes
        if self.accumulate != 1:
            top["accumulate"] = self.accumulate
        if self.metrics:
            top["metrics"] = select(self.metrics)
        return self.stack.resolve(top, self.overrides or {})

    @cached_property
    def id(self) -> str:
        """Readable, and another one for every other config."""
        s = self.stack
        words = [s.method, s.variant, s.preset, *s.overlays, s.data, self.person or "", f"seed{self.seed}"]
        return "-".join([*filter(None, words), digest(self.config)[:8]])

    @property
    def folder(self) -> Path:
        """Where the run's files lie."""
        return self.runs / self.id

    @property
    def labels(self) -> dict[str, Any]:
        """What the job is called in the columns, groups and tags of a logger."""
        s = self.stack
        return {
            "method": s.method,
            "data": s.data,
            "variant": s.variant,
            "preset": s.preset,
            "ablation": "+".join(s.overlays),
            "seed": self.seed,
            "person": self.person or "",
        }

    @property
    def log_options(self) -> list[str]:
        """What ``fit`` and ``test`` must be told to log as the job does; nothing, where it is their default."""
        return [] if self.logger == "tensorboard" else ["--logger", self.logger, "--labels", json.dumps(self.labels)]

    def data(self) -> ClipDataModule:
        """The data module, with its clips prepared.

        Raises:
            ConfigError: If its config is wrong.
            DataError: If the data are not there, or the person is not in them.
        """
        module = self.unprepared_data()
        module.prepare_data()
        _ = module.tested  # refuses one who is not there
        return module

    def unprepared_data(self) -> ClipDataModule:
        """The data module as it is built: it knows its people and trials, and may lack their clips.

        Raises:
            ConfigError: If its config is wrong.
            DataError: If the data are not there.
        """
        module, _ = build_from_config(
            ClipDataModule,  # type: ignore[type-abstract]
            self.config["data"],
            key="data",
            what=f"the config of data set {self.stack.data}",
        )
        return module

    def test_trials(self) -> tuple[Trials, Path]:
        """The test trials at the method's size and crop, and the folder of a finished run that holds their frames.

        Raises:
            DataError: If the data are not there.
        """
        data, model = self.data(), self.config["model"]["init_args"]
        request = DataRequest(1, tuple(model["image_size"]), crop=model.get("crop", "frame"))
        return data.trials(request, "test"), self.folder / "outputs" / f"{data.protocol}-test"

    def record(self) -> Record | None:
        """The record of this run, if it has finished.

        Raises:
            RecordError: If it is damaged, edited, or of another schema.
        """
        path = self.folder / "record.json"
        return parse(path) if path.is_file() else None


def baselines(job: Job) -> list[Job]:
    """The trivial baselines on the same data, at the same size and crop."""
    own = job.config["model"]["init_args"]
    shared = {k: own[k] for k in ("image_size", "crop") if k in own}
    if isinstance(shared.get("crop"), dict) or shared.get("crop") == "follow":
        shared["crop"] = "whole"  # what is made through windows that follow the person is scored on whole frames
    data = {"data": {"init_args": job.config["data"].get("init_args", {})}}
    found = []
    for name in BASELINES[data["data"]["init_args"].get("regime", "personal")]:
        if name == job.stack.method:
            continue
        args = dict(shared)
        if name != "static" and "normalisation" in own:  # which asks for no pose
            args["normalisation"] = own["normalisation"]
        stack = ConfigStack(name, job.stack.data, variant="trivial", preset="")
        overrides = (
            {k: v for k, v in (job.overrides or {}).items() if k != "model"} | {"model": {"init_args": args}} | data
        )
        found.append(
            replace(job, stack=stack, minutes=None, devices=1, precision="32", accumulate=1, overrides=overrides)
        )
    return found
