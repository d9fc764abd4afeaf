"""Figures: a body in its clothes and hair as a list of surfaces."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.spatial.transform import Rotation

from datamodules.puppets.bodies import BONE, BONES, Floats, Rig, hand_length
from datamodules.puppets.mesh import Part, loft, smoothstep

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Cloth:
    """A fabric: a pattern of :mod:`datamodules.puppets.wardrobe` in two RGB colours, ``scale`` metres a repeat."""

    colour: Colour
    pattern: str = "plain"
    second: Colour = (255, 255, 255)
    scale: float = 0.06


@dataclass(frozen=True)
class Outfit:
    """What a person wears.

    Attributes:
        top: Fabric of the top.
        bottom: Fabric of trousers, shorts or skirt; ``None`` where the top is a dress.
        shoes: Colour of the shoes.
        sole: Colour of their soles.
        sleeves: Share of the arm that the sleeves cover, 0 to 1.
        trousers: Share of the leg that the trousers cover, 0 to 1; 0 without trousers.
        skirt: Length of the skirt or dress below the waist as a share of the leg; 0 without.
        loose: Metres by which the clothes stand off the body.
        neckline: Metres that the neckline lies below the neck.
        socks: Colour of the socks, ``None`` for bare ankles.
        sock_height: Share of the leg, from the ankle up, that they cover.
        coat: Whether the top is a coat (label 7) rather than upper clothes (label 5).
        left_sleeve: Fabric of the left sleeve where it differs.
    """

    top: Cloth
    bottom: Cloth | None
    shoes: Colour
    sole: Colour = (235, 235, 230)
    sleeves: float = 0.4
    trousers: float = 0.95
    skirt: float = 0.0
    loose: float = 0.01
    neckline: float = 0.05
    socks: Colour | None = None
    sock_height: float = 0.15
    coat: bool = False
    left_sleeve: Cloth | None = None


@dataclass(frozen=True)
class Hair:
    """Hair, or a cap over it.

    Attributes:
        colour: RGB.
        style: ``bald``, ``short``, ``curly``, ``bob``, ``long``, ``ponytail``, ``bun`` or ``cap``.
        cap: Colour of the cap.
        beard: Whether there is a beard.
        fringe: Whether hair hangs into the forehead.
    """

    colour: Colour
    style: str = "short"
    cap: Colour = (180, 40, 40)
    beard: bool = False
    fringe: bool = False


# The head in shares of its height, chin 0 to crown 1: half width, front and back radius.
_HEAD = np.array(
    [
        (0.00, 0.12, 0.25, 0.02), (0.05, 0.17, 0.34, 0.08), (0.15, 0.245, 0.385, 0.20), (0.30, 0.305, 0.395, 0.34),
        (0.46, 0.335, 0.405, 0.43), (0.62, 0.345, 0.415, 0.46), (0.76, 0.33, 0.395, 0.44), (0.88, 0.265, 0.31, 0.35),
        (0.95, 0.18, 0.205, 0.23), (1.00, 0.03, 0.03, 0.03),
    ]
)  # fmt: skip
_HEAD_PROFILE = PchipInterpolator(_HEAD[:, 0], _HEAD[:, 1:])


def head_origin(rig: Rig) -> Floats:
    """Rest position ``(3,)`` of the middle of the head's axis at the chin."""
    return rig.at("head") + np.array([0, -0.010, 0.006]) * rig.body.height


def head_point(rig: Rig, azimuth: Floats | float, height: Floats | float, raised: Floats | float = 0.0) -> Floats:
    """A point of the head's surface, in the rest pose.

    Args:
        rig: The body.
        azimuth: Radians, 0 at the nose, positive towards the person's left ear.
        height: 0 at the chin, 1 at the crown.
        raised: Metres above the skin.

    Returns:
        ``(..., 3)`` metres.
    """
    azimuth, height = np.broadcast_arrays(np.asarray(azimuth, float), np.asarray(height, float))
    wide, front, back = np.moveaxis(_HEAD_PROFILE(np.clip(height, 0, 1)), -1, 0) * rig.head_height + raised
    cos = np.cos(azimuth)
    offset = np.stack([wide * np.sin(azimuth), height * rig.head_height, np.where(cos >= 0, front, back) * cos], -1)
    return np.asarray(head_origin(rig) + offset)


