"""Half precision beside full, in one run: ``python -m benchmarks.speed.precision [--method NAME]``, on one GPU.

Every stage of a method takes the same steps, from the same weights, on the same batches, in float32, in float32 with
matrix products in TF32, and in bfloat16. It prints the time of a step behind the warm-up, windows a second, the most
memory that tensors held, how both relate to float32 (of each the fastest round counts), and how far the losses are from
those of float32. Earlier networks keep random weights, which cost what trained ones do; ``random_vgg`` of the same
shape stands in for VGG-19.

Without a GPU it refuses; ``--cpu`` runs the ``quick`` preset to show that all of it works, and its figures say nothing
about a GPU.
"""

from __future__ import annotations

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
from benchmarks.speed.harness import options
from datamodules.base import ClipDataModule
from motioncopy.method import Stage

#: Name, Lightning's precision, and what float32 matrix products are computed in.
SETTINGS = (("fp32", "32-true", "highest"), ("tf32", "32-true", "high"), ("bf16", "bf16-mixed", "high"))


@dataclass
class Meter(Callback):
    """Takes the time and the losses of every step.

    Attributes:
        seconds: Of each step, until the device is done.
        losses: Likewise, by name.
        peak: Bytes that tensors held on the GPU at most; ``None`` on a CPU.
    """

    seconds: list[float] = field(default_factory=list)
    losses: list[dict[str, float]] = field(default_factory=list)
    peak: int | None = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Starts the clock."""
        self._start = _now()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stops it."""
        self.seconds.append(_now() - self._start)
        self.losses.append({name.rsplit("/", 1)[-1]: float(v) for name, v in trainer.callback_metrics.items()})

    def apart(self, other: Meter, step: int) -> float:
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


def measure(stage: Stage, data: ClipDataModule, precision: str, products: str, *, cpu: bool) -> Meter:
    """Trains a stage to its end in one precision."""
    stage.prepare(data)
    meter = Meter()
    if not cpu:
        torch.cuda.reset_peak_memory_stats()
    with matrix_products(products), tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            accelerator="cpu" if cpu else "gpu",
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
    meter.peak = None if cpu else torch.cuda.max_memory_allocated()
    return meter


def show(name: str, found: Meter, base: Meter, warm_up: int, windows: int) -> None:
    """Prints a line of the table."""
    seconds, base_seconds = (median(meter.seconds[warm_up:]) for meter in (found, base))
    memory = "memory not measured"
    if found.peak is not None and base.peak:
        memory = f"{found.peak / 2**30:6.2f} GiB ({found.peak / base.peak:.2f})"
    print(
        f"  {name:<5} {1000 * seconds:9.1f} ms a step ({base_seconds / seconds:.2f} times as fast), "
        f"{windows / seconds:8.1f} windows/s, {memory}, losses apart by at most "
        f"{found.apart(base, 0):.1e} in the first step, {found.apart(base, -1):.1e} in the last",
        flush=True,
    )


def main() -> None:
    """Prints what was measured."""
    parser = options(__doc__, method="fakemotion", variant="paper", data="puppets", steps=10, warm_up=3, rounds=2)
    parser.add_argument("--data-root")
    parser.add_argument("--stage", help="this stage alone")
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
            if arguments.stage not in (None, name):
                continue
            windows = stages(job, data)[number].request.batch_size
            print(f"stage {name}, {windows} windows a batch")
            best: dict[str, Meter] = {}
            for _ in range(arguments.rounds):
                for setting, precision, products in SETTINGS:
                    meter = measure(stages(job, data)[number], data, precision, products, cpu=arguments.cpu)
                    rounds = [best.get(setting, meter), meter]
                    best[setting] = min(rounds, key=lambda m: median(m.seconds[arguments.warm_up :]))
            for setting, meter in best.items():
                show(setting, meter, best["fp32"], arguments.warm_up, windows)


if __name__ == "__main__":
    main()
