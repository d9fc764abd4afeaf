"""Roots of data sets, as a command line gives them."""

from __future__ import annotations

import pytest

from benchmarks.bench.options import data_roots
from motioncopy.errors import ConfigError


def test_roots_are_named_where_there_are_several_data_sets() -> None:
    assert data_roots(["iper=/a solodance=/b"], ("iper", "solodance")) == {"iper": "/a", "solodance": "/b"}
    assert data_roots(["iper=/a", "solodance=/b"], ("iper", "solodance")) == {"iper": "/a", "solodance": "/b"}
    assert data_roots(["/a"], ("iper",)) == {"iper": "/a"}
    assert data_roots([], ("iper",)) == {}


def test_folders_may_have_spaces_in_their_names() -> None:
    assert data_roots(["/my data/iper"], ("iper",)) == {"iper": "/my data/iper"}
    assert data_roots(["iper=/my data fish=/b c"], ("iper", "fish")) == {"iper": "/my data", "fish": "/b c"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["/a"], r"DATA_ROOT=/a does not say of which data set.*NAME=DIR.*iper, fish"),
        (["mouse=/a"], r"mouse=/a does not say"),
        (["iper=/a", "iper=/b"], r"two roots of iper.*/a, /b"),
    ],
)
def test_what_names_no_data_set_is_refused(given: list[str], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        data_roots(given, ("iper", "fish"))
