"""FakeMotion's stages: what they see, which losses they have, and that they learn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from benchmarks.cli import main
from methods.fakemotion.foreground import ForegroundStage
from methods.fakemotion.fusing import FusionStage
from methods.fakemotion.local import PartStage
from methods.fakemotion.method import FakeMotion
from methods.fakemotion.temporal import DilatedCritic, PairCritic
from methods.fakemotion.training import Schedule
from motioncopy.batch import MotionBatch
from motioncopy.errors import ConfigError
from motioncopy.losses.weighted import weighted
from motioncopy.training import checkpoint
from tests.datamodules.making import still, write_discs
from tests.methods.tiny import SIZE, tiny
from tests.toys import ToyData, write_clip

VARIANTS = ("paper", "released")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ToyData:
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder, "ann", size=SIZE)
    return ToyData(str(folder))


def build(variant: str, *overlays: str, **init_args: Any) -> FakeMotion:
    model = tiny("fakemotion", variant, *overlays, **init_args)
    method = checkpoint.build(model["class_path"], model["init_args"])
    assert isinstance(method, FakeMotion)
    return method


def batch(data: ToyData, stage: Any) -> MotionBatch:
    windows = data.train_windows(stage.request)
    return MotionBatch.collate([windows[k] for k in (0, 6, len(windows) - 1)]).as_float()


# -- what is seen -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS)
def test_training_and_generation_draw_the_same_labels(data: ToyData, variant: str) -> None:
    """Also at both ends, where a frame stands beside itself."""
    method = build(variant)
    stage = method.stages[0]
    assert isinstance(stage, ForegroundStage)
    trained: dict[int, torch.Tensor] = {}
    for window in data.train_windows(stage.request):
        scene = stage._scene(window.as_float())
        numbers = window.frames[0, stage.lead : stage.lead + stage.generated].tolist()
        for number, label in zip(numbers, scene.labels, strict=True):
            trained.setdefault(number, label)  # the last window of all stands still
    seen: list[torch.Tensor] = []
    method.generator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    method.prepare(data)
    trial = data.trials(method.request, "test")[0]
    motion = data.train_motion(method.request)
    list(method.generate(trial.appearance, motion, chunk=7))
    generated = torch.cat(seen)
    assert sorted(trained) == list(range(len(motion)))
    inner = range(len(motion)) if method.label.after == 0 else range(len(motion) - 1)  # behind the last: test frames
    for number in inner:
        assert torch.equal(trained[number], generated[number]), f"frame {number}"


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_scene_pairs_poses_with_the_person_on_nothing(data: ToyData, variant: str) -> None:
    method = build(variant)
    stage = method.stages[0]
    assert isinstance(stage, ForegroundStage)
    given = batch(data, stage)
    scene = stage._scene(given)
    n, g, end = stage.judged, stage.generated, stage.lead + stage.generated
    assert torch.equal(scene.real, (given.images * given.mask)[:, end - n : end])
    assert torch.equal(scene.poses, method.label.draw(given.motion)[:, end - n : end])
    assert torch.equal(scene.frames.unflatten(0, (-1, g)), given.images[:, end - g : end])
    assert torch.equal(scene.background[::g], given.appearance.background)
    fake = torch.zeros(len(given) * g, 3, *SIZE)
    clip = stage._fake_clip(scene, fake)
    assert clip.shape == scene.real.shape
    assert torch.equal(clip[:, : n - g], scene.real[:, : n - g]), "what comes before is real"
    assert not clip[:, n - g :].any()


@pytest.mark.parametrize("variant", VARIANTS)
def test_without_d_t_the_data_are_the_same(variant: str) -> None:
    with_it, without = build(variant).stages[0], build(variant, "no_temporal").stages[0]
    assert with_it.request == without.request
    assert isinstance(with_it, ForegroundStage)
    assert isinstance(without, ForegroundStage)
    assert (with_it.lead, with_it.generated) == (without.lead, without.generated)


def test_later_stages_see_one_frame_and_its_neighbours() -> None:
    for variant, window in (("paper", 3), ("released", 2)):
        _, *later = build(variant).stages
        assert {s.request.window for s in later} == {window}
        assert {s.request.pad for s in later} == {1}


# -- losses -----------------------------------------------------------------------------------------------------------

NONE: dict[str, Any] = {"quality": 0.0, "temporal": 0.0, "mask": 0.0, "l2": 0.0, "l1": 0.0, "feature_matching": 0.0}
OFF: dict[str, Any] = {"gromov_wasserstein": {"weight": 0.0}, "wasserstein": {"weight": 0.0}}


def foreground_terms(data: ToyData, **init_args: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    stage = build("paper", **init_args).stages[0]
    assert isinstance(stage, ForegroundStage)
    scene = stage._scene(batch(data, stage))
    output = stage.generator(scene.labels)
    return stage._generator_terms(scene, output), stage._discriminator_terms(scene, output[:, :3].detach())


@pytest.mark.parametrize("term", sorted(NONE))
def test_a_foreground_term_is_there_if_it_has_a_weight(data: ToyData, term: str) -> None:
    terms, judged = foreground_terms(data, **OFF, losses=NONE | {term: 0.5})
    assert set(terms) == {term}
    weight, value = terms[term]
    assert weight == 0.5
    assert value.shape == ()
    assert value > 0
    trained = {"quality": {"quality"}, "feature_matching": {"quality"}, "temporal": {"temporal"}}
    assert set(judged) == trained.get(term, set())


def test_transport_terms_are_there_if_they_have_a_weight(data: ToyData) -> None:
    layers = {"init_args": {"layers": ["relu3_2", "logits"]}}
    for term, other, layer in (
        ("gromov_wasserstein", "wasserstein", "relu3_2"),
        ("wasserstein", "gromov_wasserstein", "logits"),
    ):
        on = {term: {"weight": 2.0, "layer": layer}, other: {"weight": 0.0}}
        terms, _ = foreground_terms(data, **on, losses=NONE, features=layers)
        assert set(terms) == {term}
        assert terms[term][0] == 2.0
        assert terms[term][1] >= 0


def test_every_foreground_term_reaches_the_generator_alone(data: ToyData) -> None:
    weights = dict.fromkeys(NONE, 1.0)
    stage = build("paper", losses=weights, gromov_wasserstein={"weight": 1.0}).stages[0]
    assert isinstance(stage, ForegroundStage)
    stage.on_fit_start()
    scene = stage._scene(batch(data, stage))
    for name in stage._generator_terms(scene, stage.generator(scene.labels)):
        stage.zero_grad(set_to_none=True)
        value = stage._generator_terms(scene, stage.generator(scene.labels))[name][1]
        value.backward()
        assert any(p.grad is not None and p.grad.any() for p in stage.generator.parameters()), name
        assert all(p.grad is None for p in stage.features.parameters())


def part_terms(data: ToyData, stage: PartStage) -> set[str]:
    pieces = torch.rand(3, 3, 16, 16) * 2 - 1
    fake = pieces + stage.painter.refiners[0](pieces)
    return set(stage._generator_terms([stage.discriminators[0]], [pieces.flip(0)], [fake]))


@pytest.mark.parametrize("term", ["adversarial", "l1", "feature_matching", "wasserstein", "perceptual"])
def test_a_local_term_is_there_if_it_has_a_weight(data: ToyData, term: str) -> None:
    off = dict.fromkeys(("adversarial", "l1", "feature_matching", "wasserstein", "perceptual"), 0.0)
    network = {"class_path": "motioncopy.nets.features.FeatureNetwork",
               "init_args": {"network": "random_vgg", "layers": ["relu1_1"], "width": 2}}  # fmt: skip
    perceptual = {"class_path": "motioncopy.losses.perceptual.FeatureLoss",
                  "init_args": {"features": network, "weights": {"relu1_1": 1.0}}}  # fmt: skip
    local = {"losses": off | {term: 0.5}, "perceptual": perceptual}
    stage = build("released", local=local).stages[-1]
    assert isinstance(stage, PartStage)
    assert part_terms(data, stage) == {term}


@pytest.mark.parametrize("term", ["adversarial", "l1", "feature_matching", "wasserstein"])
def test_a_fusion_term_is_there_if_it_has_a_weight(data: ToyData, term: str) -> None:
    off = dict.fromkeys(("adversarial", "l1", "feature_matching", "wasserstein"), 0.0)
    method = build("released", fusion={"losses": off | {term: 0.5}})
    method.prepare(data)
    stage = method.stages[2]
    assert isinstance(stage, FusionStage)
    layers = stage.render(batch(data, stage))
    fake = stage.fusion(layers.foreground, None, layers.background, layers.drawing)
    terms = stage._generator_terms(layers, fake)
    assert {name: weight for name, (weight, _) in terms.items()} == {term: 0.5}


def test_terms_are_weighed_and_summed() -> None:
    assert weighted({"a": (2.0, torch.tensor(3.0)), "b": (0.5, torch.tensor(4.0))}) == 8
    with pytest.raises(ConfigError, match="all losses of a stage have weight 0"):
        weighted({})


# -- lengths and rates ------------------------------------------------------------------------------------------------


def test_the_rate_stays_and_then_falls_but_never_to_nothing() -> None:
    network = nn.Linear(1, 1)
    adam, schedule = Schedule(epochs=6, decay_epochs=3, learning_rate=0.4, betas=(0.5, 0.9)).optimizer(network, None)
    rates = []
    for _ in range(6):
        rates.append(adam.param_groups[0]["lr"])
        adam.step()
        schedule.step()
    assert rates == pytest.approx([0.4, 0.4, 0.4, 0.3, 0.2, 0.1])
    assert adam.defaults["betas"] == (0.5, 0.9)


def test_only_what_wants_gradients_is_optimised() -> None:
    network = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1).requires_grad_(False))
    adam, _ = Schedule().optimizer(network)
    assert adam.param_groups[0]["params"] == list(network[0].parameters())


# -- temporal discriminators ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("critic", "sees_poses"), [(DilatedCritic(3, branch_width=2, width=4, layers=1), True), (PairCritic(2), False)]
)
def test_a_temporal_discriminator_judges_whole_clips(critic: DilatedCritic | PairCritic, sees_poses: bool) -> None:
    critic = critic.eval()  # spectral norm: the same at every call
    poses, images = torch.rand(2, critic.frames, 3, *SIZE), torch.rand(2, critic.frames, 3, *SIZE, requires_grad=True)
    logits = critic(poses, images)[0][-1]
    assert logits.shape[:2] == (2, 1)
    logits.sum().backward()
    assert images.grad is not None
    assert all(images.grad[:, k].any() for k in range(critic.frames)), "every frame counts"
    assert torch.equal(critic(poses.flip(0), images)[0][-1], logits) is not sees_poses
    assert not torch.equal(critic(poses, images.flip(1))[0][-1], logits), "and so does their order"


# -- learning ---------------------------------------------------------------------------------------------------------


def run(folder: Path, model: dict[str, Any], data: dict[str, Any], *commands: str) -> None:
    folder.mkdir()
    config = folder / "input.yaml"
    content = {"seed_everything": 0, "model": model, "data": data, "trainer": {"accelerator": "cpu", "logger": False}}
    config.write_text(yaml.safe_dump(content))
    for command in commands:
        assert main([command, "--config", str(config), "--run", str(folder)]) == 0


def test_the_foreground_is_learnt(data: ToyData, tmp_path: Path) -> None:
    """Held-out poses are painted better than any still picture shows them."""
    clips = {"class_path": "tests.toys.ToyData", "init_args": {"root": str(data.root)}}
    schedule = {"epochs": 1, "batches": 40, "batch_size": 4, "learning_rate": 5e-3}
    model = tiny("fakemotion", "paper", "no_face", "no_local", schedule=schedule)
    assert model["init_args"]["losses"]["l1"] > 0, "stabilised"
    before = l1(build("paper"), data)
    run(tmp_path / "fakemotion", model, clips, "fit", "test")
    run(tmp_path / "static", tiny("static", "trivial"), clips, "fit", "test")
    fitted = checkpoint.load(tmp_path / "fakemotion" / "method.ckpt")
    assert isinstance(fitted, FakeMotion)
    after = l1(fitted, data)
    assert after < 0.5 * before, f"L1 {before:.3f} before, {after:.3f} after"
    learnt, still_picture = (mask_psnr(tmp_path / name) for name in ("fakemotion", "static"))
    assert learnt > still_picture + 1, f"Mask-PSNR {learnt:.2f} dB; static {still_picture:.2f} dB"


def l1(method: FakeMotion, data: ToyData) -> float:
    stage = method.stages[0]
    assert isinstance(stage, ForegroundStage)
    with torch.no_grad():
        scene = stage._scene(batch(data, stage))
        return stage._l1(scene, stage.generator(scene.labels)).item()


def mask_psnr(folder: Path) -> float:
    summary = json.loads((folder / "outputs/toy@1-test/summary.json").read_text())
    (key,) = (k for k in summary["trials"][0]["scores"]["values"] if k.startswith("mask_psnr"))
    return float(np.mean(summary["trials"][0]["scores"]["values"][key]))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_person_whose_parts_are_never_seen_is_trained_all_the_same(tmp_path: Path, variant: str) -> None:
    write_discs(tmp_path / "clips" / "ann", still(16, 16, 24), size=SIZE, confidence=np.zeros(24))
    clips = {"class_path": "tests.toys.ToyData", "init_args": {"root": str(tmp_path / "clips")}}
    run(tmp_path / "run", tiny("fakemotion", variant), clips, "fit", "test")
    fitted = checkpoint.load(tmp_path / "run" / "method.ckpt")
    assert isinstance(fitted, FakeMotion)
    assert fitted.context() == {}
