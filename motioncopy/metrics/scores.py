"""What the evaluator found: the values of a clip's frames, and means and confidence intervals over clips."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from motioncopy.errors import RecordError
from motioncopy.files.schema import encode, validated
from motioncopy.metrics.bootstrap import mean_interval


@dataclass(frozen=True)
class Score:
    """One metric on one clip.

    Attributes:
        value: Mean over the frames counted, or ``None`` if there was none.
        frames: Number of frames counted.
        skipped: Number of frames without a value.

    >>> Score(31.5, frames=24, skipped=1).value
    31.5
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

    >>> ClipScores("walk", 3, {"psnr/frame@1": (30.0, None, 32.0)}).scores
    {'psnr/frame@1': Score(value=31.0, frames=2, skipped=1)}
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
            counted = len(values) - values.count(None)
            scores[key] = Score(mean_over_frames(values), counted, self.frames - counted)
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

    >>> Aggregate(31.0, 30.0, 32.0, clips=8, frames=192).high
    32.0
    """

    value: float
    low: float | None = None
    high: float | None = None
    clips: int | None = None
    frames: int | None = None
    curve: tuple[tuple[float, ...], ...] = ()


def aggregate(clips: Sequence[ClipScores], *, seed: int = 0) -> dict[str, Aggregate]:
    """Mean over clips and its bootstrap confidence interval, for every metric that has a value.

    The interval is that of :mod:`motioncopy.metrics.bootstrap`. The order of the clips does not matter.

    Args:
        clips: One a clip.
        seed: Of the draws.

    Raises:
        RecordError: If a clip is there twice.

    >>> clips = [ClipScores(name, 1, {"psnr/frame@1": (value,)}) for name, value in (("run", 30.0), ("walk", 32.0))]
    >>> aggregate(clips)["psnr/frame@1"].value
    31.0
    """
    clips = sorted(clips, key=lambda c: c.clip)
    for one, following in pairwise(clips):
        if one.clip == following.clip:
            raise RecordError(f"clip {one.clip} was scored twice", remedy="hand every clip to one process only")
    scores = [c.scores for c in clips]
    aggregates = {}
    for key in dict.fromkeys(key for s in scores for key in s):
        counted = [(s[key].value, s[key].frames) for s in scores if key in s]
        values = [value for value, _ in counted if value is not None]
        if values:
            low, high = mean_interval(np.array(values), seed=seed)
            aggregates[key] = Aggregate(mean_over_clips(values), low, high, len(values), sum(n for _, n in counted))
    return aggregates


def mean_over_frames(values: Iterable[float | None]) -> float | None:
    """The mean of a clip's frames that have a value, the same in any order; ``None`` if none has.

    >>> mean_over_frames([1.0, None, 4.0, math.nan])
    2.5
    """
    counted = [value for value in values if value is not None and not math.isnan(value)]
    return math.fsum(counted) / len(counted) if counted else None


def mean_over_clips(means: Iterable[float | None]) -> float:
    """The mean of the clips that have one, each weighing alike; NaN if none has.

    >>> mean_over_clips([1.0, None, 4.0])
    2.5
    """
    counted = [mean for mean in means if mean is not None]
    return float(np.mean(counted)) if counted else math.nan
