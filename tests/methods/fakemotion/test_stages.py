"""FakeMotion's stages: what they see, which losses they have, and that they learn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from benchmarks.cli import main
from methods.fakemotion.foreground import ForegroundStage, fused_l1
from methods.fakemotion.method import FakeMotion
from motioncopy.batch import MotionBatch
from motioncopy.training import checkpoint
from motioncopy.training.fusion_gan import FusionStage
from motioncopy.training.gan import GANStage, Weighted
from motioncopy.training.local_gan import LocalStage, RefinedCrops
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
def test_training_and_generation_draw_the_same_inputs(data: ToyData, variant: str) -> None:
    """Also at both ends, where a frame stands beside itself."""
    method = build(variant)
    stage = method.stages[0]
    assert isinstance(stage, ForegroundStage)
    trained: dict[int, torch.Tensor] = {}
    for window in data.train_windows(stage.request):
        windows = stage.windows(window.as_float())
        numbers = window.frames[0, stage.lead : stage.lead + stage.generated].tolist()
        for number, drawn in zip(numbers, windows.inputs, strict=True):
            trained.setdefault(number, drawn)  # the last window of all stands still
    seen: list[torch.Tensor] = []
    method.generator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    method.prepare(data)
    trial = data.trials(method.request, "test")[0]
    motion = data.train_motion(method.request)
    list(method.generate(trial.appearance, motion, chunk=7))
    generated = torch.cat(seen)
    assert sorted(trained) == list(range(len(motion)))
    inner = range(len(motion)) if method.pose.after == 0 else range(len(motion) - 1)  # behind the last: test frames
    for number in inner:
        assert torch.equal(trained[number], generated[number]), f"frame {number}"


@pytest.mark.parametrize("variant", VARIANTS)
def test_windows_pair_poses_with_the_person_on_nothing(data: ToyData, variant: str) -> None:
    method = build(variant)
    stage = method.stages[0]
    assert isinstance(stage, ForegroundStage)
    given = batch(data, stage)
    windows = stage.windows(given)
    n, g, end = stage.shown, stage.generated, stage.lead + stage.generated
    assert torch.equal(windows.real, (given.images * given.mask)[:, end - n : end])
    assert torch.equal(windows.poses, method.pose.draw(given.motion)[:, end - n : end])
    assert torch.equal(windows.frames.unflatten(0, (-1, g)), given.images[:, end - g : end])
    assert torch.equal(windows.background[::g], given.appearance.background)
    fake = torch.zeros(len(given) * g, 3, *SIZE)
    clip = stage.generated_clip(windows, fake)
    assert clip.shape == windows.real.shape
    assert torch.equal(clip[:, : n - g], windows.real[:, : n - g]), "what comes before is real"
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


def losses(stage: GANStage[Any], sample: Any) -> tuple[Weighted, set[str]]:
    """The generator's terms, and which terms the discriminators learn for."""
    weight = stage._weight
    comparisons = [c for c in stage.comparisons(sample) if weight(c.term) or (c.matched and weight("feature_matching"))]
    return stage.generator_terms(sample, comparisons), set(stage.discriminator_losses(sample, comparisons))


OFF = ("adversarial", "temporal", "mask", "l2", "l1", "feature_matching", "gromov_wasserstein", "wasserstein")


def foreground_terms(data: ToyData, weights: dict[str, float], **init_args: Any) -> tuple[Weighted, set[str]]:
    foreground = init_args.pop("foreground", {}) | {"losses": dict.fromkeys(OFF, 0.0) | weights}
    stage = build("paper", foreground=foreground, **init_args).stages[0]
    assert isinstance(stage, ForegroundStage)
    return losses(stage, stage.generate(batch(data, stage)))


@pytest.mark.parametrize("term", OFF[:6])
def test_a_foreground_term_is_there_if_it_has_a_weight(data: ToyData, term: str) -> None:
    terms, learnt = foreground_terms(data, {term: 0.5})
    assert set(terms) == {term}
    weight, value = terms[term]
    assert weight == 0.5
    assert value.shape == ()
    assert value > 0
    by_term = {"adversarial": {"adversarial"}, "feature_matching": {"adversarial"}, "temporal": {"temporal"}}
    assert learnt == by_term.get(term, set())


@pytest.mark.parametrize(("term", "layer"), [("gromov_wasserstein", "relu3_2"), ("wasserstein", "logits")])
def test_transport_terms_are_there_if_they_have_a_weight(data: ToyData, term: str, layer: str) -> None:
    layers = {"init_args": {"layers": ["relu3_2", "logits"]}}
    terms, _ = foreground_terms(data, {term: 2.0}, foreground={term: {"layer": layer}}, features=layers)
    assert set(terms) == {term}
    assert terms[term][0] == 2.0
    assert terms[term][1] >= 0


def test_every_foreground_term_reaches_the_generator_alone(data: ToyData) -> None:
    weights = dict.fromkeys(OFF, 1.0) | {"wasserstein": 0.0}
    stage = build("paper", foreground={"losses": weights}).stages[0]
    assert isinstance(stage, ForegroundStage)
    stage.on_fit_start()
    given = batch(data, stage)
    names = list(losses(stage, stage.generate(given))[0])
    assert len(names) == len(OFF) - 1
    for name in names:
        stage.zero_grad(set_to_none=True)
        losses(stage, stage.generate(given))[0][name][1].backward()
        assert any(p.grad is not None and p.grad.any() for p in stage.generator.parameters()), name
        assert all(p.grad is None for p in stage.fixed["features"].parameters())


def crop_terms(stage: LocalStage) -> set[str]:
    crops = torch.rand(3, 3, 16, 16) * 2 - 1
    refined = RefinedCrops(0, crops.flip(0), crops + stage.generator.refiners[0](crops))
    return set(losses(stage, [refined])[0])


@pytest.mark.parametrize("term", ["adversarial", "l1", "feature_matching", "wasserstein", "perceptual"])
def test_a_local_term_is_there_if_it_has_a_weight(term: str) -> None:
    off = dict.fromkeys(("adversarial", "l1", "feature_matching", "wasserstein", "perceptual"), 0.0)
    network = {"class_path": "motioncopy.nets.features.FeatureNetwork",
               "init_args": {"network": "random_vgg", "layers": ["relu1_1"], "width": 2}}  # fmt: skip
    perceptual = {"class_path": "motioncopy.losses.perceptual.FeatureLoss",
                  "init_args": {"features": network, "weights": {"relu1_1": 1.0}}}  # fmt: skip
    local = {"losses": off | {term: 0.5}, "perceptual": perceptual}
    stage = build("released", local=local).stages[-1]
    assert isinstance(stage, LocalStage)
    assert crop_terms(stage) == {term}


@pytest.mark.parametrize("term", ["adversarial", "l1", "feature_matching", "wasserstein"])
def test_a_fusion_term_is_there_if_it_has_a_weight(data: ToyData, term: str) -> None:
    off = dict.fromkeys(("adversarial", "l1", "feature_matching", "wasserstein"), 0.0)
    method = build("released", fusion={"losses": off | {term: 0.5}})
    method.prepare(data)
    stage = method.stages[2]
    assert isinstance(stage, FusionStage)
    terms, _ = losses(stage, stage.generate(batch(data, stage)))
    assert {name: weight for name, (weight, _) in terms.items()} == {term: 0.5}


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
    model = tiny("fakemotion", "paper", "no_face", "no_local", foreground={"schedule": schedule})
    assert model["init_args"]["foreground"]["losses"]["l1"] > 0, "stabilised"
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
        return fused_l1(*stage.generate(batch(data, stage))).item()


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
