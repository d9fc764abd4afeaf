"""The GAN stages: what discriminators see and learn, which terms are computed, and how far back a gradient flows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from motioncopy.batch import MotionBatch
from motioncopy.errors import BatchError, CheckpointError, ConfigError
from motioncopy.losses.adversarial import LeastSquares
from motioncopy.losses.feature_matching import feature_matching
from motioncopy.nets.discriminators import MultiScaleDiscriminator
from motioncopy.request import DataRequest
from motioncopy.training.gan import (
    Chunk,
    Comparison,
    FrameGANStage,
    GANConfig,
    GANLosses,
    GANStage,
    Rollout,
    SequenceGANStage,
    weighted,
)
from motioncopy.training.schedule import Schedule, SequenceSchedule

REQUEST = DataRequest(1, (16, 16))
GAN = LeastSquares("sum")


def discriminator(channels: int = 3) -> MultiScaleDiscriminator:
    return MultiScaleDiscriminator(channels, num_scales=2, n_layers=1, ndf=4)


@dataclass(frozen=True)
class Losses(GANLosses):
    l1: float = 0.0
    nothing: float = 0.0


class Frames(FrameGANStage[tuple[Tensor, Tensor]]):
    """Learns to make of masks what is masked."""

    def __init__(self, config: GANConfig, count: int = 1) -> None:
        super().__init__("frames", config, GAN, REQUEST)
        self.count = count

    def generate(self, batch: MotionBatch) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def comparisons(self, sample: tuple[Tensor, Tensor]) -> list[Comparison]:
        return [Comparison(self.discriminators, *sample)] * self.count

    def terms(self, sample: tuple[Tensor, Tensor]) -> Mapping[str, Callable[[], Tensor]]:
        def refused() -> Tensor:
            raise AssertionError("a term of weight 0 is not computed")

        return {"l1": lambda: functional.l1_loss(*sample), "nothing": refused}


def frames(count: int = 1, **weights: float) -> Frames:
    losses = Losses(**({"adversarial": 0.0} | weights))
    return Frames(GANConfig(nn.Conv2d(3, 3, 1), discriminator(), losses, Schedule()), count)


def sample(stage: GANStage[Any]) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    real, seen = torch.rand(2, 2, 3, 16, 16)
    return real, stage.generator(seen)


def drive(stage: GANStage[Any], given: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], dict[str, Tensor]]:
    """The names of the updates, and what is logged."""
    monkeypatch.setattr(stage, "optimizer_list", lambda: [None, None])
    updates, names = stage.adversarial_updates(given), []
    while True:
        try:
            names.append(next(updates).name)
        except StopIteration as stop:
            return names, stop.value


def test_discriminators_see_real_and_generated_in_one_pass_and_do_not_teach_the_generator() -> None:
    stage, network = frames(adversarial=1.0), discriminator(5)
    real, generated = sample(stage)
    condition, passes = torch.rand(2, 2, 16, 16), []
    network.register_forward_pre_hook(lambda _, inputs: passes.append(inputs[0]))
    loss = Comparison(network, real, generated, condition).discriminator_loss(GAN)
    assert [tuple(x.shape) for x in passes] == [(4, 5, 16, 16)]
    loss.backward()
    assert all(p.grad is None for p in stage.generator.parameters())
    assert all(p.grad is not None for p in network.parameters())
    logits = [[scale[-1] for scale in network(torch.cat((condition, x), dim=1))] for x in (real, generated)]
    torch.testing.assert_close(loss, GAN.discriminator(*logits))


def test_as_much_is_generated_as_is_real() -> None:
    with pytest.raises(BatchError, match=r"one shape.*4, 3.*generated.*2, 3"):
        Comparison(discriminator(), torch.zeros(4, 3, 16, 16), torch.zeros(2, 3, 16, 16))


@pytest.mark.parametrize("term", ["adversarial", "feature_matching", "l1"])
def test_a_term_is_there_if_it_has_a_weight(term: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = frames(1, **{term: 2.0})
    given = sample(stage)
    names, logged = drive(stage, given, monkeypatch)
    judged = term != "l1"
    assert names == (["discriminator", "generator"] if judged else ["generator"])
    assert set(logged) == {term, *(["discriminator_adversarial"] if judged else [])}
    network = stage.discriminators
    maps = network(given[0]), network(given[1])
    expected = {
        "adversarial": GAN.generator([scale[-1] for scale in maps[1]]),
        "feature_matching": feature_matching(*maps),
        "l1": functional.l1_loss(*given),
    }
    torch.testing.assert_close(logged[term], expected[term])


def test_terms_of_one_name_are_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    once, twice = (frames(count, adversarial=1.0, feature_matching=1.0) for count in (1, 2))
    twice.load_state_dict(once.state_dict())
    (_, one), (_, two) = (drive(stage, sample(stage), monkeypatch) for stage in (once, twice))
    assert set(one) == {"adversarial", "feature_matching", "discriminator_adversarial"}
    for name, value in one.items():
        torch.testing.assert_close(two[name], 2 * value)


def test_the_generators_update_leaves_the_discriminators_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = frames(adversarial=1.0, feature_matching=1.0, l1=1.0)
    monkeypatch.setattr(stage, "optimizer_list", lambda: [None, None])
    updates = stage.adversarial_updates(sample(stage))
    next(updates)
    next(updates).loss.backward()
    assert all(p.grad is not None for p in stage.generator.parameters())
    assert all(p.grad is None for p in stage.discriminators.parameters())


def test_terms_are_weighed_and_summed() -> None:
    assert weighted({"a": (2.0, torch.tensor(3.0)), "b": (0.5, torch.tensor(4.0))}) == 8
    with pytest.raises(ConfigError, match="all losses of a stage have weight 0"):
        weighted({})


class Frame(NamedTuple):
    """What a network gives can hold more than an image."""

    image: Tensor


class Sequence(SequenceGANStage[Rollout]):
    """Each frame is made of the one before."""

    def __init__(self, schedule: SequenceSchedule) -> None:
        config = GANConfig(nn.Conv2d(3, 3, 1), discriminator(), Losses(adversarial=0.0, l1=1.0), schedule)
        super().__init__("sequence", config, GAN, REQUEST)
        self.chunks: list[tuple[range, int]] = []

    def init_state(self, batch: MotionBatch) -> Rollout:
        return Rollout(generated=[Frame(torch.ones(1, 3, 4, 4))])

    def generate(self, state: Rollout, t: int) -> None:
        state.generated.append(Frame(self.generator(state.generated[-1].image)))

    def comparisons(self, sample: Chunk[Rollout]) -> list[Comparison]:
        return []

    def terms(self, sample: Chunk[Rollout]) -> Mapping[str, Callable[[], Tensor]]:
        images = [frame.image for frame in sample.state.generated]
        with_gradient = sum(image.requires_grad for image in images)
        self.chunks.append((sample.frames, with_gradient))
        return {"l1": lambda: sample.cat(images[1:]).abs().mean()}


def test_the_gradient_flows_over_one_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Sequence(SequenceSchedule(frames=5, chunk=2))
    logged: list[dict[str, Tensor]] = []
    monkeypatch.setattr(stage, "optimizer_list", lambda: [None, None])
    monkeypatch.setattr(stage, "log_losses", logged.append)
    assert stage.request.window == 5
    names = [update.name for update in stage.updates(None)]  # type: ignore[arg-type]
    assert names == ["generator"] * 3
    assert stage.chunks == [(range(2), 2), (range(2, 4), 2), (range(4, 5), 1)]
    assert [set(losses) for losses in logged] == [{"l1"}], "logged once a sequence"


def test_upstream_is_the_generators_of_earlier_stages_and_fixed_networks() -> None:
    first, features = frames(), nn.Identity()
    later = GANStage.__new__(Frames)
    GANStage.__init__(
        later, "later", GANConfig(nn.Conv2d(3, 3, 1), discriminator()), GAN, REQUEST,
        after=[first], fixed={"features": features, "perceptual": None},
    )  # fmt: skip
    assert later.depends == ("frames",)
    assert later.upstream == (first.generator, features)
    assert set(later.fixed) == {"features"}
    assert not [name for name in later.state_dict() if "features" in name]


def averaged(decay: float = 0.5) -> Frames:
    return Frames(GANConfig(nn.Conv2d(3, 3, 1), discriminator(), Losses(), Schedule(average=decay)))


def train(stage: Frames, weights: list[float]) -> None:
    """Steps after which the generator has these weights."""
    for value in weights:
        with torch.no_grad():
            nn.init.constant_(stage.generator.get_parameter("weight"), value)
        stage.on_train_batch_end(None, None, 0)  # type: ignore[arg-type]


def test_the_generator_that_is_kept_is_the_average_over_steps() -> None:
    stage = averaged()
    train(stage, [4.0, 2.0, 1.0])  # 4, 3, 2
    stage.on_train_end()
    assert stage.generator.get_parameter("weight").unique().tolist() == [2.0]
    plain = frames()
    train(plain, [4.0, 1.0])
    plain.on_train_end()
    assert plain.generator.get_parameter("weight").unique().tolist() == [1.0]


def test_the_average_goes_on_where_a_killed_run_was() -> None:
    whole, first, second = averaged(), averaged(), averaged()
    train(whole, [4.0, 2.0, 1.0])
    train(first, [4.0, 2.0])
    kept: dict[str, Any] = {}
    first.on_save_checkpoint(kept)
    second.on_load_checkpoint(kept)
    train(second, [1.0])
    for stage in (whole, second):
        stage.on_train_end()
    assert torch.equal(whole.generator.get_parameter("weight"), second.generator.get_parameter("weight"))
    del kept["average"]
    with pytest.raises(CheckpointError, match="no average"):
        averaged().on_load_checkpoint(kept)


def test_the_average_is_no_parameter_of_the_stage() -> None:
    stage = averaged()
    assert stage.state_dict().keys() == frames().state_dict().keys()
    with pytest.raises(ConfigError, match="average"):
        Schedule(average=1.0)
