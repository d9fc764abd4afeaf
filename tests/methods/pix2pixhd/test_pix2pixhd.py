"""pix2pixHD: the sizes of its networks, what its two stages see and train, and its losses against the paper's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks.bench.config_stack import ConfigStack
from methods.pix2pixhd.method import EnhancerStage, HalvedStage, Pix2PixHD
from methods.pix2pixhd.networks import CoarseToFine, LocalEnhancer, half
from motioncopy.batch import MotionBatch
from motioncopy.errors import ConfigError
from motioncopy.nets.blocks import GlobalGenerator
from motioncopy.training import checkpoint
from motioncopy.training.gan import weighted
from motioncopy.training.pose_to_frame import PoseToFrameStage
from tests.methods.tiny import SIZE, tiny
from tests.toys import ToyData, write_clip


def millions(module: nn.Module) -> float:
    return sum(p.numel() for p in module.parameters()) / 1e6


def build(*overlays: str, **init_args: Any) -> Pix2PixHD:
    model = tiny("pix2pixhd", "paper", *overlays, **init_args)
    method = checkpoint.build(model["class_path"], model["init_args"])
    assert isinstance(method, Pix2PixHD)
    return method


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> MotionBatch:
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder, "ann", size=SIZE)
    windows = ToyData(str(folder)).train_windows(build().stages[0].request)
    return MotionBatch.collate([windows[0], windows[5]]).as_float()


def terms(stage: HalvedStage | EnhancerStage, batch: MotionBatch) -> dict[str, tuple[float, Tensor]]:
    pair = stage.generate(batch)
    return stage.generator_terms(pair, stage.comparisons(pair))


def test_the_full_size_is_that_of_the_official_code() -> None:
    no_vgg = {"losses": {"perceptual": 0.0}}  # its weights are not on every machine, and are not counted
    changes = {"perceptual": None, "coarse": no_vgg, "enhancer": no_vgg}
    model = ConfigStack("pix2pixhd", "pair", preset="full").resolve({"model": {"init_args": changes}})["model"]
    with torch.device("meta"):
        coarse, enhancer = checkpoint.build(model["class_path"], model["init_args"]).stages
    assert isinstance(coarse, HalvedStage)
    assert isinstance(enhancer, EnhancerStage)
    assert millions(coarse.generator) == pytest.approx(182.4, rel=0.001)
    assert millions(coarse.discriminators) == pytest.approx(5.5, rel=0.01)
    assert millions(enhancer.generator) == pytest.approx(182.7, rel=0.001)
    assert millions(enhancer.discriminators) == pytest.approx(3 / 2 * 5.5, rel=0.01)


def test_losses_are_those_of_the_paper(batch: MotionBatch) -> None:
    """Equation 2 in the form of LSGAN, equation 4 and the VGG loss weighted by 10."""
    stage = build(coarse={"losses": {"l1": 0.0}}).stages[0]  # without what quick's overlay adds
    assert isinstance(stage, HalvedStage)
    pair = stage.generate(batch)
    logits = [
        [scale[-1] for scale in stage.discriminators(torch.cat((pair.sticks, x), 1))]
        for x in (pair.real, pair.generated)
    ]
    comparisons = stage.comparisons(pair)
    losses = stage.discriminator_losses(pair, comparisons)
    halves = [((r - 1).square().mean() + f.square().mean()) / 2 for r, f in zip(*logits, strict=True)]
    torch.testing.assert_close(losses, {"adversarial": sum(halves)})
    found = stage.generator_terms(pair, comparisons)
    torch.testing.assert_close(found["adversarial"], (1.0, sum((f - 1).square().mean() for f in logits[1])))
    torch.testing.assert_close(found["perceptual"], (10.0, stage.fixed["perceptual"](pair.generated, pair.real)))
    assert {name: weight for name, (weight, _) in found.items()} == {
        "adversarial": 1.0, "feature_matching": 10.0, "perceptual": 10.0
    }  # fmt: skip


def test_the_global_generator_is_trained_at_half_the_size(batch: MotionBatch) -> None:
    stages = build().stages
    coarse, enhancer = (stage.generate(batch) for stage in stages if isinstance(stage, HalvedStage | EnhancerStage))
    assert enhancer.generated.shape[-2:] == SIZE
    assert coarse.generated.shape[-2:] == tuple(n // 2 for n in SIZE)
    torch.testing.assert_close(coarse.sticks, half(enhancer.sticks))
    torch.testing.assert_close(coarse.real, half(enhancer.real))


def test_the_enhancer_learns_alone_at_first(batch: MotionBatch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Section 3.1 trains both jointly; the official code fixes the global generator for some epochs before."""
    stage = build(enhancer={"fixed_epochs": 1}).stages[1]
    assert isinstance(stage, EnhancerStage)
    for epoch, together in ((0, False), (1, True)):
        monkeypatch.setattr(EnhancerStage, "current_epoch", epoch)
        stage.on_train_epoch_start()
        stage.zero_grad()
        weighted(terms(stage, batch)).backward()
        learns = [
            any(p.grad is not None for p in m.parameters()) for m in (stage.generator.coarse, stage.generator.enhancer)
        ]
        assert learns == [together, True]


def test_the_enhancer_goes_on_from_the_trained_global_generator() -> None:
    method = build()
    coarse, enhancer = method.stages
    assert isinstance(coarse, HalvedStage)
    assert enhancer.depends == ("global",)
    assert set(coarse.generator.encoder.parameters()) < set(method.generator.parameters())
    assert not any(p is q for p in coarse.generator.output.parameters() for q in method.generator.parameters())


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"does not fit the global generator.*width 4, half.*Found: 8"):
        CoarseToFine(GlobalGenerator(3, width=8, downs=1, blocks=0), LocalEnhancer(width=8))
    with pytest.raises(ConfigError, match=r"multiples of 8, at least 16.*Found: 20x32.*use 16x32 or 24x32"):
        build(image_size=[20, 32])


def test_global_only_leaves_the_global_generator_at_full_size(batch: MotionBatch) -> None:
    method = build("global_only")
    (stage,) = method.stages
    assert isinstance(stage, PoseToFrameStage)
    assert isinstance(method.generator, GlobalGenerator)
    assert stage.generate(batch).generated.shape[-2:] == SIZE
