"""What stages and methods have in common, and a method's way through its checkpoint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from motioncopy.errors import CheckpointError, ConfigError
from motioncopy.method import Method
from motioncopy.request import DataRequest, Trial
from motioncopy.training import checkpoint
from motioncopy.training.updates import frozen
from tests.toys import PaintStage, TouchStage, ToyData, ToyMethod, write_clip

REQUEST = DataRequest(2, (16, 16), batches=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ToyData:
    folder = tmp_path_factory.mktemp("clips")
    for name in ("ann", "bob"):
        write_clip(folder, name)
    return ToyData(str(folder))


@pytest.fixture
def fitted(data: ToyData) -> Method[Any]:
    method = checkpoint.build("tests.toys.ToyMethod", {"width": 5})
    method.prepare(data)
    return method


@pytest.fixture
def trial(data: ToyData, fitted: Method[Any]) -> Trial:
    found: Trial = data.trials(fitted.request, "test")[0]
    return found


# -- stages -----------------------------------------------------------------------------------------------------------


def touch(*upstream: nn.Module) -> TouchStage:
    stage = TouchStage(nn.Conv2d(3, 3, 1), upstream[0], REQUEST, epochs=1)
    stage.upstream = upstream
    return stage


def test_a_frozen_network_passes_gradients_on_and_gets_none() -> None:
    judge, painter = nn.Linear(2, 1), nn.Linear(2, 2)
    judge.bias.requires_grad_(False)
    with frozen(judge):
        judge(painter(torch.ones(1, 2))).sum().backward()
    assert painter.weight.grad is not None
    assert judge.weight.grad is None
    assert judge.weight.requires_grad
    assert not judge.bias.requires_grad, "what had no gradient before gets none afterwards"
    with pytest.raises(ZeroDivisionError), frozen(judge):
        _ = 1 / 0
    assert judge.weight.requires_grad


def test_upstream_networks_are_not_trained_and_get_back_what_they_had() -> None:
    painter, features = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Dropout()), nn.Conv2d(3, 3, 1).requires_grad_(False)
    stage = touch(painter, features)
    stage.on_fit_start()
    assert not any(p.requires_grad for p in (*painter.parameters(), *features.parameters()))
    assert not painter[1].training
    stage.on_fit_end()
    assert all(p.requires_grad for p in painter.parameters())
    assert not any(p.requires_grad for p in features.parameters())
    assert not {n.split(".")[0] for n in stage.state_dict()} - {"gain"}, "upstream is in no checkpoint of the stage"


def test_counters_go_through_the_checkpoint_of_their_own_stage_only(data: ToyData) -> None:
    stage, window = touch(nn.Conv2d(3, 3, 1)), data.train_windows(REQUEST)[3]
    for _ in range(3):
        stage.on_train_batch_start(window, 0)
        stage.on_train_batch_end(None, window, 0)
    content: dict[str, Any] = {}
    stage.on_save_checkpoint(content)
    fresh = touch(nn.Conv2d(3, 3, 1))
    fresh.on_load_checkpoint(content)
    assert (fresh.steps, fresh.samples_digest) == (3, stage.samples_digest)
    assert fresh.seconds == stage.seconds > fresh.data_seconds >= 0
    other = PaintStage(nn.Conv2d(1, 3, 1), REQUEST, epochs=1)
    with pytest.raises(CheckpointError, match=r"another stage\. Expected: paint\. Found: touch"):
        other.on_load_checkpoint(content)
    with pytest.raises(CheckpointError, match="counters of the stage"):
        other.on_load_checkpoint({})


def test_the_digest_tells_samples_and_their_order(data: ToyData) -> None:
    windows = data.train_windows(REQUEST)

    def digest(*order: int) -> str:
        stage = touch(nn.Conv2d(3, 3, 1))
        for k in order:
            stage.on_train_batch_start(windows[k], 0)
        return stage.samples_digest

    assert digest(0, 1, 2) == digest(0, 1, 2)
    assert len({digest(0, 1), digest(1, 0), digest(0), digest(0, 1, 1)}) == 4


def test_images_become_float_on_the_device(data: ToyData) -> None:
    batch = touch(nn.Conv2d(3, 3, 1)).on_after_batch_transfer(data.train_windows(REQUEST)[0], 0)
    assert batch.images.dtype == batch.appearance.images.dtype == torch.float32
    assert batch.images.min() < 0 < batch.mask.max() == 1


def test_a_stage_depends_on_the_arguments_that_it_is_given_by_name() -> None:
    paint, touched = ToyMethod().stages
    assert set(paint.config_keys) == {"epochs", "poison", "width"}
    assert set(touched.config_keys) == {"epochs", "rate"}


def test_a_stage_of_negative_length_is_refused() -> None:
    with pytest.raises(ConfigError, match="epochs must not be negative"):
        TouchStage(nn.Conv2d(3, 3, 1), nn.Identity(), REQUEST, epochs=-1)


# -- methods ----------------------------------------------------------------------------------------------------------


def test_frames_do_not_depend_on_the_chunk(fitted: Method[Any], trial: Trial) -> None:
    whole = torch.cat(list(fitted.generate(trial.appearance, trial.motion, chunk=100)))
    assert len(whole) == len(trial)
    assert not whole.requires_grad
    for chunk in (1, 4):
        pieces = list(fitted.generate(trial.appearance, trial.motion, chunk=chunk))
        assert all(len(piece) for piece in pieces), "a step without frames gives nothing"
        torch.testing.assert_close(torch.cat(pieces), whole)


def test_a_personal_method_shows_one_person(fitted: Method[Any], trial: Trial, data: ToyData) -> None:
    assert fitted.subject == "ann"
    stranger = replace(trial.appearance, person=("bob",))
    with pytest.raises(CheckpointError, match=r"ToyMethod is personal.*Expected: ann\. Found: bob.*fit a model"):
        next(fitted.generate(stranger, trial.motion))
    with pytest.raises(CheckpointError, match="Expected: a fitted model"):
        ToyMethod().check_person(trial.appearance)
    everybody = ToyData(str(data.root), regime="general")
    with pytest.raises(ConfigError, match=r"training frames of one person.*data\.person"):
        ToyMethod().prepare(everybody)


def test_another_body_is_fitted_to_that_of_the_training_frames(fitted: Method[Any], trial: Trial) -> None:
    fitted.normalisation = "frame_height"
    giant = replace(trial.motion, joints=trial.motion.joints * torch.tensor([1.5, 1.5, 1]))
    adapted = fitted.adapt(giant, trial.appearance)

    def height(joints: torch.Tensor) -> float:
        return (joints[..., 1].amax(dim=-1) - joints[..., 1].amin(dim=-1)).mean().item()

    assert fitted.reference is not None
    assert height(giant.joints) > 1.3 * height(fitted.reference.joints)
    assert height(adapted.joints) == pytest.approx(height(fitted.reference.joints), rel=0.15)
    fitted.normalisation = "none"
    torch.testing.assert_close(fitted.adapt(giant, trial.appearance).joints, giant.joints)


def test_frames_need_somebody_to_take_them(fitted: Method[Any], trial: Trial) -> None:
    fitted.test_step(None, 0)  # a process without a trial
    for step in (fitted.test_step, fitted.validation_step, fitted.predict_step):
        with pytest.raises(ConfigError, match="nobody takes the generated frames"):
            step(trial, 0)


# -- checkpoints ------------------------------------------------------------------------------------------------------


def test_a_method_comes_back_from_its_file(fitted: Method[Any], trial: Trial, tmp_path: Path) -> None:
    path = tmp_path / "run" / "method.ckpt"
    checkpoint.save(fitted, path, hashes={"stages": {"paint": "abc"}})
    assert [p.name for p in path.parent.iterdir()] == ["method.ckpt"]
    content = checkpoint.read(path)
    assert (content.class_path, content.init_args["width"]) == ("tests.toys.ToyMethod", 5)
    assert content.hashes == {"stages": {"paint": "abc"}}
    loaded = checkpoint.load(path)
    assert not loaded.training
    assert (loaded.subject, loaded.init_args) == (fitted.subject, fitted.init_args)
    assert fitted.reference is not None
    assert loaded.reference is not None
    assert loaded.reference.size == fitted.reference.size
    assert torch.equal(loaded.reference.joints, fitted.reference.joints)
    frames = [torch.cat(list(m.generate(trial.appearance, trial.motion))) for m in (fitted, loaded)]
    assert torch.equal(*frames)


def test_parameters_that_do_not_fit_are_refused(fitted: Method[Any], tmp_path: Path) -> None:
    checkpoint.save(fitted, tmp_path / "method.ckpt", hashes={})
    other = checkpoint.build("tests.toys.ToyMethod", {"width": 6})
    with pytest.raises(CheckpointError, match=r"do not fit.*painter\.0\.weight"):
        checkpoint.restore(other, checkpoint.read(tmp_path / "method.ckpt"), path=tmp_path / "method.ckpt")


def test_a_context_that_nobody_knows_is_refused(fitted: Method[Any], tmp_path: Path) -> None:
    checkpoint.save(fitted, tmp_path / "method.ckpt", hashes={})
    content = checkpoint.read(tmp_path / "method.ckpt").model_copy(update={"context": {"gallery": 1}})
    with pytest.raises(CheckpointError, match=r"ToyMethod keeps no context.*gallery"):
        checkpoint.restore(fitted, content, path=tmp_path / "method.ckpt")


def test_only_what_was_built_from_plain_values_can_be_saved(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"checkpoint\.build"):
        checkpoint.save(ToyMethod(), tmp_path / "method.ckpt", hashes={})
    assert list(tmp_path.iterdir()) == []


def test_plain_values_have_one_digest() -> None:
    assert checkpoint.plain({"a": (1, 2), "b": Path("x"), "c": {"d": None, 3: True}}) == {
        "a": [1, 2], "b": "x", "c": {"d": None, "3": True},
    }  # fmt: skip
    assert checkpoint.digest({"a": 1, "b": [2]}) == checkpoint.digest({"b": (2,), "a": 1})
    assert checkpoint.digest({"a": 1}) != checkpoint.digest({"a": 1.5})
