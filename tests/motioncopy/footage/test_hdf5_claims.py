"""What HDF5 files claim, against what they store."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from motioncopy.errors import DataError
from motioncopy.footage import HDF5File, hdf5

FRAMES = np.random.default_rng(0).integers(0, 256, (4, 16, 24, 3), np.uint8)
LARGE = 9000  # squared, more than a frame may have


def test_a_stack_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for options in ({}, {"chunks": (1, 4000, 4000), "compression": "gzip"}):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            frames = file.create_dataset("frames", (500, 4000, 4000), np.uint8, **options)
            if options:
                frames[0] = 0
        with pytest.raises(DataError, match=r"a\.h5:frames is not all there.*8000000000 bytes"):
            HDF5File(tmp_path / "a.h5")


@pytest.mark.parametrize(
    ("shape", "chunks", "limit"),
    [
        ((2, LARGE, LARGE), None, "frame_pixels"),
        ((2**30, 8, 8), None, "array_elements"),
        ((10**6, 64, 64), (10**6, 64, 64), "frame_pixels"),
    ],
)
def test_a_stack_is_refused_for_what_it_claims(
    tmp_path: Path, little_memory: None, shape: tuple[int, ...], chunks: tuple[int, ...] | None, limit: str
) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        frames = file.create_dataset("frames", shape, np.uint8, chunks=chunks, compression="gzip" if chunks else None)
        if chunks:
            frames.id.write_direct_chunk((0, 0, 0), bytes(4 * 2**20))
    with pytest.raises(DataError, match=rf"a\.h5:frames: too large.*--limit {limit}"):
        HDF5File(tmp_path / "a.h5")


def _bomb(path: Path, size: int, *, padded: int = 0) -> None:
    """A stack of small frames, one of which unpacks to ``size`` bytes."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(2**20)) for _ in range(size // 2**20)) + packer.flush()
    with h5py.File(path, "w") as file:
        width = 64 + padded
        frames = file.create_dataset("frames", (2, 64, width), np.uint8, chunks=(1, 64, width), compression="gzip")
        frames[0] = 7
        frames.id.write_direct_chunk((1, 0, 0), packed)


def test_a_packed_bomb_is_not_unpacked(tmp_path: Path, little_memory: None, monkeypatch: pytest.MonkeyPatch) -> None:
    _bomb(tmp_path / "a.h5", 2**26)
    with pytest.raises(DataError, match=r"a\.h5:frames takes more room packed than unpacked"):
        HDF5File(tmp_path / "a.h5")
    monkeypatch.setattr(hdf5, "_SMALL_CHUNK", 1000)
    _bomb(tmp_path / "a.h5", 2**26, padded=2**12)
    with HDF5File(tmp_path / "a.h5") as stack:
        assert (stack.frames([0]) == 7).all()
        for _ in range(2):
            with pytest.raises(DataError, match=r"a\.h5:frames does not unpack to what it should.*Found: more"):
                stack.frames([1])


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.bool_])
@pytest.mark.parametrize("chunks", [(1, 16, 24, 3), (3, 5, 7, 3), (4, 16, 24, 1)])
@pytest.mark.parametrize("further", [{}, {"shuffle": True}, {"shuffle": True, "fletcher32": True}])
def test_large_chunks_are_read_as_small_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Any, chunks: tuple[int, ...], further: dict[str, bool]
) -> None:
    frames = (FRAMES.astype(np.uint16) * 257).astype(kind) if kind != np.bool_ else FRAMES > 127
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("frames", data=frames, chunks=chunks, compression="gzip", **further)
    with HDF5File(tmp_path / "a.h5") as stack:
        expected = stack.frames([2, 0, 3])
    monkeypatch.setattr(hdf5, "_SMALL_CHUNK", 0)
    with HDF5File(tmp_path / "a.h5") as stack:
        assert np.array_equal(stack.frames([2, 0, 3]), expected)


def test_stacks_packed_twice_are_refused(tmp_path: Path) -> None:
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((1, 8, 8))
    plan.set_deflate(9)
    plan.set_deflate(9)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        h5py.h5d.create(file.id, b"frames", h5py.h5t.STD_U8LE, h5py.h5s.create_simple((2, 8, 8)), plan)
        file["frames"][:] = 1
    with pytest.raises(DataError, match="packed in a way that is not taken"):
        HDF5File(tmp_path / "a.h5")


def test_links_out_of_a_stack_are_not_followed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["frames"] = FRAMES
    layout = h5py.VirtualLayout(FRAMES.shape, np.uint8)
    layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "frames", FRAMES.shape)
    with h5py.File(tmp_path / "linked.h5", "w") as file:
        file["frames"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/frames")
        file["video"] = h5py.SoftLink("/frames")
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.create_virtual_dataset("frames", layout)
    with h5py.File(tmp_path / "rate.h5", "w") as file:
        file["frames"] = FRAMES
        file.create_dataset("fps", (1,), np.uint8, external=[(str(tmp_path / "other.h5"), 0, 1)])
    with pytest.raises(DataError, match="no frames"):
        HDF5File(tmp_path / "linked.h5")
    for name in ("virtual", "rate"):
        with pytest.raises(DataError, match="lies in other files"):
            HDF5File(tmp_path / f"{name}.h5")
