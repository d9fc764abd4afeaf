"""Retargeting on bodies whose limb lengths are known."""

from __future__ import annotations

import logging
import math

import pytest
import torch
from torch import Tensor

from motioncopy.batch import Motion
from motioncopy.poses.normalise import normalise_motion
from motioncopy.poses.retarget import Retargeted, retarget, retargetable
from motioncopy.skeletons import BODY25, COCO18, FISH21, HAND21, MOUSE5, view
from tests.motioncopy.poses.people import SIZE, hide, motion, moving, person, placed

LEGS = tuple(n for n in BODY25.joints if n.endswith(("knee", "ankle", "toe", "heel")))
# Lengths of the target's limbs relative to the driver's, by the limb's far joint; all others 1.2.
BUILD = {"neck": 1.1, "shoulder": 1.35, "elbow": 1.0, "wrist": 1.1, "hip": 1.3, "knee": 1.25, "ankle": 1.2}


def built(joints: Tensor) -> Tensor:
    """The same directions on another build, the ankles' middle at x 140 and the feet's line at y 200."""
    out = joints.clone()
    done = [BODY25.index("mid_hip")]
    out[:, done[0], :2] = 0
    for joint in done:
        for pair in BODY25.limbs:
            if joint in pair:
                child = pair[0] if pair[1] == joint else pair[1]
                if child not in done:
                    ratio = BUILD.get(BODY25.joints[child].removeprefix("left_").removeprefix("right_"), 1.2)
                    out[:, child, :2] = out[:, joint, :2] + ratio * (joints[:, child, :2] - joints[:, joint, :2])
                    done.append(child)
    ankles = out[:, [BODY25.index("left_ankle"), BODY25.index("right_ankle")], :2]
    line = 0.6 * ankles[..., 1].amax(dim=1) + 0.4 * ankles[..., 1].amin(dim=1)
    out[..., 0] += 140 - ankles[..., 0].mean(dim=1, keepdim=True)
    out[..., 1] += 200 - line[:, None]
    return out


def swinging(frames: int) -> Tensor:
    """A person whose arms turn in the picture's plane, at full length in every frame."""
    joints = person().repeat(frames, 1, 1)
    # Both sides alike: lengths are shared between them.
    for left, right in BODY25.pairs:
        joints[:, left] = joints[:, right]
        joints[:, left, 0] = 127 - joints[:, right, 0]
    for side, sign in (("left", 1), ("right", -1)):
        shoulder, elbow, wrist = (BODY25.index(f"{side}_{n}") for n in ("shoulder", "elbow", "wrist"))
        angle = sign * torch.linspace(0.2, 2.6, frames)
        for joint, parent, length, turn in ((elbow, shoulder, 18.0, 1.0), (wrist, elbow, 15.0, 1.3)):
            way = torch.stack([(turn * angle).sin(), (turn * angle).cos()], dim=-1)
            joints[:, joint, :2] = joints[:, parent, :2] + length * way
    return joints


def moved(source: Tensor, target: Tensor, target_size: tuple[int, int] = SIZE) -> Retargeted:
    return retarget(source, target, BODY25, SIZE, target_size)


def limb(joints: Tensor, a: str, b: str) -> Tensor:
    return (joints[:, BODY25.index(b)] - joints[:, BODY25.index(a)])[:, :2]


def test_the_drivers_directions_on_the_targets_lengths() -> None:
    """Every limb, the feet's line, and the place in an image of another size."""
    source = swinging(24)
    target = built(source)
    found = moved(source, target.flip(0), (240, 281)).joints  # the middle of an image 281 wide is at 140
    torch.testing.assert_close(found, target, atol=0.02, rtol=0)


def test_coco18_as_body25() -> None:
    source = swinging(24)
    target = built(source)
    found = retarget(view(source, BODY25, COCO18), view(target, BODY25, COCO18), COCO18, SIZE, (240, 281)).joints
    for a, b in (("neck", "left_shoulder"), ("left_shoulder", "left_elbow"), ("left_hip", "left_knee")):
        got, want = (s[:, k.index(b), :2] - s[:, k.index(a), :2] for s, k in ((found, COCO18), (target, BODY25)))
        torch.testing.assert_close(got, want, atol=0.02, rtol=0)


