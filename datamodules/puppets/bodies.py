"""Bodies: a 3-D kinematic tree in metres, its proportions, and where the joints of body25 and the hands sit in it.

World axes: x to the viewer's right, y up, z towards the viewer. In the rest pose a person stands upright at the
origin, faces the viewer (+z) and lets the arms hang, with all bone rotations the identity. The person's left is +x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motioncopy.skeletons import BODY25

Floats = NDArray[np.float64]

#: (bone, parent), parents first. A bone's joint is its proximal end.
_TREE: tuple[tuple[str, str | None], ...] = (
    ("pelvis", None), ("spine", "pelvis"), ("chest", "spine"), ("neck", "chest"), ("head", "neck"),
    *(
        (f"{side}_{bone}", parent if parent == "chest" or parent == "pelvis" else f"{side}_{parent}")
        for side in ("l", "r")
        for bone, parent in (
            ("clavicle", "chest"), ("upper_arm", "clavicle"), ("forearm", "upper_arm"), ("hand", "forearm"),
            ("thigh", "pelvis"), ("shin", "thigh"), ("foot", "shin"),
        )
    ),
)  # fmt: skip
BONES = tuple(bone for bone, _ in _TREE)
BONE = {bone: i for i, bone in enumerate(BONES)}
PARENTS = tuple(-1 if parent is None else BONE[parent] for _, parent in _TREE)


@dataclass(frozen=True)
class Body:
    """Proportions of a person; 1 is the average.

    Attributes:
        height: Metres.
        legs: Length of the legs; the trunk takes up the difference.
        arms: Length of the arms.
        shoulders: Width between the shoulder joints.
        hips: Width of the pelvis.
        waist: Girth of the belly.
        chest: Depth of the rib cage.
        limbs: Thickness of arms and legs.
        head: Size of the head.
    """

    height: float = 1.72
    legs: float = 1.0
    arms: float = 1.0
    shoulders: float = 1.0
    hips: float = 1.0
    waist: float = 1.0
    chest: float = 1.0
    limbs: float = 1.0
    head: float = 1.0


@dataclass(frozen=True)
class Rig:
    """A body's rest pose.

    Attributes:
        body: The proportions it was made from.
        joints: ``(bones, 3)`` rest position of each bone's joint in metres.
        leg: Length of a leg from hip joint to floor in metres: the unit of motions' paths.
        soles: ``(n, 3)`` points under the left foot, the right foot's being their mirror image.
        head_height: Chin to crown in metres.
    """

    body: Body
    joints: Floats
    leg: float
    soles: Floats
    head_height: float

    def at(self, bone: str) -> Floats:
        """Rest position ``(3,)`` of a bone's joint."""
        return np.asarray(self.joints[BONE[bone]])


def make_rig(body: Body) -> Rig:
    """Places the joints of a body at rest, from proportions relative to the height (Drillis & Contini's, rounded)."""
    h = body.height
    hip, ankle, shoulder = 0.515 * h * body.legs, 0.045 * h, 0.815 * h
    knee = ankle + 0.5 * (hip - ankle)
    trunk = shoulder - hip
    head_height = 0.142 * h * body.head
    half_shoulder, half_hip = 0.103 * h * body.shoulders, 0.052 * h * body.hips
    elbow, wrist = shoulder - 0.172 * h * body.arms, shoulder - (0.172 + 0.148) * h * body.arms
    joints = np.zeros((len(BONES), 3))
    joints[BONE["pelvis"]] = 0, hip, 0
    joints[BONE["spine"]] = 0, hip + 0.28 * trunk, 0
    joints[BONE["chest"]] = 0, hip + 0.52 * trunk, 0
    joints[BONE["neck"]] = 0, shoulder + 0.025 * h, -0.004 * h
    joints[BONE["head"]] = 0, shoulder + 0.058 * h, 0.004 * h
    for side, sign in (("l", 1), ("r", -1)):
        for bone, x, y, z in (
            ("clavicle", 0.02 * h, shoulder, 0.0),
            ("upper_arm", half_shoulder, shoulder, 0.0),
            ("forearm", half_shoulder + 0.006 * h, elbow, -0.004 * h),
            ("hand", half_shoulder + 0.008 * h, wrist, 0.0),
            ("thigh", half_hip, hip, 0.0),
            ("shin", half_hip + 0.001 * h, knee, 0.006 * h),
            ("foot", half_hip + 0.002 * h, ankle, -0.004 * h),
        ):
            joints[BONE[f"{side}_{bone}"]] = sign * x, y, z
    x = half_hip
    soles = np.array([[x, 0, -0.036 * h], [x - 0.02 * h, 0, 0.1 * h], [x + 0.025 * h, 0, 0.08 * h]])
    return Rig(body, joints, hip, soles, head_height)


