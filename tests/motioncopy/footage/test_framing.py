from pathlib import Path

import numpy as np
from PIL import Image

from motioncopy.footage import Framed, Framing, ImageFolder

FRAMING = Framing(native=(12, 24), resized=(4, 8), corner=(1, 2), size=(3, 5))


def test_images_labels_and_joints_move_together() -> None:
    labels = np.zeros((1, 12, 24), np.uint8)
    labels[0, 6:9, 12:15] = 9  # one pixel of the resized frame: row 2, column 4
    cut = FRAMING.labels(labels)
    assert cut.shape == (1, 3, 5)
    assert np.argwhere(cut[0] == 9).tolist() == [[1, 2]]
    assert np.array_equal(FRAMING.images(labels), cut)
    joints = np.array([[[13.0, 7.0, 1.0], [50.0, 50.0, 0.0]]], np.float32)
    assert FRAMING.joints(joints).tolist() == [[[2.0, 1.0, 1.0], [0.0, 0.0, 0.0]]]
    assert joints[0, 1, 0] == 50  # a copy


def test_labels_are_those_of_the_pixels_centre() -> None:
    ramp = np.arange(9, dtype=np.uint8)[None, None].repeat(9, axis=1)
    assert Framing((9, 9), (3, 3), (0, 0), (3, 3)).labels(ramp)[0, 0].tolist() == [1, 4, 7]


def test_framed_footage(tmp_path: Path) -> None:
    for i in range(3):
        Image.new("RGB", (24, 12), (i, 0, 0)).save(tmp_path / f"{i}.png")
    with Framed(ImageFolder(tmp_path), FRAMING) as framed:
        assert (len(framed), framed.size, framed.fps, framed.path) == (3, (3, 5), 25.0, tmp_path)
        assert framed.frames([2]).shape == (1, 3, 5, 3)
        assert [chunk[:, 0, 0, 0].tolist() for chunk in framed.chunks(2)] == [[0, 1], [2]]


def test_the_whole_frame_stays() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), np.uint8)
    assert np.array_equal(Framing.whole((5, 4)).images(images), images)
