"""The prepared-clip store: read, write, verify."""

from motioncopy.clips.clip import Clip, find_clips
from motioncopy.clips.manifest import Backend, Manifest, Part, Source, stale
from motioncopy.clips.writer import ClipWriter, clear_left_overs

__all__ = ["Backend", "Clip", "ClipWriter", "Manifest", "Part", "Source", "clear_left_overs", "find_clips", "stale"]
