"""What the three stages have in common: sequences drawn frame by frame, the gradient cut every few frames."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from motioncopy.batch import MotionBatch
from motioncopy.errors import ConfigError
from motioncopy.losses.weighted import weighted
from motioncopy.method import Stage
from motioncopy.request import AppearanceRule, Crop, DataRequest
from motioncopy.training import schedule
from motioncopy.training.updates import Update, frozen

Play = TypeVar("Play")


@dataclass(frozen=True)
class Schedule(schedule.Schedule):
    """How long and how fast a stage trains.

    Attributes:
        frames: Frames of a sequence; the paper does not say, C2F-FWN's code begins with 12.
        chunk: Frames between two updates, over which the gradient flows.
        decay_epochs: C2F-FWN's code lets the rate fall over the last five.
    """

    frames: int = 12
    chunk: int = 4
    decay_epochs: int = 5

    def __post_init__(self) -> None:
        if min(self.frames, self.chunk) < 1:
            raise ConfigError("a sequence needs frames", found=f"frames={self.frames}, chunk={self.chunk}")


class SequenceStage(Stage, Generic[Play]):
    """Draws a sequence chunk by chunk: discriminators first, then the generator, then the gradient is cut.

    Args:
        name: See :class:`motioncopy.method.Stage`.
        generator: What is trained.
        judges: The discriminators.
        plan: Length, rate, batch.
        image_size: (height, width).
        crop: See :data:`motioncopy.request.Crop`.
        appearance: Which frame is the source, see :data:`motioncopy.request.AppearanceRule`.
        parts: See :class:`motioncopy.request.DataRequest`.
        config_keys: See :class:`motioncopy.method.Stage`.
        depends: Likewise.
        upstream: Likewise.
        share: Likewise.
    """

    def __init__(
        self,
        name: str,
        generator: nn.Module,
        judges: nn.ModuleDict,
        *,
        plan: Schedule,
        image_size: tuple[int, int],
        crop: Crop,
        appearance: AppearanceRule,
        parts: tuple[str, ...],
        config_keys: Sequence[str],
        depends: Sequence[str] = (),
        upstream: Sequence[nn.Module] = (),
        share: float = 1.0,
    ) -> None:
        super().__init__(
            name,
            request=DataRequest(
                plan.batch_size,
                image_size,
                window=plan.frames,
                crop=crop,
                appearance=appearance,
                batches=plan.batches,
                parts=parts,
            ),
            epochs=plan.epochs,
            config_keys=config_keys,
            depends=depends,
            upstream=upstream,
            share=share,
        )
        self.generator, self.judges, self.plan = generator, judges, plan

    def configure_optimizers(self) -> Any:
        """Generator first, discriminators second."""
        generator, generator_schedule = self.plan.optimizer(self.generator)
        judges, judges_schedule = self.plan.optimizer(self.judges)
        return [generator, judges], [generator_schedule, judges_schedule]

    def updates(self, batch: MotionBatch) -> Iterator[Update]:
        """One sequence: for each chunk draw, update the discriminators, update the generator."""
        generator_optimizer, judges_optimizer = self.optimizer_list()
        play = self.begin(batch)
        for start in range(0, self.plan.frames, self.plan.chunk):
            stop = min(start + self.plan.chunk, self.plan.frames)
            for t in range(start, stop):
                self.draw(play, t)
            judgement = self.judge(play, start, stop)
            yield Update(judges_optimizer, judgement, "discriminators")
            with frozen(self.judges):
                terms = self.terms(play, start, stop)
            yield Update(generator_optimizer, weighted(terms), "generator", self.plan.clip_norm)
            self.cut(play)
        self.log_losses({"discriminators": judgement} | {name: value for name, (_, value) in terms.items()})

    @abstractmethod
    def begin(self, batch: MotionBatch) -> Play:
        """What a sequence needs, before its first frame is drawn."""

    @abstractmethod
    def draw(self, play: Play, t: int) -> None:
        """Draws frame t and keeps it in ``play``."""

    @abstractmethod
    def judge(self, play: Play, start: int, stop: int) -> Tensor:
        """The discriminators' loss on frames ``start`` to ``stop``."""

    @abstractmethod
    def terms(self, play: Play, start: int, stop: int) -> dict[str, tuple[float, Tensor]]:
        """The generator's weighted terms on these frames."""

    @abstractmethod
    def cut(self, play: Play) -> None:
        """Cuts the gradient's way back into the frames drawn so far."""


def together(frames: Sequence[Tensor], start: int, stop: int) -> Tensor:
    """Frames ``start`` to ``stop`` as one batch."""
    return torch.cat(list(frames[start:stop]))
