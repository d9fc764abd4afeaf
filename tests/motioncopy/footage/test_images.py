from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from motioncopy.errors import DataError
from motioncopy.footage import ImageFolder
from motioncopy.footage.images import read_rgb, read_values
from motioncopy.footage.sequence import digest, frame_files

SIZE = (6, 8)


def _folder(root: Path, names: list[str]) -> Path:
    """Images whose red value is their place in the list."""
    root.mkdir(exist_ok=True)
    for i, name in enumerate(names):
        image = np.zeros((*SIZE, 3), np.uint8)
        image[..., 0] = i
        Image.fromarray(image).save(root / name, format="png")  # whatever the suffix says
    return root


def _reds(images: NDArray[np.uint8]) -> list[int]:
    reds: list[int] = images[:, 0, 0, 0].tolist()
    return reds


def test_reads_frames_in_order(tmp_path: Path) -> None:
    folder = ImageFolder(_folder(tmp_path, [f"{i:03d}.jpg" for i in range(7)]), fps=30)
    assert (len(folder), folder.size, folder.fps, folder.path) == (7, SIZE, 30.0, tmp_path)
    assert [_reds(chunk) for chunk in folder.chunks(3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert _reds(folder.frames([5, 0, 5])) == [5, 0, 5]
    assert folder.frames([]).shape == (0, *SIZE, 3)
    with pytest.raises(IndexError, match="0 to 6"):
        folder.frames([7])


def test_numbers_of_different_width_are_sorted_by_value(tmp_path: Path) -> None:
    names = [f"frame{i}.png" for i in range(12)]
    assert [f.name for f in ImageFolder(_folder(tmp_path, names)).files] == names


def test_suffixes_count_in_any_case_and_other_files_do_not(tmp_path: Path) -> None:
    _folder(tmp_path, ["0.PNG", "1.Jpg", "2.bmp", ".3.png"])
    (tmp_path / "Thumbs.db").touch()
    (tmp_path / "3.png").mkdir()
    assert [f.name for f in ImageFolder(tmp_path).files] == ["0.PNG", "1.Jpg", "2.bmp"]


def test_a_missing_frame_is_named(tmp_path: Path) -> None:
    _folder(tmp_path, [f"v2_{i:03d}_rgb.png" for i in (0, 1, 2, 5, 6)])
    with pytest.raises(DataError, match=r"missing in the middle.*0 to 6.*no 3, 4\."):
        ImageFolder(tmp_path)


def test_a_steady_step_is_no_gap_but_a_longer_one_is(tmp_path: Path) -> None:
    assert len(ImageFolder(_folder(tmp_path / "a", [f"{i}.png" for i in (10, 15, 20)]))) == 3
    with pytest.raises(DataError, match=r"steps of 5.*no 20"):
        ImageFolder(_folder(tmp_path / "b", [f"{i}.png" for i in (10, 15, 25)]))


def test_names_that_count_nothing_are_not_checked(tmp_path: Path) -> None:
    assert len(ImageFolder(_folder(tmp_path, ["a.png", "c.png", "take1_9.png"]))) == 3


@pytest.mark.parametrize("names", [["1.png", "01.png", "2.png"], ["3.jpg", "3.png"]])
def test_two_files_of_one_number_are_an_error(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(DataError, match="several files of one frame"):
        ImageFolder(_folder(tmp_path, names))


def test_named_files_only_and_in_their_order(tmp_path: Path) -> None:
    _folder(tmp_path, ["0.png", "1.png", "5.png"])
    assert _reds(ImageFolder(tmp_path, names=["5.png", "0.png"]).frames([0, 1])) == [2, 0]


@pytest.mark.parametrize("name", ["../0.png", "/etc/passwd", "a/../../0.png", "..\\0.png", ""])
def test_names_outside_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    _folder(tmp_path, ["0.png"])
    with pytest.raises(DataError, match="points out of"):
        ImageFolder(_folder(tmp_path / "inner", ["0.png"]), names=[name])


def test_a_named_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file .*9\.png"):
        ImageFolder(_folder(tmp_path, ["0.png"]), names=["0.png", "9.png"])


def test_folders_without_images(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no frames"):
        ImageFolder(tmp_path)
    with pytest.raises(DataError, match="no folder"):
        ImageFolder(tmp_path / "nowhere")


def test_an_image_of_another_size_is_named(tmp_path: Path) -> None:
    _folder(tmp_path, ["0.png", "1.png"])
    Image.new("RGB", (3, 4)).save(tmp_path / "2.png")
    with pytest.raises(DataError, match=r"2\.png is of another size.*8x6.*3x4"):
        list(ImageFolder(tmp_path).chunks(3))


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\nhalf"])
def test_a_damaged_image_is_named(tmp_path: Path, content: bytes) -> None:
    _folder(tmp_path, ["0.png", "1.png"])
    (tmp_path / "1.png").write_bytes(content)
    with pytest.raises(DataError, match=r"1\.png is (empty|damaged)"):
        ImageFolder(tmp_path).frames([1])


def test_every_kind_becomes_rgb(tmp_path: Path) -> None:
    file = tmp_path / "image.png"
    Image.fromarray(np.full(SIZE, 7, np.uint8)).save(file)
    assert (read_rgb(file) == 7).all()
    Image.new("RGBA", SIZE[::-1], (10, 20, 30, 0)).save(file)
    assert (read_rgb(file) == (10, 20, 30)).all()
    palette = Image.new("P", SIZE[::-1], 1)
    palette.putpalette([0, 0, 0, 40, 50, 60])
    palette.save(file)
    assert (read_rgb(file) == (40, 50, 60)).all()
    assert (read_values(file) == 1).all()
    cv2.imwrite(str(file), np.array([[0, 257, 65535 - 128, 65535]], np.uint16))
    assert read_rgb(file)[0, :, 0].tolist() == [0, 1, 255, 255]
    cv2.imwrite(str(tmp_path / "deep.tif"), np.full(SIZE, 2570, np.uint16))
    assert (read_rgb(tmp_path / "deep.tif") == 10).all()
    cv2.imwrite(str(tmp_path / "float.tiff"), np.ones((*SIZE, 3), np.float32))
    with pytest.raises(DataError, match=r"float\.tiff holds float32"):
        read_rgb(tmp_path / "float.tiff")


def test_the_digest_follows_names_content_and_values(tmp_path: Path) -> None:
    files = frame_files(_folder(tmp_path, ["0.png", "1.png"]), (".png",))
    seen = {digest(files), digest(files[:1]), digest(files, 1)}
    files[1].rename(tmp_path / "2.png")
    files = frame_files(tmp_path, (".png",))
    seen.add(digest(files))
    files[1].write_bytes(b"other")
    seen.add(digest(files))
    assert len(seen) == 5
    assert digest(files) == digest(list(files))


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_rates_must_be_positive(tmp_path: Path, fps: float) -> None:
    with pytest.raises(DataError, match="frame rate"):
        ImageFolder(_folder(tmp_path, ["0.png"]), fps=fps)
