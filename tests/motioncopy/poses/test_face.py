from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from motioncopy.batch import Motion
from motioncopy.errors import ConfigError, SkeletonError
from motioncopy.poses.face import FAKEVIDEO_VECTORS, face_vectors
from motioncopy.skeletons import BODY25, COCO18, view
from tests.motioncopy.poses.people import SIZE, hide, motion, person


def standing(*missing: str) -> Motion:
    return Motion(hide(person(), *missing)[None, None], "body25", SIZE)


def test_fakemotions_five_vectors() -> None:
    whole = motion(1)
    whole = replace(whole, joints=person()[None, None])
    vectors, valid = face_vectors(whole, 2.0)
    assert valid.all()
    # Eyes (61, 17) and (67, 17), mouth (61, 25) and (67, 25), nose (64, 20); halved.
    expected = [[3.0, 0], [0, 4], [-3, 0], [0, -4], [0, 1.5]]
    torch.testing.assert_close(vectors[0, 0], torch.tensor(expected))


def test_the_four_vectors_round_the_face_close() -> None:
    """v1 to v4 run once round: eyes and mouth corners of the same side belong together."""
    for case in (motion(4), motion(4, groups=False)):
        vectors, _ = face_vectors(case, 1.0)
        torch.testing.assert_close(vectors[..., :4, :].sum(dim=2), torch.zeros(1, 4, 2), atol=1e-4, rtol=0)


def test_mouth_corners_are_on_the_persons_own_sides() -> None:
    """Seen from the front, the person's right is left in the image, for eyes (61 < 67) and mouth alike."""
    for case in (replace(motion(1), joints=person()[None, None]), standing()):
        vectors, _ = face_vectors(case, 1.0)
        assert vectors[0, 0, 0, 0] > 0  # right eye -> left eye
        assert vectors[0, 0, 2, 0] < 0  # left mouth -> right mouth


def test_missing_corners_are_placed_from_eyes_and_nose() -> None:
    vectors, valid = face_vectors(standing(), 1.0)
    assert valid.all()
    # Eyes' middle (64, 17), nose 3 below: the mouth 4.8 below, its corners 2.4 aside.
    torch.testing.assert_close(vectors[0, 0, 1], torch.tensor([66.4 - 67, 21.8 - 17]), atol=1e-4, rtol=0)
    torch.testing.assert_close(vectors[0, 0, 2], torch.tensor([-4.8, 0.0]), atol=1e-4, rtol=0)
    whole = replace(motion(1), joints=person()[None, None])
    assert whole.face is not None
    whole.face[..., [48, 54], 2] = 0
    torch.testing.assert_close(face_vectors(whole, 1.0)[0], vectors)


def test_vectors_without_ends_are_zero_and_invalid() -> None:
    vectors, valid = face_vectors(standing("left_eye"), 1.0)
    assert valid[0, 0].tolist() == [False] * 5
    vectors, valid = face_vectors(standing("nose", "right_ear"), 1.0, vectors=FAKEVIDEO_VECTORS)
    assert valid[0, 0].tolist() == [True, False, False, False, False, False]
    assert (vectors[~valid] == 0).all()
    whole = replace(motion(1), joints=hide(person(), "left_eye")[None, None])
    assert face_vectors(whole, 1.0)[1][0, 0].tolist() == [False, False, True, True, False]


def test_fakevideos_six_vectors_on_coco18() -> None:
    coco = Motion(view(person(), BODY25, COCO18)[None, None], "coco18", SIZE)
    vectors, valid = face_vectors(coco, 1.0, vectors=FAKEVIDEO_VECTORS)
    assert valid.all()
    expected = [[6.0, 0], [-3, 3], [3, 3], [14, 0], [-7, -1], [7, -1]]
    torch.testing.assert_close(vectors[0, 0], torch.tensor(expected))


def test_a_shift_changes_nothing() -> None:
    moved = replace(standing(), joints=standing().joints + torch.tensor([9.0, -4.0, 0.0]))
    torch.testing.assert_close(face_vectors(moved, 1.0)[0], face_vectors(standing(), 1.0)[0], atol=1e-4, rtol=0)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ConfigError, match="chin"):
        face_vectors(standing(), 1.0, vectors=(("nose", "chin"),))
    with pytest.raises(SkeletonError):
        face_vectors(Motion(torch.ones(1, 1, 21, 3), "fish21", SIZE), 1.0)