def make_figure(rig: Rig, outfit: Outfit, hair: Hair) -> tuple[Part, ...]:
    """All surfaces of a person, at rest."""
    parts = [_torso(rig, outfit), _neck(rig), *_head(rig), *_hair(rig, hair)]
    for side in ("l", "r"):
        parts += [_arm(rig, outfit, side), _leg(rig, outfit, side), *_hand(rig, side), _shoe(rig, side)]
    if outfit.skirt > 0:
        parts.append(_skirt(rig, outfit))
    return tuple(parts)


def arm_length(rig: Rig) -> float:
    """Shoulder to wrist in metres."""
    return float(rig.at("l_upper_arm")[1] - rig.at("l_hand")[1])


def leg_length(rig: Rig) -> float:
    """Hip to ankle in metres."""
    return float(rig.at("l_thigh")[1] - rig.at("l_foot")[1])


def shirt_hem(rig: Rig, outfit: Outfit) -> float:
    """Metres along the torso where the top ends: under the hips, or at the waist under a skirt."""
    trunk = float(rig.at("l_upper_arm")[1] - rig.at("pelvis")[1])
    return trunk * (0.66 if outfit.skirt > 0 else 0.98)


def _torso(rig: Rig, outfit: Outfit) -> Part:
    body, h = rig.body, rig.body.height
    shoulder, hip = rig.at("l_upper_arm")[1], rig.at("pelvis")[1]
    trunk = shoulder - hip
    hem, off = shirt_hem(rig, outfit), outfit.loose
    s, w, c, p = body.shoulders, body.waist, body.chest, body.hips
    shares = (
        (-0.135, 0.036, 0.030, 0.030), (-0.095, 0.068 * s, 0.036 * c, 0.040), (-0.03, 0.096 * s, 0.045 * c, 0.050),
        (0.10, 0.103 * s, 0.057 * c, 0.058), (0.30, 0.101 * s, 0.067 * c, 0.060),
        (0.48, 0.091 * (s + w) / 2, 0.062 * c, 0.055),
        (0.66, 0.083 * w, 0.058 * w, 0.051 * w), (0.82, 0.092 * (w + p) / 2, 0.060 * w, 0.060),
        (1.0, 0.100 * p, 0.060, 0.070 * p),
        (1.14, 0.095 * p, 0.056, 0.068 * p), (1.27, 0.070 * p, 0.045, 0.050),
    )  # fmt: skip
    table = []
    for share, wide, front, back in shares:
        along = share * trunk
        # Cloth stands off the body, the shirt more than the trousers under it; the neck opening lies close.
        cloth = off * float(smoothstep(-0.12, 0.0, np.array(share))) * (1.0 if along < hem else 0.6)
        table.append((along, wide * h + cloth, front * h + cloth, back * h + cloth))
    waist, ribs = shoulder - rig.at("spine")[1], shoulder - rig.at("chest")[1]
    return loft(
        "torso", table, (0, shoulder, 0), bones=("chest", "spine", "pelvis"), joints=(ribs, waist), width=0.07,
        rings=17, columns=28, power=2.3, cuts=(hem,),
    )  # fmt: skip


def _neck(rig: Rig) -> Part:
    h, top = rig.body.height, rig.at("head")[1] + 0.03
    base = rig.at("neck")[1]
    table = ((0, 0.030, 0.031), (0.04, 0.030, 0.031), (0.075, 0.034, 0.033), (0.11, 0.044, 0.036))
    return loft(
        "neck", table, (0, top, 0), unit=h, bones=("head", "neck", "chest"), joints=(0.04, top - base), width=0.03,
        rings=8, columns=16, closed=(False, False),
    )  # fmt: skip


