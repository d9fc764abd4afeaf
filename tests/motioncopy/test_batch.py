from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from motioncopy.batch import PARSING_CLASSES, Appearance, Motion, MotionBatch, to_uint8
from motioncopy.errors import BatchError, SkeletonError

H, W = 6, 8


def joints(batch: int = 1, frames: int = 3, count: int = 25) -> Tensor:
    return torch.rand(batch, frames, count, 3)


def images(batch: int = 1, frames: int = 3, channels: int = 3) -> Tensor:
    return torch.randint(0, 256, (batch, frames, channels, H, W), dtype=torch.uint8)


def motion(batch: int = 1, frames: int = 3, **groups: Tensor) -> Motion:
    return Motion(joints(batch, frames), "body25", (H, W), **groups)


def appearance(batch: int = 1, count: int = 2) -> Appearance:
    return Appearance(
        images(batch, count),
        images(batch, count, 1),
        motion(batch, count),
        images(batch)[:, 0],
        person=tuple(f"p{b}" for b in range(batch)),
    )


def whole_batch(batch: int = 1, frames: int = 3, **changes: Any) -> MotionBatch:
    values: dict[str, Any] = {
        "appearance": appearance(batch),
        "motion": motion(batch, frames),
        "images": images(batch, frames),
        "mask": images(batch, frames, 1),
        "frames": torch.arange(frames).expand(batch, -1),
        "clip": tuple(f"c{b}" for b in range(batch)),
        "sample": tuple(f"c{b}/0" for b in range(batch)),
    }
    return MotionBatch(**(values | changes))


def test_a_motion_names_what_is_wrong() -> None:
    with pytest.raises(BatchError, match=r"Motion\.joints.*\(B, T, 25, 3\)"):
        Motion(joints(count=18), "body25", (H, W))
    with pytest.raises(BatchError, match=r"Motion\.joints"):
        Motion(torch.rand(25), "body25", (H, W))
    with pytest.raises(BatchError, match=r"hand_left.*\(1, 3, 21, 3\)"):
        motion(hand_left=torch.rand(1, 2, 21, 3))
    with pytest.raises(BatchError, match=r"face.*70"):
        motion(face=torch.rand(1, 3, 68, 3))
    with pytest.raises(BatchError, match="floating point"):
        Motion(joints().long(), "body25", (H, W))
    with pytest.raises(SkeletonError):
        Motion(joints(), "smpl", (H, W))


@pytest.mark.parametrize("value", [1.5, -0.1, float("nan")])
def test_confidences_out_of_range_are_refused(value: float) -> None:
    wrong = joints()
    wrong[0, 1, 4, 2] = value
    with pytest.raises(BatchError, match="confidence"):
        Motion(wrong, "body25", (H, W))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_coordinates_must_be_finite(value: float) -> None:
    wrong = joints()
    wrong[0, 1, 4, 0] = value
    with pytest.raises(BatchError, match="not finite"):
        Motion(wrong, "body25", (H, W))


def test_coordinates_may_lie_outside_the_image() -> None:
    assert len(Motion(joints() * torch.tensor([-1e3, 1e3, 1]), "body25", (H, W))) == 3


def test_frames_of_a_motion() -> None:
    whole = motion(2, 5, hand_left=torch.rand(2, 5, 21, 3))
    part = whole.frames(1, 3)
    assert len(part) == 2
    assert torch.equal(part.joints, whole.joints[:, 1:3])
    assert part.hand_left is not None
    assert part.hand_left.shape == (2, 2, 21, 3)
    assert part.face is None
    assert part.joints.data_ptr() == whole.joints[:, 1:3].data_ptr()


def test_flatten_and_then() -> None:
    whole = motion(2, 5, face=torch.rand(2, 5, 70, 3))
    flat = whole.flatten()
    assert flat.joints.shape == (10, 1, 25, 3)
    assert torch.equal(flat.joints[7, 0], whole.joints[1, 2])
    assert flat.face is not None
    assert flat.face.shape == (10, 1, 70, 3)
    again = whole.frames(0, 2).then(whole.frames(2, 5))
    assert torch.equal(again.joints, whole.joints)
    assert again.face is not None
    assert whole.face is not None
    assert torch.equal(again.face, whole.face)
    assert whole.then(motion(2, 1)).face is None
    with pytest.raises(BatchError, match="sizes"):
        whole.then(replace(whole, size=(12, 16)))


def test_an_appearance_checks_every_field() -> None:
    good = appearance(2)
    wrong: dict[str, Any] = {
        "images": images(2, 2, 1),
        "mask": images(2, 2, 3),
        "motion": motion(2, 3),
        "background": images(2)[:, 0, :, :4],
        "parsing": images(2, 1, 1),
        "person": ("only one",),
    }
    for name, value in wrong.items():
        with pytest.raises(BatchError, match=rf"Appearance\.{name}"):
            replace(good, **{name: value})
    with pytest.raises(BatchError, match="size"):
        replace(good, motion=Motion(joints(2, 2), "body25", (W, H)))


