"""Conditional GANs, as stages: of single frames, and of sequences with truncated backpropagation.

A method's stage says what is generated, what each discriminator sees (:class:`Comparison`), and which further terms
the generator has. The rest is here: real and generated images in one pass through a discriminator, the update of the
discriminators before that of the generator, terms weighed by name, what is logged, the optimisers and their schedule.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from motioncopy.batch import MotionBatch
from motioncopy.errors import BatchError, CheckpointError, ConfigError
from motioncopy.losses.adversarial import AdversarialLoss
from motioncopy.losses.feature_matching import feature_matching
from motioncopy.method import Stage
from motioncopy.request import DataRequest
from motioncopy.training.schedule import Schedule, SequenceSchedule
from motioncopy.training.updates import Update, frozen

Sample = TypeVar("Sample")
#: Feature maps of each scale of a discriminator, the logits last.
Outputs = list[list[Tensor]]
#: A loss's terms by name: their weights and values.
Weighted = dict[str, tuple[float, Tensor]]


@dataclass(frozen=True)
class GANLosses:
    """Weights of the generator's terms, by their names; a term of weight 0 is not computed.

    A method's own terms are further fields of a subclass.

    Attributes:
        adversarial: What the discriminators say.
        feature_matching: Distance of their features.
    """

    adversarial: float = 1.0
    feature_matching: float = 0.0


@dataclass(frozen=True)
class GANConfig:
    """A conditional GAN and its training; a method's stage takes a subclass.

    Attributes:
        generator: What is trained.
        discriminator: What it is trained against.
        losses: Weights.
        schedule: Length, rate, batch.
    """

    generator: nn.Module
    discriminator: nn.Module
    losses: GANLosses = field(default_factory=GANLosses)
    schedule: Schedule = field(default_factory=Schedule)


@dataclass(frozen=True)
class Comparison:
    """What one discriminator sees: real and generated images of the same condition.

    Attributes:
        discriminator: Gives the feature maps of each scale, the logits last.
        real: ``(N, C, H, W)``.
        generated: ``(N, C, H, W)``, with its gradient.
        condition: ``(N, K, H, W)``, put before the images' channels, or ``None``.
        term: The weight of its adversarial term in the stage's losses, by name. Comparisons of one term add up.
        matched: Whether its features are matched too, with the weight ``feature_matching``.
        share: Its part of the terms and of the discriminators' loss: 1 / n for a mean over n discriminators.

    Raises:
        BatchError: If real and generated images are not of one shape: a wrong half would pass for the other.
    """

    discriminator: nn.Module
    real: Tensor
    generated: Tensor
    condition: Tensor | None = None
    term: str = "adversarial"
    matched: bool = True
    share: float = 1.0

    def __post_init__(self) -> None:
        if self.real.shape != self.generated.shape:
            raise BatchError(
                "a discriminator compares images of one shape",
                expected=f"{tuple(self.real.shape)} generated",
                found=tuple(self.generated.shape),
            )

    def outputs(self, images: Tensor) -> Outputs:
        """The discriminator's feature maps of real or generated images."""
        seen = images if self.condition is None else torch.cat((self.condition, images), dim=1)
        found: Outputs = self.discriminator(seen)
        return found

    def discriminator_loss(self, adversarial: AdversarialLoss) -> Tensor:
        """How badly real and generated are told apart; no gradient flows to the generator.

        Both go through the discriminator in one pass: two passes through a batch norm fail under DDP.
        """
        pair = torch.cat((self.real, self.generated.detach()))
        condition = None if self.condition is None else torch.cat((self.condition, self.condition))
        seen = pair if condition is None else torch.cat((condition, pair), dim=1)
        halves = [scale[-1].chunk(2) for scale in self.discriminator(seen)]
        return self.share * adversarial.discriminator([r for r, _ in halves], [g for _, g in halves])


def weighted(terms: Mapping[str, tuple[float, Tensor]]) -> Tensor:
    """The weighted sum of named terms.

    Raises:
        ConfigError: If there is none.
    """
    if not terms:
        raise ConfigError("all losses of a stage have weight 0", remedy="weigh one of them, or train 0 epochs")
    return torch.stack([weight * value for weight, value in terms.values()]).sum()


