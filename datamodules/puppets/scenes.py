"""Places: a still camera, a light, and a background of one wall and one floor, at any image size.

The background is what the camera sees without the person. The person casts no shadow on it, so that foreground and
background are exactly what the mask says.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.puppets.bodies import Floats
from datamodules.puppets.chance import uniforms
from datamodules.puppets.surfaces import FLOORS, WALLS
from motioncopy.errors import DataError


@dataclass(frozen=True)
class Place:
    """Where a person is filmed.

    Attributes:
        wall: A name of the walls below.
        floor: A name of the floors below.
        seed: Draws camera, light and the colours of wall and floor.
    """

    wall: str
    floor: str
    seed: int


@dataclass(frozen=True)
class Camera:
    """A still pinhole camera that looks along -z; its sensor is shifted instead of tilted, so verticals stay upright.

    Attributes:
        focal: Focal length in frame heights.
        distance: Metres from the camera to the person's place.
        eye: Height of the camera in metres.
        shift: Where the horizon lies below the frame's middle, in frame heights.
        light: ``(3,)`` unit vector towards the light.
    """

    focal: float
    distance: float
    eye: float
    shift: float
    light: Floats

    def project(self, points: Floats, size: tuple[int, int]) -> tuple[Floats, Floats]:
        """Projects world points.

        Args:
            points: ``(..., 3)`` metres.
            size: (height, width) of the image.

        Returns:
            ``(..., 2)`` x and y in pixels (the centre of the top left pixel is (0, 0)), and ``(...,)`` the nearness
            1 / distance in 1/m.
        """
        nearness = 1 / (self.distance - points[..., 2])
        flat = np.stack([points[..., 0], self.eye - points[..., 1]], axis=-1) * nearness[..., None] * self.focal
        flat = (flat + np.array([0, self.shift])) * frame_unit(size)
        return flat + (np.array(size[::-1]) - 1) / 2, nearness


def frame_unit(size: tuple[int, int]) -> float:
    """Pixels a frame height: the scene fills the image's height, and at least three quarters of it in width."""
    return float(min(size[0], size[1] * 4 / 3))


def make_camera(place: Place, height: float) -> Camera:
    """A place's camera, framed for a person of this height (metres) with room for raised arms and jumps."""
    draws = uniforms(5, place.seed, 1)
    distance, eye = 4.2 + draws[0], 0.95 + 0.4 * draws[1]
    focal = distance / (1.40 * height)
    bearing, elevation = (0.4 + 0.6 * draws[2]) * (1 if draws[3] < 0.5 else -1), 0.5 + 0.4 * draws[4]
    light = np.array([np.sin(bearing) * np.cos(elevation), np.sin(elevation), np.cos(bearing) * np.cos(elevation)])
    return Camera(focal, distance, eye, 0.445 - focal * eye / distance, light)


def paint_background(place: Place, camera: Camera, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The place without the person.

    Args:
        place: What to paint.
        camera: Its camera.
        size: (height, width).

    Returns:
        ``(H, W, 3)`` RGB.

    Raises:
        DataError: If there is no such wall or floor.
    """
    for kind, names, value in (("wall", WALLS, place.wall), ("floor", FLOORS, place.floor)):
        if value not in names:
            raise DataError(f"unknown {kind} {value!r}", expected=f"one of {', '.join(names)}")
    over = 2  # samples a pixel in each direction
    rows, columns = (np.arange(n * over) / over - (over - 1) / (2 * over) for n in size)
    unit = frame_unit(size)
    x = ((columns - (size[1] - 1) / 2) / unit)[None, :]
    y = ((rows - (size[0] - 1) / 2) / unit)[:, None] - camera.shift
    further, aside = uniforms(2, place.seed, 2)
    wall_distance = camera.distance + 1.2 + 0.8 * further
    sight = wall_distance / camera.focal
    wall_x, wall_y = np.broadcast_arrays(x * sight + 2 * aside - 1, camera.eye - y * sight)
    floor_from = int(np.searchsorted(-wall_y[:, 0], 0.0))
    depth = camera.focal * camera.eye / y[floor_from:]
    floor_x, floor_z = np.broadcast_arrays(x * depth / camera.focal, depth)
    picture = np.empty((len(rows), len(columns), 3))
    picture[:floor_from] = WALLS[place.wall](wall_x[:floor_from], wall_y[:floor_from], place.seed)
    picture[floor_from:] = FLOORS[place.floor](floor_x, floor_z, place.seed)
    # Light falls off towards the corners and into the edge between wall and floor.
    picture *= (1.04 - 0.35 * (x**2 + (0.6 * y) ** 2))[..., None]
    picture[floor_from:] *= (1 - 0.22 * np.exp(-(wall_distance - depth) / 0.5))[..., None]
    small = cv2.resize(np.clip(picture, 0, 255).astype(np.float32), (size[1], size[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(np.round(small), np.uint8)
