from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from motioncopy.batch import PARSING_CLASSES
from motioncopy.errors import ConfigError, DataError
from motioncopy.footage import Framing
from motioncopy.footage.perception.backends import Poses
from motioncopy.footage.perception.labels import (
    ATR_CLASSES,
    ATR_TO_PARSING,
    LIP_CLASSES,
    LIP_TO_PARSING,
    LabelFolder,
    LabelMask,
    merge,
)
from tests.motioncopy.footage.perception.annotated import blank, footage, save

SIZE = (12, 10)
NOBODY = np.zeros((1, 25, 3), np.float32)


def _lip(frames: int = 3) -> list[NDArray[np.uint8]]:
    return [np.arange(120, dtype=np.uint8).reshape(SIZE) % 20 for _ in range(frames)]


def _read(parser: LabelFolder, frames: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    return parser(blank(frames, size), np.zeros((frames, *size), np.uint8), np.repeat(NOBODY, frames, 0))


def test_labels_are_merged_in_order(tmp_path: Path) -> None:
    images = [np.full(SIZE, label, np.uint8) for label in (2, 9, 19)]
    parser = LabelFolder(save(tmp_path / "labels", images))
    for _ in range(2):  # a second start begins anew
        parser.start(footage(tmp_path / "images", 3, SIZE))
        assert [_read(parser, n)[-1, 0, 0] for n in (1, 2)] == [1, 4]


@pytest.mark.parametrize(("labels", "table"), [("lip", LIP_TO_PARSING), ("atr", ATR_TO_PARSING)])
def test_class_lists(tmp_path: Path, labels: str, table: NDArray[np.uint8]) -> None:
    image = np.arange(120, dtype=np.uint8).reshape(SIZE) % len(table)
    parser = LabelFolder(save(tmp_path / "labels", [image]), labels=labels)  # type: ignore[arg-type]
    parser.start(footage(tmp_path / "images", 1, SIZE))
    assert np.array_equal(_read(parser, 1)[0], table[image])
    assert parser.name == f"{labels}-labels"


def test_merged_labels_stay(tmp_path: Path) -> None:
    image = np.arange(120, dtype=np.uint8).reshape(SIZE) % 6
    parser = LabelFolder(save(tmp_path / "labels", [image]), labels="parsing")
    parser.start(footage(tmp_path / "images", 1, SIZE))
    assert np.array_equal(_read(parser, 1)[0], image)
    with pytest.raises(ConfigError, match="unknown label set"):
        LabelFolder(tmp_path / "labels", labels="voc")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["palette", "RGB", "RGBA", "LA", "I;16"])
def test_labels_are_values_however_they_are_stored(tmp_path: Path, kind: str) -> None:
    image = _lip()[0]
    file = save(tmp_path / "labels", [image]) / "000.png"
    if kind == "palette":
        stored = Image.fromarray(image).convert("P")
        stored.putpalette(np.random.default_rng(0).integers(0, 256, 768, np.uint8).tobytes())
    else:
        stored = Image.fromarray(image.astype(np.uint16)) if kind == "I;16" else Image.fromarray(image).convert(kind)
    assert stored.mode == ("P" if kind == "palette" else kind)
    stored.save(file)
    parser = LabelFolder(file.parent)
    parser.start(footage(tmp_path / "images", 1, SIZE))
    assert np.array_equal(_read(parser, 1)[0], LIP_TO_PARSING[image])


def test_labels_are_framed_and_shrunk_without_mixing(tmp_path: Path) -> None:
    image = np.zeros((24, 40), np.uint8)
    image[:, 20:] = 19
    framing = Framing(native=(24, 40), resized=(12, 20), corner=(0, 5), size=SIZE)
    parser = LabelFolder(save(tmp_path / "labels", [image]), framing=framing)
    parser.start(footage(tmp_path / "images", 1, SIZE))
    labels = _read(parser, 1, (6, 5))[0]
    assert set(np.unique(labels)) == {0, 4}
    assert labels.shape == (6, 5)
    assert labels[0].tolist() == [0, 0, 4, 4, 4]


def test_an_image_of_another_size_is_named(tmp_path: Path) -> None:
    folder = save(tmp_path / "labels", [*_lip(2), np.zeros((4, 5), np.uint8)])
    parser = LabelFolder(folder)
    parser.start(footage(tmp_path / "images", 3, SIZE))
    with pytest.raises(DataError, match=r"002\.png is of another size than its frame.*10x12.*5x4"):
        _read(parser, 3)


def test_unknown_labels_are_named(tmp_path: Path) -> None:
    image = _lip()[0]
    image[3, 3] = 200
    parser = LabelFolder(save(tmp_path / "labels", [image]))
    parser.start(footage(tmp_path / "images", 1, SIZE))
    with pytest.raises(DataError, match=r"000\.png holds unknown labels.*0 to 19.*200"):
        _read(parser, 1)


def test_colours_are_no_labels(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 20, (*SIZE, 3), np.uint8)
    parser = LabelFolder(save(tmp_path / "labels", [colours]))
    parser.start(footage(tmp_path / "images", 1, SIZE))
    with pytest.raises(DataError, match=r"000\.png is a colour picture"):
        _read(parser, 1)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\nhalf"])
def test_damaged_images_are_named(tmp_path: Path, content: bytes) -> None:
    folder = save(tmp_path / "labels", _lip(2))
    (folder / "001.png").write_bytes(content)
    parser = LabelFolder(folder)
    parser.start(footage(tmp_path / "images", 2, SIZE))
    with pytest.raises(DataError, match=r"001\.png is (empty|damaged)"):
        _read(parser, 2)


def test_the_mask_is_all_that_is_not_background_and_reads_for_itself(tmp_path: Path) -> None:
    images = [np.where(np.arange(10) < 4, 0, label)[None].repeat(12, 0).astype(np.uint8) for label in (3, 13)]
    parser = LabelFolder(save(tmp_path / "labels", images))
    segmenter = LabelMask(parser)
    frames = footage(tmp_path / "images", 2, SIZE)
    parser.start(frames)
    segmenter.start(frames)
    for label in (5, 1):
        mask = segmenter(blank(1, SIZE), Poses(NOBODY))
        assert np.array_equal(mask > 0, _read(parser, 1) == label)
        assert set(np.unique(mask)) == {0, 255}
    assert segmenter.version == parser.version
    assert segmenter.name == "lip-labels-mask"


def test_the_version_follows_the_images(tmp_path: Path) -> None:
    folder = save(tmp_path / "labels", _lip(2))
    version = LabelFolder(folder).version
    assert LabelFolder(folder).version == version
    assert LabelFolder(folder, names=["000.png"]).version != version
    save(folder, [np.zeros(SIZE, np.uint8)])
    assert LabelFolder(folder).version != version


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
