"""Motions and bodies: the same angles for everyone, feet on the floor, limbs of constant length."""

from __future__ import annotations

import numpy as np
import pytest

from datamodules.puppets import MOTIONS, PEOPLE
from datamodules.puppets.actors import actor
from datamodules.puppets.bodies import BONE, PARENTS, Floats, carry, stand
from datamodules.puppets.choreography import choreograph
from motioncopy.errors import DataError


def _pose(person: str, motion: str, seed: int = 2, frames: int = 60) -> tuple[Floats, Floats]:
    """Rotations ``(T, bones, 3, 3)`` in the world and joint positions ``(T, bones, 3)``."""
    rig = actor(person).rig
    moves = choreograph(motion, seed, frames, 25.0)
    transforms = stand(rig, moves)
    return transforms[..., :3], carry(transforms, np.arange(len(PARENTS)), rig.joints)


@pytest.mark.parametrize("motion", MOTIONS)
def test_an_imitation_has_the_drivers_angles_and_the_persons_limbs(motion: str) -> None:
    (angles_a, joints_a), (angles_b, joints_b) = _pose("finn", motion), _pose("gita", motion)
    np.testing.assert_allclose(angles_a, angles_b, atol=1e-12)
    for person, joints in (("finn", joints_a), ("gita", joints_b)):
        rest = actor(person).rig.joints
        for bone, parent in enumerate(PARENTS):
            if parent >= 0:
                length = np.linalg.norm(joints[:, bone] - joints[:, parent], axis=-1)
                np.testing.assert_allclose(length, np.linalg.norm(rest[bone] - rest[parent]), atol=1e-9)
    assert np.abs(joints_a - joints_b).max() > 0.1


@pytest.mark.parametrize("motion", MOTIONS)
def test_people_stand_on_the_floor(motion: str) -> None:
    rig = actor("ben").rig
    moves = choreograph(motion, 5, 50, 25.0)
    transforms = stand(rig, moves)
    soles = np.concatenate([rig.soles, rig.soles * [-1, 1, 1]])
    lowest = carry(transforms, np.repeat([BONE["l_foot"], BONE["r_foot"]], len(rig.soles)), soles)[..., 1].min(axis=1)
    np.testing.assert_allclose(lowest, moves.lift * rig.leg, atol=1e-9)
    assert np.abs(transforms[:, 0, [0, 2], 3]).max() < 1.0


@pytest.mark.parametrize("motion", MOTIONS)
def test_motions_move_smoothly_and_vary_by_seed(motion: str) -> None:
    joints = _pose("ana", motion)[1]
    step = np.linalg.norm(np.diff(joints, axis=0), axis=-1)
    assert step.max() < 0.4  # metres in a 25th of a second
    assert np.ptp(joints, axis=0).max() > 0.15
    assert np.abs(joints - _pose("ana", motion, seed=3)[1]).max() > 0.05


def test_some_seeds_swap_left_and_right() -> None:
    lifted = [
        np.ptp(_pose("ana", "wave", seed)[1][:, [BONE["l_hand"], BONE["r_hand"]], 1], axis=0) for seed in range(8)
    ]
    waving = {int(np.argmax(reach)) for reach in lifted}
    assert waving == {0, 1}


def test_motions_have_depth() -> None:
    assert np.ptp(_pose("ana", "kicks")[1][:, BONE["l_foot"], 2]) > 0.3


def test_people_differ() -> None:
    assert len(PEOPLE) >= 12
    heights = {actor(name).rig.body.height for name in PEOPLE}
    assert len(heights) > 10


def test_an_unknown_motion_is_refused() -> None:
    with pytest.raises(DataError, match="unknown motion"):
        choreograph("swim", 1, 5, 25.0)
