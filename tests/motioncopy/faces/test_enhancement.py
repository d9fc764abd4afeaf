from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import Tensor

from motioncopy.errors import BatchError, ConfigError
from motioncopy.faces.enhancement import FaceEnhancer, FaceGallery, align, blend
from motioncopy.faces.search import FaceViews, OrientationSimilarity
from tests.motioncopy.faces.faces import SIZE, views

YAWS = torch.linspace(-1.0, 1.0, 20)


def grey(levels: Tensor) -> Tensor:
    """Plain faces ``(N, 3, s, s)`` of these levels in [-1, 1]."""
    return levels[:, None, None, None].expand(-1, 3, SIZE, SIZE).clone()


@pytest.fixture
def gallery() -> FaceGallery:
    """Ten frames each of two clips; the more a face is turned, the brighter it is."""
    clips = ["a"] * 10 + ["b"] * 10
    return FaceGallery.build(grey(YAWS), views(YAWS), torch.arange(20) % 10, clips)


def test_gallery_leaves_out_faces_that_are_not_seen() -> None:
    some = views(YAWS)
    some.valid[::2] = False
    kept = FaceGallery.build(grey(YAWS), some, torch.arange(20), ["a"] * 20)
    assert kept.frames.tolist() == list(range(1, 20, 2))
    torch.testing.assert_close(kept.images(torch.arange(10)), grey(YAWS[1::2]), atol=1 / 255, rtol=0.0)


def test_gallery_counts_must_agree() -> None:
    with pytest.raises(BatchError, match="frame and clip"):
        FaceGallery.build(grey(YAWS), views(YAWS), torch.arange(20), ["a"] * 19)


def test_search_finds_the_same_orientation_then_its_neighbours(gallery: FaceGallery) -> None:
    index, scores = gallery.search(views(YAWS[[4, 13]]), OrientationSimilarity(), top=3)
    assert index[:, 0].tolist() == [4, 13]
    assert {*index[0, 1:].tolist()} == {3, 5}
    assert (scores.diff(dim=1) <= 0).all()


def test_search_takes_the_earlier_of_equals() -> None:
    same = FaceGallery.build(grey(torch.zeros(6)), views(torch.zeros(6)), torch.arange(6), ["a"] * 6)
    index, _ = same.search(views(torch.zeros(2)), OrientationSimilarity(), top=3)
    assert index.tolist() == [[0, 1, 2], [0, 1, 2]]


def test_a_training_frame_finds_neither_itself_nor_its_neighbours(gallery: FaceGallery) -> None:
    exclude = gallery.near(["a", "b", "c"], torch.tensor([4, 4, 4]), within=1)
    assert [row.nonzero().flatten().tolist() for row in exclude] == [[3, 4, 5], [13, 14, 15], []]
    index, _ = gallery.search(views(YAWS[[4, 14, 4]]), OrientationSimilarity(), top=2, exclude=exclude)
    assert [sorted(row) for row in index[:2].tolist()] == [[2, 6], [12, 16]]
    assert index[2, 0] == 4, "another clip's frame excludes nothing"


def test_excluding_everything_leaves_the_face_unchanged(gallery: FaceGallery) -> None:
    faces = grey(torch.tensor([0.3]))
    everything = torch.ones(1, len(gallery), dtype=torch.bool)
    assert torch.equal(FaceEnhancer()(faces, views(YAWS[:1]), gallery, everything), faces)


def test_an_empty_gallery_leaves_the_face_unchanged() -> None:
    unseen = views(YAWS)
    unseen.valid.zero_()
    empty = FaceGallery.build(grey(YAWS), unseen, torch.arange(20), ["a"] * 20)
    faces = grey(torch.tensor([0.3]))
    assert len(empty) == 0
    assert torch.equal(FaceEnhancer()(faces, views(YAWS[:1]), empty), faces)


def test_a_face_turned_away_is_unchanged_beside_one_that_is_not(gallery: FaceGallery) -> None:
    query = views(torch.zeros(2))
    query.valid[0] = False
    faces = grey(torch.tensor([0.9, 0.9]))
    enhanced = FaceEnhancer()(faces, query, gallery)
    assert torch.equal(enhanced[0], faces[0])
    assert (enhanced[1] < 0.6).all(), "drawn half way to faces that look ahead, whose level is near 0"


