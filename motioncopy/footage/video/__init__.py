"""Video files: frame-exact reading (decord, with PyAV standing in) and H.264 writing (PyAV).

decord is fast and simple to call but no longer maintained: it decodes other frames than asked for in MPEG-TS, after
a jump in open-GOP or intra-refresh streams, and in files with an edit list; it raises or hangs on truncated files,
and it lacks AV1. So every file is indexed with PyAV first (:mod:`motioncopy.footage.video.index`), decord reads those
that are regular in every respect, and PyAV reads the rest. Nothing outside this package knows which one reads.
"""

from motioncopy.footage.video.reader import VideoReader
from motioncopy.footage.video.writer import VideoWriter, read_metadata

__all__ = ["VideoReader", "VideoWriter", "read_metadata"]
