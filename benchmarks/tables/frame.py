"""The data frame behind a table of results: a pure function of records.

A data frame has one line a cell, with the columns of :data:`COLUMNS`. Records that differ by nothing but the seed are
one row of the table, with their mean and standard deviation; of records that do not even differ by that, the newest
finished one counts.
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.significance import paired
from motioncopy.errors import ConfigError, RecordError
from motioncopy.metrics.catalogue import METRICS, definition
from motioncopy.metrics.definition import split_key
from motioncopy.metrics.scores import interval
from motioncopy.records import Record

#: The trivial baselines: a method that does not beat them has learnt nothing.
BASELINES = ("static", "nearest", "aligned")
#: Subject and name of a trial: personal models are tested on trials of their own.
Trial = tuple[str, str]
COLUMNS = (
    "data", "protocol", "regime", "subject", "label", "method", "variant", "preset", "overlays", "ablation", "kind",
    "metric", "mean", "std", "low", "high", "seeds", "trials", "best", "weak", "tied", "untested", "reason",
)  # fmt: skip
_KINDS = ("reconstruction", "imitation")


def table(records: Iterable[Record], *, intervals: bool = False) -> pd.DataFrame:
    """One line for every row (subject, method, ablation) and column (kind of trial, metric) of a table.

    Args:
        records: Of one data set, protocol and regime; those of papers are left aside.
        intervals: Whether to find the 95% bootstrap intervals over trials, which then stand in the cells in place of
            the deviations over seeds.

    Returns:
        A frame with :data:`COLUMNS`: ``mean`` and ``std`` over seeds (NaN where there is no value, or one seed),
        ``low`` and ``high`` of the interval (NaN without one), ``trials`` a seed, ``best`` (as good as the best that
        is shown for this subject), ``weak`` (not better than the trivial baselines), ``tied`` (not the best, and not
        told apart from it: :mod:`benchmarks.significance`), ``untested`` (why that is not known), ``reason`` (why
        there is no value).

    Raises:
        RecordError: If there is no record, or records of several data sets, protocols, regimes, metric versions or
            trials.
    """
    records = sorted((r for r in records if r.kind != "paper"), key=lambda r: (r.created, r.id))
    check_one("data set", {r.data for r in records}, "choose one with --data")
    check_one("protocol", {r.protocol for r in records}, "choose one with --protocol")
    check_one("regime", {r.regime for r in records}, "choose one with --regime")
    finished = [r for r in records if r.status == "finished"]
    metrics = metrics_of(finished)
    kinds = [k for k in _KINDS if any(k in r.results.aggregates for r in finished)] or [_KINDS[0]]
    check_trials(finished)

    lines, means = [], []
    for label, runs in rows_of(records):
        for kind in kinds:
            for metric in metrics:
                means.append(trial_means(runs, kind, metric))
                lines.append(_line(label, runs, kind, metric, means[-1] if intervals else None))
    return _tested(_compared(pd.DataFrame(lines, columns=list(COLUMNS))), means)


def check_one(what: str, found: set[str], remedy: str) -> None:
    """Refuses records of several, and none at all.

    Raises:
        RecordError: Then; the message lists those found.
    """
    if not found:
        raise RecordError("there is no record to make a table of", remedy="run `motioncopy bench` first")
    if len(found) > 1:
        raise RecordError(f"a table holds one {what}", found=", ".join(sorted(found)), remedy=remedy)


def metrics_of(records: Sequence[Record]) -> list[str]:
    """The metric keys of the records, in the catalogue's order; the whole catalogue where there is no record.

    Raises:
        RecordError: If they are of several versions of one metric, or unknown.
    """
    found = {key for r in records for key in r.results.missing}
    found |= {key for r in records for by_key in r.results.aggregates.values() for key in by_key}
    versions: dict[tuple[str, str], set[str]] = defaultdict(set)
    for key in found:
        versions[split_key(key)[:2]].add(key)
    for keys in versions.values():
        if len(keys) > 1:
            raise RecordError(
                "a table holds one version of a metric",
                found=", ".join(sorted(keys)),
                remedy="score the kept outputs of the older runs again",
            )
    try:
        for key in found:
            definition(key)
    except ConfigError as error:
        raise RecordError(f"a record holds an {error.what}", expected=error.expected) from error
    return [key for key in METRICS if key in found or not found]


def check_trials(records: Sequence[Record]) -> None:
    """Means over different trials cannot be compared.

    Raises:
        RecordError: If records of one subject were scored on different trials of a kind.
    """
    seen: dict[tuple[str | None, str], tuple[set[str], str]] = {}
    for r in records:
        for kind in r.results.aggregates:
            trials = {name for name, trial in r.results.trials.items() if trial.kind == kind}
            first, other = seen.setdefault((r.subject, kind), (trials, r.id))
            if trials != first:
                raise RecordError(
                    f"records {other} and {r.id} were scored on different trials ({kind})",
                    expected=f"{len(first)} trials",
                    found=f"{len(trials)} trials, of which {len(trials - first)} are others",
                    remedy="run one of them again on the protocol's present trials",
                )


def rows_of(records: Sequence[Record]) -> list[tuple[str, list[Record]]]:
    """Label and runs of every row: baselines last, an ablation behind its method.

    Args:
        records: Of one table, the oldest first.

    Returns:
        A row's runs are one a seed: the newest finished one, or a failed one where none has finished.
    """
    groups: dict[tuple[Any, ...], dict[int | None, Record]] = defaultdict(dict)
    for r in records:
        names = (r.method in BASELINES, r.method, r.variant or "", r.preset or "", r.overlays, r.ablation or "")
        runs = groups[(r.subject or "", *names, json.dumps(seedless(r.config), sort_keys=True))]
        if r.status == "finished" or r.seed not in runs or runs[r.seed].status == "failed":
            runs[r.seed] = r
    rows = [list(groups[key].values()) for key in sorted(groups)]
    labels = [(runs[0].subject, _label(runs[0])) for runs in rows]
    # Rows of one name differ in their configs, which a reader must see.
    return [
        (label if labels.count((subject, label)) == 1 else f"{label} #{runs[0].config_sha256[:6]}", runs)
        for (subject, label), runs in zip(labels, rows, strict=True)
    ]


def seedless(config: Any) -> Any:
    """A config without the seed: what the runs of one row have in common."""
    if isinstance(config, dict):
        return {k: seedless(v) for k, v in config.items() if k not in ("seed", "seed_everything")}
    return [seedless(v) for v in config] if isinstance(config, list) else config


def _label(record: Record) -> str:
    details = ", ".join(part for part in (record.variant, record.preset, *record.overlays) if part)
    label = f"{record.method} ({details})" if details else record.method
    return f"{label}: {record.ablation}" if record.ablation else label


def _line(
    label: str, runs: Sequence[Record], kind: str, metric: str, means: Mapping[Trial, float] | None
) -> dict[str, Any]:
    one = runs[0]
    found = [r.results.aggregates.get(kind, {}).get(metric) for r in runs]  # type: ignore[call-overload]
    values = [a.value for a in found if a is not None]
    low, high = bounds(runs, kind, metric, means) if means is not None else (None, None)
    return {
        "data": one.data,
        "protocol": one.protocol,
        "regime": one.regime,
        "subject": one.subject,
        "label": label,
        "method": one.method,
        "variant": one.variant,
        "preset": one.preset,
        "overlays": ", ".join(one.overlays) or None,
        "ablation": one.ablation,
        "kind": kind,
        "metric": metric,
        "mean": statistics.fmean(values) if values else float("nan"),
        "std": statistics.stdev(values) if len(values) > 1 else float("nan"),
        "low": float("nan") if low is None else low,
        "high": float("nan") if high is None else high,
        "seeds": len(values),
        "trials": max((a.clips or 0 for a in found if a is not None), default=0),
        "reason": None if values else reason_of(runs[-1], kind, metric),
    }


def trial_means(runs: Iterable[Record], kind: str, metric: str) -> dict[Trial, float]:
    """For each trial the mean over seeds; empty where a metric has no value of a trial."""
    values = trial_values(runs, kind, metric)
    return {trial: statistics.fmean(by_seed.values()) for trial, by_seed in values.items()}


def trial_values(runs: Iterable[Record], kind: str, metric: str) -> dict[Trial, dict[int | None, float]]:
    """For each trial the value at each seed; empty where a metric has no value of a trial.

    Args:
        runs: Of one row: one record for each subject and seed.
        kind: Of the trials.
        metric: Its key.
    """
    by_trial: dict[Trial, dict[int | None, float]] = defaultdict(dict)
    for record in runs:
        for name, trial in record.results.trials.items():
            value = trial.scores[metric].value if trial.kind == kind and metric in trial.scores else None
            if value is not None:
                by_trial[record.subject or "", name][record.seed] = value
    return dict(sorted(by_trial.items()))


def bounds(
    runs: Sequence[Record], kind: str, metric: str, means: Mapping[Trial, float]
) -> tuple[float | None, float | None]:
    """The 95% interval over trials of :func:`trial_means`; that of the one record where no trial has a value."""
    if means:
        return interval(np.array(list(means.values())))
    whole = runs[0].results.aggregates.get(kind, {}).get(metric) if len(runs) == 1 else None  # type: ignore[call-overload]
    return (whole.low, whole.high) if whole is not None else (None, None)


def reason_of(record: Record, kind: str, metric: str) -> str:
    """Why a record has no value of a metric on this kind of trials."""
    if record.status == "failed":
        return f"the run failed: {record.reason}"
    if kind not in record.results.aggregates:
        return f"no trial of {kind} was scored"
    if metric in record.results.missing:
        return record.results.missing[metric]
    if any(metric in trial.scores for trial in record.results.trials.values() if trial.kind == kind):
        return "no frame had a value"
    return "not computed by this run"


def _compared(frame: pd.DataFrame) -> pd.DataFrame:
    """Fills in ``best`` and ``weak``, both by what is shown: a difference that is not shown decides nothing."""
    sign = frame["metric"].map(lambda key: 1 if definition(key).direction == "higher" else -1)
    shown = (
        frame["mean"].round(3).where(frame["metric"].map(lambda k: definition(k).unit != "dB"), frame["mean"].round(2))
    )
    score = shown * sign
    column = [frame["subject"].fillna(""), frame["kind"], frame["metric"]]
    baseline = frame["method"].isin(BASELINES)
    judged = frame["metric"].map(lambda key: definition(key).direction != "none")
    frame["best"] = judged & score.eq(score.groupby(column).transform("max"))
    frame["weak"] = judged & ~baseline & score.le(score.where(baseline).groupby(column).transform("max"))
    return frame


def _tested(frame: pd.DataFrame, means: Sequence[Mapping[Trial, float]]) -> pd.DataFrame:
    """Fills in ``tied`` and ``untested``, against the best row of the subject's column."""
    frame["tied"], frame["untested"] = False, None
    direction = frame["metric"].map(lambda key: definition(key).direction)
    judged = frame[direction.ne("none") & frame["seeds"].gt(0)]
    for _, lines in judged.groupby([judged["subject"].fillna(""), "kind", "metric"]):
        sign = 1 if direction.loc[lines.index].iloc[0] == "higher" else -1
        rows = lines.index.to_numpy(dtype=int)
        best = rows[int(np.argmax(lines["mean"].to_numpy() * sign))]
        for row in rows[~lines["best"].to_numpy(dtype=bool)]:
            if not means[best] or not means[row]:
                frame.loc[row, "untested"] = "one value of all trials together"
                continue
            found = paired(means[best], means[row])
            frame.loc[row, "tied"], frame.loc[row, "untested"] = found.told_apart is False, found.untested
    return frame
