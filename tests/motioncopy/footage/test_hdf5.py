from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from motioncopy.errors import DataError
from motioncopy.footage import HDF5File

FRAMES = np.arange(5 * 3 * 4, dtype=np.uint8).reshape(5, 3, 4)


def _file(path: Path, /, **datasets: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stack.h5"


def test_reads_frames_in_any_order(path: Path) -> None:
    with HDF5File(_file(path, frames=FRAMES)) as stack:
        assert (len(stack), stack.size, stack.fps, stack.dataset) == (5, (3, 4), 25.0, "frames")
        for wanted in ([4, 0, 4, 2], [1, 2, 3], [3]):
            images = stack.frames(wanted)
            assert images.dtype == np.uint8
            assert np.array_equal(images, np.repeat(FRAMES[wanted][..., None], 3, axis=3))
        assert np.array_equal(np.concatenate(list(stack.chunks(2)))[..., 1], FRAMES)
        assert stack.frames([]).shape == (0, 3, 4, 3)
        with pytest.raises(IndexError, match="0 to 4"):
            stack.frames([-1])


def test_colours_stay(path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (4, 3, 5, 3), np.uint8)
    with HDF5File(_file(path, video=colours)) as stack:
        assert stack.size == (3, 5)
        assert np.array_equal(stack.frames([2, 1]), colours[[2, 1]])


def test_truth_values_and_16_bits_are_scaled(path: Path) -> None:
    _file(path, mask=FRAMES % 2 == 0, deep=np.full((2, 3, 4), 65535, np.uint16))
    with HDF5File(path, "mask") as mask, HDF5File(path, "/deep") as deep:
        assert set(np.unique(mask.frames([0]))) == {0, 255}
        assert (deep.frames([0]) == 255).all()


@pytest.mark.parametrize(
    ("datasets", "chosen"),
    [
        ({"other": FRAMES, "video": FRAMES}, "video"),
        ({"group/only": FRAMES, "scalars/angle": np.zeros(5), "table": np.zeros((5, 3, 4))}, "group/only"),
    ],
)
def test_the_dataset_is_found(path: Path, datasets: dict[str, Any], chosen: str) -> None:
    with HDF5File(_file(path, **datasets)) as stack:
        assert stack.dataset == chosen


def test_what_there_is_is_listed(path: Path) -> None:
    _file(path, left=FRAMES, right=FRAMES)
    with pytest.raises(DataError, match=r"left \(5, 3, 4\), right"):
        HDF5File(path)
    with pytest.raises(DataError, match=r"no frames called middle.*left"):
        HDF5File(path, "middle")


@pytest.mark.parametrize("frames", [FRAMES[:0], FRAMES.astype(np.float32), FRAMES[0]])
def test_what_is_no_stack_is_refused(path: Path, frames: Any) -> None:
    with pytest.raises(DataError, match="no frames"):
        HDF5File(_file(path, frames=frames))


def test_the_rate_is_found(path: Path) -> None:
    _file(path, frames=FRAMES)
    with h5py.File(path, "a") as file:
        file["metadata/parameters/fps"] = 30
    with HDF5File(path) as stack:
        assert stack.fps == 30
    with h5py.File(path, "a") as file:
        file.attrs["framerate"] = np.int32(200)
    with HDF5File(path) as stack, HDF5File(path, fps=12) as told:
        assert (stack.fps, told.fps) == (200, 12)
    with h5py.File(path, "a") as file:
        file["frames"].attrs["fps"] = 0.0
    with pytest.raises(DataError, match=r"frame rate of .*stack\.h5"):
        HDF5File(path)


def test_damaged_and_missing_files(path: Path) -> None:
    with pytest.raises(DataError, match="no file"):
        HDF5File(path)
    content = _file(path, frames=FRAMES).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="damaged"):
        HDF5File(path)


def test_a_closed_stack_says_so(path: Path) -> None:
    with HDF5File(_file(path, frames=FRAMES)) as stack:
        pass
    with pytest.raises(DataError, match="closed"):
        stack.frames([0])


def test_frames_in_other_files_are_refused(path: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(FRAMES.tobytes())
    with h5py.File(path, "w") as file:
        file.create_dataset("frames", FRAMES.shape, np.uint8, external=str(tmp_path / "elsewhere"))
    with pytest.raises(DataError, match="other files"):
        HDF5File(path)
