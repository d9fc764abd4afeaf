"""A small method and small data in the real formats, for tests of what all methods and data sets share."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn

from datamodules.base import ClipDataModule, Split, TrialSpec
from datamodules.views import Excerpt
from motioncopy.batch import Appearance, Motion, MotionBatch
from motioncopy.footage.clips.clip import Clip
from motioncopy.footage.clips.writer import ClipWriter
from motioncopy.method import Method, Stage
from motioncopy.request import DataRequest, Regime
from motioncopy.skeletons import BODY25
from motioncopy.training.updates import Update, frozen


def write_clip(
    folder: Path,
    name: str,
    *,
    frames: int = 30,
    size: tuple[int, int] = (32, 32),
    person: str | None = None,
    parsed: bool = False,
) -> Path:
    """A prepared clip: a bright disc (the person) moves over a still ramp; its joints move with it.

    If ``parsed``, with parsing (the disc from the top down is head, top, bottom, shoes; nobody has limbs) and flow.
    """
    random = np.random.default_rng(sum(map(ord, name)))
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    place = np.stack([rows * 4, columns * 4, np.full_like(rows, 60)], axis=-1).astype(np.uint8)
    colour = random.integers(120, 255, 3).astype(np.uint8)
    phase = random.uniform(0, 6)
    path = folder / name
    with ClipWriter(
        path,
        clip_id=name,
        person=person or name,
        fps=25.0,
        size=size,
        skeleton="body25",
        source=None,
        backends={},
        parts=("mask", "parsing", "flow") if parsed else ("mask",),
    ) as writer:
        for t in range(frames):
            (x, y), (x_before, y_before) = (
                (width / 2 + width / 5 * np.sin(s / 4 + phase), height / 2 + height / 8 * np.cos(s / 5 + phase))
                for s in (t, max(t - 1, 0))
            )
            mask = ((columns - x) ** 2 + (rows - y) ** 2 < (height / 5) ** 2).astype(np.uint8) * 255
            image = np.where(mask[..., None] > 0, colour, place).astype(np.uint8)
            joints = np.zeros((len(BODY25), 3), np.float32)
            around = np.linspace(0, 2 * np.pi, len(BODY25), endpoint=False)
            joints[:, 0], joints[:, 1] = x + height / 6 * np.sin(around), y - height / 6 * np.cos(around)
            joints[:, 2] = 1
            dense: dict[str, Any] = {}
            if parsed:
                bands = np.clip((rows - y + height / 5) * 10 / height, 0, 3.99).astype(np.uint8) + 1
                dense["parsing"] = np.where(mask > 0, bands, 0).astype(np.uint8)[None]
                shift = np.array([x_before - x, y_before - y], np.float32)
                dense["flow"] = (mask[..., None] > 0).astype(np.float32)[None] * shift
            writer.append(image[None], joints[None], mask[None], **dense)
        writer.set_background(place)
    return path


class ToyData(ClipDataModule):
    """Clips of a folder; the first is trained on, and every clip's last third is tested on."""

    def __init__(
        self, root: str = "", *, regime: Regime = "personal", person: str | None = None, workers: int = 0
    ) -> None:
        super().__init__(regime=regime, person=person, workers=workers)
        self.root = Path(root)

    @property
    def protocol(self) -> str:
        return "toy@1"

    @cached_property
    def clips(self) -> dict[str, Clip]:
        return {p.parent.name: Clip.open(p.parent) for p in sorted(self.root.glob("*/manifest.json"))}

    def people(self) -> list[str]:
        return list(self.clips)

    def _train(self, person: str) -> Excerpt:
        clip = self.clips[person]
        return Excerpt(clip, 0, 2 * len(clip) // 3)

    def train_excerpts(self) -> list[Excerpt]:
        return [self._train(self.person)] if self.person else [self._train(p) for p in self.people()]

    def trial_specs(self, split: Split) -> list[TrialSpec]:
        shown = self._train(self.person or self.default_person)
        specs = []
        for name, clip in self.clips.items():
            motion = Excerpt(clip, 2 * len(clip) // 3, len(clip))
            own = name == shown.clip.id
            specs.append(
                TrialSpec(name, "reconstruction" if own else "imitation", shown, motion, motion if own else None)
            )
        return specs


@dataclass(frozen=True)
class _State:
    appearance: Appearance
    held: Motion | None


class Digests(Callback):
    """Leaves a digest of a stage's parameters behind for every process, so that a test can compare them."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes it."""
        assert isinstance(pl_module, Stage)
        digest = [float(p.double().sum()) for p in pl_module.parameters()]
        (self.folder / f"{pl_module.name}-{pl_module.global_rank}.txt").write_text(repr(digest))


class Gradients(Callback):
    """Trains in double precision, and leaves behind what every optimiser step of a stage goes by.

    ``<folder>/<name>-<stage>-<rank>.pt``: a gradient for each parameter, for each step.
    """

    def __init__(self, folder: str, name: str) -> None:
        self.folder, self.name = Path(folder), name
        self.steps: list[dict[str, Tensor]] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Doubles the networks, and every batch before the stage sees it."""
        if not isinstance(pl_module, Stage):
            return
        self.steps = []
        for network in (pl_module, *pl_module.upstream):
            network.double()
            for module in network.modules():  # drawings are made in float32 whatever comes in
                if not list(module.children()):
                    module.register_forward_pre_hook(lambda _, inputs: tuple(map(_double, inputs)))
        as_float = pl_module.on_after_batch_transfer

        def doubled(batch: MotionBatch, dataloader_idx: int) -> MotionBatch:
            found: MotionBatch = _double(as_float(batch, dataloader_idx))
            return found

        pl_module.on_after_batch_transfer = doubled  # type: ignore[method-assign]

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:
        """Keeps the gradients of those parameters that this optimiser moves."""
        mine = {id(p) for group in optimizer.param_groups for p in group["params"]}
        named = {n: p.grad for n, p in pl_module.named_parameters() if id(p) in mine and p.grad is not None}
        self.steps.append({name: gradient.clone() for name, gradient in named.items()})

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes them."""
        assert isinstance(pl_module, Stage)
        torch.save(self.steps, self.folder / f"{self.name}-{pl_module.name}-{trainer.global_rank}.pt")
        for network in (pl_module, *pl_module.upstream):
            network.float()  # method.ckpt, and stages that begin with the same networks


def _double(value: Any) -> Any:
    if isinstance(value, MotionBatch):
        return value.map(_double)
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value


class _ToyStage(Stage):
    """Leaves a digest of its parameters behind, so that a test can compare the processes'."""

    def on_fit_start(self) -> None:
        super().on_fit_start()
        if folder := os.environ.get("TOY_PIDS"):
            (Path(folder) / f"{self.global_rank}.pid").write_text(str(os.getpid()))

    def on_train_batch_start(self, batch: MotionBatch, batch_idx: int) -> None:
        super().on_train_batch_start(batch, batch_idx)
        time.sleep(float(os.environ.get("TOY_PAUSE", "0")))

    def on_fit_end(self) -> None:
        super().on_fit_end()
        if folder := os.environ.get("TOY_DIGESTS"):
            digest = [float(p.double().sum()) for p in self.parameters()]
            (Path(folder) / f"{self.name}-{self.global_rank}.txt").write_text(repr(digest))


class PaintStage(_ToyStage):
    """A GAN of two small networks, by manual optimisation."""

    def __init__(
        self, painter: nn.Module, request: DataRequest, *, epochs: int, poison: int = 0, width: int = 4
    ) -> None:
        super().__init__("paint", request=request, epochs=epochs)
        self.painter, self.poison = painter, poison
        self.judge = nn.Conv2d(3, 1, 3, padding=1)

    def configure_optimizers(self) -> Any:
        return [torch.optim.Adam(self.painter.parameters(), 1e-2), torch.optim.Adam(self.judge.parameters(), 1e-3)]

    def updates(self, batch: MotionBatch) -> Iterator[Update]:
        painter_optimizer, judge_optimizer = self.optimizer_list()
        real = batch.images[:, 0]
        fake = self.painter(batch.mask[:, 0])
        verdict = self.judge(fake.detach()).square().mean() + (self.judge(real) - 1).square().mean()
        yield Update(judge_optimizer, verdict, "judge")
        with frozen(self.judge):
            loss = (fake - real).abs().mean() + 0.01 * (self.judge(fake) - 1).square().mean()
        if (self.poison and self.steps == self.poison) or os.environ.get("TOY_POISON_RANK") == str(self.global_rank):
            loss = loss * float("nan")
        yield Update(painter_optimizer, loss, "painter")
        self.log_losses({"painter": loss})


class TouchStage(_ToyStage):
    """Learns a gain on what the first stage paints."""

    def __init__(
        self, gain: nn.Module, painter: nn.Module, request: DataRequest, *, epochs: int, rate: float = 1.0
    ) -> None:
        super().__init__("touch", request=request, epochs=epochs, depends=["paint"], upstream=[painter])
        self.gain = gain

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.gain.parameters(), 1e-2)

    def updates(self, batch: MotionBatch) -> Iterator[Update]:
        (optimizer,) = self.optimizer_list()
        painted = self.upstream[0](batch.mask[:, 0])
        assert not painted.requires_grad
        loss = (self.gain(painted) - batch.images[:, 0]).abs().mean()
        yield Update(optimizer, loss, "touch")
        self.log_losses({"touch": loss})


class ToyMethod(Method[_State]):
    """Paints the person from a disc about the joints; holds every frame back until the next one is known."""

    regime: Regime = "personal"  # type: ignore[misc]

    def __init__(
        self,
        *,
        width: int = 4,
        epochs: int = 2,
        batches: int = 3,
        batch_size: int = 2,
        rate: float = 1.0,
        poison: int = 0,
        image_size: tuple[int, int] = (16, 16),
    ) -> None:
        super().__init__(request=DataRequest(1, image_size))
        self.painter = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 3, 3, padding=1))
        self.gain = nn.Conv2d(3, 3, 1)
        request = DataRequest(batch_size, image_size, window=2, batches=batches, appearance="random")
        self._stages = [
            PaintStage(self.painter, request, epochs=epochs, poison=poison, width=width),
            TouchStage(self.gain, self.painter, request, epochs=epochs, rate=rate),
        ]

    @property
    def stages(self) -> Sequence[Stage]:
        return self._stages

    def start(self, appearance: Appearance) -> _State:
        self.check_person(appearance)
        return _State(appearance, None)

    def step(self, state: _State, motion: Motion) -> tuple[Tensor, _State]:
        together = motion if state.held is None else state.held.then(motion)
        held = together.frames(len(together) - 1, len(together))
        return self._paint(together.frames(0, len(together) - 1)), _State(state.appearance, held)

    def finish(self, state: _State) -> Tensor | None:
        return None if state.held is None else self._paint(state.held)

    def _paint(self, motion: Motion) -> Tensor:
        height, width = motion.size
        if len(motion) == 0:
            return torch.zeros(0, 3, height, width)
        centre = motion.joints[0, :, :, :2].mean(dim=1)
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        apart = (columns - centre[:, 0, None, None]) ** 2 + (rows - centre[:, 1, None, None]) ** 2
        painted: Tensor = self.gain(self.painter((apart < (height / 5) ** 2).float()[:, None]))
        return painted.tanh()
