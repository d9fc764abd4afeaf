import numpy as np
import pytest
from numpy.typing import NDArray

from motioncopy.batch import PARSING_CLASSES
from motioncopy.errors import DataError
from motioncopy.footage.labels import (
    ATR_CLASSES,
    ATR_TO_PARSING,
    LIP_CLASSES,
    LIP_TO_PARSING,
    merge,
)

TABLES = [
    (LIP_TO_PARSING, LIP_CLASSES, PARSING_CLASSES),
    (ATR_TO_PARSING, ATR_CLASSES, PARSING_CLASSES),
]


@pytest.mark.parametrize(("table", "classes", "merged"), TABLES)
def test_tables_are_complete(table: NDArray[np.uint8], classes: tuple[str, ...], merged: tuple[str, ...]) -> None:
    assert len(set(classes)) == len(classes) == len(table)
    assert table.dtype == np.uint8
    assert table[0] == 0
    assert {merged[i] for i in table} == set(merged)
    for name, label in zip(classes, table, strict=True):
        if name in merged:
            assert merged[label] == name
    with pytest.raises(ValueError, match="read-only"):
        table[0] = 1


def test_class_lists_are_those_of_the_data_sets() -> None:
    assert (len(LIP_CLASSES), len(ATR_CLASSES)) == (20, 18)
    assert LIP_CLASSES.index("face") == 13
    assert LIP_CLASSES[14:] == ("left-arm", "right-arm", "left-leg", "right-leg", "left-shoe", "right-shoe")
    assert ATR_CLASSES.index("face") == 11
    assert ATR_CLASSES.index("bag") == 16


def test_lip_to_the_six_classes() -> None:
    groups = {"head": {1, 2, 4, 13}, "top": {5, 6, 7, 10, 11}, "bottom": {9, 12}, "shoes": {8, 18, 19}}
    for name, members in {**groups, "limbs": {3, 14, 15, 16, 17}, "background": {0}}.items():
        assert set(np.flatnonzero(PARSING_CLASSES.index(name) == LIP_TO_PARSING)) == members


def test_merge() -> None:
    labels = np.array([[0, 2], [19, 9]], np.uint8)
    assert merge(labels, LIP_TO_PARSING).tolist() == [[0, 1], [4, 3]]
    assert merge(labels[:0], LIP_TO_PARSING).shape == (0, 2)


def test_unknown_labels_are_named() -> None:
    with pytest.raises(DataError, match=r"parsing\.png holds unknown labels.*0 to 17.*Found: 18, 255\."):
        merge(np.array([3, 18, 255, 18], np.uint8), ATR_TO_PARSING, where="parsing.png")
