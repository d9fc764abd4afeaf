"""Rendered people with exact ground truth: see :mod:`datamodules.puppets.rendering`."""

from datamodules.puppets.motions import MOTIONS
from datamodules.puppets.people import PEOPLE
from datamodules.puppets.rendering import Frame, Performance, appearance_flow, background, render

__all__ = ["MOTIONS", "PEOPLE", "Frame", "Performance", "appearance_flow", "background", "render"]
