"""Footage: frames from a video file, a folder of images, or an HDF5 stack, behind one interface."""

from motioncopy.footage.footage import Footage
from motioncopy.footage.framing import Framed, Framing

__all__ = ["Footage", "Framed", "Framing"]
