"""Runs a benchmark job: fit, test, record. Starts ``motioncopy fit`` and ``test`` as processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import yaml

from benchmarks.jobs import Job
from benchmarks.locks import HELD, alone
from benchmarks.loggers.opening import options
from benchmarks.loggers.outcome import log_record
from benchmarks.stack import Stack
from benchmarks.watch import ending
from datamodules.base import ClipDataModule
from motioncopy import records
from motioncopy.errors import RecordError, TrainingError
from motioncopy.files.schema import validated
from motioncopy.files.writing import write_whole
from motioncopy.metrics.scores import Aggregate
from motioncopy.records import Costs, Record, Results, StageTraining
from motioncopy.records.provenance import Device, code, device, packages, portable, redacted
from motioncopy.training.checkpoint import digest
from motioncopy.trials import scores_of


class RunError(TrainingError):
    """A run that failed.

    Attributes:
        record: What it left behind.
    """

    def __init__(self, error: TrainingError, record: Record) -> None:
        super().__init__(error.what, expected=error.expected, found=error.found, remedy=error.remedy)
        self.record = record


def run(job: Job, *, again: bool = False, quiet: bool = False) -> Record:
    """Fits and tests one job and writes its record; a finished one is only read.

    Args:
        job: What to run.
        again: Run it even if it has finished.
        quiet: Say nothing of a finished one.

    Raises:
        RunError: If it fails; a record of the failure is kept.
        BusyError: If another process runs the same job.
    """
    with _locked(job.folder) as lock:
        data = job.data()
        content, kept = digest(data.content()), job.folder / "data.sha256"
        done = None if again else job.record()
        if done is not None and kept.is_file() and kept.read_text() != content:
            print(f"{job.stack.method}: the data have changed since it was run, running it anew")
            again = True
        if again:
            for name in ("stages", "outputs", "logs", "record.json", "method.ckpt", "failure.txt"):
                path = job.folder / name
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        elif done is not None and not _untimed(job, done):
            publish(done, job)  # a kill may have come between the two files
            log_record(job, done)
            if not quiet:
                print(f"{job.stack.method}: finished before, see {job.folder} (RERUN=1 runs it again)")
            return done
        kept.write_text(content)
        config = job.folder / "stack.yaml"
        config.write_text(yaml.safe_dump(job.config, sort_keys=False))
        start, logging = time.perf_counter(), options(job)
        try:
            _call("fit", config, job.folder, lock, *logging, *(["--fresh", "true"] if again else []))
            _call("test", config, job.folder, lock, *logging, *(["--compiled", "true"] if job.compiled else []))
        except TrainingError as error:
            failed = _record(job, data, failure=str(error))
            publish(failed, job)
            raise RunError(error, failed) from error
        record = _record(job, data, seconds=time.perf_counter() - start)
        # First the one that says that the run has finished: published twice would be a run that nobody made.
        write_whole(job.folder / "record.json", json.dumps(record.to_dict(), indent=1, ensure_ascii=False) + "\n")
        publish(record, job)
        log_record(job, record)
        return record


def _untimed(job: Job, done: Record) -> bool:
    """Whether the compiled networks are still to be timed: the stages are then taken over, and the test is repeated."""
    return job.compiled and bool(done.costs.parameters) and done.costs.fps_compiled is None


def predict(job: Job, checkpoint: Path) -> None:
    """Generates a job's test trials by a method that has been fitted before; nothing is trained or recorded.

    Raises:
        TrainingError: If it fails.
        BusyError: If another process runs the same job.
    """
    with _locked(job.folder) as lock:
        config = job.folder / "stack.yaml"
        config.write_text(yaml.safe_dump(job.config, sort_keys=False))
        _call("predict", config, job.folder, lock, "--checkpoint", str(checkpoint))


def _call(command: str, config: Path, run: Path, lock: int, *options: str) -> None:
    failure = run / "failure.txt"
    failure.unlink(missing_ok=True)
    # A process of its own: under DDP, Lightning runs the command line again in every child.
    # -P: a file of the working directory must not stand in for a module.
    arguments = [
        sys.executable, "-P", "-m", "benchmarks.cli", command, "--config", str(config), "--run", str(run), *options,
    ]  # fmt: skip
    # It holds the lock too: should this process be killed, nobody starts the same fit beside the one that goes on.
    environment = os.environ | {HELD: str(run.resolve())}
    done = subprocess.run(arguments, check=False, pass_fds=(lock,), env=environment)
    if done.returncode:
        reason = failure.read_text() if failure.is_file() else f"the process of rank 0 {ending(done.returncode)}"
        if done.returncode == 130:
            raise KeyboardInterrupt
        raise TrainingError(
            f"{command} failed", found=reason.strip(), remedy="mend it and call again: what is done is kept"
        )


def _record(job: Job, data: ClipDataModule, *, failure: str | None = None, seconds: float | None = None) -> Record:
    s, created = job.stack, records.now()
    roots = {"run": job.folder, "runs": job.runs, "home": Path.home()}
    if job.data_root is not None:
        roots["data"] = Path(job.data_root)
    roots["work"] = Path.cwd()
    ablation = [o for o in s.overlays if o not in _required(s)]
    networks: dict[str, str] = {}
    results, costs = Results(), Costs()
    training: dict[str, StageTraining] = {}
    if failure is not None:
        machine = _there(job.config.get("trainer") or {})
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
            **_energy(fit, test),
        )
    return Record(
        id=records.new_id(created, s.method, s.data, *ablation, data.tested or "", f"seed{job.seed}"),
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
        overlays=tuple(_required(s)),
        ablation="+".join(ablation) or None,
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


def _there(trainer: Mapping[str, Any]) -> Device:
    """What a run that failed had to train on, by its trainer's config: it may not have come so far as to say it."""
    on_gpu = trainer.get("accelerator", "auto") in ("auto", "gpu", "cuda")
    count, asked = torch.cuda.device_count() if on_gpu else 0, trainer.get("devices", 1)
    gpus = min(count, asked) if isinstance(asked, int) and asked > 0 else count
    try:
        return device(gpus)
    except RuntimeError:  # a GPU that does not answer may be why it failed
        return replace(device(), gpus=gpus)


def _energy(*parts: Mapping[str, Any]) -> dict[str, Any]:
    """What fit and test used together; nothing where one was not measured, or not as the other was."""
    measured = [e for part in parts if (e := part.get("energy")) and e["joules"] is not None]
    sources = {energy["source"] for energy in measured}
    if len(measured) < len(parts) or len(sources) > 1:
        return {}
    return {"energy_joules": round(sum(e["joules"] for e in measured), 3), "energy_source": sources.pop()}


def _required(stack: Stack) -> list[str]:
    return [name for name in stack.all_overlays() if name not in stack.overlays]


def publish(record: Record, job: Job) -> None:
    """Puts a record beside those of the other runs; does nothing if it is there already."""
    if not (job.runs / "records" / f"{record.id}.json").exists():
        records.write(record, job.runs / "records")


def _locked(folder: Path) -> AbstractContextManager[int]:
    """One process a run folder, with those it starts."""
    return alone(folder, f"another process is running {folder.name}", "wait for it, or choose another RUNS folder")
