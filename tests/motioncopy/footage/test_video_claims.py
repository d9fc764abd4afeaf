"""Videos whose headers claim what cannot be."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

from motioncopy.errors import VideoError
from motioncopy.footage.video import VideoReader, VideoWriter
from motioncopy.footage.video.mp4 import check_mp4
from tests.motioncopy.footage.test_video import make_video

COUNT = 8


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Its index stands in front of its frames."""
    with VideoWriter(tmp_path / "a.mp4", 10, (32, 48)) as writer:
        writer.write(np.random.default_rng(0).integers(0, 256, (COUNT, 32, 48, 3), np.uint8))
    return tmp_path / "a.mp4"


def _set(path: Path, box: bytes, offset: int, *values: int) -> None:
    """Puts 32-bit values into a box, ``offset`` bytes behind its name."""
    content = bytearray(path.read_bytes())
    at = content.index(box) + len(box) + offset
    content[at : at + 4 * len(values)] = struct.pack(f">{len(values)}I", *values)
    path.write_bytes(content)


@pytest.mark.parametrize("count", [10**6, 2**31, 2**32 - 1])
def test_more_samples_than_bytes(video: Path, count: int) -> None:
    _set(video, b"stsz", 4, 1, count)
    begun = time.monotonic()
    with pytest.raises(VideoError, match=rf"index of .*a\.mp4 cannot be right.*Found: {count} samples"):
        VideoReader(video)
    assert time.monotonic() - begun < 5


def test_more_samples_than_bytes_in_a_fragment(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", COUNT, container={"movflags": "frag_keyframe+empty_moov"})
    with VideoReader(path) as reader:
        assert len(reader) == COUNT
    _set(path, b"trun", 0, 0, 10**9)
    with pytest.raises(VideoError, match=r"a\.mp4 cannot be right.*1000000000 samples"):
        VideoReader(path)


def test_endless_edits(video: Path) -> None:
    _set(video, b"elst", 4, 10**6)
    with pytest.raises(VideoError, match=r"a\.mp4 cannot be right.*8 samples, 1000000 times"):
        VideoReader(video)


def test_a_packed_index(video: Path) -> None:
    content = video.read_bytes()
    video.write_bytes(content.replace(b"udta", b"cmov").replace(b"trak", b"cmov", 1))
    with pytest.raises(VideoError, match="a packed index"):
        VideoReader(video)


def test_what_is_no_mp4_passes(tmp_path: Path) -> None:
    for content in (b"", b"moov", b"\0\0\0\1moov\0\0\0\0\0\0\0\0", bytes(100), b"\0\0\0\x08moov" * 50, b"RIFF" * 99):
        (tmp_path / "a").write_bytes(content)
        check_mp4(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"".join(struct.pack(">I4s", 800 - 8 * i, b"moov") for i in range(100)))
    check_mp4(tmp_path / "a")


@pytest.mark.parametrize(
    ("scale", "delta"), [(10**9, 1), (1, 2**31 - 1), (2**31 - 1, 1024), (10, 2**31 - 1)], ids=lambda value: str(value)
)
def test_rates_of_no_camera(video: Path, scale: int, delta: int) -> None:
    _set(video, b"mdhd", 12, scale)
    _set(video, b"stts", 12, delta)
    with pytest.raises(VideoError, match=r"frame rate of .*a\.mp4 is none"):
        VideoReader(video)


@pytest.mark.parametrize("count", [0, COUNT - 1, COUNT + 1, 2**31 - 1, 2**32 - 1])
def test_counts_that_do_not_fit_the_samples(video: Path, count: int) -> None:
    _set(video, b"stts", 8, count)
    with VideoReader(video) as reader:
        assert sum(map(len, reader.chunks(3))) == len(reader) == COUNT


def test_a_codec_that_nobody_knows(video: Path) -> None:
    video.write_bytes(video.read_bytes().replace(b"avc1", b"none").replace(b"avcC", b"none"))
    with pytest.raises(VideoError, match=r"a\.mp4 is coded in a way that FFmpeg does not know"):
        VideoReader(video)


def test_tags_that_are_no_text(video: Path) -> None:
    video.write_bytes(video.read_bytes().replace(b"ftypisom", b"ftyp\xffsom"))
    with pytest.raises(VideoError, match=r"a\.mp4 is not a video.*'utf-8' codec can't decode byte 0xff"):
        VideoReader(video)


def test_frames_are_refused_before_they_are_decoded(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTIONCOPY_LIMITS", "frame_pixels=1500")
    with pytest.raises(VideoError, match=r"frames of .*a\.mp4: too large.*--limit frame_pixels=1536"):
        VideoReader(video)


def test_frames_that_grow_too_large_are_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raw H.264 says its size anew at every keyframe."""
    parts = [make_video(tmp_path / f"{i}.h264", 4, size=size) for i, size in enumerate([(32, 48), (256, 256)])]
    (tmp_path / "a.h264").write_bytes(b"".join(part.read_bytes() for part in parts))
    monkeypatch.setenv("MOTIONCOPY_LIMITS", "frame_pixels=20000")
    with VideoReader(tmp_path / "a.h264") as reader:
        assert [chunk.shape for chunk in reader.chunks(9)] == [(4, 32, 48, 3)]


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.mp4\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile a.mp4\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    ],
    ids=["playlist", "concat", "session"],
)
def test_lists_of_other_files_are_no_videos(video: Path, text: str) -> None:
    (video.parent / "list.mp4").write_text(text)
    with pytest.raises(VideoError, match=r"list\.mp4 is not a video"):
        VideoReader(video.parent / "list.mp4")


def test_a_colon_in_a_name_is_no_protocol(video: Path) -> None:
    video.rename(video.with_name("dance:take1.mp4"))
    program = [
        sys.executable,
        "-c",
        "from motioncopy.footage.video import VideoReader as V; print(len(V('dance:take1.mp4')))",
    ]
    ended = subprocess.run(program, cwd=video.parent, capture_output=True, text=True, check=True)
    assert ended.stdout.split() == [str(COUNT)]


def test_whatever_pyav_raises_names_the_file(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ReferenceError("inside")

    monkeypatch.setattr(av, "open", fail)
    with pytest.raises(VideoError, match=r"a\.mp4.*ReferenceError: inside"):
        VideoReader(video)
