"""Animals seen from above by a still camera, with exact truth: six fish in colour, four mice by depth.

Like the people, an animal is drawn from its name (body, colours, place), and its motion from a seed.
"""

from datamodules.puppets.animals.fish import FISH, Swim
from datamodules.puppets.animals.frame import AnimalFrame, Performance, background, render
from datamodules.puppets.animals.mouse import MICE, Walk

__all__ = ["FISH", "MICE", "AnimalFrame", "Performance", "Swim", "Walk", "background", "render"]
