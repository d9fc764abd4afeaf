"""The two base classes of every method: ``Stage`` trains, ``Method`` generates.

A stage is one network or GAN with its own losses, optimisers, length and data. A method owns the networks that
generate, lists the stages that train them in order, and turns (appearance, motion) into frames.
"""

from __future__ import annotations

import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, ClassVar, Generic, Protocol, Self, TypeVar

import torch
from lightning import LightningModule
from pydantic import Field
from torch import Tensor, nn

from motioncopy import crops
from motioncopy.batch import Appearance, Motion, MotionBatch
from motioncopy.errors import CheckpointError, ConfigError
from motioncopy.files.schema import Count, Text, validated
from motioncopy.poses.normalise import normalise_motion
from motioncopy.request import DataRequest, Regime, TrainingData, Trial
from motioncopy.training.updates import TrainsByUpdates

State = TypeVar("State")


class Stage(TrainsByUpdates):
    """One part of a method's training: an ordinary Lightning fit with manual optimisation.

    A subclass registers the networks that it trains, keeps what earlier stages trained in ``upstream`` (not
    registered, in ``eval()``, without gradients), and writes ``updates`` to be read from top to bottom.

    A subclass's constructor takes by keyword what of the method's own arguments the stage depends on, under the same
    names, and everything else by position. A stage whose keywords (:attr:`config_keys`), data, seed and upstream are
    those of a finished one is not fitted again.

    Args:
        name: Unique within the method; part of file names and log keys.
        request: The data it trains on.
        epochs: How often it goes over ``request``'s batches.
        depends: Names of the stages whose networks are in ``upstream``.
        upstream: Networks of earlier stages.
        share: Its part of a training's time, relative to the other stages; only a time budget uses it.

    Attributes:
        config_keys: Names of the method's ``init_args`` that change what this stage computes.
    """

    config_keys: tuple[str, ...]

    def __new__(cls, *_: Any, **configs: Any) -> Self:
        """Notes which of the method's arguments the stage is given."""
        stage: Self = super().__new__(cls)
        stage.config_keys = tuple(configs)
        return stage

    def __init__(
        self,
        name: str,
        *,
        request: DataRequest,
        epochs: int,
        depends: Sequence[str] = (),
        upstream: Sequence[nn.Module] = (),
        share: float = 1.0,
    ) -> None:
        super().__init__()
        if epochs < 0:
            raise ConfigError(f"stage {name}: epochs must not be negative", found=epochs)
        self.name, self.request, self.epochs = name, request, epochs
        self.depends = tuple(depends)
        self.upstream = tuple(upstream)  # a tuple: nn.Module registers modules, not tuples of them
        self.share = share
        self._paused: list[nn.Parameter] = []
        self.steps = 0
        self.samples_digest = ""
        self.seconds = self.data_seconds = 0.0  # spent in fits, and thereof waiting for data
        self._tick = 0.0

    def prepare(self, data: TrainingData) -> None:
        """Called once before the stage is fitted or its finished state is loaded."""

    def samples(self, batch: MotionBatch) -> dict[str, Tensor]:
        """What the stage draws of a batch and what it should draw, to be looked at while it trains.

        Called in ``eval()`` and without gradients; nothing, unless a stage says otherwise.

        Args:
            batch: One of its training batches, float.

        Returns:
            By caption, ``(N, 3, H, W)``, all of one shape; what lies beyond [-1, 1] is clipped where it is shown.
        """
        return {}

    # -- Lightning hooks ------------------------------------------------------------------------------------------

    def on_fit_start(self) -> None:
        """Puts the upstream networks on this device, without gradients."""
        self._paused = [p for network in self.upstream for p in network.parameters() if p.requires_grad]
        for network in self.upstream:
            network.to(self.device).eval().requires_grad_(False)
        self._tick = time.perf_counter()

    def on_fit_end(self) -> None:
        """Gives the upstream networks their gradients back, if they had any: a later stage may train them further."""
        for parameter in self._paused:
            parameter.requires_grad_(True)

    def on_after_batch_transfer(self, batch: MotionBatch, dataloader_idx: int) -> MotionBatch:
        """Images travel as uint8 and become float on the device."""
        return batch.as_float()

    def on_train_batch_start(self, batch: MotionBatch, batch_idx: int) -> None:
        """Counts the step and chains the sample ids into a digest, which shows that a resumed fit saw the same."""
        self.data_seconds += self._lap()
        self.steps += 1
        text = self.samples_digest + "\n" + "\n".join(batch.sample)
        self.samples_digest = hashlib.sha256(text.encode()).hexdigest()

    def on_train_batch_end(self, outputs: Any, batch: MotionBatch, batch_idx: int) -> None:
        """Takes the time of the step."""
        self._lap()

    def _lap(self) -> float:
        now = time.perf_counter()
        lap, self._tick = now - self._tick, now
        self.seconds += lap
        return lap

    def on_train_epoch_end(self) -> None:
        """Steps the learning rate schedules: manual optimisation never does."""
        schedulers = self.lr_schedulers()
        if schedulers is not None:
            for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
                scheduler.step()  # type: ignore[call-arg]  # no plateau schedulers here

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps the counters beside Lightning's own."""
        counters = {field.name: getattr(self, field.name) for field in fields(_Counters)}
        checkpoint["motioncopy_stage"] = counters

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes the counters back, and refuses another stage's checkpoint."""
        kept = checkpoint.get("motioncopy_stage") if isinstance(checkpoint, dict) else None
        counters = validated(_Counters, kept, error=CheckpointError, what="the counters of the stage")
        if counters.name != self.name:
            raise CheckpointError("the checkpoint belongs to another stage", expected=self.name, found=counters.name)
        vars(self).update(asdict(counters))


