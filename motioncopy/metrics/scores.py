"""What the evaluator found: the values of a clip's frames, and means and confidence intervals over clips."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from motioncopy.errors import RecordError
from motioncopy.files.schema import encode, validated


@dataclass(frozen=True)
class Score:
    """One metric on one clip.

    Attributes:
        value: Mean over the frames counted, or ``None`` if there was none.
        frames: Number of frames counted.
        skipped: Number of frames without a value.
    """

    value: float | None
    frames: int
    skipped: int = 0


@dataclass(frozen=True)
class ClipScores:
    """All metrics on one clip.

    Attributes:
        clip: The clip's or the trial's id.
        frames: Number of frames scored.
        values: For each metric key, one value a frame; ``None`` where a frame was skipped.
        missing: For each metric that was not computed on this clip, the reason.
    """

    clip: str
    frames: int
    values: dict[str, tuple[float | None, ...]]
    missing: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, values in self.values.items():
            if len(values) != self.frames:
                raise RecordError(
                    f"scores of clip {self.clip}: {key} has not one value a frame",
                    expected=self.frames,
                    found=len(values),
                )

    @property
    def scores(self) -> dict[str, Score]:
        """For each metric key, the mean over frames and what it was taken over."""
        scores = {}
        for key, values in self.values.items():
            counted = [v for v in values if v is not None]
            mean = math.fsum(counted) / len(counted) if counted else None
            scores[key] = Score(mean, len(counted), self.frames - len(counted))
        return scores

    def to_dict(self) -> dict[str, Any]:
        """Plain values ready for JSON, from which :meth:`from_dict` makes an equal one."""
        content: dict[str, Any] = encode(self)
        return content

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ClipScores:
        """The scores that :meth:`to_dict` wrote.

        Raises:
            RecordError: If the values are of another form.
        """
        return validated(cls, data, error=RecordError, what="scores of a clip")


@dataclass(frozen=True)
class Aggregate:
    """One metric over clips.

    Attributes:
        value: Mean over clips of the means over their frames.
        low: Lower end of the 95% bootstrap confidence interval; ``None`` for fewer than two clips.
        high: Its upper end.
        clips: Number of clips counted; ``None`` where a paper does not say.
        frames: Number of samples counted, frames or (FVD) windows; ``None`` where a paper does not say.
        curve: Of a metric over sets: (samples, value) on random subsets, the last one the whole. Empty for others.
    """

    value: float
    low: float | None = None
    high: float | None = None
    clips: int | None = None
    frames: int | None = None
    curve: tuple[tuple[float, ...], ...] = ()


def aggregate(clips: Sequence[ClipScores], *, seed: int = 0, resamples: int = 2000) -> dict[str, Aggregate]:
    """Mean over clips and its bootstrap confidence interval, for every metric that has a value.

    The interval is the percentile interval of the mean over ``resamples`` draws of as many clips, with replacement
    (Efron 1979). The order of the clips does not matter.

    Args:
        clips: One a clip.
        seed: Of the draws.
        resamples: Number of draws.

    Raises:
        RecordError: If a clip is there twice.
    """
    clips = sorted(clips, key=lambda c: c.clip)
    for one, following in pairwise(clips):
        if one.clip == following.clip:
            raise RecordError(f"clip {one.clip} was scored twice", remedy="hand every clip to one process only")
    scores = [c.scores for c in clips]
    aggregates = {}
    for key in dict.fromkeys(key for s in scores for key in s):
        counted = [(s[key].value, s[key].frames) for s in scores if key in s]
        values = np.array([value for value, _ in counted if value is not None])
        if len(values):
            low, high = interval(values, seed=seed, resamples=resamples)
            aggregates[key] = Aggregate(float(values.mean()), low, high, len(values), sum(n for _, n in counted))
    return aggregates


def interval(values: np.ndarray, *, seed: int = 0, resamples: int = 2000) -> tuple[float | None, float | None]:
    """The 95% percentile bootstrap interval of the mean of ``(n,)`` values; ``None`` for fewer than two."""
    if len(values) < 2:
        return None, None
    draws = np.random.default_rng(seed).integers(len(values), size=(resamples, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)
