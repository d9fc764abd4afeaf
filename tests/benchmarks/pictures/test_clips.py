"""Overlays show what a clip holds, whatever body it is of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from benchmarks.pictures.clips import PALETTE, PANEL, clip_panels, clip_sheet, flow_colours, write_clip_pictures
from motioncopy.batch import PARSING_CLASSES
from motioncopy.footage.clips import Clip, ClipWriter
from motioncopy.footage.video import VideoReader
from motioncopy.skeletons import skeleton

FRAMES, SIZE = 20, (40, 60)
GREY = 90


def make(folder: Path, body: str, size: tuple[int, int] = SIZE, *, dense: bool = False, hands: bool = False) -> Clip:
    """A grey clip; its joints lie on a line, its mask is a box, its labels and flow fill the right half."""
    height, width = size
    joints = np.zeros((FRAMES, len(skeleton(body)), 3), np.float32)
    joints[..., 0] = np.linspace(5, width - 6, joints.shape[1])
    joints[..., 1:] = height // 2, 1
    joints[0] = 0
    mask = np.zeros((FRAMES, height, width), np.uint8)
    mask[:, 10:30, 20:40] = 255
    more: dict[str, Any] = {}
    if dense:
        more["parsing"] = np.zeros_like(mask)
        more["parsing"][..., width // 2 :] = 2
        more["flow"] = np.zeros((FRAMES, height, width, 2), np.float32)
        more["flow"][1:, :, width // 2 :] = 3, 0
    if hands:
        more["hand_left"] = np.tile(np.array([5, 5, 1], np.float32), (FRAMES, 21, 1))
    with ClipWriter(
        folder / body, clip_id=body, person="p", fps=25, size=size, skeleton=body, source=None, backends={},
        parts=("mask", "parsing", "flow") if dense else ("mask",),
    ) as writer:  # fmt: skip
        writer.append(np.full((FRAMES, *size, 3), GREY, np.uint8), joints, mask, **more)
        writer.set_background(np.full((*size, 3), GREY, np.uint8))
    return Clip.open(folder / body)


@pytest.mark.parametrize("body", ["body25", "fish21", "mouse5"])
def test_joints_and_mask_of_every_body(tmp_path: Path, body: str) -> None:
    drawn = clip_panels(make(tmp_path, body), [0, 10])
    assert set(drawn) == {"joints", "mask"}
    nobody, somebody = drawn["joints"]
    assert (nobody == GREY).all()
    changed = np.flatnonzero((somebody != GREY).any(axis=(1, 2)))
    assert somebody.shape[:2] == (round(SIZE[0] * PANEL / SIZE[1] / 2) * 2, PANEL)
    middle = SIZE[0] // 2 * PANEL / SIZE[1]
    assert middle - 8 < changed.min() < changed.max() < middle + 12
    outline = (drawn["mask"][0] == (40, 255, 60)).all(axis=2)
    rows, columns = np.nonzero(outline)
    np.testing.assert_allclose(
        [rows.min(), rows.max(), columns.min(), columns.max()], np.array([10, 30, 20, 40]) * PANEL / SIZE[1], atol=4
    )
    inside, outside = drawn["mask"][0][PANEL // 3, PANEL // 2], drawn["mask"][0][5, 5]
    assert (inside > outside).all()


def test_unsure_joints_are_faint(tmp_path: Path) -> None:
    clip = make(tmp_path, "mouse5")
    faint = clip.joints.copy()
    faint[..., 2] *= 0.1
    sure = np.abs(clip_panels(clip, [5])["joints"][0].astype(int) - GREY).max()
    clip.__dict__["joints"] = faint
    unsure = np.abs(clip_panels(clip, [5])["joints"][0].astype(int) - GREY).max()
    assert 0 < unsure < sure / 3  # where a joint lies on two limbs, three faint layers add up


def test_hands_are_drawn(tmp_path: Path) -> None:
    plain, hands = (clip_panels(make(tmp_path / str(h), "body25", hands=h), [5])["joints"][0] for h in (False, True))
    assert np.argwhere((plain != hands).any(axis=2)).max(axis=0).max() < 12 * PANEL / SIZE[1]


def test_labels_and_flow_where_there_are_some(tmp_path: Path) -> None:
    drawn = clip_panels(make(tmp_path, "body25", dense=True), [0, 10])
    assert list(drawn) == ["joints", "mask", "parsing", "flow (3 px)"]
    labels = drawn["parsing"][1]
    assert (labels[5, 5] == GREY).all()
    np.testing.assert_allclose(labels[5, -5], 0.35 * GREY + 0.65 * PALETTE[2], atol=2)
    still, moving = drawn["flow (3 px)"]
    assert not still.any()
    assert not moving[:, : PANEL // 3].any()
    assert moving[:, -PANEL // 3 :].max(axis=2).min() > 250


def test_every_class_has_a_colour_of_its_own() -> None:
    assert len(np.unique(PALETTE, axis=0)) == len(PARSING_CLASSES)


def test_opposite_flows_have_opposite_hues() -> None:
    flow = np.array([[[2, 0], [-2, 0], [0, 0], [9, 0]]], np.float32)
    right, left, none, far = cv2.cvtColor(flow_colours(flow, 2), cv2.COLOR_RGB2HSV)[0].astype(int)
    assert abs(right[0] - left[0]) == 90
    assert none[2] == 0
    assert (far == right).all()


@pytest.mark.parametrize("size", [(40, 60), (61, 35)])
def test_sheet_and_video(tmp_path: Path, size: tuple[int, int]) -> None:
    clip = make(tmp_path, "body25", size, dense=True)
    assert clip_sheet(clip).shape[0] > clip_sheet(make(tmp_path / "b", "body25", size)).shape[0]
    png, mp4 = write_clip_pictures(clip, tmp_path / "drawn", video=True)
    np.testing.assert_array_equal(np.asarray(Image.open(png)), clip_sheet(clip))
    with VideoReader(mp4) as video:
        assert (len(video), video.fps) == (FRAMES, clip.fps)
        assert write_clip_pictures(clip, tmp_path / "drawn") == [png]
