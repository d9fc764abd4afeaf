"""Human parsing that came with a data set, as label images."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from motioncopy.batch import PARSING_CLASSES
from motioncopy.errors import ConfigError
from motioncopy.footage import Framing
from motioncopy.footage.images import read_values
from motioncopy.footage.labels import ATR_TO_PARSING, LIP_TO_PARSING, merge
from motioncopy.footage.perception.annotations import ImageAnnotations, MaskImages, single_channel
from motioncopy.footage.perception.backends import Images, Joints, Masks

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
        labels: What the values mean: a class list of :mod:`motioncopy.footage.labels`, or those classes already.
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
        return self.next_labels(images)

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
