"""Footage from GIFs and NumPy files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from motioncopy.errors import DataError, VideoError
from motioncopy.footage import open_footage


def grey(count: int = 5) -> np.ndarray:
    """Frame t is of the grey value 40 t: a palette holds it exactly."""
    return np.repeat(np.arange(count, dtype=np.uint8) * 40, 6 * 8 * 3).reshape(count, 6, 8, 3)


def gif(path: Path, durations: int | list[int] = 40) -> Path:
    first, *rest = [Image.fromarray(frame) for frame in grey()]
    first.save(path, save_all=True, append_images=rest, duration=durations)
    return path


def test_a_gif_gives_its_frames_in_any_order(tmp_path: Path) -> None:
    with open_footage(gif(tmp_path / "a.gif")) as footage:
        assert (len(footage), footage.size, footage.fps) == (5, (6, 8), 25)
        assert footage.frames([3, 0, 3])[:, 0, 0, 0].tolist() == [120, 0, 120]
        assert [len(chunk) for chunk in footage.chunks(2)] == [2, 2, 1]
        np.testing.assert_array_equal(np.concatenate(list(footage.chunks(3))), grey())
        with pytest.raises(IndexError):
            footage.frames([5])


def test_a_gif_of_changing_rate_or_no_gif_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"different times.*40 ms, 90 ms"):
        open_footage(gif(tmp_path / "a.gif", [40, 40, 90, 40, 40]))
    (tmp_path / "b.gif").write_bytes(b"GIF89a, and no more")
    with pytest.raises(VideoError, match=r"b\.gif is no readable GIF"):
        open_footage(tmp_path / "b.gif")


def test_an_array_is_mapped(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", grey())
    with open_footage(tmp_path / "a.npy", fps=10) as footage:
        assert (len(footage), footage.size, footage.fps) == (5, (6, 8), 10)
        assert footage.frames([4, 1])[:, 0, 0, 0].tolist() == [160, 40]
        np.testing.assert_array_equal(np.concatenate(list(footage.chunks(2))), grey())


@pytest.mark.parametrize("content", [np.zeros((5, 6, 8)), np.zeros((5, 6, 8, 3)), np.zeros((5, 6, 8, 4), np.uint8)])
def test_arrays_of_other_things_are_refused(tmp_path: Path, content: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", content)
    with pytest.raises(DataError, match=r"a\.npy holds no frames. Expected: \(T, H, W, 3\) uint8"):
        open_footage(tmp_path / "a.npy")


def test_a_cut_or_pickled_array_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", grey())
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:300])
    np.save(tmp_path / "b.npy", np.array([{}], dtype=object), allow_pickle=True)
    for name, message in (("a", "no readable NumPy file.*cut off"), ("b", r"no frames.*\(1,\) object")):
        with pytest.raises(DataError, match=rf"{name}\.npy .*{message}"):
            open_footage(tmp_path / f"{name}.npy")
