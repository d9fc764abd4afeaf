"""What is in a video file: its frames' timestamps, its orientation, and whether decord can be trusted with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.sidedata.sidedata import SideData
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from motioncopy.errors import VideoError
from motioncopy.files.limits import check_limit, limits
from motioncopy.files.reading import reading
from motioncopy.footage.footage import DEFAULT_FPS
from motioncopy.footage.video.mp4 import check_mp4

CONVERT = "convert it, for instance with: ffmpeg -i INPUT -c:v libx264 -pix_fmt yuv420p OUTPUT.mp4"

# What is taken for a video, by FFmpeg's names. Of the others that it knows, some open further files or addresses, and
# many are of games and fax machines.
_FORMATS = (
    "apng,asf,av1,avi,dv,flv,gif,h264,hevc,ivf,m4v,matroska,mjpeg,mov,mpeg,mpegts,mpegvideo,mxf,nut,obu,ogg,rm,vc1,webp,"
    "yuv4mpegpipe"
)

# decord 0.6.0 reads exactly from these containers only; in MPEG-TS it is off by frames.
_DECORD_FORMATS = ("mov,mp4", "matroska")


@dataclass(frozen=True)
class Orientation:
    """How stored frames are turned upright: first transposed, then flipped.

    Attributes:
        transpose: Whether rows and columns change places.
        flip_x: Whether columns are reversed, after the transposition.
        flip_y: Whether rows are reversed, after the transposition.
    """

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> Orientation:
        """Reads the display matrix, which maps a stored point (p, q) to (a p + c q, b p + d q)."""
        side_data = frame.side_data.get("DISPLAYMATRIX")
        if not isinstance(side_data, SideData):
            return cls()
        matrix = np.frombuffer(memoryview(side_data), np.int32).reshape(3, 3)
        (a, b), (c, d) = matrix[:2, :2].tolist()
        if abs(b) > abs(a):
            return cls(transpose=True, flip_x=c < 0, flip_y=b < 0)
        return cls(transpose=False, flip_x=a < 0, flip_y=d < 0)

    @property
    def mirrored(self) -> bool:
        """Whether this is more than a rotation by quarter turns."""
        return self.transpose ^ self.flip_x ^ self.flip_y

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turns a stored ``(h, w, 3)`` image upright."""
        image = image.transpose(1, 0, 2) if self.transpose else image
        return image[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]


@dataclass(frozen=True)
class VideoIndex:
    """The frames of one video file.

    Attributes:
        stamps: ``(n,)`` int64, ascending: presentation times in units of the time base, or 0 to n-1 if not ``timed``.
        seconds: Length of one unit of ``stamps``.
        timed: Whether frames are told apart by their own timestamps; otherwise by counting from the first.
        keyframes: ``(k,)`` int64, ascending: numbers of the frames at which decoding may start; the first is 0.
        stated_fps: Frame rate by the file's headers, or ``None``; nothing to rely on where the rate varies.
        size: (height, width) in pixels after ``orientation``.
        orientation: From the display matrix.
        regular: Whether decord reads this file exactly.
        missing: Frames that the container promises but that cannot be decoded.
    """

    stamps: NDArray[np.int64]
    seconds: float
    timed: bool
    keyframes: NDArray[np.int64]
    stated_fps: float | None
    size: tuple[int, int]
    orientation: Orientation
    regular: bool
    missing: int


def open_video(path: Path) -> tuple[InputContainer, VideoStream]:
    """Opens a file and finds its video stream (cover art is not one).

    Raises:
        VideoError: If the file is missing, unreadable, not a video, without a video stream, or too large.
    """
    most = {"max_pixels": str(limits().frame_pixels)}
    not_one = "is not a video, or was cut off before its index"
    kinds = "MP4, MOV, MKV, WebM, AVI or another of the usual kinds"
    with reading(path, VideoError, not_one, expected=kinds, remedy="copy or download it anew, or " + CONVERT):
        if not path.is_file():  # a pipe would be waited for
            raise VideoError(f"there is no video file {path}", remedy="check the path")
        check_mp4(path)
        # Of a relative path, FFmpeg takes what stands before a colon for a protocol.
        container = av.open(str(path.absolute()), options={"format_whitelist": _FORMATS, **most})
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        found = ", ".join(s.type for s in container.streams if s not in container.streams.video) or "none"
        container.close()
        raise VideoError(f"{path} has no video stream", found=f"streams: {found}", remedy="give a file with a picture")
    context = streams[0].codec_context
    if context is None:  # so PyAV says it, though its types do not
        container.close()
        raise VideoError(f"{path} is coded in a way that FFmpeg does not know", remedy=CONVERT)
    check_limit("frame_pixels", context.width * context.height, f"the frames of {path}", error=VideoError)
    # Damage inside a frame is an error, which FFmpeg would else paint over and carry on into the frames that follow;
    # it says so only on one thread. Files of one slice a frame, which is nearly all, gain nothing from more.
    context.options = {"err_detect": "explode", **most}
    streams[0].thread_count = 1
    return container, streams[0]