def _head(rig: Rig) -> list[Part]:
    size = rig.head_height
    rows = [(1 - t, w, f, b) for t, w, f, b in _HEAD[::-1]]
    head = loft(
        "head", rows, head_origin(rig) + np.array([0, size, 0]), unit=size, bones=("head",), rings=20, columns=28,
        closed=(False, False),
    )  # fmt: skip
    nose_table = ((0.0, 0.028, 0.02), (0.10, 0.036, 0.05), (0.19, 0.056, 0.10), (0.23, 0.045, 0.07))
    nose = loft(
        "nose", nose_table, head_point(rig, 0.0, 0.56, -0.03 * size), unit=size, bones=("head",), rings=7, columns=10
    )
    ears = []
    for name, sign in (("l_ear", 1), ("r_ear", -1)):
        table = ((0.0, 0.05, 0.05), (0.09, 0.06, 0.075), (0.18, 0.045, 0.045), (0.22, 0.03, 0.03))
        ears.append(
            loft(
                name, table, head_point(rig, sign * 1.68, 0.57, -0.01 * size), unit=size, bones=("head",), rings=6,
                columns=8,
            )
        )  # fmt: skip
    return [head, nose, *ears]


def _hair(rig: Rig, hair: Hair) -> list[Part]:
    if hair.style == "bald":
        return []
    size = rig.head_height
    # Where the hair ends (share of the head's height) in front, at the temples and in the neck; its thickness there.
    front = 0.74 if hair.fringe else 0.84
    ends = {
        "short": (front, 0.60, 0.22), "curly": (front, 0.52, 0.15), "bob": (front, 0.02, -0.10),
        "long": (front, -0.25, -0.75), "ponytail": (front, 0.60, 0.25), "bun": (front, 0.60, 0.25),
        "cap": (0.74, 0.66, 0.55),
    }[hair.style]  # fmt: skip
    thick = {"short": 0.045, "curly": 0.17, "bob": 0.075, "long": 0.075, "cap": 0.07}.get(hair.style, 0.04) * size
    columns, rings = 32, 14
    azimuth = np.linspace(-np.pi, np.pi, columns + 1)
    turned = np.abs(azimuth)
    beside, behind = smoothstep(0.75, 1.25, turned), smoothstep(1.5, 2.2, turned)
    line = ends[0] + (ends[1] - ends[0]) * beside + (ends[2] - ends[1]) * behind
    share = np.linspace(0, 1, rings)[:, None] ** 0.8  # 0 at the crown
    height = 1.0 + (line - 1.0) * share
    raised = thick * np.minimum(1, 8 * (1 - share)) ** 0.5 + 0.004
    if hair.style in ("bob", "long"):
        raised = np.where(beside > 0.5, np.maximum(raised, thick * 0.8), raised)
    # Below the ears hair hangs straight instead of following the jaw.
    points = head_point(rig, azimuth[None, :], np.maximum(height, 0.5), raised)
    points[..., 1] += (np.minimum(height, 0.5) - 0.5) * size + raised * (height > 0.9)
    if hair.style == "curly":
        bump = np.sin(5 * azimuth) * np.sin(9 * share) + 0.7 * np.cos(8 * azimuth + 1) * np.cos(7 * share)
        points += (points - points.mean(axis=(0, 1))) * (0.05 * bump * (1 - share**6))[..., None]
    points[:, -1] = points[:, 0]
    weights = np.zeros((*points.shape[:2], len(BONES)))
    onto_back = smoothstep(0.0, -0.7, height) * 0.8
    weights[..., BONE["head"]], weights[..., BONE["chest"]] = 1 - onto_back, onto_back
    along = np.linspace(0, float((1 - line.mean()) * size) + 0.1, rings)
    shell = Part("cap" if hair.style == "cap" else "hair", points, weights, along, 4.5 * 0.5 * size, two_sided=True)
    return [shell, *_hair_extras(rig, hair)]


