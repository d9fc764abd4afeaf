"""Fish and mice on drawings whose joints are known."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

import cv2
import numpy as np
import pytest

from motioncopy.errors import PerceptionError
from motioncopy.footage.perception.animals import Head, midline, resampled
from motioncopy.footage.perception.backends import Poses
from motioncopy.footage.perception.fish import FishMidline
from motioncopy.footage.perception.mouse import MouseAxis

SIZE = (120, 160)
FRAMES = 24


def _footage(images: np.ndarray) -> Any:
    """Frames in memory as footage: its length and its frames are all that is asked of it."""
    footage = MagicMock()
    footage.__len__.return_value = len(images)
    footage.frames = lambda indices: images[np.asarray(indices)]
    return footage


def _draw(lines: list[np.ndarray], radii: np.ndarray, *, light: bool, seed: int = 0) -> np.ndarray:
    """Bodies of balls along lines ``(20, 2)``, head first, before a place with a gradient and noise."""
    random = np.random.default_rng(seed)
    place = np.linspace(60, 90, SIZE[1])[None] + np.linspace(0, 20, SIZE[0])[:, None]
    place = place if light else 255 - place
    film = []
    for line in lines:
        image = (place + random.normal(0, 1, SIZE)).clip(0, 255).astype(np.uint8)
        for (x, y), radius in zip(line, radii, strict=True):
            cv2.circle(
                image, (round(x * 16), round(y * 16)), round(radius * 16), 230 if light else 20, -1, cv2.LINE_AA, 4
            )
        film.append(np.repeat(image[..., None], 3, axis=2))
    return np.stack(film)


def _swimming(*, still: bool = False) -> list[np.ndarray]:
    u = np.linspace(0, 1, 20)
    lines = []
    for t in range(FRAMES):
        head = np.array([60.0 if still else 105.0 - 3 * t, 60.0])
        bend = 6 * u**1.5 * np.sin(2 * np.pi * (u - t / 8))
        lines.append(np.stack([head[0] + 50 * u, head[1] + bend], axis=1))
    return lines


FISH = np.interp(np.linspace(0, 1, 20), [0, 0.15, 0.4, 1], [3, 5, 3.5, 0.8])
MOUSE = np.interp(np.linspace(0, 1, 20), [0, 0.15, 0.35, 0.55, 0.56, 1], [3, 6, 9, 8, 1.2, 1.0])


def _see(backend: FishMidline | MouseAxis, film: np.ndarray, chunk: int = FRAMES) -> Poses:
    backend.start(_footage(film))
    found = [backend(film[i : i + chunk]) for i in range(0, len(film), chunk)]
    masks = [p.mask for p in found if p.mask is not None]
    return Poses(np.concatenate([p.joints for p in found]), mask=np.concatenate(masks))


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("still", [False, True])
def test_a_fish_is_found_head_first(light: bool, still: bool) -> None:
    lines = _swimming(still=still)
    film = _draw(lines, FISH, light=light)
    poses = _see(FishMidline(), film)
    assert poses.found.all()
    for joints, line in zip(poses.joints, lines, strict=True):
        assert np.linalg.norm(joints[0, :2] - line[0]) < 5  # the head's ball reaches beyond its centre
        assert np.linalg.norm(joints[-1, :2] - line[-1]) < 5
        gaps = np.linalg.norm(joints[3:-3, None, :2] - line[None], axis=-1).min(axis=1)
        assert gaps.max() < 2.5
        steps = np.linalg.norm(np.diff(joints[:, :2], axis=0), axis=1)
        assert steps.max() < 1.3 * steps.min()


def test_frames_without_a_fish_have_no_joints() -> None:
    film = _draw(_swimming(), FISH, light=False)
    film[0] = 0
    film[1] = _draw([np.full((20, 2), -50.0)], FISH, light=False)[0]
    poses = _see(FishMidline(), film)
    assert poses.found.tolist() == [False, False, *[True] * (FRAMES - 2)]
    assert poses.mask is not None
    assert not poses.mask[:2].any()


def test_the_larger_of_two_is_seen() -> None:
    lines = _swimming()
    film = _draw(lines, FISH, light=False)
    for t in range(FRAMES):
        cv2.circle(film[t], (20 + 3 * t, 20), 4, (20, 20, 20), -1)
    poses = _see(FishMidline(), film)
    assert np.abs(poses.joints[:, 10, 1] - 60).max() < 12


@pytest.mark.parametrize("backend", [FishMidline, MouseAxis])
def test_chunks_do_not_matter(backend: type[FishMidline] | type[MouseAxis]) -> None:
    film = _draw(_swimming(), FISH if backend is FishMidline else MOUSE, light=False)
    whole, parts = _see(backend(), film), _see(backend(), film, chunk=5)
    np.testing.assert_array_equal(whole.joints, parts.joints)
    np.testing.assert_array_equal(whole.mask, parts.mask)


@pytest.mark.parametrize("light", [False, True])
def test_a_mouse_is_found_without_its_tail(light: bool) -> None:
    lines = _swimming()
    poses = _see(MouseAxis(), _draw(lines, MOUSE, light=light))
    assert poses.found.all()
    nose, base = poses.joints[:, 0, :2], poses.joints[:, -1, :2]
    ends = np.array([[line[0], line[11]] for line in lines])  # the trunk ends at 0.55
    assert np.median(np.linalg.norm(nose - ends[:, 0], axis=1)) < 5
    assert np.median(np.linalg.norm(base - ends[:, 1], axis=1)) < 10
    assert poses.mask is not None
    tails = [poses.mask[t][round(lines[t][17, 1]), round(lines[t][17, 0])] for t in range(FRAMES)]
    assert np.mean(tails) > 200  # the mask keeps it


def test_frames_may_come_smaller_than_the_footage() -> None:
    lines = _swimming()
    film = _draw(lines, FISH, light=False)
    backend = FishMidline()
    backend.start(_footage(film))
    half = np.stack([cv2.resize(f, (SIZE[1] // 2, SIZE[0] // 2), interpolation=cv2.INTER_AREA) for f in film])
    joints = backend(half).joints
    assert (joints[:, 0, 2] > 0).mean() > 0.9
    seen = joints[:, 0, 2] > 0
    heads = np.array([line[0] for line in lines])[seen]
    assert np.linalg.norm(2 * joints[seen, 0, :2] - heads, axis=1).max() < 7


def test_it_wants_to_see_the_footage_first() -> None:
    with pytest.raises(PerceptionError, match="start"):
        FishMidline()(np.zeros((1, *SIZE, 3), np.uint8))
    with pytest.raises(PerceptionError, match="start"):
        MouseAxis()(np.zeros((1, *SIZE, 3), np.uint8))


def test_a_midline_follows_a_bend() -> None:
    mask = np.zeros((80, 80), np.uint8)
    cv2.ellipse(mask, (40, 60), (25, 40), 0, 180, 360, 1, 7)
    line = midline(mask > 0)
    assert line is not None
    points, widths = line
    on = ((points[:, 0] - 40) / 25) ** 2 + ((points[:, 1] - 60) / 40) ** 2
    assert np.abs(on[5:-5] - 1).max() < 0.25
    assert 2 < widths[5:-5].mean() < 5
    assert midline(np.zeros((9, 9), bool)) is None
    np.testing.assert_allclose(resampled(np.array([[0.0, 0], [10, 0]]), [0, 0.25, 1])[:, 0], [0, 2.5, 10])


def test_one_bad_frame_does_not_turn_the_head() -> None:
    head, line = Head(), np.array([[0.0, 0], [10, 0]])
    assert all(head.first(line, 1.0) for _ in range(5))
    assert head.first(line, -1.5)
    assert not head.first(line[::-1], 0.0)  # the same animal, its line the other way round
    assert not all(head.first(line, -1.0) for _ in range(20))  # but it can be taught better
