"""Human parsing that came with a data set, as label images, and how the labels of one become those of another.

A table is a read-only uint8 array: label i becomes ``table[i]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from motioncopy.batch import PARSING_CLASSES
from motioncopy.errors import ConfigError, DataError
from motioncopy.footage import Framing
from motioncopy.footage.images import read_values
from motioncopy.footage.perception.annotations import ImageAnnotations, MaskImages, single_channel
from motioncopy.footage.perception.backends import Images, Joints, Masks

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


LabelSet = Literal["lip", "atr", "parsing"]
_TABLES: dict[str, NDArray[np.uint8]] = {
    "lip": LIP_TO_PARSING,
    "atr": ATR_TO_PARSING,
    "parsing": np.arange(len(PARSING_CLASSES), dtype=np.uint8),
}


class LabelFolder(ImageAnnotations):
    """A parser that reads label images and merges them to :data:`motioncopy.batch.PARSING_CLASSES`.

    A label is the value of a grey image, the index (not the colour) of a palette image, or the value that all three
    channels of a colour image share.

    Args:
        folder: One image a frame, of the size of the labelled frames.
        labels: What the values mean: a class list of this module, or those classes already.
        framing: From the frames that were labelled to the footage's; ``None`` where those are the same.
        names: Just these files, in this order.

    Raises:
        DataError: If there are none, or one is missing in the middle.
        ConfigError: If there is no such class list.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        labels: LabelSet = "lip",
        framing: Framing | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        if labels not in _TABLES:
            raise ConfigError("unknown label set", expected=", ".join(get_args(LabelSet)), found=labels)
        super().__init__(folder, framing, names=names)
        self.name, self._table = f"{labels}-labels", _TABLES[labels]

    def __call__(self, images: Images, masks: Masks, joints: Joints) -> Masks:
        """See :class:`motioncopy.footage.perception.backends.Parser`; of the images, only number and size matter.

        Raises:
            DataError: If an image is damaged, of another size than the labelled frame, or holds unknown labels.
        """
        size, framing = images.shape[1:3], self.files.framing
        framed = (framing.labels(native[None])[0] for native in self._next(len(images)))
        return np.stack([cv2.resize(f, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT) for f in framed])

    def read(self, file: Path) -> Masks:
        """One image's labels, merged."""
        return merge(single_channel(read_values(file), file), self._table, where=str(file))


class LabelMask(MaskImages):
    """A person segmenter: the person is what label images do not call background.

    Args:
        labels: Whose images. They are read apart from it, so that it can be a parser at the same time.
    """

    def __init__(self, labels: LabelFolder) -> None:
        self.name, self.files, self._labels = f"{labels.name}-mask", copy(labels.files), labels

    def read(self, file: Path) -> Masks:
        """One image's mask, 0 or 255."""
        return (self._labels.read(file) > 0).astype(np.uint8) * 255
