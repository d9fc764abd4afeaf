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
import re
import subprocess
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


def in_a_process(arguments: argparse.Namespace, task: str, folder: Path) -> dict[str, Any]:
    """What :func:`run` prints in a process of its own, which has a memory of its own."""
    command = [
        sys.executable, "-m", "benchmarks.speed.full_size", "--task", task, "--folder", folder, "--steps",
        arguments.steps, "--method", arguments.method, "--variant", arguments.variant, "--data", arguments.data,
        "--preset", arguments.preset,
    ]  # fmt: skip
    ran = subprocess.run([str(c) for c in command], check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


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
        trials = data.for_trials(method.request, "test").trials
        compiled = arguments.task == "compiled"
        return {"fps": measure(method, trials[0], warm_up=3, frames=5, compiled=compiled).fps, "peak": peak()}
    config = arguments.folder / "stack.yaml"
    if not config.exists():
        job.data()
        config.write_text(yaml.safe_dump(job.config, sort_keys=False))
    where = arguments.folder / "run"
    if status := motioncopy(["fit", "--config", str(config), "--run", str(where), "--stage", arguments.task]):
        raise SystemExit(status)
    (done,) = where.glob(f"stages/*-{arguments.task}/done.json")
    summary: dict[str, Any] = json.loads(done.read_text())
    return summary | {"peak": peak()}


def peak() -> float:
    """The most memory that this process has held, in GiB."""
    # getrusage would give the parent's where that is larger: it is taken over until the program starts.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(iter(re.findall(r"VmHWM:\s*(\d+) kB", status)))) / 2**20


def main() -> None:
    """Prints what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="remot")
    parser.add_argument("--variant", default="paper")
    parser.add_argument("--preset", default="full")
    parser.add_argument("--data", default="puppets")
    parser.add_argument("--steps", type=int, default=2, help="training steps of every stage")
    parser.add_argument("--keep", action="store_true", help="keep the figures as a file")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        found = run(arguments)
        print(json.dumps(found))
        return
    with tempfile.TemporaryDirectory() as temporary:
        found = measured(arguments, Path(temporary))
    if arguments.keep:
        name = f"{arguments.method}-{arguments.variant}-{arguments.preset}-{arguments.data}"
        print(f"Kept: {keep(found, RESULTS / f'{name}.json')}")


def measured(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measures everything, and prints it as it comes."""
    names = in_a_process(arguments, "names", folder)
    height, width = names["size"]
    print(f"{arguments.method} ({arguments.variant}, {arguments.preset}), {height}x{width}; {torch.__version__=}")
    found: dict[str, Any] = {"networks": names["networks"], "size": names["size"], "stages": {}, "generation": {}}
    for name, size in names["networks"].items():
        print(f"  {name:<12} {size / 1e6:8.2f} M parameters")
    for stage in names["stages"]:
        got = in_a_process(arguments, stage, folder)
        step = got["seconds"] / got["steps"]
        found["stages"][stage] = {"seconds_a_step": step, "steps": got["steps"], "peak_gib": got["peak"]}
        print(f"  stage {stage:<12} {step:6.1f} s a step, at most {got['peak']:.1f} GiB", flush=True)
    for how in ("plain", "compiled"):
        got = in_a_process(arguments, how, folder)
        found["generation"][how] = {"fps": got["fps"], "peak_gib": got["peak"]}
        print(
            f"  generation, {how:<8} {got['fps']:6.2f} frames/s at batch 1, at most {got['peak']:.1f} GiB", flush=True
        )
    return found


def keep(found: Mapping[str, Any], path: Path) -> Path:
    """Writes what was measured with where it comes from; an older measurement of the same name is replaced."""
    machine = replace(device(torch.cuda.device_count()), threads=torch.get_num_threads())
    whence = {"code": asdict(code()), "device": asdict(machine), "packages": packages()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps({**found, **whence}, indent=1) + "\n")
    return path


if __name__ == "__main__":
    main()