def body25_rest(rig: Rig, head_points: dict[str, Floats]) -> tuple[NDArray[np.int64], Floats]:
    """Where the joints of body25 sit at rest.

    Args:
        rig: The body.
        head_points: Rest positions of ``nose``, ``left_eye``, ``right_eye``, ``left_ear`` and ``right_ear``.

    Returns:
        The bone that carries each joint ``(25,)`` and the rest positions ``(25, 3)`` in metres.
    """
    h = rig.body.height
    places: dict[str, tuple[str, Floats]] = {name: ("head", point) for name, point in head_points.items()}
    places["neck"] = ("chest", np.array([0, 0.815 * h + 0.006 * h, 0]))
    places["mid_hip"] = ("pelvis", rig.at("pelvis"))
    toes = {"big_toe": (-0.016, 0.012, 0.098), "small_toe": (0.022, 0.012, 0.076), "heel": (0.0, 0.014, -0.036)}
    for side, prefix, sign in (("left", "l", 1), ("right", "r", -1)):
        for joint, bone in (
            ("shoulder", "upper_arm"), ("elbow", "forearm"), ("wrist", "hand"),
            ("hip", "thigh"), ("knee", "shin"), ("ankle", "foot"),
        ):  # fmt: skip
            places[f"{side}_{joint}"] = (f"{prefix}_{bone}", rig.at(f"{prefix}_{bone}"))
        for joint, (x, y, z) in toes.items():
            offset = np.array([sign * x * h, y * h, z * h])
            places[f"{side}_{joint}"] = (f"{prefix}_foot", rig.at(f"{prefix}_foot") * [1, 0, 0] + offset)
    bones = np.array([BONE[places[name][0]] for name in BODY25.joints])
    return bones, np.stack([places[name][1] for name in BODY25.joints])


def hand_length(rig: Rig) -> float:
    """Wrist to finger tips in metres."""
    return 0.104 * rig.body.height * rig.body.arms


def hand21_rest(rig: Rig, side: str) -> Floats:
    """OpenPose's 21 hand joints at rest ``(21, 3)``: a fixed, slightly curled hand that follows its bone.

    Args:
        rig: The body.
        side: ``"l"`` or ``"r"``.
    """
    length, inward = hand_length(rig), -1.0 if side == "l" else 1.0
    points = [np.zeros(3)]
    # Thumb: from the heel of the hand forwards (+z) and down.
    points += [
        length * np.array([inward * 0.05, -y, z]) for y, z in ((0.12, 0.17), (0.25, 0.30), (0.36, 0.36), (0.47, 0.39))
    ]
    # Fingers, index to little: their knuckles lie across the palm, front to back; tips curl towards the thigh.
    for base, reach in ((0.155, 0.93), (0.055, 1.0), (-0.045, 0.94), (-0.14, 0.8)):
        for k in range(4):
            along = 0.47 + (reach - 0.47) * (0.0, 0.45, 0.75, 1.0)[k]
            points.append(length * np.array([inward * (0.0, 0.01, 0.035, 0.07)[k], -along, base * (1 - 0.12 * k)]))
    return rig.at(f"{side}_hand") + np.stack(points)


def place(rig: Rig, rotations: Floats) -> Floats:
    """Forward kinematics, with the pelvis at the origin.

    Args:
        rig: The body.
        rotations: ``(T, bones, 3, 3)`` rotation of each bone relative to its parent.

    Returns:
        ``(T, bones, 3, 4)`` transforms that take a rest position to its posed position: ``A[:, :3] @ x + A[:, 3]``.
    """
    frames = len(rotations)
    world = np.empty_like(rotations)
    position = np.empty((frames, len(BONES), 3))
    for bone, parent in enumerate(PARENTS):
        if parent < 0:
            world[:, bone], position[:, bone] = rotations[:, bone], 0
            continue
        world[:, bone] = world[:, parent] @ rotations[:, bone]
        position[:, bone] = position[:, parent] + world[:, parent] @ (rig.joints[bone] - rig.joints[parent])
    offset = position - np.einsum("tbij,bj->tbi", world, rig.joints)
    return np.concatenate([world, offset[..., None]], axis=-1)


def carry(transforms: Floats, bones: NDArray[np.int64], points: Floats) -> Floats:
    """Poses points that each follow one bone.

    Args:
        transforms: ``(..., bones, 3, 4)`` of :func:`place`.
        bones: ``(n,)`` bone of each point.
        points: ``(n, 3)`` rest positions.

    Returns:
        ``(..., n, 3)`` posed positions.
    """
    chosen = transforms[..., bones, :, :]
    return np.asarray((chosen[..., :3] @ points[:, :, None])[..., 0] + chosen[..., 3])


@dataclass(frozen=True)
class Choreography:
    """A motion over T frames, of anybody.

    Attributes:
        rotations: ``(T, bones, 3, 3)`` relative to the parent bone.
        path: ``(T, 2)`` x and z of the place where the person stands, in leg lengths.
        lift: ``(T,)`` height of a jump in leg lengths.
        plant: ``(T, 2)`` weight with which the left and the right foot hold their place; rows sum to 1.
    """

    rotations: Floats
    path: Floats
    lift: Floats
    plant: Floats


def stand(rig: Rig, moves: Choreography) -> Floats:
    """Puts a moving body on the floor.

    The lowest point of the soles touches the floor (y = 0), raised by the jump; horizontally the planted feet stay
    where the path is, and the hips give way. The transforms are as of :func:`place`.
    """
    transforms = place(rig, moves.rotations)
    left, right = BONE["l_foot"], BONE["r_foot"]
    soles = np.concatenate([rig.soles, rig.soles * [-1, 1, 1]])
    bones = np.repeat([left, right], len(rig.soles))
    floor = carry(transforms, bones, soles)[..., 1].min(axis=1)
    ankles = carry(transforms, np.array([left, right]), rig.joints[[left, right]])
    # In the rest pose the ankles' middle is below the hips: only what the legs' angles change moves the hips.
    stance = transforms[:, BONE["pelvis"], None, :3, 0] * rig.joints[left, 0]  # half the distance between the feet
    held = np.einsum("tf,tfi->ti", moves.plant, ankles - np.array([[1.0], [-1.0]]) * stance)
    x, z = rig.leg * moves.path.T
    shift = np.stack([x - held[:, 0], moves.lift * rig.leg - floor, z - held[:, 2]], 1)
    transforms[..., 3] += shift[:, None]
    return transforms
