from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from motioncopy.batch import Motion
from motioncopy.errors import BatchError, ConfigError, SkeletonError
from motioncopy.poses import measure
from motioncopy.poses.normalise import (
    NORMALISERS,
    SIMILARITIES,
    Pair,
    Similarity,
    move,
    normalise_motion,
    similarity,
)
from motioncopy.skeletons import BODY25, COCO18, FISH21, MOUSE5, Skeleton, skeleton, view
from tests.motioncopy.poses.people import SIZE, hide, motion, moving, person, placed


def normalise(name: str, source: Tensor, target: Tensor, body: Skeleton) -> Tensor:
    return move(name, Pair(source, target, body, SIZE, SIZE))(source)


def approaching(frames: int) -> Tensor:
    """A person who walks towards the camera: larger and lower in every frame."""
    scale = torch.linspace(0.5, 1.0, frames)
    return placed(moving(frames), scale, 64 - 64 * scale, 40 * (scale - 1))


def swimming(frames: int, skeleton: Skeleton) -> Tensor:
    """A straight chain of joints that turns about the middle of the image."""
    along = torch.linspace(-30, 30, len(skeleton))
    angle = torch.linspace(0, 3, frames)[:, None]
    return torch.stack([64 + along * angle.cos(), 64 + along * angle.sin(), torch.ones(frames, len(along))], dim=-1)


