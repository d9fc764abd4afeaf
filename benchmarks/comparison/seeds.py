"""Values of trials at several seeds: their means, and two rows side by side, seed by seed."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from benchmarks.tables.frame import Trial

#: For each trial its value at each seed.
BySeed = Mapping[Trial, Mapping[int | None, float]]


def over_seeds(values: BySeed) -> dict[Trial, float]:
    """For each trial the mean over all seeds that have a value of it."""
    return {trial: statistics.fmean(by_seed.values()) for trial, by_seed in values.items()}


def pair(one: BySeed, other: BySeed, *, unpaired: bool = True) -> tuple[dict[Trial, float], dict[Trial, float]]:
    """Two rows' means over the same seeds: the difference of both is the mean of the differences seed by seed.

    Args:
        one: See :func:`benchmarks.tables.frame.trial_values`.
        other: Of the row it is compared with.
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
