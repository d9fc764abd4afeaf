"""Cameras that take 3-D joints to pixels: as a file says, or fitted to where the joints were seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motioncopy.errors import DataError
from motioncopy.files.documents import read_json

Floats = NDArray[np.float64]
_PINHOLE, _ORTHOGRAPHIC = {"fx", "fy", "cx", "cy"}, {"scale", "cx", "cy"}
_MOST = 1e9  # pixels, or pixels a unit: far beyond any lens
_ROUNDS = 40  # of reweighting; the fit has long settled by then


@dataclass(frozen=True)
class Camera:
    """A camera whose axes are those of the 3-D points.

    A pinhole: ``x = fx X/Z + cx``, ``y = fy Y/Z + cy``. Orthographic: ``x = fx X + cx``, ``y = fy Y + cy``. A negative
    factor turns an axis round: where Z is negative in front of the camera, or Y points up.

    Attributes:
        fx: Focal length in pixels along x; of an orthographic camera, pixels a unit of length.
        fy: Likewise along y.
        cx: Where the point X = 0 lies, in pixels.
        cy: Where the point Y = 0 lies.
        pinhole: Whether distance makes things small.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    pinhole: bool = True

    def __call__(self, points: Floats) -> Floats:
        """Pixels ``(..., 2)`` of 3-D points ``(..., 3)``.

        Raises:
            DataError: If a point lies in the plane of a pinhole.
        """
        if self.pinhole and not points[..., 2].all():
            raise DataError("a joint lies at distance 0 of the camera", remedy="use an orthographic camera")
        return rays(points, pinhole=self.pinhole) * [self.fx, self.fy] + [self.cx, self.cy]

    @classmethod
    def read(cls, path: Path) -> Camera:
        """Reads ``{"fx", "fy", "cx", "cy"}`` or, orthographic, ``{"scale", "cx", "cy"}``.

        Raises:
            DataError: If the file holds anything else.
        """
        found = read_json(path, error=DataError)
        if (
            not isinstance(found, dict)
            or set(found) not in (_PINHOLE, _ORTHOGRAPHIC)
            or not all(type(v) in (int, float) and abs(v) <= _MOST for v in found.values())
            or not all(found[name] for name in {"fx", "fy", "scale"} & set(found))
        ):
            raise DataError(
                f"{path} describes no camera",
                expected='numbers {"fx", "fy", "cx", "cy"} of a pinhole, or {"scale", "cx", "cy"}, no factor of them 0',
                found=repr(found)[:200],
            )
        if "scale" in found:
            return cls(found["scale"], found["scale"], found["cx"], found["cy"], pinhole=False)
        return cls(**found)


@dataclass(frozen=True)
class Fit:
    """A fitted camera.

    Attributes:
        camera: The camera.
        residual: Median distance of a projected joint from where it was seen, in pixels.
        share: The same in lengths of the body as it was seen.
    """

    camera: Camera
    residual: float
    share: float


def fit(points: Floats, seen: Floats) -> Fit:
    """The camera that brings 3-D chains closest to the chains that were seen.

    The sum of the distances is made least, by reweighted least squares, so that frames in which something else was
    seen hardly count. Perception can take the tail for the head: in every frame the better of the two directions of the
    chain counts. A pinhole and an orthographic camera are fitted, and the better one is taken.

    Args:
        points: ``(F, J, 3)``, F and J at least 2.
        seen: ``(F, J, 2)`` pixels.
    """
    distance = points[..., 2]
    kinds = [False, True] if (distance > 0).all() or (distance < 0).all() else [False]
    length = float(np.median(np.linalg.norm(np.diff(seen, axis=1), axis=2).sum(axis=1)))
    fits = [_fit(points, seen, pinhole=pinhole, turned=turned) for pinhole in kinds for turned in (False, True)]
    residual, camera = min(fits, key=lambda found: found[0])
    return Fit(camera, residual, residual / max(length, 1e-9))


def rays(points: Floats, *, pinhole: bool) -> Floats:
    """What pixels are linear in, ``(..., 2)``: X/Z and Y/Z of a pinhole, X and Y of an orthographic camera."""
    return points[..., :2] / points[..., 2:] if pinhole else points[..., :2]


def _fit(points: Floats, seen: Floats, *, pinhole: bool, turned: bool) -> tuple[float, Camera]:
    """Median residual in pixels, and the camera, when the chains are first taken as they are or all ``turned``."""
    x = rays(points, pinhole=pinhole)
    ways = np.stack([seen, seen[:, ::-1]])
    wanted, weights = ways[int(turned)], np.ones(seen.shape[:2])
    for _ in range(_ROUNDS):
        factor, offset = _line(x, wanted, weights[..., None])
        away = np.linalg.norm(x * factor + offset - ways, axis=3)  # (2, F, J)
        way = away.sum(axis=2).argmin(axis=0)
        frames = np.arange(len(seen))
        wanted, residuals = ways[way, frames], away[way, frames]
        weights = 1 / np.maximum(residuals, 1e-3)
    (fx, fy), (cx, cy) = factor.tolist(), offset.tolist()
    return float(np.median(residuals)), Camera(fx, fy, cx, cy, pinhole)


def _line(x: Floats, y: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Slope and offset, ``(2,)`` each, of weighted straight lines through ``(F, J, 2)`` pairs, for either axis."""
    axes, total = (0, 1), weights.sum()
    middle_x, middle_y = (weights * x).sum(axes) / total, (weights * y).sum(axes) / total
    spread = (weights * (x - middle_x) ** 2).sum(axes)
    slope = (weights * (x - middle_x) * (y - middle_y)).sum(axes) / np.maximum(spread, np.finfo(float).tiny)
    return slope, middle_y - slope * middle_x
