"""What the labels of human parsing mean, and how those of one data set become those of another.

A table is a read-only uint8 array: label i becomes ``table[i]``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from motioncopy.batch import PARSING_CLASSES
from motioncopy.errors import DataError

#: Look Into Person, in the order of its labels (GoGoDuck912/Self-Correction-Human-Parsing at 1f7fae60940e,
#: ``simple_extractor.py``).
LIP_CLASSES = (
    "background", "hat", "hair", "glove", "sunglasses", "upper-clothes", "dress", "coat", "socks", "pants",
    "jumpsuits", "scarf", "skirt", "face", "left-arm", "right-arm", "left-leg", "right-leg", "left-shoe", "right-shoe",
)  # fmt: skip
#: ATR, in the order of the same file.
ATR_CLASSES = (
    "background", "hat", "hair", "sunglasses", "upper-clothes", "skirt", "pants", "dress", "belt", "left-shoe",
    "right-shoe", "face", "left-leg", "right-leg", "left-arm", "right-arm", "bag", "scarf",
)  # fmt: skip


def _table(classes: Sequence[str], merged: Sequence[str], groups: dict[str, tuple[str, ...]]) -> NDArray[np.uint8]:
    """Each class's label among ``merged``: of the group that holds it."""
    owner = {member: name for name, members in groups.items() for member in members}
    table = np.array([merged.index(owner[name]) for name in classes], np.uint8)
    table.flags.writeable = False
    return table


#: LIP to :data:`motioncopy.batch.PARSING_CLASSES`. REMOT names the six, not who goes where: that socks are shoes,
#: gloves limbs and a jumpsuit a top is ours.
LIP_TO_PARSING = _table(
    LIP_CLASSES,
    PARSING_CLASSES,
    {
        "background": ("background",),
        "head": ("hat", "hair", "sunglasses", "face"),
        "top": ("upper-clothes", "dress", "coat", "jumpsuits", "scarf"),
        "bottom": ("pants", "skirt"),
        "shoes": ("socks", "left-shoe", "right-shoe"),
        "limbs": ("glove", "left-arm", "right-arm", "left-leg", "right-leg"),
    },
)
#: ATR to :data:`motioncopy.batch.PARSING_CLASSES`; a bag is not part of the body.
ATR_TO_PARSING = _table(
    ATR_CLASSES,
    PARSING_CLASSES,
    {
        "background": ("background", "bag"),
        "head": ("hat", "hair", "sunglasses", "face"),
        "top": ("upper-clothes", "dress", "belt", "scarf"),
        "bottom": ("skirt", "pants"),
        "shoes": ("left-shoe", "right-shoe"),
        "limbs": ("left-arm", "right-arm", "left-leg", "right-leg"),
    },
)


def merge(labels: NDArray[np.uint8], table: NDArray[np.uint8], *, where: str = "a label image") -> NDArray[np.uint8]:
    """Labels by another table.

    Args:
        labels: Of any shape.
        table: What each label becomes.
        where: The file, for the message.

    Raises:
        DataError: If a label is beyond the table.
    """
    if labels.size and labels.max() >= len(table):
        unknown = np.unique(labels[labels >= len(table)])
        raise DataError(
            f"{where} holds unknown labels",
            expected=f"0 to {len(table) - 1}",
            found=", ".join(map(str, unknown[:8])) + ("" if len(unknown) <= 8 else " and more"),
            remedy="give label images of that class list, neither colours nor lossy compression",
        )
    return table[labels]
