"""Choreography: from a motion's curves to rotations of every bone, frame by frame, varied by a seed."""

from __future__ import annotations

import zlib

import numpy as np
from scipy.spatial.transform import Rotation

from datamodules.puppets.bodies import BONE, BONES, Choreography, Floats
from datamodules.puppets.chance import uniforms
from datamodules.puppets.motions import CURVES, MOTIONS, Curves
from motioncopy.errors import DataError

# Rotations about x (flex), y (twist) and z (side) that the names above stand for; limbs hang, the trunk stands.
_FLEX = {"upper_arm": -1, "forearm": -1, "hand": -1, "thigh": -1, "shin": 1, "foot": -1}
_SLOW = 5.3  # seconds in which a person sways and looks about once


def choreograph(motion: str, seed: int, frames: int, fps: float) -> Choreography:
    """The angles of a motion, frame by frame; frame i does not depend on how many follow.

    Args:
        motion: One of :data:`MOTIONS`.
        seed: Chooses tempo, amplitude, phase, facing, gaze and whether left and right are swapped.
        frames: Number of frames T.
        fps: Frames per second.

    Raises:
        DataError: If there is no such motion.
    """
    if motion not in CURVES:
        raise DataError(f"unknown motion {motion!r}", expected=f"one of {', '.join(MOTIONS)}")
    function, period = CURVES[motion]
    draws = uniforms(7, zlib.crc32(motion.encode()), seed)
    tempo, amplitude = 0.85 + 0.3 * draws[0], 0.88 + 0.2 * draws[1]
    facing, mirrored = 0.6 * draws[2] - 0.3, draws[3] < 0.5
    phase, slow_phase, gaze_phase = 2 * np.pi * draws[4:]
    turn = 2 * np.pi * np.arange(frames) / fps
    slow = turn / _SLOW + slow_phase
    curves = {name: np.broadcast_to(c, (frames,)) for name, c in function(turn * tempo / period + phase, slow).items()}
    if mirrored:
        curves = _mirror(curves)
    zero = np.zeros(frames)

    def curve(name: str) -> Floats:
        return curves.get(name, zero)

    rotations = np.broadcast_to(np.eye(3), (frames, len(BONES), 3, 3)).copy()
    for bone in BONES:
        flex, side, twist = (curve(f"{bone}.{axis}") * amplitude for axis in ("flex", "side", "twist"))
        if bone in ("neck", "head"):  # the two share what "head" asks for
            flex, side, twist = (0.5 * amplitude * curve(f"head.{axis}") for axis in ("flex", "side", "twist"))
            twist = twist + 0.14 * np.sin(1.7 * slow + gaze_phase)
            flex = flex + 0.05 * np.sin(2.3 * slow + gaze_phase)
        elif bone.endswith("clavicle"):  # shoulders rise with the arm
            arm = f"{bone[0]}_upper_arm"
            side = 0.24 * np.maximum(amplitude * np.maximum(curve(f"{arm}.side"), curve(f"{arm}.flex")) - 0.7, 0)
        rotations[:, BONE[bone]] = _rotation(bone, flex, side, twist)
    yaw = Rotation.from_euler("y", (curve("yaw") + (-facing if mirrored else facing))[:, None]).as_matrix()
    rotations[:, BONE["pelvis"]] = yaw @ rotations[:, BONE["pelvis"]]
    left = curves.get("plant", np.full(frames, 0.5))
    path = np.stack([curve("x"), curve("z")], axis=1)
    return Choreography(rotations, path, curve("lift") * amplitude, np.stack([left, 1 - left], axis=1))


def _rotation(bone: str, flex: Floats, side: Floats, twist: Floats) -> Floats:
    """Rotation matrices ``(T, 3, 3)``: first the twist about the bone, then flexion, then sideways."""
    if bone[:2] in ("l_", "r_"):
        sign = 1.0 if bone[0] == "l" else -1.0
        about_x, about_y, about_z = _FLEX.get(bone[2:], 0) * flex, sign * twist, sign * side
    else:
        about_x, about_y, about_z = flex, twist, -side
    return np.asarray(Rotation.from_euler("ZXY", np.stack([about_z, about_x, about_y], axis=1)).as_matrix())


def _mirror(curves: Curves) -> Curves:
    """Swaps left and right."""
    mirrored: Curves = {}
    for name, curve in curves.items():
        if name[:2] in ("l_", "r_"):
            mirrored[("r" if name[0] == "l" else "l") + name[1:]] = curve
        elif name in ("yaw", "x") or name.endswith((".side", ".twist")):
            mirrored[name] = -curve
        else:
            mirrored[name] = 1 - curve if name == "plant" else curve
    return mirrored
