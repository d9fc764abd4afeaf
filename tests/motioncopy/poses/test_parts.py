from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from motioncopy.batch import Motion
from motioncopy.errors import BatchError, ConfigError
from motioncopy.poses.parts import PARTS, crop, crop_corner, part_centres, paste
from motioncopy.skeletons import BODY25, COCO18, view
from tests.motioncopy.poses.people import SIZE, hand, hide, motion, person

FACE, LEFT_HAND, RIGHT_HAND, LEFT_FOOT, RIGHT_FOOT = range(5)


def standing(joints: Tensor | None = None, *, hands: bool = False) -> Motion:
    joints = person() if joints is None else joints
    pair = {"hand_left": hand(96, 38)[None, None], "hand_right": hand(38, 66)[None, None]} if hands else {}
    return Motion(joints[None, None], "body25", SIZE, **pair)


def at(joints: Tensor, name: str) -> Tensor:
    return joints[BODY25.index(name), :2]


def test_parts_lie_where_fakemotions_code_has_them() -> None:
    joints = person()
    centres, valid = part_centres(standing(hands=True), 16)
    assert centres.shape == (1, 1, 5, 2)
    assert valid.all()
    wanted = [at(joints, "nose"), hand(96, 38)[9, :2], hand(38, 66)[9, :2], at(joints, "left_big_toe"),
              at(joints, "right_big_toe")]  # fmt: skip
    wanted_inside = torch.stack(wanted).clamp(7.5, 119.5)
    assert (centres[0, 0] - wanted_inside).abs().max() <= 0.5


def test_without_hands_the_forearm_is_prolonged() -> None:
    joints = person()
    centres, valid = part_centres(standing(), 8)
    expected = at(joints, "left_wrist") + 0.36 * (at(joints, "left_wrist") - at(joints, "left_elbow"))
    assert (centres[0, 0, LEFT_HAND] - expected).abs().max() <= 0.5
    assert valid.all()


def test_fallbacks_in_their_order() -> None:
    joints = hide(person(), "nose", "left_eye", "right_eye", "left_elbow", "left_big_toe")
    centres, valid = part_centres(standing(joints), 8)
    ears = (at(joints, "left_ear") + at(joints, "right_ear")) / 2
    assert (centres[0, 0, FACE] - ears).abs().max() <= 0.5
    assert (centres[0, 0, LEFT_HAND] - at(joints, "left_wrist")).abs().max() <= 0.5
    assert (centres[0, 0, LEFT_FOOT] - at(joints, "left_ankle")).abs().max() <= 0.5
    assert valid.all()
    gone = hide(joints, "left_ear", "right_ear", "left_wrist", "left_ankle")
    centres, valid = part_centres(standing(gone), 8)
    assert valid[0, 0].tolist() == [False, False, True, False, True]
    assert (centres[0, 0, FACE] == 63.5).all()


def test_a_missing_hand_joint_falls_back_too() -> None:
    whole = standing(hands=True)
    assert whole.hand_left is not None
    whole.hand_left[..., 9, 2] = 0
    centres, _ = part_centres(whole, 8)
    torch.testing.assert_close(centres[0, 0, LEFT_HAND], part_centres(standing(), 8)[0][0, 0, LEFT_HAND])


def test_other_skeletons() -> None:
    coco = Motion(view(person(), BODY25, COCO18)[None, None], "coco18", SIZE)
    centres, valid = part_centres(coco, 8)
    assert valid.all()
    assert (centres[0, 0, LEFT_FOOT] - at(person(), "left_ankle")).abs().max() <= 0.5
    fish = Motion(torch.ones(1, 2, 21, 3), "fish21", SIZE)
    assert not part_centres(fish, 8)[1].any()
    mouse = Motion(torch.ones(1, 2, 5, 3), "mouse5", SIZE)
    assert part_centres(mouse, 8)[1][0, 0].tolist() == [True, False, False, False, False]


def test_parts_outside_the_image_are_invalid_and_crops_stay_inside() -> None:
    joints = person()
    joints[BODY25.index("right_big_toe"), :2] = torch.tensor([50.0, 128.5])
    joints[BODY25.index("left_big_toe"), :2] = torch.tensor([126.9, 126.9])
    centres, valid = part_centres(standing(joints), 32)
    assert valid[0, 0].tolist() == [True, True, True, True, False]
    corner = centres - 15.5
    assert corner.min() >= 0
    assert (corner + 32).max() <= 128
    assert centres[0, 0, LEFT_FOOT].tolist() == [111.5, 111.5]
    assert torch.equal(corner, corner.round())


