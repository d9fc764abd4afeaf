"""A method at full size: ``python -m benchmarks.speed.full_size [--method NAME]``.

Takes a few training steps of every stage, each in a process of its own, and generates frames one at a time with the
networks as they are and compiled; on random weights, which cost what trained ones do. Where the feature networks of
losses are not on the machine, ``random_vgg`` of the same shape stands in for VGG-19, which costs the same. With
``--keep`` the figures are kept as ``benchmarks/speed/results/<method>-<variant>-<preset>-<data>.json``, with commit,
versions and device.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import yaml

from benchmarks.bench.config_stack import ConfigStack
from benchmarks.bench.jobs import Job
from benchmarks.cli import main as motioncopy
from benchmarks.speed.harness import in_a_process, options, peak_gib
from motioncopy.files.writing import write_whole
from motioncopy.method import Method
from motioncopy.metrics.speed import measure
from motioncopy.records.provenance import code, device, packages
from motioncopy.training import checkpoint

#: Where figures are kept.
RESULTS = Path(__file__).with_name("results")


def cut_short(config: Any, steps: int) -> Any:
    """A model's config whose schedules end after so many steps, and that needs no download."""
    if isinstance(config, list):
        return [cut_short(value, steps) for value in config]
    if not isinstance(config, dict):
        return config
    short = {key: cut_short(value, steps) for key, value in config.items()}
    if isinstance(short.get("schedule"), dict):
        short["schedule"] |= {"epochs": 1, "batches": steps, "decay_epochs": 0}
    if short.get("network") == "vgg19":
        short |= {"network": "random_vgg", "width": 64}
    return short


def build(job: Job) -> Method[Any]:
    """The method of a job, untrained."""
    model = job.config["model"]
    return checkpoint.build(model["class_path"], model.get("init_args", {})).eval()


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """One task: the stages' names, a stage, or generation (``plain`` or ``compiled``)."""
    stack = ConfigStack(arguments.method, arguments.data, variant=arguments.variant, preset=arguments.preset)
    model = cut_short(stack.resolve()["model"], arguments.steps)
    job = Job(stack, arguments.folder, overrides={"model": model})
    torch.manual_seed(0)
    if arguments.task == "names":
        method = build(job)
        sizes = {name: sum(p.numel() for p in child.parameters()) for name, child in method.named_children()}
        return {"stages": [stage.name for stage in method.stages], "networks": sizes, "size": method.request.image_size}
    if arguments.task in ("plain", "compiled"):
        method, data = build(job), job.data()
        trial = data.for_trials(method.request, "test").trials[0]
        (method.subject,) = set(trial.appearance.person)  # a personal method refuses others
        compiled = arguments.task == "compiled"
        return {"fps": measure(method, trial, warm_up=3, frames=5, compiled=compiled).fps}
    config = arguments.folder / "stack.yaml"
    if not config.exists():
        job.data()
        config.write_text(yaml.safe_dump(job.config, sort_keys=False))
    where = arguments.folder / "run"
    if status := motioncopy(["fit", "--config", str(config), "--run", str(where), "--stage", arguments.task]):
        raise SystemExit(status)
    (done,) = where.glob(f"stages/*-{arguments.task}/done.json")
    summary: dict[str, Any] = json.loads(done.read_text())
    return summary


def main() -> None:
    """Measures everything, and prints it as it comes."""
    parser = options(__doc__, method="remot", variant="paper", preset="full", data="puppets", steps=2)
    parser.add_argument("--keep", action="store_true", help="keep the figures as a file")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        print(json.dumps(run(arguments) | {"peak_gib": peak_gib()}))
        return
    with tempfile.TemporaryDirectory() as folder:

        def measured(task: str) -> dict[str, Any]:
            return in_a_process("benchmarks.speed.full_size", *sys.argv[1:], "--folder", folder, "--task", task)

        names = measured("names")
        height, width = names["size"]
        print(f"{arguments.method} ({arguments.variant}, {arguments.preset}), {height}x{width}; {torch.__version__=}")
        found: dict[str, Any] = {"networks": names["networks"], "size": names["size"], "stages": {}, "generation": {}}
        for name, size in names["networks"].items():
            print(f"  {name:<12} {size / 1e6:8.2f} M parameters")
        for stage in names["stages"]:
            got = measured(stage)
            step, peak = got["seconds"] / got["steps"], got["peak_gib"]
            found["stages"][stage] = {"seconds_a_step": step, "steps": got["steps"], "peak_gib": peak}
            print(f"  stage {stage:<12} {step:6.1f} s a step, at most {peak:.1f} GiB", flush=True)
        for how in ("plain", "compiled"):
            got = found["generation"][how] = measured(how)
            speed = f"{got['fps']:6.2f} frames/s at batch 1, at most {got['peak_gib']:.1f} GiB"
            print(f"  generation, {how:<8} {speed}", flush=True)
    if arguments.keep:
        name = f"{arguments.method}-{arguments.variant}-{arguments.preset}-{arguments.data}"
        print(f"Kept: {keep(found, RESULTS / f'{name}.json')}")


def keep(found: Mapping[str, Any], path: Path) -> Path:
    """Writes what was measured with where it comes from; an older measurement of the same name is replaced."""
    machine = replace(device(torch.cuda.device_count()), threads=torch.get_num_threads())
    whence = {"code": asdict(code()), "device": asdict(machine), "packages": packages()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps({**found, **whence}, indent=1) + "\n")
    return path


if __name__ == "__main__":
    main()
