"""Half precision beside full, in one run: ``python -m benchmarks.speed.precision [--method NAME]``, on one GPU.

Every stage of a method takes the same steps, from the same weights, on the same batches, in float32, in float32 with
matrix products in TF32, and in bfloat16. It prints the time of a step, windows a second, the most memory that tensors
held, how both relate to float32, and how far the losses are from those of float32. Earlier networks keep random
weights, which cost what trained ones do; ``random_vgg`` of the same shape stands in for VGG-19.

Without a GPU it refuses; ``--cpu`` runs the ``quick`` preset to show that all of it works, and its figures say nothing
about a GPU.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer, seed_everything

from benchmarks.bench.config_stack import ConfigStack
from benchmarks.bench.jobs import Job
from benchmarks.speed.full_size import build, cut_short
from datamodules.base import ClipDataModule
from motioncopy.method import Stage

#: Name, Lightning's precision, and what float32 matrix products are computed in.
SETTINGS = (("fp32", "32-true", "highest"), ("tf32", "32-true", "high"), ("bf16", "bf16-mixed", "high"))


@dataclass
class Meter(Callback):
    """Times the steps behind the warm-up, and keeps every step's losses.

    Attributes:
        warm_up: Steps that are not timed.
        seconds: Of each step that is.
        losses: Of every step, by name.
    """

    warm_up: int
    seconds: list[float] = field(default_factory=list)
    losses: list[dict[str, float]] = field(default_factory=list)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Starts the clock."""
        self._start = _now()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stops it when the device is done."""
        if batch_idx >= self.warm_up:
            self.seconds.append(_now() - self._start)
        self.losses.append({name.rsplit("/", 1)[-1]: float(v) for name, v in trainer.callback_metrics.items()})


@dataclass(frozen=True)
class Measured:
    """One stage in one precision.

    Attributes:
        seconds: Of a step, the median.
        peak: Bytes that tensors held on the GPU at most; ``None`` on a CPU.
        losses: Of every step.
    """

    seconds: float
    peak: int | None
    losses: list[dict[str, float]]

    def apart(self, other: Measured, step: int) -> float:
        """The largest difference of a loss in that step, relative to the other's."""
        pairs = [(self.losses[step][name], value) for name, value in other.losses[step].items()]
        return max(abs(a - b) / max(abs(b), 1e-6) for a, b in pairs)


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


@contextmanager
def matrix_products(precision: str) -> Iterator[None]:
    """What float32 matrix products and convolutions are computed in, inside the block."""
    before, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.allow_tf32 = precision != "highest"
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
        torch.backends.cudnn.allow_tf32 = convolutions


def stages(job: Job, data: ClipDataModule) -> list[Stage]:
    """A method's stages with the weights of one seed."""
    seed_everything(0, verbose=False)
    method = build(job).train()
    method.prepare(data)
    return list(method.stages)


def measure(
    job: Job, data: ClipDataModule, number: int, precision: str, products: str, arguments: argparse.Namespace
) -> Measured:
    """Takes the steps of one stage in one precision."""
    stage = stages(job, data)[number]
    stage.prepare(data)
    meter = Meter(arguments.warm_up)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with matrix_products(products), tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            accelerator="cpu" if arguments.cpu else "gpu",
            devices=1,
            precision=precision,  # type: ignore[arg-type]
            max_epochs=1,
            callbacks=[meter],
            default_root_dir=folder,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        trainer.fit(stage, datamodule=data.for_request(stage.request, 0))
    peak = None if arguments.cpu else torch.cuda.max_memory_allocated()
    return Measured(median(meter.seconds), peak, meter.losses)


def show(name: str, found: Measured, base: Measured, windows: int) -> str:
    """A line of the table."""
    memory = f"{found.peak / 2**30:6.2f} GiB" if found.peak is not None else "memory not measured"
    saved = f" ({found.peak / base.peak:.2f})" if found.peak is not None and base.peak else ""
    return (
        f"  {name:<5} {1000 * found.seconds:9.1f} ms a step ({base.seconds / found.seconds:.2f} times as fast), "
        f"{windows / found.seconds:8.1f} windows/s, {memory}{saved}, losses apart by at most "
        f"{found.apart(base, 0):.1e} in the first step, {found.apart(base, -1):.1e} in the last"
    )


def main() -> None:
    """Prints what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="fakemotion")
    parser.add_argument("--variant", default="paper")
    parser.add_argument("--data", default="puppets")
    parser.add_argument("--data-root")
    parser.add_argument("--stage", help="this stage alone")
    parser.add_argument("--steps", type=int, default=10, help="steps that are timed")
    parser.add_argument("--warm-up", type=int, default=3, help="steps before them")
    parser.add_argument("--rounds", type=int, default=2, help="how often; the faster round counts")
    parser.add_argument("--cpu", action="store_true", help="the quick preset on a CPU, to see whether all of it works")
    arguments = parser.parse_args()
    if not arguments.cpu and not torch.cuda.is_available():
        raise SystemExit("There is no GPU here, and a CPU's figures would say nothing about one. --cpu runs it anyway.")
    stack = ConfigStack(arguments.method, arguments.data, arguments.variant, "quick" if arguments.cpu else "full")
    model = cut_short(stack.resolve()["model"], arguments.warm_up + arguments.steps)
    with tempfile.TemporaryDirectory() as folder:
        job = Job(stack, Path(folder), data_root=arguments.data_root, overrides={"model": model})
        data = job.data()
        names = [stage.name for stage in stages(job, data)]
        if arguments.stage is not None and arguments.stage not in names:
            raise SystemExit(f"There is no stage {arguments.stage!r}. Expected: one of {', '.join(names)}.")
        where = "a CPU, which is NOT a measurement of a GPU" if arguments.cpu else torch.cuda.get_device_name()
        print(f"{arguments.method} ({arguments.variant}, {stack.preset}) on {where}; {torch.__version__=}")
        for number, name in enumerate(names):
            if arguments.stage in (None, name):
                _stage(job, data, number, arguments)


def _stage(job: Job, data: ClipDataModule, number: int, arguments: argparse.Namespace) -> None:
    stage = stages(job, data)[number]
    print(f"stage {stage.name}, {stage.request.batch_size} windows a batch")
    rounds: dict[str, list[Measured]] = {name: [] for name, _, _ in SETTINGS}
    for _ in range(arguments.rounds):
        for name, precision, products in SETTINGS:
            rounds[name].append(measure(job, data, number, precision, products, arguments))
    best = {name: min(found, key=lambda m: m.seconds) for name, found in rounds.items()}
    for name, found in best.items():
        print(show(name, found, best["fp32"], stage.request.batch_size), flush=True)


if __name__ == "__main__":
    main()