@pytest.mark.parametrize("name", ["edn", "head_translation", "global_height", "none"])
@pytest.mark.parametrize("clip", [moving(20), approaching(20)], ids=["standing", "approaching"])
def test_oneself_stays_where_one_is(name: str, clip: Tensor) -> None:
    found = similarity(name, Pair(clip, clip, BODY25, SIZE, SIZE))
    torch.testing.assert_close(replace(found, median=1)(clip), clip, atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", ["edn", "global_height"])
@pytest.mark.parametrize("factor", [2.0, 0.5])
def test_a_body_of_another_size_maps_exactly(name: str, factor: float) -> None:
    """The target performs the same motion, twice as tall; the source stands in the middle of its image."""
    source = moving(20)
    size = (256, 256) if factor == 2 else (64, 64)
    target = placed(source, factor, (factor - 1) / 2, 9.0)
    found = similarity(name, Pair(source, target, BODY25, SIZE, size))
    torch.testing.assert_close(replace(found, median=1)(source), target, atol=1e-3, rtol=0)


def test_edn_maps_depth_as_well_as_size() -> None:
    """The source walks towards the camera over twice the target's range and is twice as tall all along."""
    source = approaching(40)
    target = placed(source, 0.5, 127 / 4, 30.0)
    found = similarity("edn", Pair(source, target, BODY25, SIZE, SIZE))
    expected = target.clone()
    torch.testing.assert_close(replace(found, median=1)(source), expected, atol=1e-2, rtol=0)


def test_edn_brings_the_feet_to_the_same_share_of_the_targets_range() -> None:
    source, target = approaching(40), placed(approaching(40), 0.5, 0.0, 10.0)[10:30]
    moved = replace(similarity("edn", Pair(source, target, BODY25, SIZE, SIZE)), median=1)(source)
    s_far, s_close = measure.depth_range(measure.stature(source, BODY25).foot)
    t_far, t_close = measure.depth_range(measure.stature(target, BODY25).foot)
    share = (measure.stature(source, BODY25).foot - s_far) / (s_close - s_far)
    torch.testing.assert_close(
        measure.stature(moved, BODY25).foot, t_far + share * (t_close - t_far), atol=1e-3, rtol=0
    )


def test_edn_does_not_widen_a_small_range() -> None:
    """A target that covers more depth: the source's feet move as far as they did, about the target's middle."""
    source, target = moving(30), approaching(30)
    source[:, :, 1] += torch.linspace(0, 4, 30)[:, None]
    before, after = (
        measure.stature(j, BODY25).foot
        for j in (source, replace(similarity("edn", Pair(source, target, BODY25, SIZE, SIZE)), median=1)(source))
    )
    torch.testing.assert_close(after - after[0], before - before[0], atol=1e-3, rtol=0)
    t_far, t_close = measure.depth_range(measure.stature(target, BODY25).foot)
    s_far, s_close = measure.depth_range(before)
    assert after.max() == pytest.approx(((t_far + t_close) / 2 + (s_close - s_far) / 2).item(), abs=1e-3)


def test_depth_range_ignores_raised_feet() -> None:
    foot = torch.tensor([100.0, 100, 100, 98, 97, 104, 50, 60])
    far, close = measure.depth_range(foot)
    assert close == 104
    median = foot.quantile(0.5)
    assert median - 0.5 * (close - median) < far <= median  # neither 50 nor 60


def test_edn_survives_a_jump_in_a_clip_without_depth() -> None:
    source = moving(30)
    source[:, :, 1] += torch.tensor([0.0, 2.0]).repeat(15)[:, None]
    source[10:14, :, 1] -= 40
    moved = normalise("edn", source, placed(moving(30), 0.5, 30, 50), BODY25)
    height = measure.stature(moved, BODY25).height
    assert height.min() > 0.4 * height.max()


def test_edn_takes_the_median_of_seven_frames() -> None:
    source = moving(1).repeat(21, 1, 1)
    source[10, :, 0] += 50  # one bad frame
    moved = normalise("edn", source, source, BODY25)
    torch.testing.assert_close(moved, moving(1).repeat(21, 1, 1), atol=1e-3, rtol=0)


def test_head_translation_is_equation_1() -> None:
    source, target = approaching(20), placed(moving(20), 0.7, 15, 40)
    moved = normalise("head_translation", source, target, BODY25)
    level, _ = measure.head_y(source, BODY25)
    goal, _ = measure.head_y(target, BODY25)
    expected = goal.min() + (level - level.min()) / (level.max() - level.min()) * (goal.max() - goal.min())
    torch.testing.assert_close(measure.head_y(moved, BODY25)[0], expected, atol=1e-3, rtol=0)
    torch.testing.assert_close(moved[..., 0], source[..., 0])
    torch.testing.assert_close((moved - source)[..., 1], (expected - level)[:, None].expand(20, 25), atol=1e-3, rtol=0)


def test_frame_height_gives_every_frame_the_targets_height_and_margin() -> None:
    source, target = approaching(10), placed(person()[None], 0.8, 3, 10)
    source[..., 0] = placed(source, 1, 5, 0)[..., 0]
    moved = normalise("frame_height", source, target, BODY25)
    top, bottom, _ = measure.rows(moved, BODY25)
    target_top, target_bottom, _ = measure.rows(target, BODY25)
    torch.testing.assert_close(bottom - top, (target_bottom - target_top).expand(10), atol=1e-3, rtol=0)
    torch.testing.assert_close(127 - bottom, ((127 - target_bottom) / 3).expand(10), atol=1e-3, rtol=0)
    scale = similarity("frame_height", Pair(source, target, BODY25, SIZE, SIZE)).scale[:, None]
    torch.testing.assert_close(moved[..., 0] - 63.5, scale * (source[..., 0] - 63.5), atol=1e-3, rtol=0)


def test_frame_height_leaves_arms_out() -> None:
    up = moving(4)
    up[:, [BODY25.index(n) for n in ("left_wrist", "left_elbow", "left_shoulder")], 1] = -60
    plain = similarity("frame_height", Pair(moving(4), moving(4), BODY25, SIZE, SIZE))
    torch.testing.assert_close(similarity("frame_height", Pair(up, moving(4), BODY25, SIZE, SIZE)).scale, plain.scale)


def test_global_height_is_one_similarity_of_feet_and_place() -> None:
    source, target = moving(30), placed(moving(9, seed=3), 1.5, 20, -30)
    found = similarity("global_height", Pair(source, target, BODY25, SIZE, (256, 256)))
    assert (found.scale == found.scale[0]).all()
    assert (found.offset == found.offset[0]).all()
    assert found.scale[0] == pytest.approx(1.5, rel=0.1)
    moved, goal = (measure.stature(j, BODY25) for j in (found(source), target))
    assert moved.foot.median() == pytest.approx(goal.foot.median().item(), abs=1e-2)
    assert moved.x.quantile(0.5) == pytest.approx(goal.x.quantile(0.5).item(), abs=1e-2)


def test_global_height_does_not_shrink_with_crouching() -> None:
    standing = person().repeat(20, 1, 1)
    crouching = standing.clone()
    body = [i for i, n in enumerate(BODY25.joints) if not n.endswith(("ankle", "toe", "heel"))]
    crouching[:12, body, 1] += 40
    found = similarity("global_height", Pair(crouching, standing, BODY25, SIZE, SIZE))
    assert found.scale[0] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("name", sorted(NORMALISERS))
def test_the_number_of_frames_does_not_matter(name: str) -> None:
    """The same pose held longer, and more of the same reference frames, give the same place."""
    source, target = person()[None], placed(person()[None], 1.3, -20, -10)
    once = normalise(name, source, target, BODY25)
    for frames, references in ((2, 1), (31, 1), (1, 17), (8, 5)):
        again = normalise(name, source.repeat(frames, 1, 1), target.repeat(references, 1, 1), BODY25)
        torch.testing.assert_close(again, once.expand_as(again), atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", sorted(NORMALISERS))
def test_missing_joints_stay_missing_and_do_not_count(name: str) -> None:
    source, target = moving(12), placed(moving(12), 0.6, 20, 40)
    # What is hidden is not what is measured, and in one frame nothing is seen.
    names = ("left_elbow", "right_wrist", "left_small_toe")
    holes = hide(source, *names)
    holes[5, :, :2], holes[5, :, 2] = -1e4, 0
    found = normalise(name, holes, hide(target, *names), BODY25)
    assert torch.equal(found[..., 2] > 0, holes[..., 2] > 0)
    whole = normalise(name, source, target, BODY25)
    seen = holes[..., 2] > 0
    assert (found - whole)[seen].abs().max() < 8  # statistics over one frame less, mean x over fewer joints
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found[~seen], holes[~seen])


@pytest.mark.parametrize("name", sorted(SIMILARITIES))
def test_a_frame_that_cannot_be_measured_keeps_the_transform_before(name: str) -> None:
    source = approaching(10)
    source[4] = hide(source[4], "nose", "left_ear", "right_ear", "left_eye", "right_eye", "left_ankle")
    source[0] = hide(source[0], "left_ankle")
    found = similarity(name, Pair(source, placed(moving(5), 0.5, 0, 0), BODY25, SIZE, SIZE))
    assert torch.isfinite(found.scale).all()
    assert torch.isfinite(found.offset).all()
    if name in ("edn", "global_height", "none"):
        assert found.scale[4] == found.scale[3]
        assert found.scale[0] == found.scale[1]


@pytest.mark.parametrize("name", sorted(NORMALISERS))
@pytest.mark.parametrize("body", [FISH21, MOUSE5], ids=lambda s: s.name)
def test_animals(name: str, body: Skeleton) -> None:
    source = swimming(15, body)
    target = placed(source, 0.5, 10, 20)
    found = move(name, Pair(source, target, body, SIZE, SIZE))
    moved = (replace(found, median=1) if isinstance(found, Similarity) else found)(source)
    assert torch.isfinite(moved).all()
    if name not in ("none", "head_translation"):
        torch.testing.assert_close(moved, target, atol=1e-2, rtol=0)


@pytest.mark.parametrize("name", ["edn", "global_height", "frame_height"])
def test_half_bodies_go_by_what_both_show(name: str) -> None:
    """The target's legs are never seen: the ratio must not compare its bust with the source's whole body."""
    legs = [n for n in BODY25.joints if n.endswith(("knee", "ankle", "toe", "heel"))]
    source = moving(10)
    target = hide(placed(source, 2.0, 0, 0), *legs)
    if name == "frame_height":  # needs only rows; those of a bust are rows too
        assert torch.isfinite(similarity(name, Pair(source, target, BODY25, SIZE, SIZE)).scale).all()
        return
    found = similarity(name, Pair(source, target, BODY25, SIZE, SIZE))
    torch.testing.assert_close(found.scale, torch.full((10,), 2.0), atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", sorted(NORMALISERS))
def test_degenerate_bodies(name: str) -> None:
    point = torch.tensor([50.0, 50.0, 1.0]).expand(6, 25, 3).clone()
    for source, target in ((point, moving(3)), (moving(3), point), (point, point)):
        assert torch.isfinite(normalise(name, source, target, BODY25)).all()


@pytest.mark.parametrize("name", sorted(NORMALISERS))
def test_nobody_to_move_and_nobody_to_move_to(name: str) -> None:
    nobody = torch.zeros(4, 25, 3)
    torch.testing.assert_close(normalise(name, nobody, moving(2), BODY25), nobody)
    assert normalise(name, nobody[:0], moving(2), BODY25).shape == (0, 25, 3)
    with pytest.raises(BatchError, match="no joint"):
        normalise(name, moving(2), nobody, BODY25)
    with pytest.raises(BatchError, match="no joint"):
        normalise(name, moving(2), nobody[:0], BODY25)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ConfigError, match="edn, head_translation"):
        normalise("procrustes", moving(2), moving(2), BODY25)
    with pytest.raises(BatchError, match="coco18"):
        normalise("edn", moving(2), moving(2), COCO18)
    with pytest.raises(BatchError, match="source"):
        normalise("edn", moving(2)[None], moving(2), BODY25)


@pytest.mark.parametrize("name", sorted(NORMALISERS))
def test_hands_and_face_move_with_the_body(name: str) -> None:
    driver = motion(9)
    # The left hand's wrist is the body's, so it must stay so.
    assert driver.hand_left is not None
    driver.hand_left[:, :, 0] = driver.joints[:, :, BODY25.index("left_wrist")]
    reference = Motion(placed(moving(4), 0.7, 5, 9)[None], "body25", (96, 160))
    moved = normalise_motion(name, driver, reference)
    assert moved.size == (96, 160)
    assert moved.hand_left is not None
    assert moved.face is not None
    torch.testing.assert_close(moved.hand_left[:, :, 0], moved.joints[:, :, BODY25.index("left_wrist")])
    found = move(name, Pair(driver.joints[0], reference.joints[0], BODY25, SIZE, (96, 160)))
    assert driver.face is not None
    torch.testing.assert_close(moved.face[0], found(driver.face[0], "face"))


def test_a_batch_is_normalised_sample_by_sample() -> None:
    drivers = Motion(torch.stack([moving(6), approaching(6)]), "body25", SIZE)
    reference = Motion(placed(moving(3), 0.5, 0, 0)[None], "body25", SIZE)
    moved = normalise_motion("edn", drivers, reference)
    for b in range(2):
        alone = normalise("edn", drivers.joints[b], reference.joints[0], BODY25)
        torch.testing.assert_close(moved.joints[b], alone)
    three = Motion(moving(3).expand(3, -1, -1, -1), "body25", SIZE)
    with pytest.raises(BatchError, match="batch"):
        normalise_motion("edn", drivers, three)


def test_reference_of_another_skeleton() -> None:
    driver = Motion(moving(6)[None], "body25", SIZE)
    as_coco = Motion(view(placed(moving(6), 0.5, 0, 0), BODY25, skeleton("coco18"))[None], "coco18", SIZE)
    moved = normalise_motion("global_height", driver, as_coco)
    assert moved.skeleton == "body25"
    fish = Motion(swimming(2, FISH21)[None], "fish21", SIZE)
    with pytest.raises(SkeletonError):
        normalise_motion("edn", driver, fish)
