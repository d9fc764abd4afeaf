"""Curves survive being made small."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.report.clips import encoded
from tests.benchmarks.report.made import decoded

VALUES = st.lists(st.none() | st.floats(-1e3, 1e3), min_size=1, max_size=60)


@given(VALUES)
def test_a_curve_comes_back_to_a_step_of_its_range(values: list[float | None]) -> None:
    curve = encoded(values)
    known = [v for v in values if v is not None]
    if curve is None:
        assert not known
        return
    assert len(curve[2]) == 2 * len(values)
    found, step = decoded(curve), (max(known) - min(known)) / 8190
    for before, after in zip(values, found, strict=True):
        assert (before is None) == (after is None)
        if before is not None:
            # The ends are kept to six digits.
            assert after == pytest.approx(before, abs=step + 1e-5 * max(abs(max(known)), abs(min(known))) + 1e-12)


def test_a_constant_curve_has_one_value() -> None:
    curve = encoded([0.25, 0.25, None])
    assert curve is not None
    assert decoded(curve) == [0.25, 0.25, None]
