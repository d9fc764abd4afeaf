from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from motioncopy.batch import Motion
from motioncopy.errors import BatchError, ConfigError
from motioncopy.faces.search import (
    FaceSimilarity,
    FaceViews,
    FeatureSimilarity,
    OrientationSimilarity,
    SegmentLengthSimilarity,
)
from motioncopy.poses.parts import crop, part_centres
from motioncopy.skeletons import BODY25
from tests.motioncopy.faces.faces import views

YAWS = torch.tensor([-0.9, -0.4, 0.0, 0.3, 0.6])


def one_vector(*vectors: tuple[float, float]) -> FaceViews:
    """Faces of a single vector each."""
    n = len(vectors)
    return FaceViews(torch.tensor(vectors)[:, None], torch.ones(n, 1, dtype=torch.bool), torch.zeros(n, 3, 3))


def test_orientation_score_is_equation_8() -> None:
    query, gallery = views(torch.tensor([0.2])), views(YAWS)
    scores = OrientationSimilarity(epsilon=1e-6).scores(query, gallery)
    for k in range(len(YAWS)):
        expected = 1 / sum((query.vectors[0, j] - gallery.vectors[k, j]).norm() for j in range(5))
        torch.testing.assert_close(scores[0, k], torch.as_tensor(expected), rtol=1e-4, atol=0.0)


def test_orientation_ranks_by_how_far_a_face_is_turned() -> None:
    scores = OrientationSimilarity().scores(views(torch.tensor([0.25])), views(YAWS))
    assert scores[0].argsort(descending=True).tolist() == [3, 2, 4, 1, 0]


def test_fewer_vectors_are_the_first_ones() -> None:
    query, gallery = views(torch.tensor([0.2])), views(YAWS)
    changed = replace(query, vectors=query.vectors + torch.tensor([0.0, 0.0, 1.0, 1.0, 1.0])[:, None])
    two, three = OrientationSimilarity(vectors=2), OrientationSimilarity(vectors=3)
    torch.testing.assert_close(two.scores(query, gallery), two.scores(changed, gallery))
    assert not torch.allclose(three.scores(query, gallery), three.scores(changed, gallery))


def test_missing_vectors_are_left_out_and_made_up_for() -> None:
    query, gallery = views(torch.tensor([0.2])), views(YAWS)
    gallery.valid[3, 4] = False
    gallery.vectors[3, 4] = 1e3  # must not be looked at
    distance = (query.vectors - gallery.vectors[3]).norm(dim=-1)[0, :4].sum() * 5 / 4
    score = OrientationSimilarity(epsilon=1e-6).scores(query, gallery)[0, 3]
    torch.testing.assert_close(score, 1 / distance, rtol=1e-4, atol=0.0)


@pytest.mark.parametrize("similarity", [OrientationSimilarity(), SegmentLengthSimilarity(5), FeatureSimilarity()])
def test_faces_that_are_not_seen_match_nothing(similarity: FaceSimilarity) -> None:
    query, gallery = views(torch.zeros(2), torch.ones(2, 4)), views(YAWS, torch.ones(5, 4))
    query.valid[0] = False
    gallery.valid[2] = False
    scores = similarity.scores(query, gallery)
    assert (scores[0] == -torch.inf).all()
    assert (scores[1] == -torch.inf).tolist() == [False, False, True, False, False]
    assert (similarity.weights(scores[:1]) == 0).all()


def test_orientation_weights_are_shares_of_the_scores() -> None:
    weights = OrientationSimilarity().weights(torch.tensor([[6.0, 3.0, -torch.inf]]))
    torch.testing.assert_close(weights, torch.tensor([[2 / 3, 1 / 3, 0.0]]))


def test_segment_lengths_do_not_know_the_direction() -> None:
    query, gallery = one_vector((3.0, 0.0)), one_vector((0.0, 3.0), (4.0, 0.0), (-3.0, 0.0))
    lengths, orientation = SegmentLengthSimilarity(1), OrientationSimilarity(1)
    assert lengths.scores(query, gallery).tolist() == [[0.0, -7.0, 0.0]]
    assert orientation.scores(query, gallery)[0].argmax() == 1


