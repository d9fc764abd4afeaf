"""Footage: frames from a video file, a GIF, a folder of images, an HDF5 stack or an array, behind one interface."""

from motioncopy.footage.footage import Footage
from motioncopy.footage.framing import Framed, Framing
from motioncopy.footage.images import ImageFolder
from motioncopy.footage.open import FILE_SUFFIXES, VIDEO_SUFFIXES, open_footage
from motioncopy.footage.stack import Stack

__all__ = ["FILE_SUFFIXES", "VIDEO_SUFFIXES", "Footage", "Framed", "Framing", "ImageFolder", "Stack", "open_footage"]