@dataclass(frozen=True)
class _Counters:
    """What a stage's checkpoint keeps beside Lightning's own; see :class:`Stage`."""

    name: Text
    steps: Count
    samples_digest: Text
    seconds: Annotated[float, Field(ge=0)]
    data_seconds: Annotated[float, Field(ge=0)]


class RunsTrials(Protocol):
    """Takes a trial, has a method generate it, and does with the frames what it is for (scoring, keeping)."""

    def run(self, method: Method[Any], trial: Trial) -> None:
        """One trial, from its driving joints to wherever its frames go."""


class Method(LightningModule, ABC, Generic[State]):
    """A way to copy motion. Generates frames; knows which stages train it; holds no metric.

    Attributes:
        regime: ``personal`` (one model a person) or ``general``.
        request: Size, crop and appearance rule of what it is tested on.
        normalisation: The name in :mod:`motioncopy.poses.normalise` by which another body's motion is fitted to
            the person's.
        subject: The person of a fitted personal model.
        reference: Joints of the person's training frames, to which driving motions are normalised.
        init_args: The plain values it was built from (set by :func:`motioncopy.training.checkpoint.build`).
        runner: Takes the trials of ``test``, ``validate`` and ``predict``; :class:`motioncopy.trials.TrialRunner`.
    """

    regime: ClassVar[Regime]

    def __init__(self, *, request: DataRequest, normalisation: str = "none") -> None:
        super().__init__()
        self.request, self.normalisation = request, normalisation
        self.subject: str | None = None
        self.reference: Motion | None = None
        self.init_args: dict[str, Any] | None = None
        self.runner: RunsTrials | None = None

    # -- training -------------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def stages(self) -> Sequence[Stage]:
        """The stages in training order; the same objects at every call."""

    def prepare(self, data: TrainingData) -> None:
        """Learns from the training data what no stage trains: the subject and the reference pose."""
        if self.regime == "personal":
            self.subject = data.person
            if self.subject is None:
                raise ConfigError("a personal method needs the training frames of one person", remedy="set data.person")
            self.reference = data.train_motion(self.request)

    def context(self) -> dict[str, Any]:
        """What the checkpoint keeps besides parameters: tensors and plain values, by name."""
        return {}

    def load_context(self, context: dict[str, Any]) -> None:
        """Takes back what :meth:`context` gave."""
        if context:
            raise CheckpointError(f"{type(self).__name__} keeps no context", found=sorted(context))

    # -- generation -----------------------------------------------------------------------------------------------

    @abstractmethod
    def start(self, appearance: Appearance) -> State:
        """All that one person determines, computed once.

        Args:
            appearance: B = 1, float.

        Raises:
            CheckpointError: If a personal model is asked for another person (see :meth:`check_person`).
        """

    @abstractmethod
    def step(self, state: State, motion: Motion) -> tuple[Tensor, State]:
        """Takes the next chunk of driving frames.

        Args:
            state: From :meth:`start` or the last step.
            motion: B = 1, T >= 1 frames.

        Returns:
            ``(t, 3, H, W)`` float32 in [-1, 1], or ``(t, 4, H, W)`` with the person's coverage (see
            :func:`motioncopy.crops.paste`), and the next state. t may differ from T: a method that looks ahead holds
            frames back until :meth:`finish`.
        """

    def finish(self, state: State) -> Tensor | None:
        """The frames still held back when the motion has ended, as :meth:`step` gives them, or ``None``."""
        return None

    @torch.inference_mode()
    def generate(self, appearance: Appearance, motion: Motion, *, chunk: int = 16) -> Iterator[Tensor]:
        """Generates frames chunk by chunk; the frames do not depend on ``chunk``, nor does memory on the length.

        Args:
            appearance: B = 1.
            motion: B = 1, fitted to the person's body already (see :meth:`adapt`).
            chunk: Driving frames a step.

        Yields:
            ``(t, 3, H, W)`` float32 in [-1, 1] on the method's device.
        """
        appearance = appearance.to(self.device).as_float()
        motion, place = motion.to(self.device), appearance.background
        if self.request.follow:
            known = self.reference.to(self.device) if self.reference is not None else appearance.motion
            appearance, motion = crops.follow(appearance, motion, known, self.request)
        state, done = self.start(appearance), 0
        for first in range(0, len(motion), chunk):
            drawn, state = self.step(state, motion.frames(first, first + chunk))
            yield from self._whole(drawn, place, motion, done)
            done += len(drawn)
        if (rest := self.finish(state)) is not None:
            yield from self._whole(rest, place, motion, done)

    def _whole(self, drawn: Tensor, place: Tensor, motion: Motion, first: int) -> Iterator[Tensor]:
        """Whole frames of what was drawn for the frames from ``first`` on, if anything was."""
        if len(drawn):
            boxes = None if motion.boxes is None else motion.boxes[0, first : first + len(drawn)]
            yield crops.paste(drawn, place, boxes)

    def report(self) -> dict[str, float]:
        """What the method says of the trial that it generated last; kept beside the scores. No metric of quality."""
        return {}

    def adapt(self, motion: Motion, appearance: Appearance) -> Motion:
        """Fits another body's motion to the person's, by the method's normalisation.

        The person's body is known from the training frames (personal) or from the appearance frames (general).
        """
        return normalise_motion(self.normalisation, motion, self.reference or appearance.motion)

    def check_person(self, appearance: Appearance) -> None:
        """Refuses another person than the one that a personal model was trained on.

        Raises:
            CheckpointError: Naming both people.
        """
        if self.regime == "personal" and any(p != self.subject for p in appearance.person):
            raise CheckpointError(
                f"{type(self).__name__} is personal and was trained on another person",
                expected=self.subject or "a fitted model",
                found=", ".join(appearance.person),
                remedy="fit a model for this person",
            )

    # -- evaluation: the same for every method --------------------------------------------------------------------

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """A trial stays where it is: :meth:`generate` moves what it needs, chunk by chunk."""
        return batch

    def test_step(self, trial: Trial | None, batch_idx: int) -> None:
        """Generates one trial and scores its 8-bit frames. ``None`` fills up ranks that have run out of trials."""
        if trial is not None:
            if self.runner is None:
                raise ConfigError("nobody takes the generated frames", remedy="use `motioncopy test` or set .runner")
            self.runner.run(self, trial)

    def validation_step(self, trial: Trial | None, batch_idx: int) -> None:
        """The same on validation trials."""
        self.test_step(trial, batch_idx)

    def predict_step(self, trial: Trial | None, batch_idx: int) -> None:
        """The same, where there may be no truth to score against."""
        self.test_step(trial, batch_idx)
