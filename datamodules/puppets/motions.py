"""What puppets do: joint angles over time, the same for every body.

A motion is a function of a phase (radians) that gives curves by name. Names are ``<bone>.<axis>`` in radians:
``flex`` swings a limb forwards (knees backwards, feet up) and bends the trunk forwards, ``side`` moves a limb
outwards and leans the trunk to the person's left, ``twist`` turns a limb outwards and the trunk to the person's left.
Beside them: ``yaw`` of the whole body, the path ``x`` and ``z`` and the jump ``lift`` in leg lengths, and ``plant``,
the share of the left foot in holding the ground.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from datamodules.puppets.bodies import Floats

Curves = dict[str, Floats]


def _up(p: Floats) -> Floats:
    """0 at phase 0, 1 at half a turn, and back."""
    return np.asarray((1 - np.cos(p)) / 2)


def _half(p: Floats) -> Floats:
    """The positive half of a sine."""
    return np.asarray(np.maximum(np.sin(p), 0))


def _both(**curves: Floats | float) -> Curves:
    """The same curve for the left and the right: ``upper_arm_side`` gives ``l_upper_arm.side`` and its twin."""
    split = {name: name.rsplit("_", 1) for name in curves}
    return {f"{s}_{split[n][0]}.{split[n][1]}": np.asarray(c, float) for n, c in curves.items() for s in ("l", "r")}


def _sides(make: Callable[[Floats], dict[str, Floats]], p: Floats) -> Curves:
    """The left side by ``make(p)``, the right half a turn later."""
    left, right = make(p), make(p + np.pi)
    return {f"l_{k}": v for k, v in left.items()} | {f"r_{k}": v for k, v in right.items()}


def _level_feet(curves: Curves, amount: float = 1.0) -> Curves:
    """Keeps the soles level: the ankle undoes what hip and knee did."""
    zero = np.zeros(1)
    for s in ("l", "r"):
        thigh, shin = curves.get(f"{s}_thigh.flex", zero), curves.get(f"{s}_shin.flex", zero)
        curves[f"{s}_foot.flex"] = amount * (shin - thigh)
        curves[f"{s}_foot.side"] = -amount * curves.get(f"{s}_thigh.side", zero)
    return curves


def _walk(p: Floats, slow: Floats) -> Curves:
    def leg(q: Floats) -> dict[str, Floats]:
        return {
            "thigh.flex": 0.08 + 0.45 * np.cos(q),
            "shin.flex": 0.12 + 0.95 * _half(-q) ** 1.3,
            "upper_arm.flex": -0.5 * np.cos(q),
            "forearm.flex": 0.4 - 0.25 * np.cos(q),
        }

    return _level_feet(_sides(leg, p) | _both(upper_arm_side=0.12, thigh_side=0.03), 0.5) | {
        "yaw": 1.1 * np.sin(slow),
        "x": 0.22 * np.sin(slow * 0.8),
        "pelvis.twist": -0.1 * np.cos(p),
        "chest.twist": 0.22 * np.cos(p),
        "spine.flex": np.full_like(p, 0.05),
        "pelvis.side": 0.04 * np.sin(p),
    }


def _turn_round(p: Floats, slow: Floats) -> Curves:
    step = 4 * p

    def side(q: Floats) -> dict[str, Floats]:
        lift = _half(q)
        return {"thigh.flex": 0.1 + 0.45 * lift, "shin.flex": 0.15 + 0.8 * lift, "forearm.flex": 0.5 + 0.3 * lift}

    arms = _both(upper_arm_side=0.35 + 0.3 * np.sin(slow), upper_arm_flex=0.15 + 0.2 * np.sin(step))
    return _level_feet(_sides(side, step) | arms | _both(thigh_side=0.07)) | {
        "yaw": p,
        "x": 0.05 * np.sin(slow),
        "spine.side": 0.05 * np.sin(step),
        "head.twist": 0.35 + 0.1 * np.sin(step),
    }


def _jumping_jacks(p: Floats, slow: Floats) -> Curves:
    wide = _up(p)
    spring = _half(p) ** 2 + _half(p + np.pi) ** 2
    legs = _both(thigh_side=0.04 + 0.4 * wide, thigh_flex=0.22 * (1 - spring), shin_flex=0.44 * (1 - spring))
    arms = _both(upper_arm_side=0.15 + 2.5 * wide, forearm_flex=0.2 + 0.25 * np.sin(p) ** 2, upper_arm_twist=0.5 * wide)
    return _level_feet(legs | arms) | {"lift": 0.12 * spring, "yaw": 0.35 * np.sin(slow)}


def _squats(p: Floats, slow: Floats) -> Curves:
    down = _up(p)
    legs = _both(thigh_flex=1.35 * down + 0.05, shin_flex=2.05 * down + 0.1, thigh_side=0.2, thigh_twist=0.25)
    arms = _both(upper_arm_flex=1.45 * down, upper_arm_side=0.12, forearm_flex=0.25 + 0.3 * np.sin(slow) * down)
    return _level_feet(legs | arms) | {
        "yaw": 0.8 * np.sin(slow),
        "pelvis.flex": 0.3 * down,
        "spine.flex": 0.25 * down,
        "head.flex": -0.35 * down,
        "l_thigh.flex": 1.35 * down + 0.05 + 0.3 * down,
        "r_thigh.flex": 1.35 * down + 0.05 + 0.3 * down,
    }


def _groove(p: Floats, slow: Floats) -> Curves:
    bounce = _up(2 * p)

    def arm(q: Floats) -> dict[str, Floats]:
        return {
            "upper_arm.flex": 0.35 + 0.75 * np.sin(q),
            "upper_arm.side": 0.45 + 0.25 * np.sin(q + slow),
            "forearm.flex": 1.35 + 0.55 * np.sin(q + 1.0),
            "upper_arm.twist": 0.3 * np.sin(q + slow),
            "thigh.flex": 0.12 + 0.3 * bounce + 0.15 * np.sin(q),
            "shin.flex": 0.2 + 0.6 * bounce + 0.2 * np.sin(q),
        }

    return _level_feet(_sides(arm, p) | _both(thigh_side=0.14, thigh_twist=0.2), 0.9) | {
        "yaw": 0.55 * np.sin(slow),
        "x": 0.1 * np.sin(p),
        "pelvis.side": 0.14 * np.sin(p),
        "spine.side": -0.2 * np.sin(p),
        "chest.twist": 0.25 * np.sin(p),
        "pelvis.twist": -0.2 * np.sin(p),
        "head.flex": 0.15 * np.sin(2 * p),
        "head.side": 0.12 * np.sin(p),
    }


def _side_steps(p: Floats, slow: Floats) -> Curves:
    apart = np.sin(2 * p) ** 2
    clap = _half(2 * p + 0.4)
    legs = _both(thigh_side=0.04 + 0.3 * apart, thigh_flex=0.2 + 0.12 * apart, shin_flex=0.4 + 0.2 * apart)
    arms = _both(
        upper_arm_flex=0.3 + 0.75 * clap,
        upper_arm_side=0.75 - 0.6 * clap,
        upper_arm_twist=-0.5 * clap,
        forearm_flex=0.5 + 0.9 * clap,
    )
    return _level_feet(legs | arms) | {
        "x": 0.24 * np.sin(p),
        "yaw": 0.4 * np.cos(p) + 0.3 * np.sin(slow),
        "spine.side": 0.15 * np.cos(p),
        "head.twist": 0.3 * np.cos(p),
    }


def _boxing(p: Floats, slow: Floats) -> Curves:
    def arm(q: Floats) -> dict[str, Floats]:
        punch = _half(q) ** 2
        return {
            "upper_arm.flex": 0.55 + 0.95 * punch,
            "upper_arm.side": 0.2 + 0.1 * punch,
            "forearm.flex": 2.15 - 1.95 * punch,
            "upper_arm.twist": -0.35 * punch - 0.15,
        }

    bounce = 0.1 * np.sin(2 * p)
    legs = {
        "l_thigh.flex": 0.5 + bounce,
        "l_shin.flex": 0.5 + bounce,
        "r_thigh.flex": -0.1 + bounce,
        "r_shin.flex": 0.5 + bounce,
    }
    return _level_feet(_sides(arm, p) | legs | _both(thigh_side=0.1), 0.9) | {
        "yaw": 0.6 * np.sin(slow) - 0.25,
        "chest.twist": -0.35 * np.sin(p),
        "pelvis.twist": -0.25 * np.sin(p),
        "spine.flex": np.full_like(p, 0.12),
        "x": 0.12 * np.sin(slow * 1.3),
        "head.twist": 0.4 * np.sin(p),
    }


def _stretch(p: Floats, slow: Floats) -> Curves:
    def arm(q: Floats) -> dict[str, Floats]:
        over = _half(q) ** 0.7
        return {
            "upper_arm.side": 0.35 + 2.35 * over,
            "forearm.flex": 1.0 - 0.5 * over,
            "upper_arm.twist": -0.7 + 1.2 * over,
        }

    return _level_feet(_sides(arm, p) | _both(thigh_side=0.25, thigh_flex=0.08, shin_flex=0.12)) | {
        "yaw": 0.5 * np.sin(slow),
        "spine.side": -0.25 * np.sin(p),
        "chest.side": -0.28 * np.sin(p),
        "head.side": -0.2 * np.sin(p),
        "spine.flex": 0.35 * _up(2 * p + slow),
        "pelvis.side": 0.05 * np.sin(p),
    }


def _march(p: Floats, slow: Floats) -> Curves:
    def side(q: Floats) -> dict[str, Floats]:
        knee = _half(q)
        return {
            "thigh.flex": 1.35 * knee,
            "shin.flex": 0.08 + 1.5 * knee,
            "upper_arm.flex": -0.75 * np.sin(q),
            "forearm.flex": 1.45 + 0.2 * np.sin(q),
        }

    return _level_feet(_sides(side, p) | _both(upper_arm_side=0.15, thigh_side=0.04)) | {
        "yaw": 0.9 * np.sin(slow),
        "chest.twist": 0.15 * np.sin(p),
        "lift": 0.02 * np.sin(p) ** 2,
        "plant": 0.5 - 0.4 * np.tanh(2 * np.sin(p)),
    }


def _lunges(p: Floats, slow: Floats) -> Curves:
    def side(q: Floats) -> dict[str, Floats]:
        front, back = _half(q), _half(q + np.pi)
        return {
            "thigh.flex": 1.2 * front - 0.35 * back + 0.03,
            "shin.flex": 1.2 * front + 0.9 * back + 0.06,
            "foot.flex": 0.75 * back,
            "upper_arm.flex": 0.5 * back - 0.35 * front,
        }

    pose = _both(upper_arm_side=0.55, forearm_flex=1.7, upper_arm_twist=-0.75, thigh_side=0.05)
    return (
        _sides(side, p)
        | pose
        | {
            "yaw": 0.75 + 0.5 * np.sin(slow),
            "spine.flex": 0.12 * np.abs(np.sin(p)),
            "head.twist": -0.3 + 0.2 * np.sin(slow),
        }
    )


def _wave(p: Floats, slow: Floats) -> Curves:
    sway = np.sin(slow * 1.5)
    lifted = 0.75 + 0.25 * np.sin(slow)
    return _level_feet(
        _both(thigh_side=0.08, thigh_flex=0.06, shin_flex=0.12)
        | {
            "r_upper_arm.side": 1.55 * lifted,
            "r_upper_arm.twist": 1.35 * lifted,
            "r_forearm.flex": 1.35 + 0.5 * np.sin(2 * p),
            "r_hand.side": 0.3 * np.sin(2 * p - 0.8),
            "l_upper_arm.side": 0.25 + 0.15 * np.sin(p),
            "l_forearm.flex": 0.45 + 0.2 * sway,
        }
    ) | {
        "yaw": 0.35 * sway,
        "pelvis.side": 0.08 * np.sin(p),
        "spine.side": 0.1 * np.sin(p + 0.4),
        "x": 0.04 * np.sin(p),
        "head.side": 0.12 * np.sin(p),
        "head.twist": -0.25 * lifted,
    }


def _kicks(p: Floats, slow: Floats) -> Curves:
    def side(q: Floats) -> dict[str, Floats]:
        kick = _half(q)
        return {
            "thigh.flex": 1.5 * kick**1.5 + 0.12,
            "thigh.side": 0.08 + 0.35 * kick * (0.5 + 0.5 * np.sin(slow)),
            "shin.flex": 0.2 + 2.4 * kick * (1 - kick**2),
            "foot.flex": 0.1 - 0.4 * kick,
            "upper_arm.flex": 0.45 - 0.75 * kick,
            "upper_arm.side": 0.25 + 0.5 * kick,
            "forearm.flex": 1.7 - 1.0 * kick,
        }

    return _sides(side, p) | {
        "plant": 0.5 - 0.5 * np.tanh(4 * np.sin(p)),
        "yaw": 0.7 * np.sin(slow),
        "spine.flex": -0.18 * np.abs(np.sin(p)) ** 2,
        "chest.twist": 0.2 * np.sin(p),
        "pelvis.side": 0.06 * np.sin(p),
        "head.flex": 0.12 * np.abs(np.sin(p)),
    }


def _tai_chi(p: Floats, slow: Floats) -> Curves:
    def arm(q: Floats) -> dict[str, Floats]:
        return {
            "upper_arm.flex": 0.75 + 0.6 * np.sin(q),
            "upper_arm.side": 0.45 + 0.5 * np.cos(q),
            "forearm.flex": 1.05 - 0.55 * np.cos(q),
            "upper_arm.twist": 0.5 * np.cos(q) - 0.4,
            "hand.flex": 0.4 * np.sin(q - 1.0),
            "thigh.flex": 0.45 + 0.3 * np.sin(q),
            "shin.flex": 0.75 + 0.4 * np.sin(q),
        }

    return _level_feet(_sides(arm, p) | _both(thigh_side=0.32, thigh_twist=0.3)) | {
        "x": 0.12 * np.sin(p),
        "yaw": 0.5 * np.sin(slow),
        "chest.twist": 0.35 * np.sin(p),
        "spine.twist": 0.25 * np.sin(p),
        "head.twist": 0.3 * np.sin(p - 0.6),
    }


def _disco(p: Floats, slow: Floats) -> Curves:
    point = _up(p)
    pop = _half(2 * p)
    return _level_feet(
        {
            "r_upper_arm.side": 0.2 + 2.2 * point,
            "r_upper_arm.flex": 0.9 * (1 - point),
            "r_forearm.flex": 0.25 + 0.7 * (1 - point),
            "r_upper_arm.twist": -0.6 * (1 - point),
            "l_upper_arm.side": 0.8 + 0.12 * np.sin(2 * p),
            "l_upper_arm.twist": np.full_like(p, -0.9),
            "l_forearm.flex": np.full_like(p, 1.75),
            "l_thigh.flex": 0.1 + 0.55 * pop,
            "l_shin.flex": 0.15 + 0.95 * pop,
            "r_thigh.flex": np.full_like(p, 0.08),
            "r_shin.flex": np.full_like(p, 0.16),
        }
        | _both(thigh_side=0.22),
        0.8,
    ) | {
        "yaw": 0.6 * np.sin(slow),
        "pelvis.side": 0.16 * np.sin(2 * p),
        "spine.side": -0.18 * np.sin(2 * p),
        "x": 0.07 * np.sin(2 * p),
        "chest.side": 0.15 * np.cos(p),
        "pelvis.twist": 0.2 * np.sin(p),
        "head.twist": -0.4 + 0.7 * point,
        "head.flex": -0.2 * point,
    }


#: Every motion's curves as a function of the phase and of a slow phase (radians), and its period in seconds.
CURVES: dict[str, tuple[Callable[[Floats, Floats], Curves], float]] = {
    "walk": (_walk, 1.15), "turn_round": (_turn_round, 3.2), "jumping_jacks": (_jumping_jacks, 1.15),
    "squats": (_squats, 2.3), "groove": (_groove, 1.3), "side_steps": (_side_steps, 2.6), "boxing": (_boxing, 1.2),
    "stretch": (_stretch, 3.6), "march": (_march, 1.2), "lunges": (_lunges, 3.0), "wave": (_wave, 1.4),
    "kicks": (_kicks, 2.4), "tai_chi": (_tai_chi, 4.2), "disco": (_disco, 1.6),
}  # fmt: skip
MOTIONS: tuple[str, ...] = tuple(CURVES)