def decode(packets: Iterable[Packet[VideoStream]]) -> Iterator[VideoFrame]:
    """Decodes packets one after the other; those that cannot be decoded are passed over."""
    try:
        for packet in packets:
            try:
                yield from packet.decode()
            except av.error.InvalidDataError:
                continue
    except av.error.InvalidDataError:  # the container itself breaks off
        return


def read_index(path: Path) -> VideoIndex:
    """Indexes a video.

    A regular file is only demultiplexed (milliseconds). Any other is decoded once in full, to learn which frames
    are really there.

    Raises:
        VideoError: As :func:`open_video`; or if no frame can be decoded.
    """
    keyframes, stamps, promised, regular = _scan_packets(path)
    container, stream = open_video(path)
    with container:
        first = next(decode(container.demux(stream)), None)
        if first is None:
            raise VideoError(f"{path} holds no frame that can be decoded", remedy="copy or download it anew")
        orientation = Orientation.of(first)
        regular = regular and not orientation.mirrored and _enters_cleanly(container, stream, keyframes)
        seconds = float(stream.time_base or 1)
        stated_fps = float(stream.guessed_rate) if stream.guessed_rate else None
    timed = True
    if not regular:
        found = [frame.pts for frame in _decode_all(path)]
        stamps = [stamp for stamp in found if stamp is not None]
        timed = len(stamps) == len(found) and all(a < b for a, b in pairwise(stamps))
        if not timed:
            stamps, keyframes, seconds = list(range(len(found))), [], 1 / (stated_fps or DEFAULT_FPS)
    height, width = first.height, first.width
    return VideoIndex(
        stamps=np.array(stamps, np.int64),
        seconds=seconds,
        timed=timed,
        keyframes=np.union1d([0], np.flatnonzero(np.isin(stamps, keyframes))).astype(np.int64),
        stated_fps=stated_fps,
        size=(width, height) if orientation.transpose else (height, width),
        orientation=orientation,
        regular=regular,
        missing=max(0, promised - len(stamps)),
    )


def _decode_all(path: Path) -> Iterator[VideoFrame]:
    container, stream = open_video(path)
    with container:
        yield from decode(container.demux(stream))


def _scan_packets(path: Path) -> tuple[list[int], list[int], int, bool]:
    """Looks at a file without decoding it.

    Returns:
        Timestamps of the keyframes and of all packets, both ascending; the number of frames that the container
        states, less those that an edit list cuts away (0 where it states none); and whether all is in order.
    """
    container, stream = open_video(path)
    keyframes: list[int] = []
    stamps: list[int] = []
    with container:
        regular = container.format.name.startswith(_DECORD_FORMATS) and len(container.streams.video) == 1
        promised = stream.frames
        try:
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                regular = regular and packet.pts is not None and not packet.is_corrupt and not packet.is_discard
                if packet.is_discard:
                    promised -= 1
                elif packet.pts is not None:
                    # A picture shown before the keyframe that it follows in the file leans on the group before it.
                    open_group = bool(keyframes) and packet.pts < keyframes[-1]
                    regular = regular and not open_group
                    stamps.append(packet.pts)
                    if packet.is_keyframe:
                        keyframes.append(packet.pts)
        except av.error.InvalidDataError:
            regular = False
    regular = regular and len(set(stamps)) == len(stamps) and promised in (0, len(stamps)) and bool(keyframes)
    return sorted(keyframes), sorted(stamps), promised, regular


def _enters_cleanly(container: InputContainer, stream: VideoStream, keyframes: list[int]) -> bool:
    """Whether decoding from a later keyframe starts with that keyframe; it does not with intra refresh."""
    if len(keyframes) < 2:
        return True
    container.seek(keyframes[1], stream=stream)
    frame = next(decode(container.demux(stream)), None)
    return frame is not None and frame.pts == keyframes[1]
