"""What was measured of a row: values of trials at each seed, their mean, and how rows differ."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.tables.columns import FPS, digits, direction
from motioncopy.metrics.bootstrap import mean_interval, paired_difference
from motioncopy.records import Record

#: Subject and name of a trial: personal models are tested on trials of their own.
Trial = tuple[str, str]
#: For each trial its value at each seed.
BySeed = Mapping[Trial, Mapping[int | None, float]]
#: Why values of FID and its like are not tested.
ONE_VALUE = "one value of all trials together"


def trial_values(runs: Iterable[Record], kind: str, metric: str) -> BySeed:
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


def over_seeds(values: BySeed) -> dict[Trial, float]:
    """For each trial the mean over all seeds that have a value of it."""
    return {trial: statistics.fmean(by_seed.values()) for trial, by_seed in values.items()}


def whole_value(record: Record, kind: str, metric: str) -> float | None:
    """A record's one value of all trials of a kind; frames a second are of no kind."""
    if metric == FPS:
        return record.costs.fps
    found = record.results.aggregates.get(kind, {}).get(metric)  # type: ignore[call-overload]
    return None if found is None else found.value


def bounds(
    runs: Sequence[Record], kind: str, metric: str, means: Mapping[Trial, float]
) -> tuple[float | None, float | None]:
    """The 95% interval of the mean of :func:`over_seeds`; that of the one record where no trial has a value."""
    if means:
        return mean_interval(np.array(list(means.values())))
    whole = runs[0].results.aggregates.get(kind, {}).get(metric) if len(runs) == 1 else None  # type: ignore[call-overload]
    return (whole.low, whole.high) if whole is not None else (None, None)


def reason_of(record: Record, kind: str, metric: str) -> str:
    """Why a record has no value of a metric on this kind of trials."""
    if record.status == "failed":
        return f"the run failed: {record.reason}"
    if metric == FPS:
        return "not measured by this run"
    if kind not in record.results.aggregates:
        return f"no trial of {kind} was scored"
    if metric in record.results.missing:
        return record.results.missing[metric]
    if any(metric in trial.scores for trial in record.results.trials.values() if trial.kind == kind):
        return "no frame had a value"
    return "not computed by this run"


def judge(cells: Sequence[dict[str, Any]], values: Sequence[BySeed], trivial: Sequence[bool], metric: str) -> None:
    """Fills in what follows from comparing the rows of a column: ``best``, ``weak``, ``tied`` and ``untested``.

    Args:
        cells: One a row, with its ``mean``, ``None`` where there is none.
        values: Those of each row.
        trivial: Whether each row is a trivial baseline.
        metric: Its key; one without a direction, and the speed, of which copying a picture has most, are no contest.
    """
    better, places = direction(metric), digits(metric)
    for cell in cells:
        cell.update(best=False, weak=False, tied=False, untested=None)
    scores = {k: cell["mean"] * better for k, cell in enumerate(cells) if cell["mean"] is not None}
    if not scores or not better or metric == FPS:
        return
    best = max(scores, key=lambda k: scores[k])
    to_beat = max((score for k, score in scores.items() if trivial[k]), default=None)
    for k, score in scores.items():
        # By what is shown: a difference that is not shown decides nothing.
        best_shown = round(score, places) == round(scores[best], places)
        weak = not trivial[k] and to_beat is not None and round(score, places) <= round(to_beat, places)
        cells[k].update(best=best_shown, weak=weak)
        if best_shown:
            continue
        if values[best] and values[k]:
            found = paired_difference(*_pair(values[best], values[k]))
            cells[k].update(tied=found.told_apart is False, untested=found.untested)
        else:
            cells[k].update(untested=ONE_VALUE)


def worth(with_part: Sequence[Record], without: Sequence[Record], kind: str, metric: str) -> dict[str, Any]:
    """What a part is worth: differences for each subject, trial and seed that both rows have, then means over seeds.

    A trial counts at the seeds at which both rows have a value of it, so that a seed that one row lacks moves nothing.

    Returns:
        ``worth``: the gain by the part, positive where it helps; ``low``, ``high``: its 95% interval over ``trials``;
        ``seeds``: how many count; ``sign``: "+" or "-", or "≈" where the interval holds 0, in parentheses where
        ``untested`` says why there was no test. What is not known is left out.
    """
    both, better = (with_part, without), direction(metric)
    if not set.intersection(*({(r.subject, r.seed) for r in records} for records in both)):
        return {"untested": "the row with the part was not run at the same seed"}
    more, less = (trial_values(records, kind, metric) for records in both)
    whole = not more or not less
    if whole:
        more, less = (_whole_values(records, kind, metric) for records in both)
    if not more or not less:
        return {}
    means = _pair(more, less, unpaired=False)
    if not means[0]:
        return {"untested": "no trial has a value of both rows at the same seed"}
    found = paired_difference(*({trial: value * better for trial, value in one.items()} for one in means))
    seeds = {seed for trial in means[0] for seed in more[trial].keys() & less[trial].keys()}
    sign = "+" if found.mean > 0 else "-" if found.mean < 0 else "="
    if whole:
        return {"worth": found.mean, "seeds": len(seeds), "sign": f"({sign})", "untested": ONE_VALUE}
    return {
        "worth": found.mean,
        "low": found.low,
        "high": found.high,
        "trials": found.clips,
        "seeds": len(seeds),
        "sign": {True: sign, False: "≈", None: f"({sign})"}[found.told_apart],
        "untested": found.untested,
    }


def _pair(one: BySeed, other: BySeed, *, unpaired: bool = True) -> tuple[dict[Trial, float], dict[Trial, float]]:
    """Two rows' means over the same seeds: the difference of both is the mean of the differences seed by seed.

    Args:
        one: A row's values.
        other: Those of the row that it is compared with.
        unpaired: Whether a trial that has values of both rows, but at no seed of both, counts with the means over the
            seeds that either has; else it is left out.

    Returns:
        For each trial that has a value of both the mean of ``one``, and that of ``other``, over the seeds at which
        both have a value of it.
    """
    found: tuple[dict[Trial, float], dict[Trial, float]] = ({}, {})
    for trial in one.keys() & other.keys():
        seeds = one[trial].keys() & other[trial].keys()
        if seeds or unpaired:
            for row, means in zip((one, other), found, strict=True):
                means[trial] = statistics.fmean(row[trial][s] for s in sorted(seeds or row[trial], key=str))
    return found


def _whole_values(records: Iterable[Record], kind: str, metric: str) -> BySeed:
    """For each subject the one value of all its trials together, at each seed."""
    found: dict[Trial, dict[int | None, float]] = {}
    for r in records:
        if (value := whole_value(r, kind, metric)) is not None:
            found.setdefault((r.subject or "", ""), {})[r.seed] = value
    return found
