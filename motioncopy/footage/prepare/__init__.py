"""From footage to prepared clips: decode, shrink, see, store; in chunks, so that memory does not grow with length.

A clip that is there already and would come out the same is left alone. Every other outcome is whole: a clip is made
aside and takes its place when it is finished, or nothing is left behind. Processes that prepare into one folder wait
for each other, clip by clip.
"""

from motioncopy.footage.prepare.backends import PARTS, Backends
from motioncopy.footage.prepare.job import MAX_SIZE, Prepared, Recording, stored_size
from motioncopy.footage.prepare.recordings import prepare, prepare_each, prepare_recordings

__all__ = [
    "MAX_SIZE",
    "PARTS",
    "Backends",
    "Prepared",
    "Recording",
    "prepare",
    "prepare_each",
    "prepare_recordings",
    "stored_size",
]
