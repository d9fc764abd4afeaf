"""The bootstrap: how often it is wrong where nothing differs, what it sees, and what it refuses to say."""

from __future__ import annotations

import numpy as np
import pytest

from motioncopy.errors import RecordError
from motioncopy.metrics.bootstrap import ENOUGH, Difference, mean_interval, paired_difference


def values(numbers: np.ndarray) -> dict[str, float]:
    return {f"trial{i}": float(v) for i, v in enumerate(numbers)}


def told_apart(effect: float, trials: int, tables: int = 1000) -> float:
    """Share of simulated comparisons that are told apart: trials vary far more than the methods differ."""
    generator = np.random.default_rng(7)
    found = 0
    for _ in range(tables):
        difficulty = generator.normal(0, 5, trials)
        one = difficulty + effect + generator.normal(0, 1, trials)
        found += bool(paired_difference(values(one), values(difficulty + generator.normal(0, 1, trials))).told_apart)
    return found / tables


@pytest.mark.parametrize("trials", [ENOUGH, 12, 30])
def test_where_nothing_differs_one_in_twenty_is_told_apart(trials: int) -> None:
    """Of 1000 tables 5% are 50 ± 7; the interval of few trials is a little too narrow, as its docstring says."""
    assert 0.03 < told_apart(0.0, trials) < 0.09


def test_a_clear_effect_is_seen_although_trials_vary_more() -> None:
    assert told_apart(2.0, 12, 200) > 0.95
    assert told_apart(2.0, 26, 200) == 1.0


def test_the_mean_and_its_interval_have_the_known_size() -> None:
    """Differences of deviation 2 on 400 trials: the interval is 1.96 · 2 / 20 to each side."""
    generator = np.random.default_rng(3)
    noise = generator.normal(size=400)
    noise = (noise - noise.mean()) / noise.std()
    base = generator.normal(0, 10, 400)
    found = paired_difference(values(base + 1 + 2 * noise), values(base))
    assert found.mean == pytest.approx(1.0)
    assert found.low == pytest.approx(0.804, abs=0.02)
    assert found.high == pytest.approx(1.196, abs=0.02)
    assert found.told_apart is True


def test_the_interval_of_a_mean_is_that_of_its_difference_from_nothing() -> None:
    numbers = np.random.default_rng(1).normal(5, 1, 9)
    found = paired_difference(values(numbers), dict.fromkeys(values(numbers), 0.0))
    assert mean_interval(numbers) == (found.low, found.high)


def test_an_interval_of_few_clips_holds_the_true_mean() -> None:
    """The plain percentiles of 12 clips miss it in every tenth case."""
    generator = np.random.default_rng(11)
    ends = [mean_interval(generator.normal(3, 1, 12)) for _ in range(1000)]
    missed = sum(low is None or high is None or not low <= 3 <= high for low, high in ends)
    assert 30 < missed < 85


def test_pairing_is_by_trial_and_not_by_order() -> None:
    one = {f"trial{i}": float(i) + 1 for i in range(8)}
    other = {f"trial{i}": float(i) for i in reversed(range(8))}
    assert paired_difference(one, other) == Difference(1.0, 1.0, 1.0, 8)
    assert paired_difference(one, {"trial3": 0.0, "elsewhere": 9.0}).clips == 1


def test_the_same_call_gives_the_same_interval() -> None:
    numbers = np.random.default_rng(0).normal(size=(2, 12))
    once = paired_difference(values(numbers[0]), values(numbers[1]))
    paired_difference(values(numbers[0][:7]), values(numbers[1][:7]))
    assert paired_difference(values(numbers[0]), values(numbers[1])) == once
    turned = paired_difference(values(numbers[1]), values(numbers[0]))
    assert turned.mean == pytest.approx(-once.mean)
    assert turned.told_apart == once.told_apart


def test_what_only_rounding_tells_apart_is_the_same() -> None:
    one = {f"trial{i}": 0.1 + 0.2 for i in range(8)}
    assert paired_difference(one, dict.fromkeys(one, 0.3)).told_apart is False


@pytest.mark.parametrize("trials", [1, 2, ENOUGH - 1])
def test_too_few_trials_have_no_verdict_and_say_why(trials: int) -> None:
    found = paired_difference(values(np.arange(1.0, trials + 1)), values(np.zeros(trials)))
    assert found.told_apart is None
    assert found.untested is not None
    assert found.untested.startswith(f"{trials} trial")
    assert (found.low is None) == (trials < 2)


def test_nothing_in_common_is_refused() -> None:
    with pytest.raises(RecordError, match="without a common trial"):
        paired_difference({"a": 1.0}, {"b": 1.0})
