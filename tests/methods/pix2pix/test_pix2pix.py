"""pix2pix: the sizes of its networks, and its losses against the paper's equations."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from benchmarks.bench.config_stack import ConfigStack
from methods.pix2pix.networks import UNet
from motioncopy.batch import MotionBatch
from motioncopy.errors import ConfigError
from motioncopy.training import checkpoint
from motioncopy.training.pose_to_frame import PoseToFrameStage
from tests.methods.tiny import SIZE, tiny
from tests.toys import ToyData, write_clip


def test_the_full_size_is_that_of_the_official_code() -> None:
    model = ConfigStack("pix2pix", "pair", preset="full").resolve()["model"]
    with torch.device("meta"):
        stage = checkpoint.build(model["class_path"], model["init_args"]).stages[0]
        assert isinstance(stage, PoseToFrameStage)
        maps = stage.discriminators(torch.zeros(1, 6, 256, 256))[0]
    assert sum(p.numel() for p in stage.generator.parameters()) == pytest.approx(54.4e6, rel=0.01)
    assert sum(p.numel() for p in stage.discriminators.parameters()) == pytest.approx(2.77e6, rel=0.01)
    assert maps[-1].shape == (1, 1, 30, 30)
    assert [m.p for m in stage.generator.modules() if isinstance(m, nn.Dropout) and m.p] == [0.5] * 3


def test_the_innermost_level_is_one_cell_without_norm() -> None:
    network = UNet(levels=5, width=4)
    assert network(torch.randn(1, 3, 32, 64)).shape == (1, 3, 32, 64)
    assert isinstance(network.down[-1].get_submodule("1"), nn.Identity)  # one value a channel would become zero
    with pytest.raises(ConfigError, match=r"multiples of 32, at least 32.*Found: 40x32.*use 32x32 or 64x32"):
        network(torch.randn(1, 3, 40, 32))


def test_every_level_is_skipped_over_to_its_mirror() -> None:
    """Without what comes from below, a level's output still depends on its own skip."""
    network = UNet(levels=3, width=4, norm="none")
    for k in (1, 2):
        nn.init.zeros_(network.up[k].get_submodule("0").get_parameter("weight"))  # nothing comes from below level k - 1
        x = torch.randn(1, 3, 16, 16, requires_grad=True)
        network(x).square().sum().backward()
        assert x.grad is not None
        assert x.grad.abs().sum() > 0


def test_losses_are_those_of_the_paper(tmp_path: Path) -> None:
    """Section 3.1 and equation 4; D's objective is halved, G maximises log D (section 3.3)."""
    write_clip(tmp_path, "ann", size=SIZE)
    model = tiny("pix2pix", "paper")
    stage = checkpoint.build(model["class_path"], model["init_args"]).stages[0]
    assert isinstance(stage, PoseToFrameStage)
    windows = ToyData(str(tmp_path)).train_windows(stage.request)
    pair = stage.generate(MotionBatch.collate([windows[0], windows[5]]).as_float())
    comparisons = stage.comparisons(pair)
    bce, ones = functional.binary_cross_entropy, torch.ones_like
    real, fake = (
        stage.discriminators(torch.cat((pair.sticks, x), 1))[0][-1].sigmoid() for x in (pair.real, pair.generated)
    )
    losses = stage.discriminator_losses(pair, comparisons)
    torch.testing.assert_close(losses, {"adversarial": (bce(real, ones(real)) + bce(fake, torch.zeros_like(fake))) / 2})
    terms = stage.generator_terms(pair, comparisons)
    expected = {"adversarial": (1.0, bce(fake, ones(fake))), "l1": (100.0, (pair.generated - pair.real).abs().mean())}
    torch.testing.assert_close(terms, expected)
