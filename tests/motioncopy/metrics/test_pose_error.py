"""Pose error and missing joints: by hand, and with the real detector on a puppet whose joints are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from datamodules.puppets.rendering import Performance, render
from motioncopy.metrics.clip import Chunk
from motioncopy.metrics.evaluator import Evaluator
from motioncopy.metrics.pose_error import MissingJoints, PoseError, compare

KEYS = [f"pose_{kind}/{which}_mediapipe@1" for kind in ("error", "missing") for which in ("driving", "truth")]
ERROR, TRUTH_ERROR, MISSING, TRUTH_MISSING = KEYS


def test_the_error_is_a_share_of_the_body_and_counts_what_both_have() -> None:
    wanted = torch.tensor([[[0.0, 0, 1], [30, 40, 1], [10, 10, 1], [99, 0, 0]]])  # the box's diagonal is 50
    found = torch.tensor([[[3.0, 4, 0.9], [30, 40, 0.6], [50, 50, 0.4], [0, 0, 1]]])
    error, missing = compare(found, wanted, (100, 100))
    assert error.tolist() == pytest.approx([100 * (5 + 0) / 2 / 50])
    assert missing.tolist() == pytest.approx([1 / 3])


def test_joints_beyond_the_frame_are_not_looked_for() -> None:
    wanted = torch.tensor([[[0.0, 0, 1], [30, 40, 1], [-5, 10, 1], [10, 51, 1]]])
    found = torch.tensor([[[0.0, 0, 1], [30, 40, 1], [0, 0, 0], [0, 0, 0]]])
    error, missing = compare(found, wanted, (50, 50))
    assert (error.tolist(), missing.tolist()) == ([0.0], [0.0])


def test_frames_without_anybody_are_skipped_or_missing() -> None:
    someone, nobody = torch.tensor([[[1.0, 2, 1], [9, 9, 1]]]), torch.zeros(1, 2, 3)
    error, missing = compare(nobody, someone, (20, 20))
    assert error.isnan().all()
    assert missing.tolist() == [1.0]
    error, missing = compare(someone, nobody, (20, 20))
    assert error.isnan().all()
    assert missing.isnan().all()


def puppet() -> tuple[Tensor, Tensor]:
    shots = [render(Performance("ana", "wave", 3, 40, 25.0, (192, 192)), i) for i in range(0, 40, 10)]
    images = torch.from_numpy(np.stack([s.image for s in shots])).permute(0, 3, 1, 2).contiguous()
    return images, torch.from_numpy(np.stack([s.joints for s in shots]))


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    return Evaluator(KEYS)


def scored(
    evaluator: Evaluator, images: Tensor, truth: Tensor, joints: Tensor, chunk: int = 4
) -> dict[str, float | None]:
    clip = evaluator.clip("a")
    for parts in zip(*(t.split(chunk) for t in (images, truth, joints)), strict=True):
        clip.update(parts[0], parts[1], joints=parts[2])
    return {key: score.value for key, score in clip.compute().scores.items()}


def test_the_detector_finds_a_puppet_where_it_is(evaluator: Evaluator) -> None:
    images, joints = puppet()
    scores = scored(evaluator, images, images, joints)
    assert scores[TRUTH_ERROR] == 0
    assert scores[TRUTH_MISSING] == 0
    assert (scores[ERROR] or 100) < 4
    assert (scores[MISSING] or 0) < 0.2
    assert scored(evaluator, images, images, joints, chunk=1) == scores


def test_a_shifted_person_is_off_by_the_shift(evaluator: Evaluator) -> None:
    images, joints = puppet()
    shifted = torch.nn.functional.pad(images.float(), (12, 0, 0, 0), mode="replicate")[..., :192].to(torch.uint8)
    moved = joints.clone()
    moved[..., 0] += 12
    boxes = joints[:, :19, :2].amax(dim=1) - joints[:, :19, :2].amin(dim=1)
    expected = (100 * 12 / boxes.norm(dim=1)).mean().item()
    scores = scored(evaluator, shifted, images, joints)
    assert scores[TRUTH_ERROR] == pytest.approx(expected, rel=0.25)
    assert scored(evaluator, shifted, shifted, moved)[ERROR] == pytest.approx(
        scored(evaluator, images, images, joints)[ERROR] or 0, abs=1.5
    )


def test_an_empty_video_has_no_pose(evaluator: Evaluator) -> None:
    images, joints = puppet()
    scores = scored(evaluator, torch.full_like(images, 90), images, joints)
    assert (scores[ERROR], scores[MISSING]) == (None, 1.0)
    assert (scores[TRUTH_ERROR], scores[TRUTH_MISSING]) == (None, 1.0)


def test_clips_side_by_side_do_not_disturb_each_other(evaluator: Evaluator) -> None:
    images, joints = puppet()
    blank = torch.full_like(images, 90)
    alone = scored(evaluator, images, images, joints)
    first, second = evaluator.clip("a"), evaluator.clip("b")
    for k in (0, 1, 2, 3):
        part = slice(k, k + 1)
        first.update(images[part], images[part], joints=joints[part])
        second.update(blank[part], images[3 - k :][:1], joints=joints[part])
    assert {key: score.value for key, score in first.compute().scores.items()} == alone
    assert second.compute().scores[MISSING].value == 1


def test_a_frame_is_judged_by_itself_whatever_came_before(evaluator: Evaluator) -> None:
    images, joints = puppet()
    spoilt = images.clone()
    spoilt[2] = 90
    clip = evaluator.clip("a")
    clip.update(spoilt, images, joints=joints)
    found = clip.compute().values
    assert [value is None for value in found[ERROR]] == [False, False, True, False]
    assert found[MISSING][2] == 1
    assert found[TRUTH_ERROR] == (0, 0, None, 0)


def test_animals_have_no_value_and_the_view_of_eighteen_joints_has() -> None:
    images, joints = puppet()
    fish = Chunk(images, joints=torch.ones(4, 21, 3), skeleton="fish21")
    assert "fish21" in (PoseError().unfit(fish) or "")
    body = Chunk(images, joints=joints)
    assert PoseError().unfit(body) is None
    eighteen = replace(body, joints=torch.ones(4, 18, 3), skeleton="coco18")
    assert MissingJoints().unfit(eighteen) is None
    assert MissingJoints().unfit(Chunk(images)) == "the clip has no driving joints"
