"""All of one record as lines that a person reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks.tables.columns import short
from motioncopy.metrics.scores import Aggregate
from motioncopy.records import Costs, Record


def describe(record: Record, *, trials: bool = False) -> list[str]:
    """The record: what ran, its scores with their intervals, its costs, and where it comes from.

    Args:
        record: Of any kind.
        trials: Whether the values of each trial follow.
    """
    lines = [record.id, *_named(_what(record))]
    for kind, aggregates in record.results.aggregates.items():
        lines += ["", f"Scores of {kind}", *_scores(aggregates)]
    if record.results.missing:
        lines += ["", "Not computed", *_named({k: short(r) for k, r in record.results.missing.items()})]
    if trials:
        lines += ["", "Trials", *_trials(record)]
    if costs := dict(_costs(record.costs)):
        lines += ["", "Costs", *_named(costs)]
    return [*lines, "", "Where it comes from", *_named(dict(_provenance(record)))]


def _named(values: Mapping[str, str]) -> list[str]:
    width = max(map(len, values), default=0)
    return [f"  {name:<{width}}  {text}" for name, text in values.items()]


def _what(record: Record) -> dict[str, str]:
    whose = f"one model of one person: {record.subject}" if record.regime == "personal" else "one model for all people"
    values = {
        "created": record.created,
        "kind": record.kind,
        "method": " ".join(filter(None, [record.method, record.variant, record.preset])),
        "ablation": record.ablation,
        "overlays": ", ".join(record.overlays),
        "data": record.data,
        "protocol": record.protocol,
        "regime": whose if record.subject or record.regime == "general" else "one model a person",
        "seed": None if record.seed is None else str(record.seed),
        "status": record.status + (f": {record.reason}" if record.reason else ""),
    }
    if record.paper is not None:
        values["paper"] = f"{record.paper.paper}, table {record.paper.table}, row {record.paper.row}"
        values["flags"] = ", ".join(record.paper.flags)
    return {name: text for name, text in values.items() if text}


def _scores(aggregates: Mapping[str, Aggregate]) -> Iterator[str]:
    width = max(map(len, aggregates), default=0)
    for key, found in aggregates.items():
        interval = "" if found.low is None or found.high is None else f" [{found.low:.4g}, {found.high:.4g}]"
        counted = [f"{n} {what}" for n, what in ((found.clips, "trials"), (found.frames, "samples")) if n is not None]
        yield f"  {key:<{width}}  {found.value:.4g}{interval}" + (f"  ({', '.join(counted)})" if counted else "")


def _trials(record: Record) -> Iterator[str]:
    for name, trial in record.results.trials.items():
        yield f"  {name} ({trial.kind})"
        width = max(map(len, trial.scores), default=0)
        for key, score in trial.scores.items():
            value = "no frame with a value" if score.value is None else f"{score.value:.6g}"
            skipped = f", {score.skipped} without a value" if score.skipped else ""
            yield f"    {key:<{width}}  {value}  ({score.frames} frames{skipped})"


def _costs(costs: Costs) -> Iterator[tuple[str, str]]:
    for stage, seconds in costs.train_seconds.items():
        steps = f", {costs.steps[stage]} steps" if stage in costs.steps else ""
        yield f"training, {stage}", f"{seconds:.0f} s{steps}"
    if costs.parameters is not None:
        yield "parameters", f"{costs.parameters:,}"
    if costs.peak_memory_bytes is not None:
        yield "peak memory", f"{costs.peak_memory_bytes / 1e9:.2f} GB"
    for name, fps in (("several", costs.fps), ("one", costs.fps_single), ("one, compiled", costs.fps_compiled)):
        if fps is not None:
            yield f"speed, {name} at once", f"{fps:.4g} frames/s"
    if costs.energy_joules is not None:
        yield "energy, at most", f"{costs.energy_joules / 3.6e6:.4g} kWh ({costs.energy_source})"


def _provenance(record: Record) -> Iterator[tuple[str, str]]:
    code, device = record.code, record.device
    if code is not None:
        dirty = ", with changes that are in no commit" if code.dirty else ""
        yield "code", f"motioncopy {code.version}, commit {code.commit or 'unknown'}{dirty}"
    if device is not None:
        gpu = f", {device.gpus} x {device.gpu}" if device.gpu else ""
        yield "device", f"{device.cpu}, {device.threads} thread{'s' if device.threads != 1 else ''}{gpu}"
    for name, identity in record.networks.items():
        yield f"network {name}", identity
    if record.packages:
        yield "packages", ", ".join(f"{name} {version}" for name, version in record.packages.items())
    if record.configs:
        yield "configs", ", ".join(record.configs)
    yield "config's SHA-256", record.config_sha256
