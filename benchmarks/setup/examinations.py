"""Is this machine ready? Looks at versions, devices, perception, weights, folders, data and tools, and changes nothing.

Every examination imports what it examines by itself, so that a broken package is a finding and not the end.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from importlib import metadata
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from motioncopy.errors import ConfigError, DataError, MotionCopyError, WeightsError

Level = Literal["ok", "warning", "problem"]

_SETUP = "run `make setup`"
#: What was tested together; beside the packages in a checkout, and not installed.
CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"
_PYTHON = ((3, 11), (3, 13))
# REMOT's quick runs keep up to 0.08 GB; the puppets take 4.1 GB at 256x192 with flow.
_ROOM = {"runs": 1.0, "data": 5.0}
_FRAMES, _SIDE, _NEAR = 8, 64, 6.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: What.
        level: A ``problem`` keeps something that everybody needs from working; a ``warning`` something that some need.
        found: What was found.
        remedy: What to do about it; empty where all is well.
    """

    topic: str
    level: Level
    found: str
    remedy: str = ""


def examine(
    runs: Path = Path("runs"), data: Path = Path("data"), roots: Mapping[str, Path] | None = None
) -> Iterator[Finding]:
    """Looks at everything, quick things first.

    Args:
        runs: Where runs are to lie.
        data: Where prepared data are to lie.
        roots: By data set, the folder in which it is said to lie.

    Yields:
        What was found, as soon as it is.
    """
    examinations: dict[str, Callable[[], Iterable[Finding]]] = {
        "python": python,
        "packages": packages,
        "code": code,
        "devices": devices,
        "energy": energy,
        "video": video,
        "perception": perception,
        "weights": weights,
        "folders": lambda: folders({"runs": runs, "data": data}),
        "wandb": wandb,
        "tools": tools,
    }
    for name, root in (roots or {}).items():
        examinations[f"data set {name}"] = lambda name=name, root=root: [data_set(name, root)]  # type: ignore[misc]
    for topic, examination in examinations.items():
        try:
            yield from examination()
        except MotionCopyError as error:
            yield Finding(topic, "problem", _sentence(error), error.remedy or "")
        except Exception as error:  # noqa: BLE001 -- a broken installation raises anything, and the rest is to be seen
            yield Finding(topic, "problem", f"{type(error).__name__}: {error}", _SETUP)


def python() -> Iterator[Finding]:
    """Whether this Python is one that the packages run on."""
    found = f"{sys.version.split()[0]} on {sys.platform}"
    if _PYTHON[0] <= sys.version_info < _PYTHON[1]:
        yield Finding("python", "ok", found)
    else:
        yield Finding("python", "problem", found, "use Python 3.11 or 3.12: make setup PYTHON=...")


def packages() -> Iterator[Finding]:
    """Whether what the project needs is there, in the versions that were tested together."""
    missing = [name for name in _required() if _version(name) is None]
    if missing:
        yield Finding("packages", "problem", f"not installed: {', '.join(missing)}", _SETUP)
    named = ", ".join(f"{name} {_version(name)}" for name in ("torch", "lightning", "numpy") if _version(name))
    if not CONSTRAINTS.is_file():
        yield Finding("packages", "ok", f"{named}; what was tested together is known in a checkout only")
        return
    pins = dict(re.findall(r"^([\w.-]+)={2,3}(\S+)$", CONSTRAINTS.read_text(encoding="utf-8"), re.M))
    found = {name: version for name in pins if (version := _version(name)) is not None}
    # A local build (2.13.0+cpu) is the same release.
    other = {name: version for name, version in found.items() if version.partition("+")[0] != pins[name]}
    if other:
        listed = ", ".join(f"{name} {version} (tested: {pins[name]})" for name, version in other.items())
        yield Finding("packages", "warning", f"{len(other)} other than tested: {listed}", _SETUP)
    else:
        yield Finding("packages", "ok", f"{named} and {len(found) - 3} more, as tested together")


def code() -> Iterator[Finding]:
    """Which code this is; a record names its commit."""
    from motioncopy.records.provenance import code as found_code

    found = found_code()
    if shutil.which("git") is None:
        yield Finding("code", "warning", f"{found.version}; there is no git", "install git: records name the commit")
    elif found.commit is None:
        yield Finding("code", "warning", f"{found.version}, not in a checkout", "records will name no commit")
    elif found.dirty:
        text = f"{found.version}, commit {found.commit[:7]}, with changes that are in no commit"
        yield Finding("code", "warning", text, "commit them before a run that is to be kept")
    else:
        yield Finding("code", "ok", f"{found.version}, commit {found.commit[:7]}")


