"""Animals: exact joints and masks, the same again, and within the image."""

from __future__ import annotations

import numpy as np
import pytest

from datamodules.puppets.animals import FISH, MICE, Performance, Swim, Walk, background, fish, render
from datamodules.puppets.animals.frame import focal_length
from motioncopy.errors import DataError

SIZE = (96, 128)


def _both(frames: int = 400) -> list[Performance]:
    return [Swim(FISH[1], 3, frames, size=SIZE), Walk(MICE[1], 3, frames, size=SIZE)]


@pytest.mark.parametrize("clip", _both())
def test_joints_lie_on_the_animal_and_the_rest_is_background(clip: Performance) -> None:
    place = background(clip)
    for i in range(0, 400, 57):
        frame = render(clip, i)
        assert frame.joints[:, 2].all()
        x, y = frame.joints[1:-1, :2].round().astype(int).T  # the very ends are thinner than a pixel
        assert (frame.mask[y, x] == 255).mean() > 0.9
        assert 0.003 < (frame.mask > 0).mean() < 0.2
        far = frame.image[frame.mask == 0].astype(int) - place[frame.mask == 0]
        assert (np.abs(far).max(axis=1) == 0).mean() > 0.95
        assert np.abs(frame.image.astype(int) - place)[frame.mask > 0].mean() > 10


@pytest.mark.parametrize("clip", _both())
def test_the_same_again_and_another_seed_moves_otherwise(clip: Performance) -> None:
    one, again = render(clip, 11), render(clip, 11)
    np.testing.assert_array_equal(one.image, again.image)
    np.testing.assert_array_equal(one.joints, again.joints)
    kind, name = (Swim, FISH[1]) if isinstance(clip, Swim) else (Walk, MICE[1])
    other = render(kind(name, 4, 400, size=SIZE), 11)
    assert np.abs(other.joints - one.joints)[:, :2].mean() > 3


@pytest.mark.parametrize("clip", _both())
def test_it_moves_smoothly_and_keeps_its_length(clip: Performance) -> None:
    joints = np.stack([render(clip, i).joints[:, :2] for i in range(40)])
    assert np.linalg.norm(np.diff(joints, axis=0), axis=-1).max() < 12
    assert np.linalg.norm(np.diff(joints, axis=0), axis=-1).mean() > 0.1
    if isinstance(clip, Swim):
        lengths = np.linalg.norm(np.diff(joints, axis=1), axis=-1)
        np.testing.assert_allclose(lengths, lengths[0, 0], rtol=1e-4)


@pytest.mark.parametrize("clip", _both())
def test_the_camera_projects_the_points_in_space_onto_the_joints(clip: Performance) -> None:
    frame = render(clip, 5)
    x, y, z = frame.joints_3d.T
    assert (z < 0).all()
    across = (SIZE[1] - 1) / 2 - frame.joints[:, 0]
    focal = (across * z / x)[np.abs(x) > 1]
    np.testing.assert_allclose(focal, focal.mean(), rtol=1e-3)
    np.testing.assert_allclose(frame.joints[:, 1], (SIZE[0] - 1) / 2 + focal.mean() * y / z, atol=0.01)
    if isinstance(clip, Walk):
        assert focal.mean() == pytest.approx(focal_length(clip.scale), rel=1e-3)


def test_mice_have_heights_and_rear() -> None:
    clip = Walk(MICE[0], 0, 600, size=SIZE)
    tops = [float(f.height.max()) for i in range(0, 600, 20) if (f := render(clip, i)).height is not None]
    assert 15 < min(tops) < 40
    assert max(tops) > 1.3 * min(tops)


def test_animals_differ() -> None:
    images = [render(Swim(name, 0, 5, size=SIZE), 0).image[render(Swim(name, 0, 5, size=SIZE), 0).mask > 0].mean(axis=0)
              for name in FISH]  # fmt: skip
    gaps = [np.abs(a - b).max() for k, a in enumerate(images) for b in images[:k]]
    assert min(gaps) > 5


@pytest.mark.parametrize("name", FISH)
def test_only_pixels_near_a_fish_can_show_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clip, along = Swim(name, 5, 100, size=SIZE), fish._along
    near = [render(clip, i) for i in range(0, 100, 20)]
    monkeypatch.setattr(fish, "_along", lambda points, pixels, reach: along(points, pixels, np.inf))
    for one, everywhere in zip(near, [render(clip, i) for i in range(0, 100, 20)], strict=True):
        np.testing.assert_array_equal(one.image, everywhere.image)
        np.testing.assert_array_equal(one.mask, everywhere.mask)


def test_wrong_arguments() -> None:
    with pytest.raises(DataError, match="unknown fish 'shark'"):
        Swim("shark", 0, 5)
    with pytest.raises(DataError, match="unknown mouse 'rat'"):
        Walk("rat", 0, 5)
    with pytest.raises(DataError, match="frames >= 1"):
        Swim(FISH[0], 0, 0)
    with pytest.raises(DataError, match="no such frame"):
        render(Swim(FISH[0], 0, 5), 5)
