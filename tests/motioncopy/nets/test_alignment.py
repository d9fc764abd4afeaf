"""The Global Alignment Module: a mask's centre and height become the driver's, exactly."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from motioncopy.errors import BatchError
from motioncopy.nets.alignment import Extent, align, move


def box(top: int, bottom: int, left: int, right: int, size: tuple[int, int] = (96, 80)) -> Tensor:
    """A mask ``(1, 1, H, W)`` that is 1 in these rows and columns, the ends included."""
    mask = torch.zeros(1, 1, *size)
    mask[..., top : bottom + 1, left : right + 1] = 1
    return mask


def test_the_extent_is_that_of_the_mask() -> None:
    found = Extent.of_mask(box(10, 29, 5, 8))
    assert found.centre.tolist() == [[6.5, 19.5]]
    assert found.height.tolist() == [20]
    assert found.present.tolist() == [True]


@pytest.mark.parametrize(("top", "bottom", "left", "right"), [(40, 79, 30, 49), (5, 24, 50, 59), (20, 59, 3, 22)])
def test_centre_and_height_are_mapped_exactly(top: int, bottom: int, left: int, right: int) -> None:
    source, driving = box(30, 69, 20, 39), box(top, bottom, left, right)
    here, there = Extent.of_mask(source), Extent.of_mask(driving)
    moved = Extent.of_mask(align(2 * source - 1, here, there))
    assert torch.equal(moved.centre, there.centre)
    assert torch.equal(moved.height, there.height)


def test_people_who_stand_alike_are_not_touched() -> None:
    person = torch.rand(1, 3, 96, 80) * 2 - 1
    extent = Extent.of_mask(box(30, 69, 20, 39))
    torch.testing.assert_close(align(person, extent, extent), person, atol=1e-4, rtol=0)


def test_nobody_in_the_driving_frame_moves_nothing_and_nobody_in_the_source_gives_nothing() -> None:
    person, somebody, nobody = (
        torch.rand(1, 3, 96, 80),
        Extent.of_mask(box(30, 69, 20, 39)),
        Extent.of_mask(0 * box(0, 1, 0, 1)),
    )
    torch.testing.assert_close(align(person, somebody, nobody), person, atol=1e-4, rtol=0)
    assert (align(person, nobody, somebody) == -1).all()


def test_a_few_pixels_blow_nobody_up() -> None:
    source, driving = box(30, 69, 20, 39), box(50, 50, 30, 31)
    moved = Extent.of_mask(align(2 * source - 1, Extent.of_mask(source), Extent.of_mask(driving)))
    assert moved.height.item() == pytest.approx(20, abs=1)  # half, and not a fortieth


def test_batches_are_aligned_one_by_one() -> None:
    source = torch.cat([box(30, 69, 20, 39), box(10, 49, 40, 59)])
    driving = torch.cat([box(20, 59, 10, 29), box(10, 29, 10, 19)])
    here, there = Extent.of_mask(source), Extent.of_mask(driving)
    together = align(2 * source - 1, here, there)
    for i in range(2):
        alone = align(2 * source[i : i + 1] - 1, Extent.of_mask(source[i : i + 1]), Extent.of_mask(driving[i : i + 1]))
        torch.testing.assert_close(together[i : i + 1], alone)
    with pytest.raises(BatchError, match="do not pair"):
        align(source[:1], here, there)


def test_joints_that_were_not_found_do_not_count() -> None:
    joints = torch.tensor([[[10.0, 20, 1], [30, 60, 0.5], [0, 0, 0]], [[1.0, 1, 0], [2, 2, 0], [3, 3, 0]]])
    found = Extent.of_joints(joints)
    assert found.centre[0].tolist() == [20, 40]
    assert found.height[0].item() == 40
    assert found.present.tolist() == [True, False]
    assert torch.isfinite(found.centre).all()


def test_a_move_by_whole_pixels_is_a_shift() -> None:
    image = torch.rand(1, 3, 12, 10)
    moved = move(image, torch.tensor([[4.0, 5.0]]), torch.tensor([[6.0, 4.0]]), torch.ones(1, 2))
    torch.testing.assert_close(moved[..., :-1, 2:], image[..., 1:, :-2], atol=1e-4, rtol=0)
