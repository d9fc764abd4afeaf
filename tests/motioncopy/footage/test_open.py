from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from motioncopy.errors import DataError, VideoError
from motioncopy.footage import HDF5File, ImageFolder, open_footage
from motioncopy.footage.video import VideoReader, VideoWriter


def test_opens_what_the_path_names(tmp_path: Path) -> None:
    images = np.zeros((3, 16, 16, 3), np.uint8)
    with VideoWriter(tmp_path / "a.mp4", fps=10, size=(16, 16)) as writer:
        writer.write(images)
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["frames"] = images
    (tmp_path / "a").mkdir()
    Image.fromarray(images[0]).save(tmp_path / "a" / "0.png")
    (tmp_path / "a.mp4").rename(tmp_path / "a.MP4")
    for name, kind, fps in (("a.MP4", VideoReader, 10), ("a.hdf5", HDF5File, 7), ("a", ImageFolder, 7)):
        with open_footage(tmp_path / name, fps=7) as footage:
            assert isinstance(footage, kind)
            assert footage.fps == fps
            assert footage.size == (16, 16)


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    for name in ("a.txt", "b"):
        (tmp_path / name).touch()
        with pytest.raises(DataError, match="no footage"):
            open_footage(tmp_path / name)
    with pytest.raises(DataError, match="no footage at"):
        open_footage(tmp_path / "c.mp4")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no frames"):
        open_footage(tmp_path / "empty")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(VideoError):
        open_footage(tmp_path / "empty.mp4")
