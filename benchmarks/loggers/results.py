"""What is logged when a run is done: pictures and scores of its trials, and its record."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.loggers.factory import open_log
from benchmarks.loggers.log import LogState, RunLog, SafeLog
from benchmarks.pictures.trials import trial_sheet, trial_video, trials_of_kind
from datamodules.base import Trials
from motioncopy.metrics.scores import Score
from motioncopy.records import Record
from motioncopy.trials import scores_of

if TYPE_CHECKING:
    from benchmarks.bench.jobs import Job

KINDS = ("reconstruction", "imitation")
_TRIAL = ["trial", "kind", "metric", "value", "frames", "skipped"]


def log_test(
    log: SafeLog, trials: Trials, folder: Path, *, method: str, split: str, summary: Mapping[str, Any]
) -> None:
    """Logs what a test has left: a contact sheet and a side-by-side video of each kind of trial, and every score.

    Args:
        log: The run's.
        trials: What was asked.
        folder: Where the generated frames lie.
        method: What the sheets call them.
        split: ``test`` or ``val``, under which it all stands.
        summary: The content of ``summary.json``.
    """

    def write(log: RunLog) -> None:
        _log_pictures(log, trials, folder, method, split)
        scored = [(t["id"], t["kind"], scores_of(t).scores) for t in summary["trials"]]
        log.table(f"{split}/trials", _TRIAL, [row for one in scored for row in _trial_rows(*one)])

    log.attempt(write)


def _log_pictures(log: RunLog, trials: Trials, folder: Path, method: str, split: str) -> None:
    for kind in KINDS:
        if chosen := trials_of_kind(trials, kind):
            sheet = trial_sheet(chosen[0], {method: folder})
            log.picture(f"{split}/{kind}/sheet", sheet, f"{kind}: {chosen[0].id}")
            if log.plays_videos:
                with tempfile.TemporaryDirectory() as aside:
                    path = Path(aside) / "side_by_side.mp4"
                    trial_video(chosen, folder, path)
                    caption = f"appearance, motion, generated, truth: {', '.join(t.id for t in chosen)}"
                    log.video(f"{split}/{kind}/video", path, caption)
    log.state.note(f"{split} pictures")


def log_record(job: Job, record: Record) -> None:
    """Logs a finished job's scores, provenance and record, once; listens to :func:`benchmarks.bench.runner.run`.

    A job that was tested before this logger was asked for has its pictures logged now.
    """
    off = job.config.get("trainer", {}).get("logger") not in (None, True)  # as fit and test read it
    kept = LogState(job.folder, job.logger)
    if off or kept.logged(f"record {record.id}"):
        return
    log = open_log(job.logger, job.folder, job.labels)

    def write(log: RunLog) -> None:
        if not kept.logged("test pictures"):
            _log_pictures(log, *job.test_trials(), job.stack.method, "test")
        log.table("results/scores", *scores_table(record))
        log.table("results/trials", *trials_table(record))
        log.file(job.folder / "record.json", f"record-{record.id}", "record")
        log.summary(config_of(record), summary_of(record))
        log.state.note(f"record {record.id}")
        if where := log.where():
            print(where, flush=True)

    log.attempt(write)
    log.close()


def scores_table(record: Record) -> tuple[list[str], list[list[Any]]]:
    """A record's means over trials: columns, and a row for each kind of trial and metric."""
    rows: list[list[Any]] = []
    for kind, by_key in record.results.aggregates.items():
        rows += [[kind, key, a.value, a.low, a.high, a.clips, a.frames, None] for key, a in by_key.items()]
    rows += [[None, key, None, None, None, None, None, reason] for key, reason in record.results.missing.items()]
    return ["kind", "metric", "mean", "low (95%)", "high (95%)", "trials", "samples", "missing because"], rows


def trials_table(record: Record) -> tuple[list[str], list[list[Any]]]:
    """A record's values of each trial: columns, and a row for each trial and metric."""
    trials = record.results.trials.items()
    return _TRIAL, [row for name, trial in trials for row in _trial_rows(name, trial.kind, trial.scores)]


def _trial_rows(name: str, kind: str, scores: Mapping[str, Score]) -> list[list[Any]]:
    return [[name, kind, key, score.value, score.frames, score.skipped] for key, score in scores.items()]


def summary_of(record: Record) -> dict[str, float]:
    """The numbers of a record: ``<kind>/<metric key>``, and ``cost/...`` of what was measured."""
    scores = {
        f"{kind}/{key}": a.value for kind, by_key in record.results.aggregates.items() for key, a in by_key.items()
    }
    costs = record.costs
    names = ("parameters", "fps", "fps_single", "fps_compiled")
    found: dict[str, float | None] = {f"cost/{name}": getattr(costs, name) for name in names}
    found["cost/train_seconds"] = sum(costs.train_seconds.values())
    if costs.peak_memory_bytes is not None:
        found["cost/peak_memory_gb"] = costs.peak_memory_bytes / 1e9
    return scores | {key: float(value) for key, value in found.items() if value is not None}


def config_of(record: Record) -> dict[str, Any]:
    """What a record says of its run besides its scores: labels, provenance, resolved config."""
    content = record.to_dict()
    named = ("method", "data", "variant", "preset", "ablation", "regime", "protocol")
    origin = ("created", "config_sha256", "configs", "code", "packages", "device", "networks")
    return {
        **{name: getattr(record, name) or "" for name in named},
        "overlays": "+".join(record.overlays),
        "seed": record.seed,
        "person": record.subject or "",
        "config": record.config,
        "provenance": {"record": record.id, **{name: content[name] for name in origin}},
    }
