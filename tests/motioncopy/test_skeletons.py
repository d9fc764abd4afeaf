from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from motioncopy.errors import SkeletonError
from motioncopy.skeletons import (
    BODY25,
    COCO18,
    FACE70,
    FISH21,
    HAND21,
    MOUSE5,
    SKELETONS,
    Skeleton,
    skeleton,
    view,
)

ALL = list(SKELETONS.values())


@pytest.mark.parametrize("body", ALL, ids=lambda s: s.name)
def test_joints_limbs_and_pairs_are_consistent(body: Skeleton) -> None:
    assert len(set(body.joints)) == len(body) == len(body.joints)
    assert len({frozenset(limb) for limb in body.limbs}) == len(body.limbs)
    for a, b in body.limbs + body.pairs:
        assert a != b
        assert 0 <= a < len(body)
        assert 0 <= b < len(body)
    for left, right in body.pairs:
        assert body.joints[left].replace("left_", "right_") == body.joints[right]
    assert skeleton(body.name) is body


@pytest.mark.parametrize("body", [BODY25, COCO18, FISH21, MOUSE5, HAND21], ids=lambda s: s.name)
def test_limbs_reach_every_joint_as_one_tree(body: Skeleton) -> None:
    assert len(body.limbs) == len(body) - 1
    reached = {body.limbs[0][0]}
    for _ in body.limbs:
        reached |= {j for limb in body.limbs if reached & set(limb) for j in limb}
    assert reached == set(range(len(body)))


@pytest.mark.parametrize("body", ALL, ids=lambda s: s.name)
def test_mirroring_twice_changes_nothing(body: Skeleton) -> None:
    mirror = body.mirror
    assert sorted(mirror) == list(range(len(body)))
    assert [mirror[j] for j in mirror] == list(range(len(body)))


def test_openpose_numbers() -> None:
    """The ids that papers and JSON files use."""
    body = {0: "nose", 1: "neck", 4: "right_wrist", 7: "left_wrist", 8: "mid_hip", 11: "right_ankle", 14: "left_ankle"}
    body |= {15: "right_eye", 16: "left_eye", 17: "right_ear", 18: "left_ear", 19: "left_big_toe", 22: "right_big_toe"}
    assert {i: BODY25.joints[i] for i in body} == body
    coco = {10: "right_ankle", 13: "left_ankle", 14: "right_eye", 15: "left_eye", 16: "right_ear", 17: "left_ear"}
    assert {i: COCO18.joints[i] for i in coco} == coco
    assert [len(s) for s in (BODY25, COCO18, FISH21, MOUSE5, HAND21, FACE70)] == [25, 18, 21, 5, 21, 70]
    assert [len(s.limbs) for s in (BODY25, COCO18, HAND21)] == [24, 17, 20]
    assert HAND21.joints[9] == "middle_1"
    assert (0, 9) in HAND21.limbs
    assert (11, 12) in HAND21.limbs


def test_mirror_swaps_left_and_right_only() -> None:
    mirror = BODY25.mirror
    assert BODY25.joints[mirror[BODY25.index("left_heel")]] == "right_heel"
    assert mirror[BODY25.index("nose")] == BODY25.index("nose")
    assert len(BODY25.pairs) == 11
    assert len(COCO18.pairs) == 8


def test_joints_by_name() -> None:
    assert BODY25.index("left_ear") == 18
    assert BODY25.has("left_ear", "nose")
    assert not COCO18.has("nose", "mid_hip")
    with pytest.raises(SkeletonError, match="tail_base"):
        MOUSE5.index("left_ear")
    with pytest.raises(SkeletonError, match="body25, coco18"):
        skeleton("smpl")


def test_body25_as_coco18_and_back() -> None:
    joints = torch.rand(2, 3, 25, 3)
    coco = view(joints, BODY25, COCO18)
    assert coco.shape == (2, 3, 18, 3)
    for name in COCO18.joints:
        assert torch.equal(coco[..., COCO18.index(name), :], joints[..., BODY25.index(name), :])
    back = view(coco, COCO18, BODY25)
    shared = [BODY25.index(n) for n in COCO18.joints]
    assert torch.equal(back[..., shared, :], joints[..., shared, :])
    left, right = joints[..., 12, :], joints[..., 9, :]
    torch.testing.assert_close(back[..., 8, :2], (left + right)[..., :2] / 2)
    torch.testing.assert_close(back[..., 8, 2], torch.minimum(left[..., 2], right[..., 2]))
    assert (back[..., BODY25.index("left_heel"), :] == 0).all()


def test_a_derived_joint_is_missing_where_a_parent_is() -> None:
    coco = torch.ones(18, 3)
    coco[COCO18.index("left_hip"), 2] = 0
    assert view(coco, COCO18, BODY25)[8, 2] == 0


@given(st.integers(0, 3), st.integers(1, 4))
def test_arrays_and_tensors_are_viewed_alike(batch: int, frames: int) -> None:
    joints = np.random.default_rng(0).random((batch, frames, 18, 3)).astype(np.float32)
    as_array = view(joints, COCO18, BODY25)
    as_tensor = view(torch.from_numpy(joints), COCO18, BODY25)
    assert isinstance(as_array, np.ndarray)
    np.testing.assert_allclose(as_array, as_tensor.numpy(), rtol=1e-6)


def test_a_view_is_a_copy() -> None:
    joints = torch.zeros(25, 3)
    for target in (BODY25, COCO18):
        view(joints, BODY25, target).add_(1)
        assert (joints == 0).all()


@pytest.mark.parametrize(("source", "target"), [(BODY25, FISH21), (FISH21, COCO18), (BODY25, MOUSE5), (MOUSE5, BODY25)])
def test_bodies_of_another_kind_are_refused(source: Skeleton, target: Skeleton) -> None:
    with pytest.raises(SkeletonError, match="same kind of body"):
        view(torch.zeros(4, len(source), 3), source, target)


def test_joints_of_another_skeleton_are_refused() -> None:
    with pytest.raises(SkeletonError, match=r"\(\.\.\., 25, 3\)"):
        view(torch.zeros(4, 18, 3), BODY25, COCO18)
