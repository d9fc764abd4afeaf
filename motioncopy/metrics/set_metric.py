"""Metrics over the features of whole sets of frames or clips: their base class, and how they are scored."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from torchmetrics import Metric

from motioncopy.errors import BatchError
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.extractor import Output
from motioncopy.metrics.scores import Aggregate
from motioncopy.metrics.store import FeatureStore, Rows


class SetMetric(Metric):
    """One number for a set of features, or for two sets.

    As a torchmetrics ``Metric`` it takes features through ``update(features, real=...)``; the evaluator asks
    :meth:`distance` on stored rows, so that it can also resample them.

    Attributes:
        definition: What the metric is.
        output: The features.
        samples: What a row is called: ``frames`` or ``windows``.
        least: Fewer samples, on either side, are refused.
        needs_real: Whether the generated set is held against a real one.
        resamples: Draws of the bootstrap over clips; 0: no interval.
    """

    definition: ClassVar[Definition]
    output: ClassVar[Output]
    samples: ClassVar[str] = "frames"
    least: ClassVar[int]
    needs_real: ClassVar[bool] = True
    resamples: ClassVar[int] = 0
    full_state_update = False
    is_differentiable = False

    @abstractmethod
    def distance(self, generated: Rows, real: Rows | None) -> float:
        """The metric's value; ``real`` is ``None`` if, and only if, the metric does not need it.

        Raises:
            BatchError: If there are too few rows to compute anything.
        """


def score(
    metric: SetMetric, store: FeatureStore, clips: Sequence[str], *, seed: int = 0
) -> tuple[Aggregate | None, str]:
    """Scores stored clips.

    The interval is value ± 1.96 standard errors, the standard error being that of a bootstrap over clips. Its
    percentiles would not do: a draw holds clips twice, and distances between sets of fewer different samples are
    larger by nature. ``Aggregate.curve`` tells how much, on random subsets.

    Args:
        metric: What to compute.
        store: Where the clips' features lie.
        clips: The clips' ids; all of them have generated features.
        seed: Of subsets and of the bootstrap.

    Returns:
        The value, or ``None`` and the reason why there is none.
    """
    feature = metric.output.id
    generated = store.rows(feature, "generated", clips)
    real = store.rows(feature, "real", clips) if metric.needs_real else None
    if generated is None or (metric.needs_real and real is None):
        return None, "some clips have no real frames" if generated is not None else "some clips have no features"
    for name, rows in (("generated", generated), ("real", real)):
        if rows is not None and len(rows) < metric.least:
            return None, f"it needs at least {metric.least} {metric.samples}, and {name} are {len(rows)}"
    try:
        value = metric.distance(generated, real)
        curve = [*_curve(metric, generated, real, seed), (len(generated), value)]
        error = _standard_error(metric, generated, real, seed)
    except BatchError as refusal:
        return None, str(refusal)
    low, high = (value - 1.96 * error, value + 1.96 * error) if error is not None else (None, None)
    return Aggregate(value, low, high, len(clips), len(generated), tuple((float(n), v) for n, v in curve)), ""


def _curve(metric: SetMetric, generated: Rows, real: Rows | None, seed: int) -> list[tuple[int, float]]:
    """The value on an eighth, a quarter and a half of the samples."""
    random = np.random.default_rng(seed)
    points = []
    for part in (8, 4, 2):
        n = len(generated) // part
        if n < 2:
            continue
        places = np.sort(random.choice(len(generated), n, replace=False))
        others = None
        if real is not None and len(real) == len(generated):
            others = real.only(places)  # where the two sides are in step, the same frames of both
        elif real is not None:
            m = max(2, len(real) // part)
            others = real.only(np.sort(random.choice(len(real), m, replace=False)))
        try:
            points.append((n, metric.distance(generated.only(places), others)))
        except BatchError:
            continue  # fewer than the metric can be computed from at all
    return points


def _standard_error(metric: SetMetric, generated: Rows, real: Rows | None, seed: int) -> float | None:
    clips = len(generated.parts)
    if not metric.resamples or clips < 2:
        return None
    random = np.random.default_rng(seed)
    values = []
    for _ in range(metric.resamples):
        drawn = random.integers(clips, size=clips)
        values.append(metric.distance(generated.drawn(drawn), real.drawn(drawn) if real is not None else None))
    return float(np.std(values, ddof=1))