def devices() -> Iterator[Finding]:
    """What there is to compute with, and what ``auto`` chooses."""
    import torch

    threads, cores = torch.get_num_threads(), len(os.sched_getaffinity(0))
    yield Finding("cpu", "ok", f"cores for this process: {cores}, threads of PyTorch: {threads}")
    built = f"PyTorch {torch.__version__}, " + (f"for CUDA {torch.version.cuda}" if torch.version.cuda else "CPU only")
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            name = torch.cuda.get_device_name(index)
            yield Finding(
                f"gpu {index}", "ok", f"{name}, {total / 1e9:.1f} GB, {free / 1e9:.1f} GB of it free; {built}"
            )
        yield Finding("auto", "ok", "the GPU: one of them, unless DEVICES says more")
    elif shutil.which("nvidia-smi"):
        remedy = "install a PyTorch for the driver's CUDA, or a newer driver (`nvidia-smi` says which)"
        yield Finding("gpu", "warning", f"there is NVIDIA's driver, but PyTorch sees no GPU; {built}", remedy)
        yield Finding("auto", "ok", "the CPU")
    else:
        yield Finding("gpu", "ok", f"none; {built}")
        yield Finding("auto", "ok", "the CPU: enough for the quick presets, not for the full ones")


def energy() -> Iterator[Finding]:
    """Whether records can say what a run uses."""
    import torch

    from motioncopy.records import energy as reading

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if gpus and not reading.gpus(gpus):
        remedy = "" if _version("nvidia-ml-py") else "pip install nvidia-ml-py"
        yield Finding("energy", "warning", "the GPUs' counters cannot be read: their runs leave energy out", remedy)
    else:
        found = f"of {gpus} GPU{'s' if gpus > 1 else ''}" if gpus else "read of GPUs alone: records leave it out"
        yield Finding("energy", "ok", found)


def video() -> Iterator[Finding]:
    """Writes a video of eight frames and reads it by each decoder."""
    import av
    import numpy as np

    from motioncopy.footage.video import VideoWriter
    from motioncopy.footage.video.decoders import DecordDecoder, PyAVDecoder
    from motioncopy.footage.video.index import read_index

    frames = np.zeros((_FRAMES, _SIDE, _SIDE, 3), np.uint8)
    frames[:] = np.linspace(20, 230, _FRAMES).astype(np.uint8)[:, None, None, None]
    libraries = ", ".join(f"{k} {'.'.join(map(str, v))}" for k, v in av.library_versions.items() if k == "libavcodec")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "eight.mp4"
        with VideoWriter(path, 25.0, (_SIDE, _SIDE)) as writer:
            writer.write(frames)
        index = read_index(path)
        for name, decoder in (("decord", DecordDecoder), ("av", PyAVDecoder)):
            opened = decoder(path, index)
            read = opened.frames(np.arange(_FRAMES))
            opened.close()
            away = float(np.abs(read.astype(float) - frames).mean())
            topic = f"video ({name} {_version(name)})"
            if read.shape == frames.shape and away < _NEAR:
                yield Finding(topic, "ok", f"writes and reads H.264 ({libraries})")
            else:
                text = f"{_FRAMES} frames came back as {len(read)}, {away:.1f} grey levels away"
                yield Finding(topic, "problem", text, _SETUP)


def perception() -> Iterator[Finding]:
    """Which perception configs can be used here."""
    from motioncopy.footage.perception import config

    usable: list[str] = []
    for name in config.names():
        try:
            backends = config.load(name)
            for part in fields(backends):
                _ = getattr(getattr(backends, part.name), "version", None)  # asks for package and weights
            usable.append(name)
        except ConfigError:  # what it reads has to be named
            usable.append(f"{name} (on files of your own)")
        except WeightsError as error:
            yield Finding(f"perception {name}", "warning", error.what, _command(error))
        except MotionCopyError as error:
            yield Finding(f"perception {name}", "warning", _sentence(error), error.remedy or _SETUP)
    level: Level = "ok" if usable else "problem"
    yield Finding("perception", level, f"usable: {', '.join(usable) or 'nothing'}", "" if usable else _SETUP)


def weights() -> Iterator[Finding]:
    """Which pretrained networks are here."""
    from motioncopy import weights as known

    here, absent = [], []
    for name in known.WEIGHTS:
        try:
            known.find(name)
            here.append(name)
        except WeightsError as error:
            if error.found is not None:  # it is there, and is not what it should be
                yield Finding("weights", "problem", _sentence(error), error.remedy or "")
            elif known.entry(name).package:
                yield Finding("weights", "warning", error.what, error.remedy or "")
            else:
                absent.append(name)
    if here:
        yield Finding("weights", "ok", f"here: {', '.join(here)}")
    if absent:
        yield Finding(
            "weights", "warning", f"not here: {', '.join(absent)}; metrics and losses that need them are left out or "
            "refused, the puppets' quick presets need none",
            "`motioncopy weights list` says what each is for, `motioncopy weights fetch NAME...` downloads",
        )  # fmt: skip