@pytest.mark.parametrize("size", [1, 7, 16])
def test_crop_shows_the_square_around_its_centre(size: int) -> None:
    images = torch.arange(2 * 3 * 40 * 50).reshape(2, 3, 40, 50)
    centres = torch.tensor([[20.0, 30.0], [38.4, 9.3]])
    crops = crop(images, centres, size)
    for b in range(2):
        left, top = crop_corner(centres[b], size, (40, 50)).int().tolist()
        assert torch.equal(crops[b], images[b, :, top : top + size, left : left + size])
        assert (torch.tensor([left, top]) + (size - 1) / 2 - centres[b]).abs().max() <= 0.5


@pytest.mark.parametrize("size", [1, 8, 15, 40])
def test_crop_and_paste_undo_one_another(size: int) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(4, 3, 40, 50, generator=generator)
    centres = torch.tensor([[-30.0, 5], [25, 20], [49.9, 39.9], [12.5, 31.5]])
    assert torch.equal(paste(images, crop(images, centres, size), centres), images)
    new = torch.rand(4, 3, size, size, generator=generator)
    pasted = paste(images, new, centres)
    assert torch.equal(crop(pasted, centres, size), new)
    inside = paste(torch.zeros_like(images), torch.ones_like(new), centres)
    assert torch.equal(torch.where(inside > 0, images, pasted), images)
    assert inside.sum() == 4 * 3 * size * size


def test_centres_of_parts_are_centres_of_crops() -> None:
    centres, _ = part_centres(standing(), 16)
    image = torch.zeros(5, 1, *SIZE)
    corner = crop_corner(centres[0, 0], 16, SIZE)
    torch.testing.assert_close(corner + 7.5, centres[0, 0])
    assert crop(image, centres[0, 0], 16).shape == (5, 1, 16, 16)


def test_paste_by_weight() -> None:
    images, new = torch.zeros(2, 3, 20, 20), torch.ones(2, 3, 4, 4)
    weight = torch.linspace(0, 1, 16).reshape(4, 4)
    centres = torch.tensor([[5.0, 5.0], [12.0, 7.0]])
    pasted = paste(images, new, centres, weight)
    torch.testing.assert_close(crop(pasted, centres, 4), weight.expand(2, 3, 4, 4))
    each = torch.stack([torch.zeros(1, 4, 4), torch.ones(1, 4, 4)])
    pasted = paste(images, new, centres, each)
    assert pasted[0].abs().max() == 0
    assert pasted[1].sum() == 48


def test_gradients_of_crop_and_paste() -> None:
    generator = torch.Generator().manual_seed(0)

    def leaf(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64).requires_grad_()

    centres = torch.tensor([[1.0, 4.0], [4.5, 2.0]])
    images, new, weight = leaf(2, 2, 6, 7), leaf(2, 2, 3, 3), leaf(2, 1, 3, 3)
    assert torch.autograd.gradcheck(lambda i: crop(i, centres, 3), (images,))
    assert torch.autograd.gradcheck(lambda i, c: paste(i, c, centres), (images, new))
    assert torch.autograd.gradcheck(lambda i, c, w: paste(i, c, centres, w), (images, new, weight))


def test_wrong_shapes_are_refused() -> None:
    images = torch.zeros(2, 3, 20, 30)
    centres = torch.zeros(2, 2)
    with pytest.raises(ConfigError, match="1 to 20"):
        crop(images, centres, 21)
    with pytest.raises(ConfigError):
        part_centres(motion(1), 129)
    with pytest.raises(BatchError, match="centres"):
        crop(images, torch.zeros(3, 2), 4)
    with pytest.raises(BatchError, match="crops"):
        paste(images, torch.zeros(2, 3, 4, 5), centres)
    with pytest.raises(BatchError, match="crops"):
        paste(images, torch.zeros(1, 3, 4, 4), centres)


def test_order_of_the_parts() -> None:
    assert PARTS == ("face", "left_hand", "right_hand", "left_foot", "right_foot")
    mirrored = replace(standing(), joints=person()[list(BODY25.mirror)][None, None])
    centres, _ = part_centres(standing(), 8)
    swapped, _ = part_centres(mirrored, 8)
    torch.testing.assert_close(swapped[0, 0], centres[0, 0, [FACE, RIGHT_HAND, LEFT_HAND, RIGHT_FOOT, LEFT_FOOT]])
