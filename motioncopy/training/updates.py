"""How a stage takes its optimiser steps: by hand, in whatever precision, whole batches or in parts, on any processes.

A training step is written as a generator of :class:`Update`. It is then the same text whether a batch is taken at once
or in parts that follow one another through memory.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import torch
from lightning import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from motioncopy.batch import MotionBatch
from motioncopy.errors import TrainingError
from motioncopy.request import DataRequest
from motioncopy.training.processes import any_process

Output = TypeVar("Output")


@contextmanager
def frozen(*modules: nn.Module) -> Iterator[None]:
    """No gradient for the parameters of these modules inside the block (it still flows through them).

    A generator's update needs the discriminator's gradient with respect to its input only; without this a third of
    the backward pass would be spent on gradients that are thrown away.
    """
    parameters = [p for m in modules for p in m.parameters() if p.requires_grad]
    for p in parameters:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in parameters:
            p.requires_grad_(True)


@dataclass(frozen=True)
class Update:
    """One optimiser step that a training step asks for.

    Attributes:
        optimizer: One of :meth:`TrainsByUpdates.optimizer_list`.
        loss: A scalar: the mean over the samples, so that parts of a batch add up to the batch.
        name: What the loss is called in errors.
        clip_norm: Largest gradient norm, or ``None``.
    """

    optimizer: LightningOptimizer
    loss: Tensor
    name: str
    clip_norm: float | None = None


class TrainsByUpdates(LightningModule, ABC):
    """Manual optimisation of several networks in turn.

    ``request.batch_size`` is the batch that one step of an optimiser is worth, whatever it runs on: every process takes
    its share of it, and takes that share in ``parts`` parts. Each loss is weighed by its number of samples, so that the
    gradient is that of the whole batch, wherever a loss is a mean over samples.

    Attributes:
        parts: In how many parts a process takes its share of a batch: more of them, less memory. All parts go through
            the first update before any goes through the second, because a generator is judged by the discriminator
            that its own batch has just taught.
        request: The data.
        least: Windows below which a process or a part learns nothing.
    """

    least: ClassVar[int] = 1
    request: DataRequest
    name: str
    steps: int

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.parts = 1
        self._losses: dict[str, Tensor] = {}
        self._share = 1.0

    @abstractmethod
    def updates(self, batch: MotionBatch) -> Iterator[Update]:
        """One training step, from top to bottom: forward, ``yield Update(...)`` for each optimiser step, log.

        When the generator goes on behind a ``yield``, the optimiser has stepped. Every process, and every part of a
        batch, must ask for the same updates in the same order.
        """

    def training_step(self, batch: MotionBatch, batch_idx: int) -> None:
        """Takes a batch through :meth:`updates`, in parts where memory is short."""
        cuts = [len(batch) * k // self.parts for k in range(self.parts + 1)]
        pieces = [batch.samples(a, b) for a, b in itertools.pairwise(cuts)] if self.parts > 1 else [batch]
        shares = [len(piece) / len(batch) for piece in pieces]
        running = [self.updates(piece) for piece in pieces]
        # DDP takes the mean over processes, of which one may have a sample more than another.
        world = torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1
        own = len(batch) * world / self.request.batch_size if world > 1 else 1.0
        self._losses = {}
        while self._update(running, shares, own):
            pass
        self.log_dict(self._losses, batch_size=1)

    def _update(self, running: list[Iterator[Update]], shares: list[float], own: float) -> bool:
        """One update by all parts; whether there was one."""
        asked: list[Update] = []
        for k, (part, share) in enumerate(zip(running, shares, strict=True)):
            self._share = share
            update = next(part, None)
            if update is None:
                continue
            asked.append(update)
            self._refuse_non_finite(update.name, update.loss)
            if len(asked) == 1:
                update.optimizer.zero_grad(set_to_none=True)
            with self._sync(last=k == len(running) - 1), torch.autocast(self.device.type, enabled=False):
                self.manual_backward(update.loss * (share * own))
        if not asked:
            return False
        if len(asked) < len(running) or len({update.name for update in asked}) > 1:
            raise TrainingError(
                f"the parts of a batch of stage {self.name} ask for different updates",
                expected=f"{len(running)} times the same",
                found=", ".join(update.name for update in asked),
                remedy="ask for an update of zero loss where a part has nothing to learn from",
            )
        self._step(asked[0])
        return True

    def _step(self, update: Update) -> None:
        parameters = [p for group in update.optimizer.param_groups for p in group["params"]]
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        # In half precision the loss is scaled, and with it the gradient; the scaler takes that back when it steps.
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        scale = scaler.get_scale() if scaler is not None else 1.0
        if scale <= 1.0:
            # A finite loss can have a gradient that is not; one step by it would spoil the checkpoint that follows.
            # With a larger scale it is the scale that is too large: the scaler leaves the step out and lowers it.
            self._refuse_non_finite(f"{update.name} (its gradient)", norm)
        if update.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(parameters, update.clip_norm * scale, norm)
        update.optimizer.step()

    def _sync(self, *, last: bool) -> AbstractContextManager[Any]:
        """Gradients travel between processes once an update, with the last part."""
        model = self.trainer.strategy.model
        return model.no_sync() if isinstance(model, DistributedDataParallel) and not last else nullcontext()

    # -- what a training step is written with ---------------------------------------------------------------------

    def optimizer_list(self) -> list[LightningOptimizer]:
        """The optimisers in the order of ``configure_optimizers``, always as a list."""
        found = self.optimizers()
        return list(found) if isinstance(found, list) else [found]

    def checkpointed(self, network: Callable[..., Output], *inputs: Any, **options: Any) -> Output:
        """What a generator gives, to be learnt from in a later update; gradient checkpointing where batches have parts.

        Taken in parts, all parts wait for the discriminator's step; what the network has computed on the way is then
        not kept but computed again on the way back. With batch norm its running statistics move twice.
        """
        if self.parts == 1:
            return network(*inputs, **options)
        output: Output = checkpoint(network, *inputs, use_reentrant=False, **options)
        return output

    def log_losses(self, losses: Mapping[str, Tensor]) -> None:
        """Logs each loss as ``stage/<stage>/<loss>``: its mean over the parts of the batch."""
        for name, value in losses.items():
            key, value = f"stage/{self.name}/{name}", value.detach() * self._share
            self._losses[key] = self._losses[key] + value if key in self._losses else value

    def _refuse_non_finite(self, name: str, loss: Tensor) -> None:
        # All processes stop together, or those that go on would wait for this one for ever.
        if any_process(~torch.isfinite(loss.detach()).all()):
            raise TrainingError(
                f"loss {name!r} of stage {self.name} is not finite at step {self.steps} (epoch {self.current_epoch})",
                found=loss.item(),
                remedy="lower the learning rate or the loss weight; the last good checkpoint is kept and a new "
                "`fit` goes on from it",
            )