def test_enhancer_blends_by_equation_9(gallery: FaceGallery) -> None:
    faces = grey(torch.tensor([0.8]))
    query = views(YAWS[:1] * 0.97)
    enhancer = FaceEnhancer(candidates=2, alpha=0.25)
    index, scores = gallery.search(query, enhancer.similarity, 2)
    share = scores / scores.sum()
    level = 0.25 * (share * gallery.images(index)[..., 0, 0, 0]).sum() + 0.75 * 0.8
    torch.testing.assert_close(enhancer(faces, query, gallery), grey(level[None]))


@pytest.mark.parametrize("candidates", [1, 2, 3])
def test_blend_holds_a_constant_brightness(candidates: int) -> None:
    level = torch.tensor([0.37])
    weights = torch.rand(1, candidates)
    weights /= weights.sum()
    blended = blend(grey(level), grey(level.expand(candidates))[None], weights, alpha=0.5)
    torch.testing.assert_close(blended, grey(level))


def spots(landmarks: Tensor) -> Tensor:
    """A face ``(1, 3, s, s)`` with one soft spot a landmark, one in each channel."""
    cell = torch.arange(SIZE, dtype=torch.float32)
    x, y = landmarks[0, :, 0], landmarks[0, :, 1]
    d = (cell[None, None, :] - x[:, None, None]) ** 2 + (cell[None, :, None] - y[:, None, None]) ** 2
    return torch.exp(-d / 8)[None]


def centres(spots: Tensor) -> Tensor:
    """Centre of mass (x, y) of each channel ``(3, 2)``."""
    cell = torch.arange(SIZE, dtype=torch.float32)
    share = spots[0] / spots[0].sum(dim=(1, 2), keepdim=True)
    return torch.stack(((share * cell).sum(dim=(1, 2)), (share * cell[:, None]).sum(dim=(1, 2))), dim=1)


def marks(*xy: tuple[float, float], present: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Tensor:
    return torch.cat((torch.tensor(xy), torch.tensor(present)[:, None]), dim=1)[None]


def test_align_shifts_exactly() -> None:
    here = marks((8.0, 8.0), (14.0, 8.0), (11.0, 12.0))
    there = here + torch.tensor([2.0, 3.0, 0.0])
    moved = centres(align(spots(here), here, there))
    torch.testing.assert_close(moved, there[0, :, :2], atol=0.1, rtol=0.0)


def test_align_turns_and_scales_most_of_the_way() -> None:
    here = marks((6.0, 9.0), (16.0, 9.0), (11.0, 15.0))
    there = marks((7.0, 7.0), (17.0, 11.0), (10.0, 15.0))
    before = (here - there)[0, :, :2].norm(dim=1).mean()
    after = (centres(align(spots(here), here, there)) - there[0, :, :2]).norm(dim=1).mean()
    assert after < 0.4 * before


@pytest.mark.parametrize(
    ("here", "there", "shift"),
    [
        # Only the nose is common: a shift by the nose's way.
        ((1.0, 0.0, 1.0), (0.0, 1.0, 1.0), (2.0, 1.0)),
        # Nothing is common: stay.
        ((1.0, 0.0, 0.0), (0.0, 1.0, 1.0), (0.0, 0.0)),
    ],
)
def test_align_with_little_in_common_only_shifts(
    here: tuple[float, float, float], there: tuple[float, float, float], shift: tuple[float, float]
) -> None:
    at = ((8.0, 8.0), (14.0, 8.0), (11.0, 12.0))
    to = ((1.0, 20.0), (3.0, 5.0), (13.0, 13.0))
    face = spots(marks(*at))
    moved = centres(align(face, marks(*at, present=here), marks(*to, present=there)))
    torch.testing.assert_close(moved - centres(face), torch.tensor(shift).expand(3, 2), atol=0.15, rtol=0.0)


def test_gallery_round_trips_through_a_checkpoint_of_plain_values(gallery: FaceGallery) -> None:
    file = io.BytesIO()
    torch.save(gallery.state(), file)
    file.seek(0)
    again = FaceGallery.from_state(torch.load(file, weights_only=True))
    query: FaceViews = views(torch.tensor([0.1, -0.7]))
    faces = grey(torch.tensor([0.2, 0.2]))
    assert torch.equal(FaceEnhancer()(faces, query, again), FaceEnhancer()(faces, query, gallery))
    assert again.clips == gallery.clips
    assert torch.equal(again.near(["b"], torch.tensor([3]), 2), gallery.near(["b"], torch.tensor([3]), 2))


@pytest.mark.parametrize("wrong", [{"alpha": 1.5}, {"candidates": 0}, {"neighbours": -1}])
def test_impossible_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        FaceEnhancer(**wrong)
