"""Windows that follow the person: their size and place, what is seen through them, and what is put back."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from motioncopy import crops
from motioncopy.batch import Motion
from motioncopy.errors import ConfigError
from motioncopy.request import DataRequest, Follow
from motioncopy.skeletons import BODY25

FRAMES = 12


def walk(frames: int = FRAMES, height: float = 50.0, speed: float = 3.0) -> Tensor:
    """Somebody who stands upright and glides to the right: nose above the ankles' middle by ``height``."""
    joints = torch.zeros(frames, 25, 3)
    for name, x, y in (("nose", 0, 0), ("left_ankle", 5, 1), ("right_ankle", -5, 1), ("left_wrist", 15, 0.5)):
        joints[:, BODY25.index(name)] = torch.tensor([x, y * height, 1.0])
    joints[..., 0] += (30 + speed * torch.arange(frames))[:, None]
    joints[..., 1] += 20
    joints[joints[..., 2] == 0] = 0
    return joints


def test_the_size_is_a_multiple_of_stature_and_knows_the_aspect() -> None:
    assert crops.window_size(walk(), BODY25, Follow(statures=1.6), 0.75) == (80, 60)
    crouching = walk()
    crouching[2:, BODY25.index("nose"), 1] += 25  # most frames; the tall ones count
    assert crops.window_size(crouching, BODY25, Follow(statures=1.6), 1.0)[0] == pytest.approx(80, abs=2)


def test_without_head_or_ankles_the_longer_side_of_what_is_seen_stands_for_stature() -> None:
    joints = walk()
    joints[:, [BODY25.index("left_ankle"), BODY25.index("right_ankle")]] = 0
    assert crops.window_size(joints, BODY25, Follow(statures=2.0), 1.0) == (50, 50)  # nose to wrist: 25 px
    assert crops.window_size(torch.zeros(3, 25, 3), BODY25, Follow(), 1.0) == (8, 8)


def test_windows_follow_smoothly_and_hold_all_joints() -> None:
    joints = walk()
    joints[6, :, 0] += 4  # a jolt
    joints[joints[..., 2] == 0] = 0
    boxes = crops.windows(joints, (80, 60), Follow())
    assert boxes.dtype == torch.int64
    assert (boxes[:, 2] - boxes[:, 0] == 60).all()
    assert (boxes[:, 3] - boxes[:, 1] == 80).all()
    assert (boxes[1:, 0] - boxes[:-1, 0]).abs().max() <= 4, "smooth"
    assert boxes[-1, 0] - boxes[0, 0] > 2 * (FRAMES - 1), "it follows"
    seen = joints[..., 2] > 0
    for axis in (0, 1):
        inside = (joints[..., axis] >= boxes[:, None, axis]) & (joints[..., axis] <= boxes[:, None, axis + 2] - 1)
        assert inside[seen].all()


def test_a_frame_without_joints_keeps_the_window_before() -> None:
    joints = walk(speed=0)
    joints[4:7] = 0
    boxes = crops.windows(joints, (80, 60), Follow())
    assert (boxes == boxes[:1]).all()
    nobody = crops.windows(torch.zeros(3, 25, 3), (8, 8), Follow())
    assert (nobody == nobody[:1]).all()


def test_a_person_larger_than_the_window_stays_in_its_middle() -> None:
    (box,) = crops.windows(walk(1), (20, 20), Follow()).tolist()
    assert box == pytest.approx([27, 35, 47, 55], abs=6)


def test_joints_go_to_the_window_back_and_on_to_another() -> None:
    joints = walk()[None]
    motion = Motion(joints, "body25", (100, 200))
    first, second = (crops.windows(joints[0], size, Follow())[None] for size in ((80, 60), (40, 90)))
    there = motion.through(first, (40, 30))
    assert there.size == (40, 30)
    nose = BODY25.index("nose")
    left, top = first[0, 0, :2].tolist()
    expected = torch.tensor([(30 + 0.5 - left) / 2 - 0.5, (20 + 0.5 - top) / 2 - 0.5])
    torch.testing.assert_close(there.joints[0, 0, nose, :2], expected)
    assert not there.joints[joints[..., 2] == 0].any(), "missing joints stay missing"
    torch.testing.assert_close(
        there.through(second, (40, 90)).joints, motion.through(second, (40, 90)).joints, atol=1e-4, rtol=1e-4
    )


def test_what_is_seen_is_put_back_where_it_was() -> None:
    torch.manual_seed(0)
    frame = torch.rand(1, 3, 40, 50) * 2 - 1
    boxes = torch.tensor([[5, 6, 25, 30], [30, 20, 50, 44], [-8, -4, 12, 20]])
    drawn = crops.look(frame, boxes, (24, 20))
    everything = torch.cat([drawn, torch.ones(3, 1, 24, 20)], dim=1)
    torch.testing.assert_close(crops.paste(everything, frame, boxes), frame.expand(3, -1, -1, -1))


def test_coverage_is_laid_over_the_background_and_nothing_else_changes() -> None:
    behind = torch.rand(1, 3, 30, 30) * 2 - 1
    boxes = torch.tensor([[10, 8, 20, 18]])
    cover = torch.zeros(1, 1, 10, 10)
    cover[..., 2:5, 3:6] = 0.25
    drawn = torch.cat([cover.expand(-1, 3, -1, -1) * 0.8, cover], dim=1)
    whole = crops.paste(drawn, behind, boxes)
    expected = behind.clone()
    expected[..., 10:13, 13:16] = 0.25 * 0.8 + 0.75 * behind[..., 10:13, 13:16]
    torch.testing.assert_close(whole, expected)
    untouched = torch.ones(30, 30, dtype=torch.bool)
    untouched[8:18, 10:20] = False
    assert torch.equal(whole[..., untouched], behind[..., untouched])
    torch.testing.assert_close(crops.paste(drawn, behind[..., 8:18, 10:20]), expected[..., 8:18, 10:20])


def test_what_is_drawn_whole_fades_into_the_frame() -> None:
    behind = torch.zeros(1, 3, 40, 40)
    whole = crops.paste(torch.ones(1, 3, 12, 12), behind, torch.tensor([[4, 4, 28, 28]]))[0, 0]
    assert whole[16, 16] == 1
    assert whole[:4].eq(0).all()
    row = whole[16, 4:10]
    assert 0 < row[0] < 0.5
    assert (row[1:] >= row[:-1]).all()


def test_a_window_outside_the_frame_draws_nothing() -> None:
    behind = torch.rand(1, 3, 10, 10)
    assert torch.equal(crops.paste(torch.ones(1, 3, 4, 4), behind, torch.tensor([[20, 20, 24, 24]])), behind)
    assert crops.look(behind, torch.tensor([[20, 20, 24, 24]]), (4, 4)).shape == (1, 3, 4, 4)


def test_a_request_names_its_window() -> None:
    assert DataRequest(1, (8, 8), crop="follow").follow == Follow()
    assert DataRequest(1, (8, 8), crop="person").follow is None
    on = DataRequest(1, (8, 8), crop="follow").on((100, 60))
    assert (on.crop, on.image_size) == ("frame", (100, 60))
    with pytest.raises(ConfigError, match="statures"):
        Follow(statures=0)