def folders(named: Mapping[str, Path]) -> Iterator[Finding]:
    """Whether there is room in folders, and whether they may be written; they are not made.

    Args:
        named: ``runs`` and ``data``.
    """
    from motioncopy import weights as known

    for name, folder in {**named, "weights": known.home()}.items():
        there = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
        free, needed = shutil.disk_usage(there).free / 1e9, _ROOM.get(name, 0.0)
        topic = f"folder {name}"
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            remedy = "choose another (MOTIONCOPY_WEIGHTS)" if name == "weights" else f"choose another (--{name})"
            yield Finding(topic, "problem", f"{folder} cannot be written", remedy)
        elif free < needed:
            text = f"{folder}: {free:.1f} GB free, a run can need {needed:.0f} GB"
            yield Finding(topic, "warning", text, "make room, or choose another")
        else:
            yield Finding(topic, "ok", f"{folder}: {free:.1f} GB free" + ("" if folder.exists() else ", not made yet"))


def wandb() -> Iterator[Finding]:
    """Whether runs can be sent to Weights & Biases."""
    version = _version("wandb")
    if version is None:
        yield Finding("wandb", "warning", "not installed", _SETUP)
        return
    from benchmarks.loggers.weights_and_biases import mode_for

    mode, why = mode_for()
    if mode == "online":
        host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname
        yield Finding("wandb", "ok", f"{version}, logged in at {host}")
    elif os.environ.get("WANDB_MODE"):
        yield Finding("wandb", "ok", f"{version}, {mode} ({why})")
    else:
        yield Finding("wandb", "ok", f"{version}, not logged in: runs stay on this machine until `wandb login`")


def tools() -> Iterator[Finding]:
    """What else is on this machine."""
    for topic, program, absent in (
        ("git", "git", None),
        ("ffmpeg", "ffmpeg", "no program of this name, and none is needed: PyAV brings its libraries"),
        ("slurm", "sbatch", "not here: suites run on this machine"),
    ):
        path = shutil.which(program)
        if path is not None:
            option = "-version" if program == "ffmpeg" else "--version"
            said = subprocess.run([path, option], capture_output=True, text=True, check=False, timeout=20).stdout
            yield Finding(topic, "ok", (said.splitlines() or [path])[0])
        elif absent is not None:
            yield Finding(topic, "ok", absent)


def data_set(name: str, root: Path) -> Finding:
    """Whether a data set lies at a folder, by the data module's own check of the layout.

    Raises:
        ConfigError: If there is no such data set, or it needs no folder.
    """
    from benchmarks.bench import config_stack
    from datamodules.base import ClipDataModule
    from motioncopy.building import build_from_config
    from motioncopy.errors import own_cause

    topic = f"data set {name}"
    config = config_stack.read(_data_config(name))["data"]
    given = config_stack.merge(config, {"init_args": {"root": str(root)}})
    start = time.perf_counter()
    try:
        module: Any = build_from_config(ClipDataModule, given, key="data", what=f"{name} as a folder")[0]  # type: ignore[type-abstract]
        # What lies in a folder of videos is known when it is prepared, which takes long.
        found = module.recordings if hasattr(module, "recordings") else None
    except Exception as error:
        own = own_cause(error)
        if isinstance(own, DataError):
            return Finding(topic, "problem", _sentence(own), own.remedy or "")
        if own is not None:
            raise own from None
        raise ConfigError(f"{name} takes no folder", found=str(error).splitlines()[0]) from error
    if found is None:
        return _videos(topic, root)
    train = sum(recording.split == "train" for recording in found.values())
    kind = "a miniature: " if module.miniature else ""
    text = f"{root}: {kind}{len(found)} recordings, {train} to train on, {len(found) - train} to test on"
    return Finding(topic, "ok", f"{text} ({time.perf_counter() - start:.1f} s)")


def _data_config(name: str) -> Any:
    from importlib.resources import files

    from benchmarks.bench.config_stack import data_sets

    able = [n for n in data_sets() if n not in ("puppets", "pair")]
    if name not in able:
        raise ConfigError(f"there is no data set {name!r} that lies in a folder", expected=f"one of {', '.join(able)}")
    return files("datamodules") / "configs" / f"{name}.yaml"


def _videos(topic: str, root: Path) -> Finding:
    from motioncopy.footage import VIDEO_SUFFIXES
    from motioncopy.footage.clips import find_clips

    if not root.is_dir():
        return Finding(topic, "problem", f"there is no folder {root}", "correct the path")
    videos, clips = [p for p in root.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES], find_clips(root)
    if not videos and not clips:
        remedy = "give the folder that holds the videos themselves"
        return Finding(topic, "problem", f"{root} holds neither videos nor prepared clips", remedy)
    return Finding(topic, "ok", f"{root}: {len(videos)} videos, {len(clips)} prepared clips")


def _required() -> list[str]:
    """The packages that the project cannot do without, by its own metadata."""
    lines = [line for line in metadata.requires("motioncopy") or [] if "extra ==" not in line]
    return [match[0] for line in lines if (match := re.match(r"[\w.-]+", line))]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _sentence(error: MotionCopyError) -> str:
    parts = [error.what, *(f"{word} {value}" for word, value in (("expected", error.expected), ("found", error.found))
                           if value is not None)]  # fmt: skip
    return "; ".join(parts)


def _command(error: MotionCopyError) -> str:
    """The command of a remedy, which goes on about licences."""
    match = re.search(r"`[^`]+`", error.remedy or "")
    return match[0] if match else error.remedy or ""