class GANStage(Stage, Generic[Sample]):
    """What the stages of frames and of sequences share.

    Args:
        name: See :class:`motioncopy.method.Stage`.
        config: Weights and schedule; the networks unless they are given here.
        adversarial: The form of the adversarial loss.
        request: The data; batches and their size, and the length of sequences, are the schedule's.
        generator: What is trained; by default the config's.
        discriminators: All of them; by default the config's.
        after: The stages on whose generators this one builds.
        fixed: Networks of losses, by name, which are not trained; ``None`` for those that are not there.
        share: See :class:`motioncopy.method.Stage`.
    """

    def __init__(
        self,
        name: str,
        config: GANConfig,
        adversarial: AdversarialLoss,
        request: DataRequest,
        *,
        generator: nn.Module | None = None,
        discriminators: nn.Module | None = None,
        after: Sequence[GANStage[Any]] = (),
        fixed: Mapping[str, nn.Module | None] | None = None,
        share: float = 1.0,
    ) -> None:
        given = {key: network for key, network in (fixed or {}).items() if network is not None}
        super().__init__(
            name,
            request=config.schedule.request(request),
            epochs=config.schedule.epochs,
            depends=[stage.name for stage in after],
            upstream=[*(stage.generator for stage in after), *given.values()],
            share=share,
        )
        self.losses, self.schedule, self.adversarial = config.losses, config.schedule, adversarial
        self.fixed = given  # a dict: what is not trained is in no checkpoint
        self.generator: nn.Module = generator if generator is not None else config.generator
        self.discriminators: nn.Module = discriminators if discriminators is not None else config.discriminator
        # A list: its parameters are not trained. The first step is copied, the others are averaged.
        self._average = [
            AveragedModel(self.generator, multi_avg_fn=get_ema_multi_avg_fn(decay)).requires_grad_(False)
            for decay in [self.schedule.average]
            if decay
        ]

    # -- the average over steps -----------------------------------------------------------------------------------

    def on_fit_start(self) -> None:
        """Puts the average, where one is kept, on this device."""
        super().on_fit_start()
        for average in self._average:
            average.to(self.device)

    def on_train_batch_end(self, outputs: Any, batch: MotionBatch, batch_idx: int) -> None:
        """Adds the step to the average."""
        for average in self._average:
            average.update_parameters(self.generator)
        super().on_train_batch_end(outputs, batch, batch_idx)

    def on_train_end(self) -> None:
        """Keeps the average in place of the last step."""
        super().on_train_end()
        for average in self._average:
            if average.n_averaged:
                self.generator.load_state_dict(average.module.state_dict())

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Besides, the average so far."""
        super().on_save_checkpoint(checkpoint)
        for average in self._average:
            checkpoint["average"] = average.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Besides, the average so far."""
        super().on_load_checkpoint(checkpoint)
        for average in self._average:
            if "average" not in checkpoint:
                raise CheckpointError("the checkpoint has no average of the weights", remedy="fit the stage anew")
            average.load_state_dict(checkpoint["average"])

    # -- a step ---------------------------------------------------------------------------------------------------

    def configure_optimizers(self) -> Any:
        """Generator first, discriminators second."""
        pairs = [self.schedule.optimizer(network) for network in (self.generator, self.discriminators)]
        return [optimizer for optimizer, _ in pairs], [scheduler for _, scheduler in pairs]

    @abstractmethod
    def comparisons(self, sample: Sample) -> Iterable[Comparison]:
        """What the discriminators see of a sample; those whose terms all have weight 0 are left out."""

    def terms(self, sample: Sample) -> Mapping[str, Callable[[], Tensor]]:
        """The generator's further terms, by the names of their weights; only those with a weight are computed."""
        return {}

    def matching(self, real: Outputs, generated: Outputs) -> Tensor:
        """The feature matching loss of one discriminator; pix2pixHD's unless a stage has another."""
        return feature_matching(real, generated)

    def discriminator_losses(self, sample: Sample, comparisons: Sequence[Comparison]) -> dict[str, Tensor]:
        """The discriminators' losses by term; unweighted, since Adam takes equal steps whatever the scale."""
        losses: dict[str, Tensor] = {}
        for comparison in comparisons:
            loss = comparison.discriminator_loss(self.adversarial)
            losses[comparison.term] = losses[comparison.term] + loss if comparison.term in losses else loss
        return losses

    def generator_terms(self, sample: Sample, comparisons: Sequence[Comparison]) -> Weighted:
        """All terms of the generator's loss that have a weight."""
        found: dict[str, Tensor] = {}

        def add(name: str, value: Tensor) -> None:
            found[name] = found[name] + value if name in found else value

        for comparison in comparisons:
            generated = comparison.outputs(comparison.generated)
            if self._weight(comparison.term):
                logits = [scale[-1] for scale in generated]
                add(comparison.term, comparison.share * self.adversarial.generator(logits))
            if comparison.matched and self._weight("feature_matching"):
                with torch.no_grad():
                    real = comparison.outputs(comparison.real)
                add("feature_matching", comparison.share * self.matching(real, generated))
        for name, value in self.terms(sample).items():
            if self._weight(name):
                add(name, value())
        return {name: (self._weight(name), value) for name, value in found.items()}

    def adversarial_updates(self, sample: Sample) -> Generator[Update, None, dict[str, Tensor]]:
        """The discriminators' update, then the generator's; gives what is to be logged."""
        generator_optimizer, discriminator_optimizer = self.optimizer_list()
        comparisons = [
            c
            for c in self.comparisons(sample)
            if self._weight(c.term) or (c.matched and self._weight("feature_matching"))
        ]
        losses = self.discriminator_losses(sample, comparisons)
        if losses:
            yield Update(discriminator_optimizer, torch.stack([*losses.values()]).sum(), "discriminator")
        with frozen(self.discriminators):
            terms = self.generator_terms(sample, comparisons)
        yield Update(generator_optimizer, weighted(terms), "generator", self.schedule.clip_norm)
        return {f"discriminator_{n}": v for n, v in losses.items()} | {n: v for n, (_, v) in terms.items()}

    def _weight(self, term: str) -> float:
        return float(getattr(self.losses, term))


