"""How the generator sees poses: the windows, what is drawn, and what is filled in."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from motioncopy.batch import Motion
from motioncopy.errors import ConfigError
from motioncopy.poses.windows import OneHotPair, PoseInput, StickWindow
from motioncopy.skeletons import BODY25
from tests.motioncopy.footage.perception.figures import figure_joints

SIZE = (48, 40)
INPUTS = [StickWindow(), OneHotPair()]


def motion(frames: int, *, groups: bool = False) -> Motion:
    """A figure that walks to the right."""
    joints = torch.stack([torch.from_numpy(figure_joints(14 + 2 * t, 3, 42)) for t in range(frames)])[None]
    hand = joints[:, :, :1].repeat(1, 1, 21, 1) + torch.arange(21)[:, None] * torch.tensor([0.3, 0.3, 0])
    extra = {
        "hand_left": hand,
        "hand_right": hand + torch.tensor([4.0, 9, 0]),
        "face": hand[:, :, :1].repeat(1, 1, 70, 1),
    }
    return Motion(joints, "body25", SIZE, **(extra if groups else {}))


def without(given: Motion, frame: int, joint: str) -> Motion:
    joints = given.joints.clone()
    joints[:, frame, BODY25.index(joint)] = 0
    return replace(given, joints=joints)


@pytest.mark.parametrize("label", INPUTS, ids=lambda label: type(label).__name__)
def test_a_label_shows_the_frames_around_its_own(label: PoseInput) -> None:
    drawings = label.draw(motion(6))
    assert drawings.shape == (1, 6, label.channels, *SIZE)
    assert drawings.min() >= -1
    assert drawings.max() <= 1
    stacked, centre = label.stack(drawings), label.centre(drawings)
    assert stacked.shape == (1, 6 - label.before - label.after, label.channels * label.window, *SIZE)
    assert centre.shape[1] == stacked.shape[1]
    shown = stacked[:, 2].unflatten(1, (label.window, label.channels))
    assert torch.equal(shown, drawings[:, 2 : 2 + label.window])
    assert torch.equal(centre[:, 2], drawings[:, 2 + label.before])


def test_the_paper_sees_past_and_future_and_the_released_code_the_past() -> None:
    paper, released = INPUTS
    assert (paper.before, paper.after, paper.channels * paper.window) == (1, 1, 9)
    assert (released.before, released.after, released.channels * released.window) == (1, 0, 130)


def test_sticks_are_those_of_eighteen_joints_on_white() -> None:
    drawing = StickWindow().draw(motion(1))
    assert (drawing[0, 0, :, 0, 0] == 1).all()
    assert (drawing[0, 0] < 0.5).any()
    toes = without(without(motion(1), 0, "left_big_toe"), 0, "right_heel")
    assert torch.equal(StickWindow().draw(toes), drawing), "COCO's 18 joints have no feet"
    assert not torch.equal(StickWindow(skeleton="body25").draw(toes), StickWindow(skeleton="body25").draw(motion(1)))


def test_hands_and_face_are_drawn_only_if_asked_for() -> None:
    bare, rich = motion(2), motion(2, groups=True)
    assert torch.equal(StickWindow().draw(rich), StickWindow().draw(bare))
    assert not torch.equal(StickWindow(groups=True).draw(rich), StickWindow(groups=True).draw(bare))


def test_one_hot_maps_give_each_pixel_one_label() -> None:
    drawing = OneHotPair().draw(motion(2, groups=True))
    assert set(drawing.unique().tolist()) == {0, 1}
    assert torch.equal(drawing.sum(dim=2), torch.ones(1, 2, *SIZE))
    assert drawing[:, :, 25:].any(), "the hands"
    assert not OneHotPair().draw(motion(2))[:, :, 25:].any()


def test_one_hot_maps_of_animals_have_a_channel_for_each_limb() -> None:
    fish = Motion(torch.rand(1, 2, 21, 3) * torch.tensor([39.0, 47, 1]), "fish21", SIZE)
    assert OneHotPair("fish21").draw(fish).shape[2] == OneHotPair("fish21").channels == 21
    assert OneHotPair("mouse5").channels == 5
    with pytest.raises(ConfigError, match=r"Expected: body25.*Found: fish21.*pose\.init_args\.skeleton"):
        OneHotPair().draw(fish)


def test_a_missing_joint_stays_where_it_was_in_the_released_label_alone() -> None:
    gap = without(motion(3), 1, "left_wrist")
    assert StickWindow().fill(gap) is gap
    filled = OneHotPair().fill(gap)
    wrist = BODY25.index("left_wrist")
    assert torch.equal(filled.joints[0, 1, wrist], gap.joints[0, 0, wrist])
    assert torch.equal(filled.joints[0, 2], gap.joints[0, 2])


def test_filling_goes_on_behind_the_last_filled_frame() -> None:
    label, gap = OneHotPair(), motion(6)
    for frame in (2, 3, 4):
        gap = without(gap, frame, "nose")
    whole = label.fill(gap)
    last, pieces = None, []
    for frame in range(6):
        piece = gap.frames(frame, frame + 1)
        filled = label.fill(piece if last is None else last.then(piece))
        last = filled.frames(len(filled) - 1, len(filled))
        pieces.append(last.joints)
    assert torch.equal(torch.cat(pieces, dim=1), whole.joints)