@pytest.mark.parametrize("frames", [1, 4, 30])
def test_oneself_stays_where_one_is(frames: int) -> None:
    clip = moving(frames)
    torch.testing.assert_close(moved(clip, clip).joints, clip, atol=1e-3, rtol=0)


def test_a_foreshortened_limb_keeps_its_share_of_the_full_length() -> None:
    """The forearm points at the camera for two frames of thirty: 60% of 15 becomes 60% of 16.5."""
    source = swinging(30)
    target = built(source)
    wrist, elbow = BODY25.index("left_wrist"), BODY25.index("left_elbow")
    for frame in (7, 8):
        source[frame, wrist, :2] = source[frame, elbow, :2] + 0.6 * limb(source, "left_elbow", "left_wrist")[frame]
    seen = limb(moved(source, target).joints, "left_elbow", "left_wrist").norm(dim=-1)
    assert seen[7].item() == pytest.approx(0.6 * 16.5, abs=0.02)
    assert seen[20].item() == pytest.approx(16.5, abs=0.02)


def test_a_limb_that_is_never_steady_keeps_the_drivers_proportion() -> None:
    """Its full length is not known: most of the time it is shorter than half."""
    source = swinging(30)
    target = placed(source, 1.5, 0, 0)
    for side in ("left", "right"):
        wrist, elbow = BODY25.index(f"{side}_wrist"), BODY25.index(f"{side}_elbow")
        share = torch.full((30, 1), 0.4)
        share[::3] = 0.8
        source[:, wrist, :2] = source[:, elbow, :2] + share * limb(source, f"{side}_elbow", f"{side}_wrist")
    ratio = limb(moved(source, target).joints, "left_elbow", "left_wrist").norm(dim=-1) / limb(
        source, "left_elbow", "left_wrist"
    ).norm(dim=-1)
    assert 1.5 <= ratio[0].item() < 1.55  # and not 1.5 / 0.8


def test_depth_follows_the_targets_range() -> None:
    """Both walk to the camera and double in size; the target does so further down and half as large."""
    scale = torch.linspace(0.5, 1.0, 40)
    source = placed(swinging(1).repeat(40, 1, 1), scale, 63.5 * (1 - scale), 40 * (scale - 1))
    target = placed(source, 0.5, 63.5 / 2, 30.0)
    found = moved(source, target).joints
    for part in (("neck", "mid_hip"), ("left_hip", "left_knee")):
        size = limb(found, *part).norm(dim=-1) / limb(target, *part).norm(dim=-1)
        assert (size - 1).abs().max() < 0.12  # the size is taken as linear between the 5th and the 95th percentile
    ankle = BODY25.index("left_ankle")
    torch.testing.assert_close(found[..., ankle, 1], target[..., ankle, 1], atol=1.0, rtol=0)


def test_a_jump_is_no_depth() -> None:
    """The body keeps its size, and the jump is scaled with it."""
    source = swinging(30)
    source[10:14, :, 1] -= 30
    target = placed(swinging(30), 0.5, 30, 40)
    found = moved(source, target).joints
    torso = limb(found, "neck", "mid_hip").norm(dim=-1)
    torch.testing.assert_close(torso, torso[:1].expand_as(torso), atol=1e-3, rtol=0)
    ankle = found[:, BODY25.index("left_ankle"), 1]
    assert (ankle[0] - ankle[11]).item() == pytest.approx(15, abs=0.05)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """What is logged, even where a package of an earlier test has switched off all loggers that it did not know."""
    monkeypatch.setattr(logging.getLogger("motioncopy.poses.retarget"), "disabled", False)
    return caplog


def test_no_legs_in_view(said: pytest.LogCaptureFixture) -> None:
    """The trunk gives the scale and stands at the height at which the target's does; it says so."""
    source, target = hide(swinging(20), *LEGS), placed(swinging(20), 1.5, 0, -20)
    found = moved(source, target).joints
    seen = source[..., 2] > 0
    assert "no pair of ankles" in said.text
    torch.testing.assert_close(found[seen][:, 1], target[seen][:, 1], atol=0.05, rtol=0)
    torch.testing.assert_close(found[~seen], source[~seen])


def test_one_reference_frame(said: pytest.LogCaptureFixture) -> None:
    source = swinging(20)
    found = moved(source, placed(source[:1], 1.5, 0, -20)).joints
    assert "1 reference frames" in said.text
    torch.testing.assert_close(limb(found, "neck", "mid_hip"), 1.5 * limb(source, "neck", "mid_hip"))


