"""Footage from strangers: whatever is in a file, it is read or refused by name, without much memory or time."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from motioncopy.errors import DataError, MotionCopyError, VideoError
from motioncopy.footage import ImageFolder, open_footage
from motioncopy.footage.images import as_uint8, read_rgb, read_values
from motioncopy.footage.perception.labels import LabelFolder
from motioncopy.footage.video import VideoWriter

FRAMES = np.random.default_rng(0).integers(0, 256, (4, 16, 24, 3), np.uint8)
LARGE = 9000  # squared, more than a frame may have


def _video(path: Path) -> None:
    with VideoWriter(path, 10, (16, 24)) as writer:
        writer.write(FRAMES)


def _gif(path: Path) -> None:
    first, *rest = [Image.fromarray(frame) for frame in FRAMES]
    first.save(path, save_all=True, append_images=rest, duration=40)


def _stack(path: Path, **options: Any) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("frames", data=FRAMES, **options).attrs["fps"] = 30


def _packed(path: Path) -> None:
    _stack(path, chunks=(1, 16, 24, 3), compression="gzip", shuffle=True)


VALID: dict[str, Callable[[Path], object]] = {
    "a.mp4": _video,
    "a.mkv": _video,
    "a.gif": _gif,
    "a.h5": _stack,
    "packed.h5": _packed,
    "a.npy": lambda path: np.save(path, FRAMES),
    "images/0.png": lambda path: Image.fromarray(FRAMES[0]).save(path),
    "images/0.jpg": lambda path: Image.fromarray(FRAMES[0]).save(path),
    "images/0.tif": lambda path: Image.fromarray(FRAMES[0]).save(path),
    "labels/0.png": lambda path: Image.fromarray(FRAMES[0, ..., 0] % 20).convert("P").save(path),
}


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    content = {}
    for name, write in VALID.items():
        path = tmp_path_factory.mktemp("valid") / Path(name).name
        write(path)
        content[name] = path.read_bytes()
    return content


def _read_all(path: Path) -> None:
    if path.name == "labels":
        folder = LabelFolder(path)
        folder.read(folder.files.paths[0])
        return
    with open_footage(path) as footage:
        chunks = list(footage.chunks(3))
        assert sum(map(len, chunks)) == len(footage) > 0
        assert footage.fps > 0
        assert all(chunk.shape[1:] == (*footage.size, 3) for chunk in chunks)


def _place(root: Path, name: str, content: bytes) -> Path:
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_bytes(content)
    return root / name if "/" not in name else (root / name).parent


# Claims.


def _png(width: int, height: int, *, idat: bytes | None = None, claim: int | None = None) -> bytes:
    def chunk(kind: bytes, data: bytes, length: int | None = None) -> bytes:
        length = len(data) if length is None else length
        return struct.pack(">I", length) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = idat if idat is not None else zlib.compress(bytes(100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data, claim) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(LARGE, LARGE), (14000, 14000), (2**31 - 1, 1), (1, 2**30)])
@pytest.mark.parametrize("read", [read_rgb, read_values])
def test_an_image_is_refused_for_what_it_claims(
    tmp_path: Path, little_memory: None, size: tuple[int, int], read: Callable[[Path], object]
) -> None:
    (tmp_path / "0.png").write_bytes(_png(*size))
    with pytest.raises(DataError, match=r"0\.png.*too large.*--limit frame_pixels"):
        read(tmp_path / "0.png")


def test_the_limit_can_be_raised_beyond_pillows_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    (tmp_path / "0.png").write_bytes(_png(20, 20, idat=zlib.compress(bytes(61) * 20)))
    assert read_values(tmp_path / "0.png").shape == (20, 20, 3)


def test_a_tiff_is_refused_for_what_it_claims(tmp_path: Path, little_memory: None) -> None:
    Image.fromarray(FRAMES[0]).save(tmp_path / "0.tif")
    content = (tmp_path / "0.tif").read_bytes()
    entry = struct.pack("<HHI", 256, 4, 1)  # ImageWidth, as Pillow writes it
    assert entry in content
    width = content.index(entry) + len(entry)
    (tmp_path / "0.tif").write_bytes(content[:width] + b"\0\0\0\1" + content[width + 4 :])
    with pytest.raises(DataError, match=r"0\.tif: too large"):
        read_rgb(tmp_path / "0.tif")


def test_a_chunk_of_a_png_takes_no_more_than_there_is(tmp_path: Path, little_memory: None) -> None:
    (tmp_path / "0.png").write_bytes(_png(20, 20, claim=2**31 - 1))
    with pytest.raises(DataError, match=r"0\.png is damaged.*chunk of 2147483647 bytes"):
        read_rgb(tmp_path / "0.png")


def test_a_jpeg_of_endless_scans_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("L", (64, 64)).save(stream, "JPEG", progressive=True)
    content = stream.getvalue()
    last = content.rindex(b"\xff\xda")
    (tmp_path / "0.jpg").write_bytes(content[:last] + content[last:-2] * 1000 + content[-2:])
    for read in (read_rgb, read_values):
        with pytest.raises(DataError, match="scans in a JPEG"):
            read(tmp_path / "0.jpg")


def test_what_starts_other_programs_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n")
    for read in (read_rgb, read_values):
        with pytest.raises(DataError, match=r"0\.png is damaged, or not an image"):
            read(tmp_path / "0.png")


def test_16_bits_are_divided_by_257_and_rounded() -> None:
    values = np.arange(2**16, dtype=np.uint16)
    assert np.array_equal(as_uint8(values, ""), np.round(values / 257).astype(np.uint8))


@pytest.mark.parametrize("last", [10**9, 10**200])
def test_a_large_number_in_a_name_is_a_gap_at_once(tmp_path: Path, last: int) -> None:
    for number in (0, 1, last):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{number}.png")
    with pytest.raises(DataError, match=rf"missing in the middle.*no 2, 3, 4, 5, 6 and {last - 7} more"):
        ImageFolder(tmp_path)


@pytest.mark.parametrize("name", ["\udcff", "a:b", "http:", "%d", "x" * 240])
def test_odd_names(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for suffix in (".mp4", ".gif", ".h5", ".npy"):
        VALID["a" + suffix](Path("a" + suffix))
        os.replace(f"a{suffix}", f"{name}{suffix}")  # noqa: PTH105 -- PyAV writes no such names
        with open_footage(f"{name}{suffix}") as footage:
            assert len(footage) == len(FRAMES)
    with pytest.raises(DataError, match="File name too long"):
        open_footage("x" * 300 + ".mp4")


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a.h5", "a.npy"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match="no footage"):
        open_footage(tmp_path / name)


# GIF.


def test_frames_of_a_gif_are_counted_before_they_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTIONCOPY_LIMITS", "gif_frames=3")
    _gif(tmp_path / "a.gif")
    with pytest.raises(VideoError, match=r"a\.gif: too large.*at most 3 gif frames. Found: 4.*--limit gif_frames=4"):
        open_footage(tmp_path / "a.gif")


def test_a_gif_without_a_frame_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_bytes(b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0, 0, 0) + b";")
    with pytest.raises(VideoError, match=r"a\.gif is no readable GIF"):
        open_footage(tmp_path / "a.gif")


def test_a_gif_is_refused_for_what_it_claims(tmp_path: Path, little_memory: None) -> None:
    for size in (LARGE, 65535):
        _gif(tmp_path / "a.gif")
        content = (tmp_path / "a.gif").read_bytes()
        (tmp_path / "a.gif").write_bytes(content[:6] + struct.pack("<HH", size, size) + content[10:])
        with pytest.raises(VideoError, match=r"a\.gif.*too large.*--limit frame_pixels"):
            open_footage(tmp_path / "a.gif")


# NumPy.


def _npy(path: Path, header: str, content: bytes = b"") -> None:
    text = header.encode() + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("(4, 16, 24, 3)", "cut off"),
        ("(-4, 16, 24, 3)", "no frames"),
        ("(0, 16, 24, 3)", "no frames"),
        ("(4, 9999999, 24, 3)", "frame_pixels"),
        ("(99999999999, 16, 24, 3)", "array_elements"),
        ("(" * 500, "no readable NumPy file"),
        ("__import__('os')", "no readable NumPy file"),
    ],
)
def test_an_array_is_refused_for_what_it_claims(tmp_path: Path, little_memory: None, shape: str, message: str) -> None:
    _npy(tmp_path / "a.npy", f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}", bytes(64))
    with pytest.raises(DataError, match=rf"a\.npy.*{message}"):
        open_footage(tmp_path / "a.npy")


def test_only_numpys_own_format_is_taken(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", FRAMES)
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    with pytest.raises(DataError, match=r"a\.npy is no readable NumPy file"):
        open_footage(tmp_path / "a.npy")


def test_columns_first_are_frames_too(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.asfortranarray(FRAMES))
    with open_footage(tmp_path / "a.npy") as footage:
        assert np.array_equal(footage.frames([3, 1]), FRAMES[[3, 1]])


# Descriptors.

_EXHAUSTED = """
import resource, sys
from motioncopy.footage import open_footage
from motioncopy.errors import MotionCopyError
for path in sys.argv[1:]:
    open_footage(path)
held = []
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
try:
    while True:
        held.append(open("/dev/null"))
except OSError:
    pass
for path in sys.argv[1:]:
    try:
        open_footage(path)
    except MotionCopyError as error:
        print(error)
"""


def test_too_many_open_files_are_named_as_such(tmp_path: Path) -> None:
    names = ["a.mp4", "a.gif", "a.h5", "a.npy"]
    for name in names:
        VALID[name](tmp_path / name)
    (tmp_path / "images").mkdir()
    VALID["images/0.png"](tmp_path / "images" / "0.png")
    command = [sys.executable, "-c", _EXHAUSTED, *(str(tmp_path / name) for name in [*names, "images"])]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(said) == 5
    for line in said:
        assert "too many open files" in line
        assert "Expected: at most 64 at once" in line
        assert "ulimit -n 4096" in line


def test_refused_files_are_closed(valid: dict[str, bytes], tmp_path: Path) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = descriptors()
    for name, content in valid.items():
        for share in (0.02, 0.3, 0.9):
            path = _place(tmp_path, name, content[: int(share * len(content))])
            for _ in range(5):
                with suppress(MotionCopyError):
                    _read_all(path)
    assert descriptors() <= before + 2
