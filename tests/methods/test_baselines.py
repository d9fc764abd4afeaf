"""The trivial baselines: what does not beat them has learnt nothing, so they must be what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from methods.nearest import Nearest, pose_distance
from methods.static import Static
from motioncopy.errors import CheckpointError
from motioncopy.request import Trial
from motioncopy.training import checkpoint
from tests.toys import ToyData, write_clip

SIZE = (16, 16)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ToyData:
    folder = tmp_path_factory.mktemp("clips")
    for name in ("ann", "bob"):
        write_clip(folder, name, size=SIZE)
    return ToyData(str(folder))


@pytest.fixture
def nearest(data: ToyData) -> Nearest:
    method = checkpoint.build("methods.nearest.Nearest", {"image_size": list(SIZE)})
    method.prepare(data)
    assert isinstance(method, Nearest)
    return method


def test_static_shows_the_appearance_whatever_the_motion(data: ToyData) -> None:
    method = Static(image_size=SIZE)
    trial: Trial = data.trials(method.request, "test")[1]
    frames = torch.cat(list(method.generate(trial.appearance, trial.motion, chunk=3)))
    assert len(frames) == len(trial)
    shown = trial.appearance.as_float().images[0, 0]
    assert all(torch.equal(frame, shown) for frame in frames)


def test_nearest_finds_a_training_frame_by_its_own_pose(nearest: Nearest, data: ToyData) -> None:
    (train,) = data.train_excerpts()
    wanted = torch.from_numpy(train.clip.images([5, 17, 0]).copy()).permute(0, 3, 1, 2)
    motion = data.train_motion(nearest.request)
    asked = replace(motion, joints=motion.joints[:, [5, 17, 0]])
    trial: Trial = data.trials(nearest.request, "test")[0]
    found = torch.cat(list(nearest.generate(trial.appearance, asked, chunk=2)))
    torch.testing.assert_close((found + 1) * 127.5, wanted.float(), atol=0.01, rtol=0)
    assert nearest.report() == {"pose_distance": pytest.approx(0, abs=1e-6)}


def test_nearest_knows_training_frames_only(nearest: Nearest, data: ToyData) -> None:
    (train,) = data.train_excerpts()
    assert len(nearest.images) == len(nearest.joints) == len(train) == 20
    trial: Trial = data.trials(nearest.request, "test")[0]
    frames = torch.cat(list(nearest.generate(trial.appearance, trial.motion)))
    kept = nearest.images.float() / 127.5 - 1
    assert all((frame == kept).flatten(1).all(dim=1).any() for frame in frames)
    assert nearest.report()["pose_distance"] > 0


def test_nearest_says_how_near_it_came_in_each_trial_alone(nearest: Nearest, data: ToyData) -> None:
    trials = data.trials(nearest.request, "test")
    reports = []
    for trial in (trials[0], trials[1], trials[0]):
        list(nearest.generate(trial.appearance, trial.motion))
        reports.append(nearest.report()["pose_distance"])
    assert reports[0] == reports[2] != reports[1]


def test_nearest_keeps_evenly_spaced_frames_where_there_are_too_many(data: ToyData) -> None:
    few = Nearest(image_size=SIZE, max_frames=7)
    few.prepare(data)
    joints = data.train_motion(few.request).joints[0]
    assert torch.equal(few.joints, joints[::3])


def test_nearest_comes_back_from_its_file(nearest: Nearest, data: ToyData, tmp_path: Path) -> None:
    checkpoint.save(nearest, tmp_path / "method.ckpt", hashes={})
    loaded = checkpoint.load(tmp_path / "method.ckpt")
    trial: Trial = data.trials(nearest.request, "test")[0]
    for method in (nearest, loaded):
        assert isinstance(method, Nearest)
    assert torch.equal(
        torch.cat(list(nearest.generate(trial.appearance, trial.motion))),
        torch.cat(list(loaded.generate(trial.appearance, trial.motion))),
    )
    with pytest.raises(CheckpointError, match="not the context of Nearest"):
        loaded.load_context({"gallery": 1})


# -- the distance -----------------------------------------------------------------------------------------------------


def poses(*points: tuple[float, float, float]) -> torch.Tensor:
    """One pose ``(1, J, 3)``."""
    return torch.tensor([points], dtype=torch.float32)


def test_distance_is_the_mean_over_shared_joints_in_body_heights() -> None:
    gallery = torch.cat([poses((0, 0, 1), (0, 10, 1)), poses((3, 4, 1), (0, 0, 0)), poses((0, 0, 0), (0, 0, 0))])
    # The height is 10, as only the first pose has one.
    found = pose_distance(poses((0, 0, 1), (0, 20, 1)), gallery)
    assert found.tolist() == [[pytest.approx(0.5), pytest.approx(0.5), float("inf")]]
    assert pose_distance(poses((0, 0, 0), (0, 20, 1)), gallery)[0, 0] == pytest.approx(1.0)


def test_a_pose_of_which_nothing_is_seen_is_infinitely_far() -> None:
    gallery = poses((0, 0, 1), (0, 10, 1))
    assert pose_distance(poses((0, 0, 0), (0, 0, 0)), gallery).item() == float("inf")
    assert pose_distance(poses((0, 0, 1), (0, 0, 0)), poses((1, 0, 1), (0, 0, 0))).item() == 1.0, "no height: pixels"


def test_joints_that_are_missing_do_not_draw_a_frame_near() -> None:
    """A joint that is absent lies at (0, 0), which must not count as a place."""
    gallery = torch.cat([poses((50, 0, 1), (50, 100, 1)), poses((52, 0, 1), (0, 0, 0))])
    assert pose_distance(poses((53, 0, 1), (53, 100, 1)), gallery).argmin().item() == 1
    assert pose_distance(poses((50, 0, 1), (0, 0, 0)), gallery).argmin().item() == 0