def test_nothing_in_common_keeps_the_size(said: pytest.LogCaptureFixture) -> None:
    arms = tuple(n for n in BODY25.joints if n.endswith(("shoulder", "elbow", "wrist")) or n in ("neck", "nose"))
    rest = tuple(n for n in BODY25.joints if n not in arms)
    source = hide(moving(6), *rest)
    found = moved(source, hide(placed(moving(6), 2, 0, 0), *arms)).joints
    assert "share no limb" in said.text
    torch.testing.assert_close(
        limb(found, "left_elbow", "left_wrist"), limb(source, "left_elbow", "left_wrist"), atol=1e-3, rtol=0
    )


def test_missing_joints_stay_missing_and_their_children_keep_their_place() -> None:
    source = swinging(24)
    target = built(source)
    holes = source.clone()
    holes[5:9, BODY25.index("left_elbow")] = torch.tensor([-1e4, 3e4, 0.0])
    holes[12, BODY25.index("mid_hip")] = torch.tensor([-1e4, 3e4, 0.0])
    holes[15, BODY25.index("left_ankle")] = torch.tensor([-1e4, 3e4, 0.0])
    holes[17, :, :2], holes[17, :, 2] = -1e4, 0
    found = moved(holes, target, (240, 281)).joints
    seen = holes[..., 2] > 0
    torch.testing.assert_close(found[~seen], holes[~seen])
    others = seen.clone()
    others[[*range(5, 9), 12]] = False
    torch.testing.assert_close(found[others], target[others], atol=0.1, rtol=0)
    wrist = BODY25.index("left_wrist")  # one ratio for both limbs, 1.1 instead of 1.0 and 1.1
    assert (found[5:9, wrist] - target[5:9, wrist]).norm(dim=-1).max() < 3
    assert (found[12][seen[12]] - target[12][seen[12]]).norm(dim=-1).max() < 6


def test_doubtful_joints_give_no_length() -> None:
    source = swinging(30)
    target = built(source)
    target[::2, BODY25.index("neck"), :2] += 40
    target[::2, BODY25.index("neck"), 2] = 0.2
    found = moved(source, target).joints
    size = limb(found, "neck", "mid_hip").norm(dim=-1) / limb(source, "neck", "mid_hip").norm(dim=-1)
    torch.testing.assert_close(size, torch.full_like(size, 1.1), atol=1e-3, rtol=0)


def test_hands_and_face_hang_on_the_body() -> None:
    driver = motion(9)
    assert driver.hand_left is not None
    assert driver.face is not None
    reference = Motion(placed(moving(12), 1.7, 5, 9)[None], "body25", (256, 256))
    there = normalise_motion("retarget", driver, reference)
    assert there.hand_left is not None
    assert there.face is not None
    for before, after, at in ((driver.hand_left, there.hand_left, "left_wrist"), (driver.face, there.face, "nose")):
        j = BODY25.index(at)
        here = before[..., :2] - driver.joints[..., j : j + 1, :2]
        now = after[..., :2] - there.joints[..., j : j + 1, :2]
        seen = (before[..., 2] > 0) & (driver.joints[..., j : j + 1, 2] > 0)
        ratio = now[seen].norm(dim=-1) / here[seen].norm(dim=-1)
        ratio = ratio[ratio.isfinite()]
        assert ratio.std().item() < 1e-2
        assert math.isclose(ratio.mean().item(), 1.7, rel_tol=0.15)
        torch.testing.assert_close(after[..., 2], before[..., 2])


def test_a_hand_without_its_wrist_follows_the_arm() -> None:
    driver = motion(9)
    assert driver.hand_left is not None
    hidden = Motion(
        hide(driver.joints, "left_wrist"), driver.skeleton, driver.size, hand_left=driver.hand_left, face=driver.face
    )
    there = normalise_motion("retarget", hidden, Motion(driver.joints, "body25", SIZE))
    assert there.hand_left is not None
    torch.testing.assert_close(there.hand_left, driver.hand_left, atol=0.5, rtol=0)


def test_which_bodies_have_limbs() -> None:
    assert [s.name for s in (BODY25, COCO18, FISH21, MOUSE5, HAND21) if retargetable(s)] == ["body25", "coco18"]
