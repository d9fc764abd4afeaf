"""Pictures: what stands where, at which size, and what is refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.pictures.sheets import HEIGHT, Image, contact_sheet, evenly_spaced, side_by_side, write_png
from motioncopy.errors import BatchError, RecordError


def plain(value: int, height: int = 64, width: int = 48) -> Image:
    return np.full((height, width, 3), value, dtype=np.uint8)


def clip(values: list[int], height: int = 64, width: int = 48) -> list[Image]:
    return [plain(v, height, width) for v in values]


def levels(image: Image) -> list[int]:
    """The grey levels along a line through the panels (whose values are no white), from left to right."""
    line = image[-20, :, 0].tolist()
    return [v for i, v in enumerate(line) if v != 255 and (i == 0 or v != line[i - 1])]


def test_panels_stand_side_by_side_frame_by_frame() -> None:
    frames = list(side_by_side(plain(9), clip([10, 11]), clip([20, 21]), clip([30, 31])))
    assert [levels(f) for f in frames] == [[9, 10, 20, 30], [9, 11, 21, 31]]
    assert [levels(f) for f in side_by_side(plain(9), clip([10]), clip([20]))] == [[9, 10, 20]]


@pytest.mark.parametrize("size", [(64, 48), (33, 31), (256, 256), (299, 511)])
def test_sizes_are_even_and_small_images_enlarged_by_a_whole_number(size: tuple[int, int]) -> None:
    pattern = np.random.default_rng(0).integers(0, 200, (*size, 3), dtype=np.uint8)
    (frame,) = side_by_side(pattern, [pattern], [pattern])
    assert frame.shape[0] % 2 == 0
    assert frame.shape[1] % 2 == 0
    factor = max(1, round(HEIGHT / size[0]))
    height, width = size[0] * factor, size[1] * factor
    top = frame.shape[0] - height - (24 + height) % 2
    assert (frame[top : top + height : factor, :width:factor] == pattern).all()


def test_captions_are_written_above_their_panels() -> None:
    labels = ("person", "", "", "")
    (frame,) = side_by_side(plain(9), clip([10]), clip([20]), labels=labels)
    panel = frame.shape[1] // 3
    assert (frame[:24, :panel] < 128).any()
    assert (frame[:24, panel + 4 :] == 255).all()


def test_side_by_side_is_lazy() -> None:
    taken = []

    def endless() -> list[Image]:  # type: ignore[misc]
        while True:
            taken.append(1)
            yield plain(10)

    frames = side_by_side(plain(9), endless(), endless())
    next(frames)
    assert len(taken) == 2


def test_wrong_images_are_refused() -> None:
    with pytest.raises(BatchError, match="differ in length"):
        list(side_by_side(plain(9), clip([1, 2]), clip([1])))
    with pytest.raises(BatchError, match=r"expected|Expected: uint8 \(64, 48, 3\)"):
        list(side_by_side(plain(9), clip([1], 32, 32), clip([1])))
    with pytest.raises(BatchError, match="float64"):
        list(side_by_side(plain(9), [plain(1) / 255.0], clip([1])))  # type: ignore[list-item]


def test_moments_run_from_the_first_frame_to_the_last() -> None:
    assert evenly_spaced(100, 4) == [0, 33, 66, 99]
    assert evenly_spaced(3, 8) == [0, 1, 2]
    assert evenly_spaced(1, 8) == [0]


def test_a_contact_sheet_has_a_row_for_each_caption_and_a_column_for_each_moment() -> None:
    sheet = contact_sheet({"appearance": [plain(9)], "generated": clip(list(range(10, 30)))}, columns=3)
    assert levels(sheet) == [10, 20, 29]
    above = sheet[: sheet.shape[0] - 4 * 64]  # 64 pixels become 256
    assert levels(above) == [9]


def test_wrong_rows_are_refused() -> None:
    wrong: tuple[dict[str, list[Image]], ...] = ({}, {"a": []}, {"a": clip([1, 2]), "b": clip([1, 2, 3])})
    for rows in wrong:
        with pytest.raises(BatchError, match="differ in length"):
            contact_sheet(rows)


def test_a_png_holds_the_image(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (10, 12, 3), dtype=np.uint8)
    path = write_png(image, tmp_path / "new" / "sheet.png")
    assert (cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) == image).all()
    assert [p.name for p in path.parent.iterdir()] == ["sheet.png"]
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match="cannot be written"):
        write_png(image, tmp_path / "file" / "sheet.png")
