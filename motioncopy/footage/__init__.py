"""Footage: frames from a video file, a GIF, a folder of images, an HDF5 file or an array, behind one interface."""

from motioncopy.footage.footage import Footage
from motioncopy.footage.framing import Framed, Framing
from motioncopy.footage.hdf5 import HDF5File
from motioncopy.footage.images import ImageFolder
from motioncopy.footage.open import FILE_SUFFIXES, VIDEO_SUFFIXES, open_footage

__all__ = ["FILE_SUFFIXES", "VIDEO_SUFFIXES", "Footage", "Framed", "Framing", "HDF5File", "ImageFolder", "open_footage"]
