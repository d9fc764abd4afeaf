"""How long and how fast a stage trains."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import nn
from torch.optim import Adam
from torch.optim.lr_scheduler import LambdaLR

from motioncopy.errors import ConfigError
from motioncopy.request import DataRequest


@dataclass(frozen=True)
class Schedule:
    """Length, batch, and Adam with a linear decay. Methods overwrite the defaults by their papers' values.

    Attributes:
        epochs: Passes, or multiples of ``batches``.
        batches: Batches an epoch; ``None`` is one pass over the training frames.
        batch_size: Windows a batch.
        learning_rate: Of Adam, for generator and discriminators alike.
        betas: Of Adam.
        weight_decay: Of Adam.
        decay_epochs: Over so many epochs at the end the rate falls linearly to zero.
        clip_norm: Largest norm of the generator's gradient, or ``None``.
        average: The generator that is kept is an exponential moving average over the steps with this decay; 0 keeps
            the last one.

    Raises:
        ConfigError: If the decay is not in [0, 1).
    """

    epochs: int = 10
    batches: int | None = None
    batch_size: int = 1
    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = 0.0
    decay_epochs: int = 0
    clip_norm: float | None = None
    average: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.average < 1:
            raise ConfigError("a schedule's average is out of range", expected="[0, 1)", found=self.average)

    def request(self, base: DataRequest, **changes: Any) -> DataRequest:
        """What a stage of this schedule asks of the data: as ``base`` but for these fields and the batches."""
        return replace(base, batch_size=self.batch_size, batches=self.batches, **changes)

    def optimizer(self, *modules: nn.Module | None) -> tuple[Adam, LambdaLR]:
        """Adam over these modules' parameters, and its linear decay."""
        parameters = [p for m in modules if m is not None for p in m.parameters() if p.requires_grad]
        # The fused step takes a fifth of the time of the loop over parameters.
        adam = Adam(parameters, self.learning_rate, betas=self.betas, weight_decay=self.weight_decay, fused=True)
        return adam, LambdaLR(adam, self._factor)

    def _factor(self, epoch: int) -> float:
        if self.decay_epochs == 0:
            return 1.0
        return min(1.0, max(0.0, (self.epochs - epoch) / (self.decay_epochs + 1)))


@dataclass(frozen=True)
class SequenceSchedule(Schedule):
    """Besides, how long sequences are, and how far back their gradient flows.

    Attributes:
        frames: Frames of a sequence.
        chunk: Frames between two updates, over which the gradient flows.

    Raises:
        ConfigError: If one of them is below 1.
    """

    frames: int = 12
    chunk: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.frames, self.chunk) < 1:
            raise ConfigError("a sequence needs frames", found=f"frames={self.frames}, chunk={self.chunk}")

    def request(self, base: DataRequest, **changes: Any) -> DataRequest:
        """See :meth:`Schedule.request`; a window is a sequence."""
        return super().request(base, window=self.frames, **changes)