def _hair_extras(rig: Rig, hair: Hair) -> list[Part]:
    size = rig.head_height
    head: dict[str, Any] = {"unit": size, "bones": ("head",)}
    if hair.style == "ponytail":
        place = head_point(rig, np.pi, 0.80, 0.06 * size)
        tail = loft(
            "hair_tail", ((0.0, 0.07, 0.07), (0.2, 0.11, 0.10), (0.6, 0.10, 0.09), (0.95, 0.05, 0.05)), place,
            unit=size, bones=("head", "chest"), joints=(0.8 * size,), width=0.1, rings=10, columns=12,
        )  # fmt: skip
        return [tail.moved(Rotation.from_euler("x", 12, degrees=True).as_matrix(), place)]
    if hair.style == "bun":
        rows = ((0.0, 0.12, 0.12), (0.1, 0.16, 0.16), (0.2, 0.12, 0.12))
        return [loft("hair_tail", rows, head_point(rig, np.pi, 1.02, 0.0), rings=5, columns=14, **head)]
    if hair.style == "cap":  # its peak: a flat tongue above the eyes
        rows = ((0.0, 0.27, 0.02), (0.25, 0.25, 0.02), (0.42, 0.16, 0.015))
        place = head_point(rig, 0.0, 0.76, -0.10 * size)
        peak = loft("cap_peak", rows, place, rings=6, columns=14, **head)
        return [peak.moved(Rotation.from_euler("x", -75, degrees=True).as_matrix(), place)]
    return []


def _arm(rig: Rig, outfit: Outfit, side: str) -> Part:
    scale = rig.body.height * rig.body.limbs
    length, sleeve = arm_length(rig), outfit.sleeves * arm_length(rig)
    profile = (
        (0.0, 0.026), (0.10, 0.0325), (0.32, 0.029), (0.53, 0.0235), (0.63, 0.0245), (0.85, 0.018), (1.0, 0.0155),
    )  # fmt: skip
    joints = [rig.at(f"{side}_{bone}") for bone in ("upper_arm", "forearm", "hand")]
    inwards = np.array([-0.008 if side == "l" else 0.008, 0, 0])  # so that the shoulder is round and not square
    arm = loft(
        f"{side}_arm",
        [(share * length, radius * scale, radius * scale) for share, radius in profile],
        joints[0] + inwards,
        bones=(f"{side}_upper_arm", f"{side}_forearm"),
        joints=(joints[0][1] - joints[1][1],),
        width=0.045,
        rings=15,
        columns=16,
        cuts=(sleeve,) if 0 < sleeve < length else (),
    )
    return _dressed(_along_axis(arm, *joints), 0.7 * outfit.loose, sleeve)


def _leg(rig: Rig, outfit: Outfit, side: str) -> Part:
    scale = rig.body.height * rig.body.limbs
    length, cover = leg_length(rig), outfit.trousers * leg_length(rig)
    profile = (
        (-0.02, 0.048, 0.048), (0.06, 0.056, 0.056), (0.18, 0.053, 0.053), (0.35, 0.044, 0.043), (0.49, 0.034, 0.031),
        (0.58, 0.031, 0.034), (0.70, 0.029, 0.036), (0.86, 0.022, 0.024), (1.0, 0.020, 0.021),
    )  # fmt: skip
    joints = [rig.at(f"{side}_{bone}") for bone in ("thigh", "shin", "foot")]
    leg = loft(
        f"{side}_leg",
        [(share * length, 0.96 * front * scale, front * scale, back * scale) for share, front, back in profile],
        joints[0],
        bones=(f"{side}_thigh", f"{side}_shin"),
        joints=(joints[0][1] - joints[1][1],),
        width=0.06,
        rings=18,
        columns=18,
        cuts=(cover,) if 0 < outfit.trousers < 1 else (),
    )
    return _dressed(_along_axis(leg, *joints), outfit.loose if outfit.trousers else 0.0, cover)


def _along_axis(limb: Part, *joints: Floats) -> Part:
    """Shifts a limb's rings sideways so that its axis leads from joint to joint."""
    heights, places = np.array([j[1] for j in joints]), np.stack([j[[0, 2]] for j in joints])
    points = limb.points.copy()
    for i, axis in enumerate((0, 2)):
        points[..., axis] += np.interp(-limb.points[..., 1], -heights, places[:, i]) - places[0, i]
    return replace(limb, points=points)


def _dressed(limb: Part, off: float, until: float) -> Part:
    """Widens a limb by its cloth as far as that reaches."""
    cloth = off * (limb.along <= until) * smoothstep(limb.along[0], 0.05, limb.along)
    return replace(limb, points=limb.points + limb.normals * cloth[:, None, None])