def test_a_batch_checks_every_field() -> None:
    good = whole_batch(2)
    wrong: dict[str, Any] = {
        "images": images(2, 3, 4),
        "mask": images(2, 2, 1),
        "motion": motion(2, 2),
        "frames": torch.zeros(2),
        "clip": ("a",),
        "sample": (),
        "parsing": images(2, 3, 3),
        "flow": torch.zeros(2, 3, 3, H, W),
        "appearance": appearance(3),
    }
    for name, value in wrong.items():
        with pytest.raises(BatchError, match=rf"MotionBatch\.{name}"):
            replace(good, **{name: value})


def test_float_images_must_lie_in_their_range() -> None:
    good = whole_batch().as_float()
    with pytest.raises(BatchError, match=r"MotionBatch\.images.*\[-1, 1\]"):
        replace(good, images=good.images * 255)
    with pytest.raises(BatchError, match=r"MotionBatch\.mask.*\[0, 1\]"):
        replace(good, mask=good.mask - 0.5)
    with pytest.raises(BatchError, match=r"MotionBatch\.images"):
        replace(good, images=good.images * float("nan"))
    with pytest.raises(BatchError, match="type"):
        replace(good, images=torch.zeros(1, 3, 3, H, W, dtype=torch.int32))


def test_as_float_converts_once() -> None:
    raw = whole_batch(2)
    floats = raw.as_float()
    torch.testing.assert_close(floats.images, raw.images.float() / 127.5 - 1)
    torch.testing.assert_close(floats.mask, raw.mask.float() / 255)
    torch.testing.assert_close(floats.appearance.background, raw.appearance.background.float() / 127.5 - 1)
    torch.testing.assert_close(floats.appearance.mask, raw.appearance.mask.float() / 255)
    assert raw.images.dtype == torch.uint8
    twice = floats.as_float()
    assert torch.equal(twice.images, floats.images)
    assert torch.equal(twice.mask, floats.mask)


def test_to_uint8_undoes_as_float_and_clips() -> None:
    raw = whole_batch()
    assert torch.equal(to_uint8(raw.as_float().images), raw.images)
    assert to_uint8(torch.tensor([-3.0, 3.0, 0.0])).tolist() == [0, 255, 128]
    kept = torch.zeros(3)
    to_uint8(kept)
    assert (kept == 0).all()


def test_collate_joins_samples() -> None:
    samples = [whole_batch(1, frames=2, clip=(name,)) for name in "abc"]
    joined = MotionBatch.collate(samples)
    assert len(joined) == 3
    assert joined.clip == ("a", "b", "c")
    assert joined.appearance.person == ("p0",) * 3
    assert joined.motion.size == (H, W)
    for k, sample in enumerate(samples):
        assert torch.equal(joined.images[k : k + 1], sample.images)
        assert torch.equal(joined.appearance.motion.joints[k : k + 1], sample.appearance.motion.joints)


def test_samples_undo_collate() -> None:
    parts = [whole_batch(), whole_batch(2)]
    parts[0] = replace(parts[0], sample=("walk/7",), images=parts[0].images // 2)
    joined = MotionBatch.collate(parts)
    for found, wanted in ((joined.samples(0, 1), parts[0]), (joined.samples(1, 3), parts[1])):
        assert (found.sample, found.clip, found.appearance.person) == (
            wanted.sample, wanted.clip, wanted.appearance.person,
        )  # fmt: skip
        assert torch.equal(found.images, wanted.images)
        assert torch.equal(found.appearance.motion.joints, wanted.appearance.motion.joints)
        assert found.motion.size == wanted.motion.size
        assert len(found) == len(wanted)


def test_collate_refuses_what_does_not_fit() -> None:
    with pytest.raises(BatchError, match="empty"):
        MotionBatch.collate([])
    with_hands = motion(hand_left=torch.rand(1, 3, 21, 3))
    with pytest.raises(BatchError, match=r"hand_left.*some samples only"):
        Motion.collate([motion(), with_hands])
    with pytest.raises(BatchError, match=r"Motion\.joints.*shape"):
        Motion.collate([motion(frames=2), motion(frames=3)])
    other = Motion(joints(), "body25", (12, 16))
    with pytest.raises(BatchError, match=r"Motion\.size"):
        Motion.collate([motion(), other])


def test_to_moves_every_tensor() -> None:
    moved = whole_batch(2, parsing=images(2, 3, 1), flow=torch.zeros(2, 3, 2, H, W)).to("meta")

    def tensors(value: object) -> list[Tensor]:
        if isinstance(value, Tensor):
            return [value]
        if isinstance(value, (MotionBatch, Appearance, Motion)):
            return [t for f in fields(value) for t in tensors(getattr(value, f.name))]
        return []

    found = tensors(moved)
    assert len(found) == 10
    assert {t.device.type for t in found} == {"meta"}
    assert moved.clip == ("c0", "c1")


def test_batches_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        whole_batch().clip = ("x",)  # type: ignore[misc]


def test_parsing_labels() -> None:
    assert PARSING_CLASSES == ("background", "head", "top", "bottom", "shoes", "limbs")