def test_segment_length_weights_are_a_softmax() -> None:
    scores = torch.tensor([[-1.0, -3.0, -torch.inf]])
    torch.testing.assert_close(SegmentLengthSimilarity().weights(scores), scores.softmax(dim=1))


def test_features_find_the_same_picture_whatever_the_orientation() -> None:
    features = torch.eye(5)
    query = views(torch.tensor([0.6]), 3 * features[:1])
    scores = FeatureSimilarity().scores(query, views(YAWS, features))
    torch.testing.assert_close(scores, torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0]]))


def test_features_are_asked_for() -> None:
    with pytest.raises(ConfigError, match="features"):
        FeatureSimilarity().scores(views(YAWS), views(YAWS))


def test_more_vectors_than_there_are_is_refused() -> None:
    with pytest.raises(ConfigError, match="1 to 5"):
        OrientationSimilarity(vectors=6)
    with pytest.raises(ConfigError, match="1 to 6"):
        SegmentLengthSimilarity(vectors=0)


def motion(nose: tuple[float, float] = (32.0, 40.0), frames: int = 2, size: int = 128) -> Motion:
    """Body joints of one face in every frame: eyes at (28, 36) and (36, 36), no ears."""
    joints = torch.zeros(1, frames, len(BODY25), 3)
    for name, place in (("right_eye", (28.0, 36.0)), ("left_eye", (36.0, 36.0)), ("nose", nose)):
        joints[:, :, BODY25.index(name)] = torch.tensor([*place, 0.9])
    return Motion(joints, "body25", (size, size))


@pytest.mark.parametrize("side", [24, 25])
def test_landmarks_lie_where_the_crop_shows_them(side: int) -> None:
    here = motion()
    centres, _ = part_centres(here, side)
    seen = OrientationSimilarity().views(here, centres[0, :, 0], side)
    image = torch.zeros(2, 1, 128, 128)
    for x, y in ((28, 36), (36, 36), (32, 40)):
        image[:, :, y, x] = 1.0
    cut = crop(image, centres[0, :, 0], side)
    assert len(seen) == 2
    for x, y, _ in seen.landmarks[0].tolist():
        assert cut[0, 0, round(y), round(x)] == 1


def test_orientation_vectors_are_in_sides_of_the_crop_and_leave_the_joints_alone() -> None:
    here = motion()
    before = here.joints.clone()
    seen = OrientationSimilarity().views(here, torch.full((2, 2), 32.0), 16)
    torch.testing.assert_close(seen.vectors[0, 0], torch.tensor([0.5, 0.0]))
    torch.testing.assert_close(seen.vectors[0, 4], torch.tensor([0.0, 0.25]))
    assert torch.equal(here.joints, before)


def test_segment_lengths_are_in_pixels_of_a_512_frame() -> None:
    seen = SegmentLengthSimilarity().views(motion(size=128), torch.full((2, 2), 32.0), 16)
    torch.testing.assert_close(seen.vectors[0, 0], torch.tensor([32.0, 0.0]))
    assert seen.valid[0].tolist() == [True, True, True, False, False, False], "there are no ears"


def test_a_head_without_eyes_is_not_seen() -> None:
    here = motion()
    here.joints[:, 1, [BODY25.index("left_eye"), BODY25.index("right_eye")]] = 0.0
    assert OrientationSimilarity().views(here, torch.full((2, 2), 32.0), 16).seen.tolist() == [True, False]


def test_views_check_their_shapes() -> None:
    good = views(YAWS)
    with pytest.raises(BatchError, match="landmarks"):
        replace(good, landmarks=good.landmarks[:, :2])
    with pytest.raises(BatchError, match="features"):
        replace(good, features=torch.zeros(3, 7))
