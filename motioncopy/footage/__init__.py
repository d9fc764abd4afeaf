"""Footage: frames from a video file, a folder of images, or an HDF5 stack, behind one interface."""

from motioncopy.footage.footage import Footage
from motioncopy.footage.framing import Framed, Framing
from motioncopy.footage.images import ImageFolder
from motioncopy.footage.open import VIDEO_SUFFIXES, open_footage
from motioncopy.footage.stack import Stack

__all__ = ["VIDEO_SUFFIXES", "Footage", "Framed", "Framing", "ImageFolder", "Stack", "open_footage"]
