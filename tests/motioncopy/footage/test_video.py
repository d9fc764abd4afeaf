"""Videos of every awkward kind are made with PyAV; each frame carries its number as its brightness."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from motioncopy.errors import VideoError
from motioncopy.footage.video import VideoReader, VideoWriter, read_metadata

STEP = 5  # brightness from one frame to the next; the codec's error is far below half of it


def picture(number: int, size: tuple[int, int] = (64, 96)) -> NDArray[np.uint8]:
    """Brightness tells the number; the white top left corner tells which way is up."""
    image = np.full((*size, 3), number * STEP % 250, np.uint8)
    image[: size[0] // 4, : size[1] // 4] = 255
    return image


def numbers(frames: NDArray[np.uint8]) -> list[int]:
    """Reads the numbers off the middle of the frames."""
    height, width = frames.shape[1:3]
    middle = frames[:, height * 3 // 8 : height * 5 // 8, width * 3 // 8 : width * 5 // 8]
    return [round(float(m) / STEP) for m in middle.mean((1, 2, 3))]


def make_video(
    path: Path,
    count: int = 30,
    *,
    milliseconds: Sequence[int] | None = None,
    rotate: tuple[int, bool] | None = None,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
    pixels: str = "yuv420p",
    size: tuple[int, int] = (64, 96),
) -> Path:
    with av.open(str(path), "w", options=container or {}) as output:
        stream = output.add_stream(codec, rate=10, options=options or {"crf": "10"})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = *size, pixels
        if milliseconds is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if rotate is not None:
            stream.set_display_rotation(rotate[0], hflip=rotate[1])
        for i in range(count):
            frame = av.VideoFrame.from_ndarray(picture(i, size), format="rgb24")
            frame.pts = i if milliseconds is None else milliseconds[i]
            frame.time_base = Fraction(1, 10) if milliseconds is None else Fraction(1, 1000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


def cut(path: Path, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def check_random_access(reader: VideoReader) -> None:
    order = np.random.default_rng(0).permutation(len(reader))
    whole = np.concatenate(list(reader.chunks(7)))
    assert len(whole) == len(reader)
    np.testing.assert_array_equal(reader.frames(order), whole[order])
    for i in order[:12].tolist():
        np.testing.assert_array_equal(reader.frames([i])[0], whole[i])


class TestReading:
    def test_frames_are_exact_and_chunks_cover_all(self, tmp_path: Path) -> None:
        path = make_video(tmp_path / "a.mp4", 45, options={"g": "12", "crf": "10"})
        with VideoReader(path) as reader:
            assert (len(reader), reader.fps, reader.size, reader.missing) == (45, 10.0, (64, 96), 0)
            assert numbers(reader.frames([44, 3, 3, 17, 0])) == [44, 3, 3, 17, 0]
            assert [len(c) for c in reader.chunks(20)] == [20, 20, 5]
            assert numbers(np.concatenate(list(reader.chunks(20)))) == list(range(45))
            assert reader.frames([]).shape == (0, 64, 96, 3)
            assert reader.frames([0]).dtype == np.uint8
            check_random_access(reader)

    @pytest.mark.parametrize(
        ("name", "arguments"),
        [
            ("open_gop.mp4", {"options": {"crf": "10", "x264-params": "open-gop=1:keyint=10:bframes=3"}}),
            ("intra_refresh.mp4", {"options": {"crf": "10", "x264-params": "intra-refresh=1:keyint=10"}}),
            ("all_intra.mp4", {"options": {"crf": "10", "g": "1"}}),
            ("transport.ts", {}),
            ("raw.h264", {}),
            ("b_frames.avi", {}),
            ("matroska.mkv", {}),
            ("ten_bit.mp4", {"pixels": "yuv420p10le"}),
            ("picture.gif", {"codec": "gif", "pixels": "rgb8"}),
            ("vp9.webm", {"codec": "libvpx-vp9", "options": {"crf": "10"}}),
        ],
    )
    def test_every_kind_of_stream_is_frame_exact(self, tmp_path: Path, name: str, arguments: dict[str, Any]) -> None:
        path = make_video(tmp_path / name, 40, **arguments)
        with VideoReader(path) as reader:
            assert reader.fps == 10.0
            if name != "picture.gif":  # its few colours blur the numbers
                assert numbers(reader.frames(range(40))) == list(range(40))
            check_random_access(reader)

    def test_pyav_stands_in_when_decord_fails_midway(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import decord

        path = make_video(tmp_path / "a.mp4", 20)

        def fail(*_: object) -> None:
            raise decord.DECORDError("broken")

        with VideoReader(path) as reader:
            monkeypatch.setattr(decord.VideoReader, "get_batch", fail)
            assert numbers(reader.frames([13, 2])) == [13, 2]

    @pytest.mark.parametrize("hflip", [False, True])
    @pytest.mark.parametrize("degrees", [0, 90, 180, 270])
    def test_rotation_and_mirroring_are_applied(self, tmp_path: Path, degrees: int, hflip: bool) -> None:
        path = make_video(tmp_path / "a.mp4", 5, rotate=(degrees, hflip))
        with VideoReader(path) as reader:
            image = reader.frames([2])[0]
            assert image.shape == (*reader.size, 3)
        # av_display_matrix_flip mirrors what the rotation (counter-clockwise) gives.
        expected = np.rot90(picture(2), degrees // 90)
        expected = expected[:, ::-1] if hflip else expected
        assert image.shape == expected.shape
        assert np.abs(image.astype(int) - expected).mean() < 3

    def test_odd_sizes(self, tmp_path: Path) -> None:
        path = make_video(tmp_path / "a.mp4", 4, size=(65, 97), pixels="yuv444p")
        with VideoReader(path) as reader:
            assert reader.size == (65, 97)
            assert reader.frames([0, 3]).shape == (2, 65, 97, 3)

    def test_variable_rate_is_resampled_by_nearest_timestamp(self, tmp_path: Path) -> None:
        # 25 frames a second with four frames dropped after the 10th: the gap repeats its neighbours.
        stamps = [40 * i for i in range(10)] + [40 * i for i in range(14, 30)]
        path = make_video(tmp_path / "a.mp4", len(stamps), milliseconds=stamps)
        with VideoReader(path) as reader:
            assert reader.resampled
            assert reader.fps == pytest.approx(25)
            shown = numbers(reader.frames(range(len(reader))))
        assert shown == [*range(10), 9, 9, 10, 10, *range(10, 26)]

    def test_jitter_below_half_a_frame_keeps_every_frame(self, tmp_path: Path) -> None:
        stamps = [40 * i + (-1) ** i * 6 + 6 for i in range(20)]
        with VideoReader(make_video(tmp_path / "a.mkv", 20, milliseconds=stamps)) as reader:
            assert not reader.resampled
            assert reader.fps == pytest.approx(25, rel=0.02)
            assert numbers(reader.frames(range(20))) == list(range(20))

    def test_gaps_longer_than_the_video_are_refused(self, tmp_path: Path) -> None:
        stamps = [40 * i for i in range(19)] + [1_000_000]
        with pytest.raises(VideoError, match=r"a\.mp4 leave gaps.*Remedy: convert"):
            VideoReader(make_video(tmp_path / "a.mp4", 20, milliseconds=stamps))

    def test_frames_cut_away_by_an_edit_list_are_no_frames(self, tmp_path: Path) -> None:
        source = make_video(tmp_path / "a.mp4", 30)
        with (
            av.open(str(source)) as given,
            av.open(str(tmp_path / "b.mp4"), "w", options={"avoid_negative_ts": "disabled"}) as output,
        ):
            stream = output.add_stream_from_template(given.streams.video[0])
            for packet in given.demux(video=0):
                if packet.pts is not None and packet.dts is not None and packet.time_base is not None:
                    shift = round(1 / packet.time_base)
                    packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, stream
                    output.mux(packet)
        with VideoReader(tmp_path / "b.mp4") as reader:
            assert reader.missing == 0
            assert numbers(reader.frames(range(len(reader)))) == list(range(10, 30))

    def test_truncated_file_gives_what_is_there_and_says_so(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = cut(make_video(tmp_path / "a.mp4", 45, container={"movflags": "faststart"}), 0.7)
        with VideoReader(path) as reader:
            assert 3 < len(reader) < 45
            assert reader.missing > 0
            assert numbers(reader.frames(range(4))) == [0, 1, 2, 3]
            check_random_access(reader)
        assert "a.mp4 is damaged" in caplog.text
        assert "of 45 frames" in caplog.text

    def test_damage_in_the_middle_names_the_frame(self, tmp_path: Path) -> None:
        noise = np.random.default_rng(0).integers(0, 255, (60, 96, 96, 3), dtype=np.uint8)
        with VideoWriter(tmp_path / "a.mp4", 10, (96, 96)) as writer:
            writer.write(noise)
        content = bytearray((tmp_path / "a.mp4").read_bytes())
        content[len(content) // 2 : len(content) // 2 + 60_000] = bytes(60_000)
        (tmp_path / "a.mp4").write_bytes(content)
        with VideoReader(tmp_path / "a.mp4") as reader, pytest.raises(VideoError, match=r"frame \d+ of .*a\.mp4"):
            list(reader.chunks(16))

    def test_overwritten_bytes_are_not_painted_over(self, tmp_path: Path) -> None:
        """A decoder left to itself conceals damage inside a frame and carries it on until the next keyframe."""
        video = make_video(tmp_path / "a.mp4")
        content = bytearray(video.read_bytes())
        start = content.index(b"mdat") + len(content) // 4
        content[start : start + 64] = bytes(range(64))
        video.write_bytes(content)
        with pytest.raises(VideoError), VideoReader(video) as reader:
            list(reader.chunks(16))

    def test_files_that_are_no_videos(self, tmp_path: Path) -> None:
        (tmp_path / "text.mp4").write_text("This is not a video.\n" * 100)
        (tmp_path / "text.txt").write_text("This is not a video.\n" * 100)
        (tmp_path / "empty.mp4").touch()
        make_video(tmp_path / "head.mp4", container={"movflags": "faststart"})
        content = (tmp_path / "head.mp4").read_bytes()
        (tmp_path / "head.mp4").write_bytes(content[: content.index(b"mdat") + 4])
        content = make_video(tmp_path / "no_index.mp4").read_bytes()
        (tmp_path / "no_index.mp4").write_bytes(content[: content.index(b"moov") - 4])
        for name, message in (
            ("text.mp4", "not a video"),
            ("text.txt", "not a video"),
            ("empty.mp4", "not a video"),
            ("head.mp4", "no frame"),
            ("no_index.mp4", "cut off before its index"),
            ("absent.mp4", "there is no video file"),
            (".", "cannot be read|there is no video|not a video"),
        ):
            with pytest.raises(VideoError, match=message) as caught:
                VideoReader(tmp_path / name)
            assert name in str(caught.value)
            assert "Remedy" in str(caught.value)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
    def test_unreadable_file(self, tmp_path: Path) -> None:
        path = make_video(tmp_path / "a.mp4", 3)
        path.chmod(0)
        with pytest.raises(VideoError, match="cannot be read"):
            VideoReader(path)

    def test_unreadable_file_as_the_system_reports_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(av, "open", refuse)
        (tmp_path / "a.mp4").touch()
        with pytest.raises(VideoError, match=r"a\.mp4 cannot be read.*check its permissions"):
            VideoReader(tmp_path / "a.mp4")

    def test_sound_only(self, tmp_path: Path) -> None:
        path = tmp_path / "a.m4a"
        with av.open(str(path), "w") as output:
            stream = output.add_stream("aac", rate=16000)
            assert isinstance(stream, av.AudioStream)
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            sound.sample_rate = 16000
            output.mux(stream.encode(sound))
            output.mux(stream.encode())
        with pytest.raises(VideoError, match=r"no video stream.*audio"):
            VideoReader(path)

    def test_numbers_out_of_range_and_closed_reader(self, tmp_path: Path) -> None:
        reader = VideoReader(make_video(tmp_path / "a.mp4", 5))
        for wrong in ([5], [-1]):
            with pytest.raises(IndexError, match="0 to 4"):
                reader.frames(wrong)
        reader.close()
        reader.close()
        with pytest.raises(VideoError, match="closed"):
            reader.frames([0])


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
@pytest.mark.parametrize("opens", [150, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["decord.mp4", "pyav.ts"])
def test_opening_many_clips_leaks_nothing(tmp_path: Path, name: str, opens: int) -> None:
    path = make_video(tmp_path / name, 12)

    def use() -> None:
        with VideoReader(path) as reader:
            reader.frames([7, 2])

    for _ in range(20):
        use()
    files, threads = len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))  # noqa: PTH208
    before = resident_mib()
    for _ in range(opens):
        use()
    assert resident_mib() - before < 8  # one leaked set of decoder buffers a clip would be ten times that
    assert len(os.listdir("/proc/self/fd")) <= files  # noqa: PTH208
    assert len(os.listdir("/proc/self/task")) <= threads  # noqa: PTH208


class TestWriting:
    def test_round_trip_keeps_colours_rate_and_metadata(self, tmp_path: Path) -> None:
        size = (64, 96)
        colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [20, 20, 20], [200, 150, 120]])
        frames = np.broadcast_to(colours[:, None, None], (6, *size, 3)).astype(np.uint8)
        with VideoWriter(tmp_path / "a.mp4", 29.97, size, metadata={"comment": "synthetic é", "title": "T"}) as writer:
            writer.write(frames[:2])
            writer.write(frames[2:])
        with VideoReader(tmp_path / "a.mp4") as reader:
            assert reader.fps == pytest.approx(29.97)
            assert np.abs(reader.frames(range(6)).astype(int) - frames).max() <= 6
        found = read_metadata(tmp_path / "a.mp4")
        assert (found["comment"], found["title"]) == ("synthetic é", "T")
        assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
        with av.open(str(tmp_path / "a.mp4")) as written:
            assert written.streams.video[0].pix_fmt == "yuv420p"

    def test_odd_sizes_are_padded_by_their_edge(self, tmp_path: Path) -> None:
        frame = np.zeros((1, 33, 49, 3), np.uint8)
        frame[:, -1] = frame[:, :, -1] = 200
        with VideoWriter(tmp_path / "a.mp4", 10, (33, 49)) as writer:
            writer.write(frame)
        with VideoReader(tmp_path / "a.mp4") as reader:
            assert reader.size == (34, 50)
            image = reader.frames([0])[0].astype(int)
        assert np.abs(image[-1] - 200).max() < 25
        assert np.abs(image[:, -1] - 200).max() < 25

    @pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
    def test_lossless_keeps_every_value_and_odd_sizes(self, tmp_path: Path, name: str) -> None:
        frames = np.random.default_rng(0).integers(0, 256, (7, 33, 49, 3), dtype=np.uint8)
        with VideoWriter(tmp_path / name, 12.5, (33, 49), lossless=True, metadata={"comment": "x"}) as writer:
            writer.write(frames)
        with VideoReader(tmp_path / name) as reader:
            np.testing.assert_array_equal(reader.frames(range(7)), frames)
        assert read_metadata(tmp_path / name)["comment"] == "x"

    def test_an_exception_leaves_the_older_file_and_nothing_else(self, tmp_path: Path) -> None:
        path = make_video(tmp_path / "a.mp4", 3)
        before = path.read_bytes()
        with pytest.raises(KeyboardInterrupt), VideoWriter(path, 10, (64, 96)) as writer:  # noqa: PT012
            writer.write(picture(0)[None])
            raise KeyboardInterrupt
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]

    def test_no_frames_is_an_error_and_leaves_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(VideoError, match="no frame"), VideoWriter(tmp_path / "a.mp4", 10, (64, 96)):
            pass
        assert not list(tmp_path.iterdir())

    def test_full_disk_while_finishing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with (
            pytest.raises(VideoError, match=r"a\.mp4: the disk is full.*Remedy: make room"),
            VideoWriter(tmp_path / "a.mp4", 10, (64, 96)) as writer,
        ):
            writer.write(picture(0)[None])
        assert not list(tmp_path.iterdir())

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    def test_full_disk_while_writing(self, tmp_path: Path) -> None:
        writer = VideoWriter(tmp_path / "a.mkv", 10, (128, 128), crf=1)
        writer._partial.symlink_to("/dev/full")  # every write to it fails with ENOSPC, within FFmpeg
        noise = np.random.default_rng(0).integers(0, 256, (60, 128, 128, 3), dtype=np.uint8)
        with pytest.raises(VideoError, match="the disk is full"), writer:
            writer.write(noise)
        assert not list(tmp_path.iterdir())

    def test_wrong_arguments(self, tmp_path: Path) -> None:
        for path, fps, size, options in (
            (tmp_path / "a.webp", 10, (8, 8), {}),
            (tmp_path / "absent" / "a.mp4", 10, (8, 8), {}),
            (tmp_path / "a.mp4", 0, (8, 8), {}),
            (tmp_path / "a.mp4", 10, (0, 8), {}),
            (tmp_path / "a.mp4", 10, (8, 8), {"crf": 70}),
            (tmp_path / "a.mp4", 10, (8, 8), {"metadata": {"mark": "lost"}}),
        ):
            with pytest.raises(VideoError, match=r"Expected|Remedy"):
                VideoWriter(path, fps, size, **options)
        with VideoWriter(tmp_path / "a.mp4", 10, (8, 8)) as writer:
            writer.write(np.zeros((1, 8, 8, 3), np.uint8))
            for wrong in (np.zeros((1, 8, 9, 3), np.uint8), np.zeros((8, 8, 3), np.uint8), np.zeros((1, 8, 8, 3))):
                with pytest.raises(VideoError, match="do not fit"):
                    writer.write(wrong)  # type: ignore[arg-type]


def test_videos_and_images_can_be_read_by_one_process() -> None:
    """decord brings libraries along which, if loaded first, leave OpenCV unable to decode PNG."""
    program = (
        "import motioncopy.footage.video, cv2, numpy as np\n"
        "_, content = cv2.imencode('.png', np.zeros((4, 4, 3), np.uint8))\n"
        "assert cv2.imdecode(content, 1) is not None"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
