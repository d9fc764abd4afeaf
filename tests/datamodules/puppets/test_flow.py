"""Puppets: optical flow and appearance flow lead to where the same surface points are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules.puppets import Performance, appearance_flow, render
from datamodules.puppets.rendering import BACKGROUND, INVISIBLE, VISIBLE
from motioncopy.errors import DataError

SIZE = (160, 160)


def _clip(person: str, motion: str, seed: int = 1) -> Performance:
    return Performance(person, motion, seed, 60, size=SIZE)


def _sample(picture: NDArray[np.generic], flow: NDArray[np.float32]) -> NDArray[np.float64]:
    """The picture at ``pixel + flow``."""
    x, y = np.meshgrid(np.arange(SIZE[1], dtype=np.float32), np.arange(SIZE[0], dtype=np.float32))
    x, y = x + flow[..., 0], y + flow[..., 1]
    return np.asarray(cv2.remap(picture.astype(np.float32), x, y, cv2.INTER_LINEAR), float)


@pytest.mark.parametrize(("person", "motion"), [("ana", "jumping_jacks"), ("ben", "groove"), ("nora", "turn_round")])
def test_the_previous_frame_warped_by_the_flow_is_this_frame(person: str, motion: str) -> None:
    clip = _clip(person, motion)
    before, now = render(clip, 13), render(clip, 14, flow=True)
    assert now.flow is not None
    assert (now.flow[now.mask == 0] == 0).all()
    seen = cv2.erode(now.mask, np.ones((5, 5), np.uint8)) > 0
    seen &= appearance_flow(clip, 13, clip, 14)[1] == VISIBLE
    warped, still = (np.abs(_sample(before.image, f) - now.image).mean(-1)[seen] for f in (now.flow, 0 * now.flow))
    assert np.median(warped) < 5  # what is left is the light, which does not turn with the surface
    assert warped.mean() < 0.6 * still.mean()
    # Labels move with the surface, too.
    same = np.round(_sample(before.lip, now.flow)) == now.lip
    assert same[seen].mean() > 0.93


def test_the_first_frame_and_unasked_flow() -> None:
    clip = _clip("ana", "walk")
    first = render(clip, 0, flow=True).flow
    assert first is not None
    assert not first.any()
    assert render(clip, 3).flow is None


def test_flow_is_appearance_flow_from_the_previous_frame() -> None:
    clip = _clip("eva", "boxing")
    flow = render(clip, 9, flow=True).flow
    np.testing.assert_array_equal(flow, appearance_flow(clip, 8, clip, 9)[0])


def test_a_frame_shows_itself() -> None:
    clip = _clip("cleo", "kicks")
    flow, visibility = appearance_flow(clip, 5, clip, 5)
    np.testing.assert_allclose(flow, 0, atol=1e-3)
    mask = render(clip, 5).mask > 0
    assert np.array_equal(visibility == BACKGROUND, ~mask)
    assert (visibility[mask] == VISIBLE).mean() > 0.995


def test_appearance_flow_between_two_motions_repaints_the_person() -> None:
    source, target = _clip("jon", "squats"), _clip("jon", "tai_chi")
    flow, visibility = appearance_flow(source, 0, target, 20)
    shown, wanted = render(source, 0), render(target, 20)
    seen = (visibility == VISIBLE) & (cv2.erode(wanted.mask, np.ones((3, 3), np.uint8)) > 0)
    assert seen.sum() > 0.3 * (wanted.mask > 0).sum()
    assert (np.round(_sample(shown.lip, flow)) == wanted.lip)[seen].mean() > 0.9
    error = np.abs(_sample(shown.image, flow) - wanted.image).mean(-1)
    assert np.median(error[seen]) < 15
    assert error[visibility == INVISIBLE].mean() > error[seen].mean()


def test_there_and_back_again() -> None:
    a, b = _clip("max", "groove"), _clip("max", "boxing")
    there, visible = appearance_flow(a, 10, b, 10)
    back, _ = appearance_flow(b, 10, a, 10)
    closed = there + np.stack([_sample(back[..., i], there) for i in range(2)], axis=-1)
    error = np.hypot(*np.moveaxis(closed, -1, 0))[visible == VISIBLE]
    assert np.median(error) < 0.05


def test_the_back_is_not_seen_from_the_front() -> None:
    clip = _clip("dan", "turn_round")
    wide = [float(np.subtract(*render(clip, i).joints[[5, 2], 0])) for i in range(60)]
    front, behind = int(np.argmax(wide)), int(np.argmin(wide))
    assert wide[behind] < 0 < wide[front]
    visibility = appearance_flow(clip, front, clip, behind)[1]
    assert (visibility[visibility != BACKGROUND] == VISIBLE).mean() < 0.15


def test_two_people_share_no_surface() -> None:
    with pytest.raises(DataError, match="one person"):
        appearance_flow(_clip("ana", "walk"), 0, _clip("ben", "walk"), 0)
