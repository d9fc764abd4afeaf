"""Puppets: images agree with their truth, at every size, in every process."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import cv2
import numpy as np
import pytest

from datamodules.puppets import MOTIONS, PEOPLE, Frame, Performance, background, render
from motioncopy.batch import PARSING_CLASSES
from motioncopy.errors import DataError
from motioncopy.footage.perception.labels import LIP_TO_PARSING
from motioncopy.skeletons import BODY25


def _clip(
    person: str = "ana", motion: str = "groove", *, seed: int = 3, size: int = 128, frames: int = 50
) -> Performance:
    return Performance(person, motion, seed, frames, size=(size, size))


def _digest() -> str:
    frame = render(_clip("kim", "kicks", size=64), 9, flow=True)
    assert frame.flow is not None
    arrays = (frame.image, frame.mask, frame.joints, frame.hand_left, frame.face, frame.lip, frame.flow)
    return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()


def test_another_process_renders_the_same_bytes() -> None:
    code = "from tests.datamodules.puppets.test_rendering import _digest; print(_digest())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == _digest()


def test_what_is_frozen_stays_as_it_was() -> None:
    """Scores hang on these pixels: who changes them must raise the protocol's version and the renderer's."""
    expected = {
        ("ana", "wave", 12): (
            [66.33, 36.59, 50.92, 69.53, 85.62, 49.56, 57.69, 114.05, 72.38, 117.44],
            [118.88, 96.04, 101.58],
        ),
        ("nora", "kicks", 30): (
            [62.64, 37.5, 47.13, 52.36, 71.38, 61.03, 58.86, 115.45, 77.25, 113.20],
            [159.5, 159.77, 161.19],
        ),
        ("hugo", "turn_round", 5): (
            [65.96, 37.21, 55.42, 73.68, 77.01, 72.76, 55.07, 117.35, 67.72, 115.24],
            [96.16, 98.17, 109.89],
        ),
    }
    for (person, motion, index), (joints, colour) in expected.items():
        frame = render(_clip(person, motion, seed=7), index)
        np.testing.assert_allclose(frame.joints[[0, 4, 7, 11, 14], :2].ravel(), joints, atol=0.02)
        np.testing.assert_allclose(frame.image[frame.mask > 0].mean(axis=0), colour, atol=0.1)


def test_a_frame_does_not_depend_on_the_clips_length() -> None:
    alone = render(_clip(frames=8), 7)
    together = render(_clip(frames=90), 7)
    assert np.array_equal(alone.image, together.image)
    np.testing.assert_array_equal(alone.joints, together.joints)


def test_seed_person_and_motion_each_change_the_picture() -> None:
    base = render(_clip(), 4).joints
    for other in (_clip(seed=4), _clip("dan"), _clip(motion="walk")):
        assert np.abs(render(other, 4).joints - base).max() > 2


@pytest.mark.parametrize("person", PEOPLE)
def test_masks_labels_and_background_agree(person: str) -> None:
    frame = render(_clip(person, "side_steps"), 11)
    assert set(np.unique(frame.mask)) == {0, 255}
    assert np.array_equal(frame.mask > 0, frame.parsing > 0)
    assert np.array_equal(frame.parsing, LIP_TO_PARSING[frame.lip])
    seen = set(np.unique(frame.parsing))
    assert seen == set(range(len(PARSING_CLASSES))) - ({3} if person in ("cleo", "nora") else set())  # dresses are tops
    # Outside the anti-aliased rim there is nothing but the place, and inside it something else.
    place = background(person, (128, 128))
    near = cv2.dilate(frame.mask, np.ones((3, 3), np.uint8)) > 0
    assert np.array_equal(frame.image[~near], place[~near])
    assert np.abs(frame.image.astype(int) - place)[frame.mask > 0].mean() > 15


@pytest.mark.parametrize("motion", MOTIONS)
def test_seen_joints_lie_on_the_person(motion: str) -> None:
    for person in ("dan", "eva"):
        for frame in (render(_clip(person, motion, size=192, frames=60), i) for i in range(0, 60, 20)):
            rim = cv2.dilate(frame.mask, np.ones((5, 5), np.uint8))
            for group in (frame.joints, frame.hand_left, frame.hand_right, frame.face):
                x, y = np.round(group[group[:, 2] == 1, :2]).astype(int).T
                assert (rim[y, x] > 0).all()


def test_joints_lie_on_their_own_side_and_part() -> None:
    frame = _facing(away=False)
    left, right = (BODY25.index(f"{side}_ankle") for side in ("left", "right"))
    for foot, ankle in ((18, left), (19, right)):
        rows, columns = np.nonzero(frame.lip == foot)
        distance = np.hypot(columns - frame.joints[ankle, 0], rows - frame.joints[ankle, 1])
        assert distance.min() < 5
    assert frame.joints[BODY25.index("left_shoulder"), 0] > frame.joints[BODY25.index("right_shoulder"), 0]
    # OpenPose's face: 48 is the person's right mouth corner, the viewer's left on a face seen from the front.
    assert frame.face[48, 0] < frame.face[54, 0]
    assert frame.face[68, 0] < frame.face[69, 0]
    assert frame.face[48, 1] > frame.face[30, 1] > frame.face[68, 1]


def _facing(*, away: bool) -> Frame:
    """A frame in which the person faces the camera, or turns away from it."""
    wide = lambda frame: float(frame.joints[5, 0] - frame.joints[2, 0])  # noqa: E731
    frames = [render(_clip(motion="turn_round", size=192, frames=90), i) for i in range(0, 90, 3)]
    return min(frames, key=wide) if away else max(frames, key=wide)


def test_a_face_turned_away_is_not_there() -> None:
    face = [BODY25.index(name) for name in ("nose", "left_eye", "right_eye")]
    assert (_facing(away=False).joints[face, 2] == 1).all()
    behind = _facing(away=True)
    assert (behind.joints[face, 2] == 0).all()
    assert (behind.face[:, 2] == 0).mean() > 0.85
    x, y = np.round(behind.joints[face[0], :2]).astype(int)
    assert behind.lip[y, x] == 2  # only hair is seen where the nose would be


def test_the_nearer_limb_hides_the_farther() -> None:
    """In profile one arm is in front of the body and is seen, the other is hidden by it."""
    frames = [render(_clip("finn", "turn_round", size=192, frames=90), i) for i in range(0, 90, 2)]
    profile = min(frames, key=lambda f: abs(float(f.joints[5, 0] - f.joints[2, 0])))
    confidence = {name: profile.joints[BODY25.index(name), 2] for name in ("left_shoulder", "right_shoulder")}
    assert sorted(confidence.values()) == [0.5, 1.0]
    nearer = max(confidence, key=lambda name: confidence[name])
    x, y = np.round(profile.joints[BODY25.index(nearer.replace("shoulder", "elbow")), :2]).astype(int)
    assert profile.lip[y, x] == (14 if nearer.startswith("left") else 15)


@pytest.mark.parametrize("person", ["ana", "cleo"])
def test_the_scene_does_not_depend_on_the_size(person: str) -> None:
    small, large = (render(_clip(person, size=size), 6) for size in (128, 256))
    for group in ("joints", "hand_left", "hand_right", "face"):
        few, many = getattr(small, group)[:, :2], getattr(large, group)[:, :2]
        np.testing.assert_allclose(many + 0.5, 2 * (few + 0.5), atol=1e-3)
    shrunk = cv2.resize(large.image, (128, 128), interpolation=cv2.INTER_AREA).astype(float)
    assert np.abs(shrunk - small.image).mean() < 6
    overlap = (cv2.resize(large.mask, (128, 128), interpolation=cv2.INTER_AREA) > 127) == (small.mask > 0)
    assert overlap.mean() > 0.99


def test_narrow_and_odd_sizes_show_the_same_scene() -> None:
    square = render(_clip(size=120), 6)
    narrow = render(Performance("ana", "groove", 3, 50, size=(120, 91)), 6)
    assert narrow.image.shape == (120, 91, 3)
    np.testing.assert_allclose(narrow.joints[:, 0] - 45, square.joints[:, 0] - 59.5, atol=1e-3)
    np.testing.assert_allclose(narrow.joints[:, 1], square.joints[:, 1], atol=1e-3)


def test_whoever_leaves_the_image_has_no_confidence() -> None:
    clip = Performance("finn", "disco", 4, 60, size=(128, 96))
    hands = np.concatenate([np.stack([f.hand_left, f.hand_right]) for f in (render(clip, i) for i in range(0, 60, 3))])
    outside = (hands[..., 0] < -0.5) | (hands[..., 0] >= 95.5) | (hands[..., 1] < -0.5)
    assert outside.any()
    assert not outside.all()
    assert np.array_equal(hands[..., 2] == 0, outside)


def test_backgrounds_are_textured_and_copies() -> None:
    for person in PEOPLE:
        place = background(person, (64, 64))
        assert place.std(axis=(0, 1)).mean() > 10
        place[:] = 0
        assert background(person, (64, 64)).any()


@pytest.mark.parametrize(
    "change",
    [{"person": "nobody"}, {"motion": "swim"}, {"seed": -1}, {"frames": 0}, {"fps": 0.0}, {"size": (8, 128)}],
)
def test_what_cannot_be_rendered_is_refused(change: dict[str, object]) -> None:
    arguments: dict[str, object] = {"person": "ana", "motion": "walk", "seed": 1, "frames": 5}
    with pytest.raises(DataError):
        Performance(**(arguments | change))  # type: ignore[arg-type]


@pytest.mark.parametrize("index", [-1, 5])
def test_frames_outside_the_clip_are_refused(index: int) -> None:
    with pytest.raises(DataError, match="outside the clip"):
        render(_clip(frames=5), index)
