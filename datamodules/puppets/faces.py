"""Faces: the 70 OpenPose face points on the head's surface, and the picture painted through them.

The order is OpenPose's: the 68 iBUG points from the viewer's left to right on a face seen from the front (so 48 is
the person's right mouth corner and 54 the left), then the person's right and left pupil.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.puppets.bodies import Floats, Rig
from datamodules.puppets.figures import Colour, head_point

# Height up to which the beard grows at the cheeks.
_STUBBLE = 0.36


@dataclass(frozen=True)
class Face:
    """A person's face.

    Attributes:
        eyes: Colour of the irises.
        lips: Colour of the lips.
        brows: Colour of the eyebrows and of the beard.
        glasses: ``None``, ``"clear"`` or ``"sun"``.
        eye_size: Relative size of the eyes.
        mouth_width: Relative width of the mouth.
    """

    eyes: Colour = (70, 50, 35)
    lips: Colour = (176, 84, 82)
    brows: Colour = (50, 35, 28)
    glasses: str | None = None
    eye_size: float = 1.0
    mouth_width: float = 1.0


def _arc(centre: tuple[float, float], radii: tuple[float, float], degrees: list[float]) -> list[tuple[float, float]]:
    turn = np.radians(degrees)
    return [(centre[0] + radii[0] * float(np.cos(t)), centre[1] + radii[1] * float(np.sin(t))) for t in turn]


def face_plan(face: Face) -> Floats:
    """The 70 points ``(70, 2)``: azimuth in degrees (to the person's left), height from chin 0 to crown 1."""
    jaw_turn = np.linspace(-90, 90, 17)
    jaw = [(a, 0.03 + 0.5 * (1 - np.cos(np.radians(a))) ** 1.15) for a in jaw_turn]
    brow = [(37.0, 0.625), (31.0, 0.655), (24.5, 0.663), (18.0, 0.655), (11.0, 0.638)]
    brows = [(-a, t) for a, t in brow] + [(a, t) for a, t in reversed(brow)]
    nose = [(0.0, 0.575), (0.0, 0.51), (0.0, 0.44), (0.0, 0.375)]
    nostrils = [(-10.0, 0.335), (-5.0, 0.325), (0.0, 0.32), (5.0, 0.325), (10.0, 0.335)]
    size = (10.5 * face.eye_size, 0.036 * face.eye_size)
    # Each runs from the viewer's left corner over the lid to the other corner and back below.
    right_eye = _arc((-24, 0.53), size, [180, 120, 60, 0, -60, -120])
    left_eye = _arc((24, 0.53), size, [180, 120, 60, 0, -60, -120])
    wide = 19.0 * face.mouth_width
    outer = _arc((0, 0.21), (wide, 0.042), [180, 140, 110, 90, 70, 40, 0, -40, -70, -90, -110, -140])
    inner = _arc((0, 0.21), (0.75 * wide, 0.012), [180, 120, 90, 60, 0, -60, -90, -120])
    points = [*jaw, *brows, *nose, *nostrils, *right_eye, *left_eye, *outer, *inner, (-24.0, 0.53), (24.0, 0.53)]
    return np.array(points)


def face70_rest(rig: Rig, face: Face) -> Floats:
    """Rest positions ``(70, 3)`` of the face points on the skin (the nose's tip on the nose), in metres."""
    plan = face_plan(face)
    raised = np.zeros(70)
    raised[27:36] = np.array([0.01, 0.03, 0.06, 0.075, 0.02, 0.04, 0.05, 0.04, 0.02]) * rig.head_height
    return head_point(rig, np.radians(plan[:, 0]), plan[:, 1], raised)


def head_joints_rest(rig: Rig, face: Face) -> dict[str, Floats]:
    """Rest positions of body25's joints of the head."""
    points = face70_rest(rig, face)
    ear = 0.02 * rig.head_height
    return {
        "nose": points[30], "right_eye": points[68], "left_eye": points[69],
        "right_ear": head_point(rig, -1.68, 0.48, ear), "left_ear": head_point(rig, 1.68, 0.48, ear),
    }  # fmt: skip


def paint_face(canvas: NDArray[np.uint8], face: Face, skin: Colour, *, beard: bool) -> None:
    """Paints a face in place.

    Args:
        canvas: ``(h, w, 3)`` RGB, the head's strip, filled with skin: columns run from azimuth -180 to 180 degrees,
            rows from the crown down to the chin.
        face: What to paint.
        skin: Colour of the skin.
        beard: Whether to paint a beard.
    """
    height, width = canvas.shape[:2]

    def pixels(plan: Floats) -> NDArray[np.int32]:  # with 4 bits behind the point
        xy = np.stack([(plan[..., 0] / 360 + 0.5) * width - 0.5, (1 - plan[..., 1]) * height - 0.5], -1)
        return np.round(xy * 16).astype(np.int32)

    def fill(plan: Floats, colour: tuple[float, ...]) -> None:
        cv2.fillPoly(canvas, [pixels(plan)], colour, cv2.LINE_AA, shift=4)

    def line(plan: Floats, colour: tuple[float, ...], thick: float, closed: bool = False) -> None:
        cv2.polylines(canvas, [pixels(plan)], closed, colour, max(1, round(thick * height)), cv2.LINE_AA, shift=4)

    def shade(factor: float) -> tuple[float, ...]:
        return tuple(np.clip(np.array(skin, float) * factor, 0, 255))

    def spot(azimuth: float, t: float, radii: tuple[float, float], colour: tuple[float, ...]) -> None:
        fill(np.array(_arc((azimuth, t), radii, list(np.arange(0, 360, 15.0)))), colour)

    plan = face_plan(face)
    blush = canvas.copy()
    for side in (-1, 1):
        azimuth = np.linspace(side * 36 - 14, side * 36 + 14, 2)
        rosy = (0.5 * np.array(skin, float) + 0.5 * np.array((225, 120, 110))).tolist()
        centre = ((azimuth.mean() / 360 + 0.5) * width, (1 - 0.33) * height)
        cv2.ellipse(blush, (tuple(map(float, centre)), (0.08 * width, 0.15 * height), 0.0), rosy, -1, cv2.LINE_AA)
    canvas[...] = cv2.addWeighted(canvas, 0.6, cv2.GaussianBlur(blush, (0, 0), 0.04 * width), 0.4, 0)
    for side in (-1, 1):  # hollows of the eyes
        spot(side * 24, 0.555, (15, 0.07), shade(0.88))
    if beard:
        cheeks = [(a, _STUBBLE - 0.10 * np.cos(np.radians(a) * 2)) for a in np.linspace(-75, 75, 21)]
        fill(np.array([*cheeks, (75, -0.05), (-75, -0.05)]), face.brows)
        fill(np.array(_arc((0, 0.30), (22, 0.035), list(np.arange(0, 360, 20.0)))), face.brows)
    line(plan[27:31], shade(0.9), 0.012)
    fill(plan[[31, 32, 33, 34, 35]] - [[0, 0.005]], shade(0.62))
    fill(plan[48:60], face.lips)
    line(plan[[60, 61, 62, 63, 64]] * [1, 0] + [0, 0.208], tuple(0.45 * np.array(face.lips)), 0.014)
    for eye, pupil in ((plan[36:42], plan[68]), (plan[42:48], plan[69])):
        fill(eye, (248, 246, 243))
        radius = 5.4 * face.eye_size
        spot(pupil[0], pupil[1], (radius, radius * 0.0068), face.eyes)
        spot(pupil[0], pupil[1], (radius * 0.5, radius * 0.0034), (12, 10, 10))
        spot(pupil[0] + 1.8, pupil[1] + 0.012, (1.3, 0.008), (255, 255, 255))
        line(eye[:4], (38, 26, 24), 0.02)
    for brow in (plan[17:22], plan[22:27]):
        line(brow, face.brows, 0.028)
    if face.glasses:
        for centre in (plan[68], plan[69]):
            rim = np.array(_arc((centre[0], 0.515), (15.5, 0.085), list(np.arange(0, 360, 15.0))))
            if face.glasses == "sun":
                fill(rim, (25, 25, 30))
            line(rim, (28, 24, 26), 0.02, closed=True)
            line(np.array([(np.sign(centre[0]) * 39, 0.53), (np.sign(centre[0]) * 85, 0.55)]), (28, 24, 26), 0.02)
        line(np.array([(-9, 0.53), (9, 0.53)]), (28, 24, 26), 0.02)


def sunglasses_area(shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Where sunglasses cover the head's strip of this (height, width)."""
    rows, columns = np.indices(shape)
    azimuth, t = (columns + 0.5) / shape[1] * 360 - 180, 1 - (rows + 0.5) / shape[0]
    return np.asarray(((np.abs(np.abs(azimuth) - 24) / 16.5) ** 2 + ((t - 0.515) / 0.09) ** 2) <= 1)
