"""Walls and floors of the places: colours as functions of metric coordinates on the wall or the floor.

Every function takes x and y (a wall: height; a floor: distance from the camera) in metres, ``(h, w)`` each, and a seed,
and gives ``(h, w, 3)`` RGB.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.puppets.bodies import Floats
from datamodules.puppets.chance import uniforms


def _hash(*cells: Floats | int) -> Floats:
    """A number in [0, 1) for each cell of a grid, the same on every machine."""
    mixed = np.zeros(1, np.uint32)
    for cell, prime in zip(cells, (374761393, 668265263, 2246822519), strict=False):
        mixed = (mixed ^ np.asarray(cell).astype(np.int64).astype(np.uint32)) * np.uint32(prime)
        mixed = mixed ^ (mixed >> np.uint32(13))
    return np.asarray((mixed * np.uint32(1274126177) >> np.uint32(8)) / 2.0**24)


def _grain(x: Floats, y: Floats, cell: float, seed: int) -> Floats:
    """Smooth noise of unit range over metric coordinates, ``cell`` metres a grain."""
    field = (2 * uniforms((64, 64), seed, 3) - 1).astype(np.float32)
    u, v = ((x / cell) % 64).astype(np.float32), ((y / cell) % 64).astype(np.float32)
    u, v = np.ascontiguousarray(u), np.ascontiguousarray(v)
    return np.asarray(cv2.remap(field, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP), float)


def _rough(x: Floats, y: Floats, seed: int, amount: float) -> Floats:
    """Brightness ``(h, w, 1)`` of a rough surface: stains, grain and grit."""
    n = 0.5 * _grain(x, y, 0.45, seed) + 0.35 * _grain(x, y, 0.09, seed + 1) + 0.35 * _grain(x, y, 0.022, seed + 2)
    return (1 + amount * n)[..., None]


def _colour(seed: int, choices: tuple[tuple[int, int, int], ...], which: int = 0) -> Floats:
    return np.array(choices[int(uniforms(1, seed, 4, which)[0] * len(choices))], float)


def _tiled(
    x: Floats, y: Floats, size: tuple[float, float], gap: float, seed: int, offset: float = 0.0
) -> tuple[Floats, NDArray[np.bool_]]:
    """A number for each tile, and where the gaps between tiles are."""
    row = np.floor(y / size[1])
    shifted = x / size[0] + offset * (row % 2)
    column = np.floor(shifted)
    edge = ((shifted - column) * size[0] < gap) | ((y / size[1] - row) * size[1] < gap)
    return _hash(column, row, seed), edge


def _bricks(x: Floats, y: Floats, seed: int) -> Floats:
    tile, gap = _tiled(x, y, (0.24, 0.085), 0.014, seed, 0.5)
    base = _colour(seed, ((158, 84, 66), (176, 110, 84), (140, 92, 80)))
    rgb = base * (0.78 + 0.44 * tile)[..., None]
    rgb[gap] = (196, 188, 176)
    return rgb * _rough(x, y, seed, 0.16)


def _wallpaper(x: Floats, y: Floats, seed: int) -> Floats:
    base = _colour(seed, ((206, 196, 170), (168, 190, 186), (208, 180, 168)))
    rgb = np.broadcast_to(base, (*x.shape, 3)).copy()
    rgb[(x / 0.22) % 1 < 0.5] *= 0.9
    u, v = (x / 0.22) % 1 - 0.25, (y / 0.22 + 0.5 * (np.floor(x / 0.22) % 2)) % 1 - 0.5
    leaf = (np.hypot(u / 0.5, v) < 0.22 + 0.09 * np.cos(4 * np.arctan2(v, u))) & (np.hypot(u, v) > 0.03)
    rgb[leaf] *= 0.72
    rgb[y < 0.13] = (226, 220, 208)
    _picture(rgb, x, y, (-0.95, 1.75), (0.34, 0.26), seed)
    _picture(rgb, x, y, (1.0, 1.55), (0.26, 0.36), seed + 5)
    return rgb * _rough(x, y, seed, 0.06)


def _picture(
    rgb: Floats, x: Floats, y: Floats, centre: tuple[float, float], half: tuple[float, float], seed: int
) -> None:
    """Hangs a framed painting."""
    u, v = (x - centre[0]) / half[0], (y - centre[1]) / half[1]
    rgb[(np.abs(u) < 1.12) & (np.abs(v) < 1.12)] = (74, 52, 36)
    inside = (np.abs(u) < 1) & (np.abs(v) < 1)
    sky, land = _colour(seed, ((120, 170, 210), (230, 170, 110)), 1), _colour(seed, ((80, 120, 70), (120, 80, 110)), 2)
    hill = v < 0.35 * np.sin(2.5 * u + seed) - 0.1
    rgb[inside] = sky
    rgb[inside & hill] = land
    rgb[inside & (np.hypot(u - 0.45, v - 0.5) < 0.22)] = (244, 222, 120)


def _facade(x: Floats, y: Floats, seed: int) -> Floats:
    base = _colour(seed, ((214, 196, 160), (188, 170, 160), (178, 190, 200)))
    rgb = np.broadcast_to(base, (*x.shape, 3)).copy() * _rough(x, y, seed, 0.10)
    rgb[(y / 0.3) % 1 < 0.04] *= 0.86
    u, column = (x / 1.25) % 1, np.floor(x / 1.25)
    window = (np.abs(u - 0.5) < 0.27) & (np.abs(y - 1.75) < 0.62)
    frame = (np.abs(u - 0.5) < 0.33) & (np.abs(y - 1.75) < 0.70)
    rgb[frame] = (232, 230, 222)
    glass = 0.55 + 0.3 * _hash(column, seed) + 0.25 * ((x + y) % 0.7 < 0.12)
    rgb[window] = (np.array((84, 108, 132)) * glass[..., None])[window]
    bars = window & ((np.abs(u - 0.5) < 0.02) | (np.abs(y - 1.9) < 0.025))
    rgb[bars] = (226, 224, 216)
    stone, gap = _tiled(x, y, (0.6, 0.25), 0.02, seed, 0.5)
    plinth = y < 0.75
    rgb[plinth] = (np.array((128, 122, 116)) * (0.85 + 0.3 * stone)[..., None] * _rough(x, y, seed + 3, 0.2))[plinth]
    rgb[plinth & gap] *= 0.7
    return rgb


def _hedge(x: Floats, y: Floats, seed: int) -> Floats:
    leaves = _grain(x, y, 0.05, seed) + 0.7 * _grain(x, y, 0.02, seed + 1) + 0.6 * _grain(x, y, 0.3, seed + 2)
    rgb: Floats = (
        np.array((62, 104, 52)) * (1 + 0.3 * leaves)[..., None]
        + np.array((18, 14, 0)) * np.maximum(leaves, 0)[..., None]
    )
    bloom, _ = _tiled(x, y, (0.09, 0.09), 0.0, seed)
    round_ = np.hypot((x / 0.09) % 1 - 0.5, (y / 0.09) % 1 - 0.5) < 0.3
    rgb[round_ & (bloom > 0.94)] = (222, 140, 170)
    top = 1.95 + 0.12 * _grain(x, 0 * y, 0.25, seed + 4)
    cloud = np.clip(0.5 + 0.9 * _grain(x, 2 * y, 0.8, seed + 5), 0, 1)[..., None]
    sky = np.array((150, 192, 232)) * (1 - cloud) + np.array((238, 240, 244)) * cloud
    rgb[y > top] = sky[y > top]
    return np.asarray(rgb)


def _panels(x: Floats, y: Floats, seed: int) -> Floats:
    base = _colour(seed, ((150, 104, 64), (122, 92, 72), (176, 138, 96)))
    board = np.floor(x / 0.16)
    grain = _grain(x, y / 14, 0.02, seed) + 0.6 * _grain(x + _hash(board, seed) * 5, y / 5, 0.05, seed + 1)
    rgb = base * (0.82 + 0.36 * _hash(board, seed) + 0.12 * grain)[..., None]
    rgb[(x / 0.16) % 1 < 0.05] *= 0.5
    rgb[y < 0.1] = base * 0.5
    _picture(rgb, x, y, (-1.0, 1.7), (0.3, 0.3), seed)
    return rgb


def _wall_tiles(x: Floats, y: Floats, seed: int) -> Floats:
    tile, gap = _tiled(x, y, (0.2, 0.2), 0.012, seed)
    base, other = np.array((206, 216, 214)), _colour(seed, ((70, 130, 150), (160, 110, 80), (90, 140, 100)))
    rgb = base * (0.93 + 0.1 * tile)[..., None]
    accent = (tile > 0.82) | ((y > 1.2) & (y < 1.4))
    rgb[accent] = (other * (0.85 + 0.3 * tile)[..., None])[accent]
    rgb[gap] = (150, 152, 150)
    return rgb * _rough(x, y, seed, 0.07)


def _shelves(x: Floats, y: Floats, seed: int) -> Floats:
    shelf = np.floor(y / 0.36)
    slot = np.floor(x / 0.045)
    pick, tall = _hash(slot, shelf, seed), _hash(slot, shelf, seed + 1)
    palette = np.array(
        [(150, 52, 46), (42, 74, 120), (56, 110, 76), (206, 178, 112), (98, 66, 112), (226, 220, 206), (60, 58, 62)]
    )
    rgb: Floats = palette[(pick * len(palette)).astype(int)] * (0.75 + 0.4 * tall)[..., None]
    above = (y / 0.36) % 1 * 0.36
    rgb[(x / 0.045) % 1 < 0.12] *= 0.6
    band = np.abs(above - 0.18 - 0.05 * pick) < 0.012
    rgb[band] = rgb[band] * 0.4 + 130
    rgb[above > 0.2 + 0.11 * tall] = (58, 42, 32)
    wood = (above < 0.035) | ((x / 0.95) % 1 < 0.035)
    rgb[wood] = (np.array((120, 84, 54)) * _rough(x, y, seed, 0.15))[wood]
    return rgb


def _concrete(x: Floats, y: Floats, seed: int) -> Floats:
    slab, gap = _tiled(x, y, (1.2, 0.8), 0.016, seed)
    rgb = np.array((160, 160, 156)) * (0.88 + 0.2 * slab)[..., None] * _rough(x, y, seed, 0.28)
    rgb[gap] *= 0.6
    hole = np.hypot((x / 0.6) % 1 - 0.5, ((y / 0.8) % 1 - 0.5) * 1.33) < 0.04
    rgb[hole] *= 0.45
    return rgb


def _graffiti(x: Floats, y: Floats, seed: int) -> Floats:
    rgb = _concrete(x, y, seed)
    palette = ((220, 70, 60), (60, 120, 200), (240, 190, 60), (70, 160, 90), (150, 80, 170), (240, 240, 235))
    for i, draws in enumerate(uniforms((14, 6), seed, 5)):
        left, above = x - (4.4 * draws[0] - 2.2), y - (0.3 + 2.2 * draws[1])
        lobes = 2 + np.floor(4 * draws[2])
        shape = (0.15 + 0.3 * draws[3]) * (1 + 0.25 * np.sin(lobes * np.arctan2(above, left) + 6 * draws[4]))
        distance = np.hypot(left, above * (0.8 + 0.8 * draws[5]))
        rgb[distance < shape] = 0.25 * rgb[distance < shape] + 0.75 * np.array(palette[i % len(palette)])
        rgb[np.abs(distance - shape) < 0.018] = (30, 28, 34)
    return rgb


def _studio(x: Floats, y: Floats, seed: int) -> Floats:
    base, other = (
        _colour(seed, ((196, 206, 214), (222, 206, 196)), 0),
        _colour(seed, ((232, 150, 120), (120, 170, 170)), 1),
    )
    rgb = base * _rough(x, y, seed, 0.06)
    slope = y < 1.1 + 0.35 * np.sin(1.3 * x + seed)
    rgb[slope] = (other * _rough(x, y, seed + 1, 0.06))[slope]
    ring = np.hypot(x + 0.8, y - 1.9)
    rgb[(ring < 0.42) & (ring % 0.14 < 0.07)] *= 0.75
    rgb[np.abs(y - 1.0) < 0.025] = (96, 70, 52)  # a ballet bar
    pane = (np.abs(x - 1.1) < 0.5) & (np.abs(y - 1.8) < 0.55)
    rgb[pane] = (np.array((190, 214, 230)) * (0.9 + 0.15 * ((x - y) % 0.5 < 0.2))[..., None])[pane]
    rgb[pane & ((np.abs(x - 1.1) < 0.02) | (np.abs(y - 1.8) < 0.02))] = (90, 84, 80)
    return rgb


def _planks(x: Floats, z: Floats, seed: int) -> Floats:
    column = np.floor(x / 0.14)
    board, gap = _tiled(z + 0.7 * _hash(column, seed), x, (1.1, 0.14), 0.008, seed)
    grain = _grain(x, z / 10, 0.018, seed)
    rgb = (
        _colour(seed, ((172, 126, 82), (146, 104, 70), (190, 152, 108)), 3)
        * (0.8 + 0.35 * board + 0.08 * grain)[..., None]
    )
    rgb[gap] *= 0.6
    return rgb


def _carpet(x: Floats, z: Floats, seed: int) -> Floats:
    rgb = _colour(seed, ((126, 70, 66), (76, 88, 112), (104, 110, 84)), 3) * _rough(x, z, seed, 0.3)
    rgb[(np.abs((x / 0.5) % 1 - 0.5) + np.abs((z / 0.5) % 1 - 0.5)) < 0.18] *= 1.35
    return rgb


def _paving(x: Floats, z: Floats, seed: int) -> Floats:
    tile, gap = _tiled(x, z, (0.4, 0.4), 0.02, seed, 0.5)
    rgb = np.array((168, 162, 152)) * (0.82 + 0.3 * tile)[..., None] * _rough(x, z, seed, 0.2)
    rgb[gap] *= 0.65
    return rgb


def _floor_tiles(x: Floats, z: Floats, seed: int) -> Floats:
    _, gap = _tiled(x, z, (0.33, 0.33), 0.012, seed)
    dark = (np.floor(x / 0.33) + np.floor(z / 0.33)) % 2 == 0
    rgb = np.where(dark[..., None], _colour(seed, ((96, 104, 112), (130, 90, 76)), 3), np.array((214, 208, 198.0)))
    rgb[gap] *= 0.75
    return rgb * _rough(x, z, seed, 0.1)


def _court(x: Floats, z: Floats, seed: int) -> Floats:
    rgb = _colour(seed, ((176, 120, 84), (96, 132, 120), (120, 124, 150)), 3) * _rough(x, z, seed, 0.14)
    lines = (np.abs((x + 0.4) % 1.6 - 0.8) < 0.03) | (np.abs((z + 0.3) % 1.5 - 0.75) < 0.04)
    rgb[lines] = (232, 232, 226)
    return rgb


def _asphalt(x: Floats, z: Floats, seed: int) -> Floats:
    rgb = np.array((104, 104, 108)) * _rough(x, z, seed, 0.3)
    rgb[(np.abs(z - 4.0) < 0.07) & (x % 1.4 < 0.8)] = (224, 220, 206)
    return rgb


def _grass(x: Floats, z: Floats, seed: int) -> Floats:
    blades = _grain(x, z, 0.03, seed) + 0.6 * _grain(x, z, 0.25, seed + 1)
    return np.array((88, 128, 58)) * (1 + 0.25 * blades)[..., None]


_Surface = Callable[[Floats, Floats, int], Floats]
WALLS: dict[str, _Surface] = {
    "brick": _bricks, "wallpaper": _wallpaper, "facade": _facade, "hedge": _hedge, "panel": _panels,
    "tiles": _wall_tiles,    "shelves": _shelves, "concrete": _concrete, "graffiti": _graffiti, "studio": _studio,
}  # fmt: skip
FLOORS: dict[str, _Surface] = {
    "planks": _planks, "carpet": _carpet, "paving": _paving, "tiles": _floor_tiles, "court": _court,
    "asphalt": _asphalt,    "grass": _grass,
}  # fmt: skip
