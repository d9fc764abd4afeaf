"""Crops and sizes: what a request sees of a clip, and that joints, masks and images agree about where things are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.views import Box, Excerpt, View, person_box
from motioncopy.errors import DataError
from motioncopy.request import DataRequest
from tests.datamodules.making import PLACE, still, write_discs

WHOLE = DataRequest(1, (32, 48))


def excerpt(path: Path, centres: np.ndarray, size: tuple[int, int] = (64, 96), **arguments: object) -> Excerpt:
    clip = write_discs(path / "ann", centres, size=size, **arguments)  # type: ignore[arg-type]
    return Excerpt(clip, 0, len(clip))


def size_of(box: Box) -> tuple[int, int]:
    left, top, right, bottom = box
    return bottom - top, right - left


# -- the crop ---------------------------------------------------------------------------------------------------------


def test_the_crop_holds_the_person_and_a_margin_at_the_images_aspect(tmp_path: Path) -> None:
    left, top, right, bottom = person_box([excerpt(tmp_path, still(50, 30))], (32, 32), margin=0.25)
    # The disc covers 46..54 and 26..34: nine pixels, 2.25 more on each side.
    assert (left + right) / 2 == pytest.approx(50.5, abs=1)
    assert (top + bottom) / 2 == pytest.approx(30.5, abs=1)
    assert size_of((left, top, right, bottom)) == (round(9 + 4.5), round(9 + 4.5))


@pytest.mark.parametrize("image_size", [(32, 64), (64, 32)])
def test_the_crop_is_widened_never_narrowed(tmp_path: Path, image_size: tuple[int, int]) -> None:
    box = person_box([excerpt(tmp_path, still(50, 30), (100, 100))], image_size, margin=0)
    height, width = size_of(box)
    assert width / height == pytest.approx(image_size[1] / image_size[0], rel=0.06)
    assert min(height, width) == 9


def test_the_crop_covers_all_places_where_the_person_was(tmp_path: Path) -> None:
    centres = np.stack([np.linspace(20, 70, 20), np.full(20, 30)], axis=1)
    left, _, right, _ = person_box([excerpt(tmp_path, centres)], (32, 32), margin=0)
    assert left <= 16
    assert right >= 75


def test_the_crop_slides_into_the_frame_before_it_reaches_beyond(tmp_path: Path) -> None:
    box = person_box([excerpt(tmp_path, still(4, 4))], (32, 32), margin=0.5)
    assert box[:2] == (0, 0)
    left, top, right, bottom = person_box([excerpt(tmp_path / "b", still(91, 59))], (32, 32), margin=0.5)
    assert (right, bottom) == (96, 64)
    assert (right - left, bottom - top) == (18, 18)


def test_a_crop_larger_than_the_frame_is_centred_on_it(tmp_path: Path) -> None:
    tall = np.stack([np.full(20, 48), np.linspace(4, 59, 20)], axis=1)
    left, top, right, bottom = person_box([excerpt(tmp_path, tall)], (32, 64), margin=0)
    assert (top, bottom) == (0, 64)
    assert right - left == 128
    assert left + right == 96


def test_a_pixel_that_is_hardly_ever_the_person_does_not_count(tmp_path: Path) -> None:
    centres = still(48, 32, frames=201)
    centres[100] = (10, 10)
    assert person_box([excerpt(tmp_path, centres)], (32, 32)) == person_box(
        [excerpt(tmp_path / "b", still(48, 32))], (32, 32)
    )


def test_one_crop_for_all_clips_of_one_camera(tmp_path: Path) -> None:
    here, there = excerpt(tmp_path / "a", still(30, 20)), excerpt(tmp_path / "b", still(60, 40))
    left, top, right, bottom = person_box([here, there], (32, 32), margin=0)
    assert left <= 26
    assert top <= 16
    assert right >= 65
    assert bottom >= 45


def test_frames_outside_the_excerpt_do_not_move_the_crop(tmp_path: Path) -> None:
    centres = still(48, 32, frames=20)
    centres[10:] = (10, 50)
    whole = excerpt(tmp_path, centres)
    assert person_box([replace(whole, stop=10)], (32, 32)) == person_box(
        [excerpt(tmp_path / "b", still(48, 32))], (32, 32)
    )


def test_a_clip_without_a_person_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="clip ann shows no person"):
        person_box([excerpt(tmp_path, still(-100, -100))], (32, 32))


def test_the_whole_frame_unless_the_request_says_person(tmp_path: Path) -> None:
    e = excerpt(tmp_path, still(50, 30))
    assert View(e, WHOLE).box == (0, 0, 96, 64)
    assert View(e, replace(WHOLE, crop="person")).box == person_box([e], WHOLE.image_size)
    assert View(e, WHOLE, box=(1, 2, 3, 4)).box == (1, 2, 3, 4)


# -- images and joints ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image_size", "box"),
    [
        ((64, 96), (0, 0, 96, 64)),  # as it is
        ((32, 48), (0, 0, 96, 64)),  # smaller
        ((128, 192), (0, 0, 96, 64)),  # larger
        ((48, 48), (0, 0, 96, 64)),  # squeezed
        ((40, 60), (30, 10, 75, 40)),  # a part, enlarged
        ((30, 30), (-20, -30, 100, 90)),  # beyond the frame on all sides
        ((24, 50), (20, -12, 120, 52)),  # and on some
    ],
)
def test_a_drawn_dot_lies_where_its_joint_says(tmp_path: Path, image_size: tuple[int, int], box: Box) -> None:
    centres = np.stack([np.linspace(35, 70, 8), np.linspace(15, 35, 8)], axis=1).round()
    view = View(excerpt(tmp_path, centres, radius=4), DataRequest(1, image_size), box)
    frames = range(8)
    joints = view.motion(frames).joints[0, :, 0, :2].numpy()
    for name, seen in (("mask", view.mask(frames)), ("image", view.images(frames))):
        weight = seen[:, 0].double().numpy()
        weight = weight if name == "mask" else np.clip(weight - PLACE - 1, 0, None)
        rows, columns = np.mgrid[: image_size[0], : image_size[1]]
        total = weight.sum(axis=(1, 2))
        found = np.stack([(weight * columns).sum((1, 2)), (weight * rows).sum((1, 2))], axis=1) / total[:, None]
        np.testing.assert_allclose(found, joints, atol=0.15, err_msg=name)


def test_beyond_the_frame_its_border_is_repeated(tmp_path: Path) -> None:
    view = View(excerpt(tmp_path, still(50, 30)), DataRequest(1, (64, 128)), (-16, 0, 112, 64))
    images = view.images([0])[0]
    assert (images[:, 1:, :16] == PLACE).all()
    assert (view.mask([0])[0, :, :, :16] == 0).all()
    assert (view.background[:, :, :16] == PLACE).all()


def test_missing_joints_stay_at_nothing(tmp_path: Path) -> None:
    confidence = np.array([1.0, 0.0, 0.5])
    view = View(excerpt(tmp_path, still(50, 30, 3), confidence=confidence), WHOLE, (10, 10, 58, 42))
    joints = view.motion([0, 1, 2]).joints[0]
    assert not joints[1].any()
    assert (joints[2, :, 2] == 0.5).all()
    assert joints[0, 0].tolist() == [40, 20, 1]


def test_a_motion_says_the_size_its_joints_are_given_in(tmp_path: Path) -> None:
    view = View(excerpt(tmp_path, still(50, 30), every_part=True), WHOLE)
    motion = view.motion([0, 1])
    assert (motion.size, motion.skeleton) == ((32, 48), "body25")
    for group in (motion.hand_left, motion.hand_right, motion.face):
        assert group is not None
        torch.testing.assert_close(group[0, :, 0], motion.joints[0, :, 0])
    assert View(excerpt(tmp_path / "bare", still(50, 30)), WHOLE).motion([0]).face is None


def test_parsing_is_not_interpolated_and_flow_is_in_pixels_of_the_image(tmp_path: Path) -> None:
    centres = np.stack([50 + 4.0 * np.arange(5), np.full(5, 30)], axis=1)
    view = View(excerpt(tmp_path, centres, every_part=True), DataRequest(1, (32, 24)))  # 2 and 4 times smaller
    assert set(view.parsing(range(5)).unique().tolist()) == {0, 2}
    flow = view.flow(range(5))
    assert flow.shape == (5, 2, 32, 24)
    assert flow[0].abs().max() == 0
    torch.testing.assert_close(flow[1:, 0], torch.full((4, 32, 24), -1.0))
    assert flow[:, 1].abs().max() == 0
    before, after = (view.motion([t]).joints[0, 0, 0, 0] for t in (0, 1))
    assert (after + flow[1, 0, 0, 0]).item() == pytest.approx(before.item(), abs=1e-4)


def test_frames_come_in_the_order_asked_for_and_as_copies(tmp_path: Path) -> None:
    view = View(excerpt(tmp_path, still(50, 30)), DataRequest(1, (64, 96)))
    for _ in range(2):  # the second time from memory
        images = view.images([7, 2, 7])
        assert images[:, 0, 0, 0].tolist() == [7, 2, 7]
        images.zero_()


def test_an_excerpt_too_large_to_keep_gives_the_same_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    e = excerpt(tmp_path, np.stack([np.linspace(20, 70, 10), np.full(10, 30)], axis=1))
    kept = View(e, WHOLE).images([3, 1, 3])
    monkeypatch.setattr("datamodules.views._KEPT_PIXELS", 0)
    read = View(e, WHOLE)
    assert torch.equal(read.images([3, 1, 3]), kept)
    assert read._kept == {}


def test_the_place_can_be_given(tmp_path: Path) -> None:
    e = excerpt(tmp_path, still(50, 30))
    assert (View(e, WHOLE).background == PLACE).all()
    other = replace(e, background=np.full((64, 96, 3), 7, np.uint8))
    assert (View(other, WHOLE).background == 7).all()


def test_the_most_confident_frame_of_the_excerpt(tmp_path: Path) -> None:
    confidence = np.array([0.1, 0.5, 0.9, 0.9, 1.0, 0.2])
    e = excerpt(tmp_path, still(50, 30, 6), confidence=confidence)
    assert View(e, WHOLE).confident == 4
    assert View(replace(e, stop=4), WHOLE).confident == 2  # the earlier of two
    assert View(replace(e, start=5), WHOLE).confident == 5