def _hand(rig: Rig, side: str) -> list[Part]:
    length, origin = hand_length(rig), rig.at(f"{side}_hand")
    thick = rig.body.limbs**0.5
    table = (
        (-0.04, 0.14 * thick, 0.16 * thick), (0.15, 0.12 * thick, 0.20), (0.42, 0.11 * thick, 0.25),
        (0.60, 0.10 * thick, 0.235),        (0.85, 0.08, 0.19), (0.97, 0.06, 0.13),
    )  # fmt: skip
    bone = (f"{side}_hand",)
    palm = loft(f"{side}_hand", table, origin, unit=length, bones=bone, rings=8, columns=12, power=2.6)
    place = origin + length * np.array([0, -0.16, 0.13])
    thumb = loft(
        f"{side}_thumb", ((0.0, 0.085, 0.09), (0.2, 0.075, 0.075), (0.36, 0.055, 0.055)), place, unit=length,
        bones=bone,        rings=5, columns=8,
    ).moved(Rotation.from_euler("x", -38, degrees=True).as_matrix(), place)  # fmt: skip
    return [palm, thumb]


def _shoe(rig: Rig, side: str) -> Part:
    h = rig.body.height
    rows = (
        (0.0, 0.012, 0.018), (0.012, 0.020, 0.024), (0.045, 0.023, 0.027), (0.085, 0.025, 0.023), (0.120, 0.028, 0.018),
        (0.145, 0.025, 0.014), (0.158, 0.014, 0.009),
    )  # fmt: skip
    ankle = rig.at(f"{side}_foot") * [1, 0, 0]
    # Laid out hanging, then swung forwards: its front becomes the upper side, its back the sole.
    shoe = loft(f"{side}_shoe", rows, (0, 0, 0), unit=h, bones=(f"{side}_foot",), rings=11, columns=14, power=2.4)
    x, along, up = shoe.points[..., 0], -shoe.points[..., 1], shoe.points[..., 2]
    half = np.maximum(up.max(axis=1, keepdims=True), 0.004 * h)
    height = np.maximum(half * 0.98 + up, 0.0)
    toe_out = (1 if side == "l" else -1) * 0.06 * along
    points = np.stack([x + toe_out, height, along - 0.046 * h], axis=-1) + ankle
    return replace(shoe, points=points)


def _skirt(rig: Rig, outfit: Outfit) -> Part:
    body, h = rig.body, rig.body.height
    trunk = rig.at("l_upper_arm")[1] - rig.at("pelvis")[1]
    waist_y = rig.at("pelvis")[1] + 0.36 * trunk
    hips = waist_y - rig.at("pelvis")[1]
    end = hips + outfit.skirt * leg_length(rig)
    p, w, off = body.hips, body.waist, outfit.loose + 0.004
    hem = 0.120 + 0.07 * outfit.skirt
    table = (
        (0.0, 0.083 * h * w + off, 0.058 * h * w + off, 0.051 * h * w + off),
        (hips, 0.106 * h * p + off, 0.066 * h + off, 0.077 * h * p + off),
        (hips + 0.1, 0.115 * h * p + off, 0.075 * h + off, 0.082 * h * p + off),
        (end, hem * h * p + off, 0.72 * hem * h + off, 0.72 * hem * h + off),
    )
    skirt = loft(
        "skirt", table, (0, waist_y, 0), bones=("pelvis",), rings=14, columns=36, closed=(False, False), two_sided=True
    )
    # Each side follows its thigh, the more the lower.
    follow = smoothstep(0.55 * hips, hips + 0.07, skirt.along)[:, None]
    left = smoothstep(-0.09, 0.09, skirt.points[..., 0])
    weights = np.zeros((*skirt.points.shape[:2], len(BONES)))
    weights[..., BONE["pelvis"]] = 1 - follow
    weights[..., BONE["l_thigh"]], weights[..., BONE["r_thigh"]] = follow * left, follow * (1 - left)
    pleats = 0.03 * follow * np.cos(9 * np.linspace(-np.pi, np.pi, skirt.points.shape[1]))[None, :]
    axis = np.array([0, waist_y, 0])
    return replace(skirt, points=skirt.points + (skirt.points - axis) * [1, 0, 1] * pleats[..., None], weights=weights)