class FrameGANStage(GANStage[Sample]):
    """A GAN of single frames, or of windows that are generated at once."""

    @abstractmethod
    def generate(self, batch: MotionBatch) -> Sample:
        """The forward pass, through :meth:`checkpointed`: what is generated, and what it is compared with."""

    def updates(self, batch: MotionBatch) -> Iterator[Update]:
        """Generate, update the discriminators, update the generator."""
        self.log_losses((yield from self.adversarial_updates(self.generate(batch))))


@dataclass(kw_only=True)
class Rollout:
    """A sequence while it is generated; a stage's own adds what its frames are generated from.

    Attributes:
        generated: What was generated, frame by frame: a tensor, or a named tuple of tensors and of such tuples.
    """

    generated: list[Any] = field(default_factory=list)

    def detach(self) -> None:
        """Cuts the gradient's way back into the frames generated so far."""
        self.generated = [_detached(frame) for frame in self.generated]


def _detached(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else type(value)(*map(_detached, value))


State = TypeVar("State", bound=Rollout)


@dataclass(frozen=True)
class Chunk(Generic[State]):
    """The frames of a sequence between two updates.

    Attributes:
        state: The sequence.
        start: The first of them.
        stop: One past the last.
    """

    state: State
    start: int
    stop: int

    @property
    def frames(self) -> range:
        """Their numbers."""
        return range(self.start, self.stop)

    def cat(self, frames: Sequence[Tensor]) -> Tensor:
        """Of a sequence's frames, each ``(N, ...)``, those of this chunk as one batch."""
        return torch.cat(list(frames[self.start : self.stop]))


class SequenceGANStage(GANStage[Chunk[State]], Generic[State]):
    """A GAN of sequences, generated frame by frame; truncated backpropagation lets the gradient flow over one chunk.

    The config's schedule is a :class:`motioncopy.training.schedule.SequenceSchedule`.
    """

    schedule: SequenceSchedule

    @abstractmethod
    def init_state(self, batch: MotionBatch) -> State:
        """What a sequence needs, before its first frame is generated."""

    @abstractmethod
    def generate(self, state: State, t: int) -> None:
        """Generates frame t, through :meth:`checkpointed`, and keeps it in the state."""

    def updates(self, batch: MotionBatch) -> Iterator[Update]:
        """For each chunk: generate, update the discriminators, update the generator, detach."""
        state, schedule = self.init_state(batch), self.schedule
        losses: dict[str, Tensor] = {}
        for start in range(0, schedule.frames, schedule.chunk):
            chunk = Chunk(state, start, min(start + schedule.chunk, schedule.frames))
            for t in chunk.frames:
                self.generate(state, t)
            losses = yield from self.adversarial_updates(chunk)
            state.detach()
        self.log_losses(losses)
