"""The split by time: what is trained on, what is left out, what is tested, and which background training may see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datamodules.chronological import Chronological
from motioncopy.errors import DataError
from motioncopy.footage.clips import Clip, ClipWriter
from tests.datamodules.making import PLACE, still, write_discs


@pytest.mark.parametrize(
    ("frames", "share", "gap", "train", "test"),
    [(50, 0.2, 2, (0, 38), (40, 50)), (50, 0.1, 0, (0, 45), (45, 50)), (12, 0.2, 2, (0, 8), (10, 12))],
)
def test_the_first_part_trains_the_last_is_tested(
    tmp_path: Path, frames: int, share: float, gap: int, train: tuple[int, int], test: tuple[int, int]
) -> None:
    clip = write_discs(tmp_path / "a", still(8, 8, frames), size=(16, 16))
    parts = Chronological(share, gap).split(clip)
    assert [(e.start, e.stop) for e in parts] == [train, test]


def test_a_clip_that_is_too_short_says_how_long_it_must_be(tmp_path: Path) -> None:
    clip = write_discs(tmp_path / "a", still(8, 8, 11), size=(16, 16))
    with pytest.raises(DataError, match=r"a is too short.*at least 8 frames.*11 frames: 7 and 2, 2 between"):
        Chronological().split(clip)


@pytest.mark.parametrize(("share", "gap"), [(0.0, 2), (1.0, 2), (0.2, -1), (float("nan"), 2)])
def test_impossible_rules_are_refused(share: float, gap: int) -> None:
    with pytest.raises(DataError, match="split by time is wrong"):
        Chronological(share, gap)


def test_the_training_background_has_not_seen_the_test_frames(tmp_path: Path) -> None:
    """The light changes in the test part: the clip's own background would tell."""
    images = np.full((40, 16, 16, 3), PLACE, np.uint8)
    images[30:] = 200
    masks = np.zeros((40, 16, 16), np.uint8)
    masks[:, 4:8, 4:8] = 255
    with ClipWriter(
        tmp_path / "a", clip_id="a", person="ann", fps=25.0, size=(16, 16), skeleton="body25", source=None, backends={},
        parts=("mask",),
    ) as writer:  # fmt: skip
        writer.append(images, np.ones((40, 25, 3), np.float32), masks)
        writer.set_background(np.full((16, 16, 3), 200, np.uint8))
    train, test = Chronological().split(Clip.open(tmp_path / "a"))
    assert train.place[0].tolist() == [[PLACE] * 3] * 16
    assert test.background is None
