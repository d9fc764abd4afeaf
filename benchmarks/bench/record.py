"""The record of a run: what its processes left (``fit.json``, ``summary.json``), with config, code and device."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.bench.jobs import Job
from datamodules.base import ClipDataModule
from motioncopy import records
from motioncopy.errors import RecordError
from motioncopy.files.schema import validated
from motioncopy.metrics.scores import Aggregate
from motioncopy.records import Costs, Record, Results, StageTraining
from motioncopy.records.provenance import Device, code, device, packages, portable, redacted
from motioncopy.trials import scores_of


def record_of(job: Job, data: ClipDataModule, *, failure: str | None = None, seconds: float | None = None) -> Record:
    """The record of a job, out of what fit and test have left in its folder.

    Args:
        job: The job.
        data: Its data.
        failure: Why it failed; nothing that it left is looked at then.
        seconds: What fit and test took together, by the clock.

    Raises:
        RecordError: If the scores do not fit together.
    """
    s, created = job.stack, records.now()
    roots = {"run": job.folder, "runs": job.runs, "home": Path.home()}
    if job.data_root is not None:
        roots["data"] = Path(job.data_root)
    roots["work"] = Path.cwd()
    networks: dict[str, str] = {}
    results, costs = Results(), Costs()
    training: dict[str, StageTraining] = {}
    if failure is not None:
        machine = device_asked_for(job.config.get("trainer") or {})
    else:
        fit = json.loads((job.folder / "fit.json").read_text())
        test = json.loads((job.folder / "outputs" / f"{data.protocol}-test" / "summary.json").read_text())
        clips: dict[records.Kind, list[Any]] = {}
        for trial in test["trials"]:
            clips.setdefault(trial["kind"], []).append(scores_of(trial))
        sets: dict[records.Kind, dict[str, Aggregate]] = {}
        missing: dict[str, str] = dict(test["missing"])
        for kind, found in test["sets"].items():
            sets[kind] = {
                key: validated(Aggregate, value, error=RecordError, what=f"summary.json: {key}")
                for key, value in found["values"].items()
            }
            missing |= found["missing"]
        results = Results.of(clips, missing, sets)
        if fit["features"]:
            networks["features"] = fit["features"]
        networks |= test["networks"]
        training = {
            stage["stage"]: replace(
                validated(StageTraining, stage["training"], error=RecordError, what=f"done.json of {stage['stage']}"),
                taken_over=stage.get("taken_over", False),
            )
            for stage in fit["stages"]
            if "training" in stage  # not in one taken over from an older version
        }
        generator = validated(Device, test["device"], error=RecordError, what="summary.json: device")
        machine = [generator, *(stage.device for stage in training.values() if stage.device is not None)][-1]
        speeds = sorted(t["generation_fps"] for t in test["trials"] if t["generation_fps"])
        costs = Costs(
            train_seconds={stage["stage"]: stage["seconds"] for stage in fit["stages"]},
            steps={stage["stage"]: stage["steps"] for stage in fit["stages"]},
            peak_memory_bytes=max(part.get("peak_memory_bytes") or 0 for part in (test, *fit["stages"])),
            parameters=fit["parameters"],
            fps=speeds[len(speeds) // 2] if speeds else None,
            fps_single=test["speed"]["fps"],
            fps_compiled=test["speed_compiled"]["fps"] if test["speed_compiled"] else None,
            wall_seconds=round(seconds, 1) if seconds is not None else None,
            device=generator,
            **energy_of(fit, test),
        )
    return Record(
        id=records.new_id(created, s.method, s.data, *s.overlays, data.tested or "", f"seed{job.seed}"),
        created=created,
        kind="measured",
        method=s.method,
        data=s.data,
        regime=data.regime,
        protocol=data.protocol,
        split=data.protocol,
        status="finished" if failure is None else "failed",
        reason=redacted(failure, roots) if failure is not None else None,
        variant=s.variant,
        preset=s.preset or None,
        overlays=tuple(name for name in s.all_overlays() if name not in s.overlays),
        ablation="+".join(s.overlays) or None,
        subject=data.tested,
        seed=job.seed,
        configs=(*s.names(), *([records.OVERRIDES] if job.changed else [])),
        config=portable(job.config, roots),
        code=code(),
        packages=packages(),
        device=machine,
        networks=networks,
        results=results,
        costs=costs,
        training=training,
    )


def device_asked_for(trainer: Mapping[str, Any]) -> Device:
    """What a run that failed had to train on, by its trainer's config: it may not have come so far as to say it."""
    on_gpu = trainer.get("accelerator", "auto") in ("auto", "gpu", "cuda")
    count, asked = torch.cuda.device_count() if on_gpu else 0, trainer.get("devices", 1)
    gpus = min(count, asked) if isinstance(asked, int) and asked > 0 else count
    try:
        return device(gpus)
    except RuntimeError:  # a GPU that does not answer may be why it failed
        return replace(device(), gpus=gpus)


def energy_of(*parts: Mapping[str, Any]) -> dict[str, Any]:
    """What fit and test used together; nothing where one was not measured, or not as the other was."""
    measured = [e for part in parts if (e := part.get("energy")) and e["joules"] is not None]
    sources = {energy["source"] for energy in measured}
    if len(measured) < len(parts) or len(sources) > 1:
        return {}
    return {"energy_joules": round(sum(e["joules"] for e in measured), 3), "energy_source": sources.pop()}
