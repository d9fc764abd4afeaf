"""Where a result comes from: the code, the packages, the device; and what must not travel with it: paths."""

from __future__ import annotations

import math
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from motioncopy.errors import RecordError
from motioncopy.files.documents import LARGEST
from motioncopy.files.schema import checked

#: The packages whose version can change a number.
PACKAGES = (
    "torch", "torchvision", "lightning", "torchmetrics", "lpips", "numpy", "scipy", "opencv-python-headless",
    "pillow", "decord", "av", "kornia", "POT", "mediapipe", "mmdet", "mmpose", "mmcv-lite",
)  # fmt: skip
#: Committed records; a run that adds one has not changed the code.
RESULTS = ("benchmarks/results", "benchmarks/perception/results", "benchmarks/speed/results")

# An absolute path, at the start of a text or after a separator: /a/b, C:\a, ~/a. URLs do not match.
_PATH = re.compile(r"(?<![\w/:.@$~-])(?:(?:/[^\s/'\",;:)\]]+){2,}/?|~/[^\s'\",;:)\]]+|[A-Za-z]:[\\/][^\s'\",;:)\]]+)")


@checked(RecordError)
@dataclass(frozen=True)
class Code:
    """The code that made a result.

    Attributes:
        version: Of the ``motioncopy`` package.
        commit: Git commit, or ``None`` where the code is not in a checkout.
        dirty: Whether files differ from the commit, committed results aside; ``None`` without a checkout.
    """

    version: str
    commit: str | None
    dirty: bool | None


@checked(RecordError)
@dataclass(frozen=True)
class Device:
    """The machine that made a result, as far as times depend on it.

    Attributes:
        cpu: Model name.
        threads: Threads of PyTorch's CPU operations.
        gpu: Model name, or ``None`` where none was used.
        gpus: Number of GPUs used.
    """

    cpu: str
    threads: int
    gpu: str | None = None
    gpus: int = 0


def code(folder: Path | None = None) -> Code:
    """The state of the code in a checkout.

    Args:
        folder: Root of the checkout; by default where this package lies.
    """
    folder = Path(__file__).parents[2] if folder is None else folder
    version = metadata.version("motioncopy")
    # An installed package may lie in somebody else's checkout, which then says nothing about it.
    if _git(folder, "ls-files", "--error-unmatch", "motioncopy/__init__.py") is None:
        return Code(version, None, None)
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--", ".", *(f":(exclude){folder}" for folder in RESULTS))
    return Code(version, commit.strip() if commit else None, bool(changes))


def in_history(commit: str, folder: Path | None = None) -> bool | None:
    """Whether a commit is the checkout's own or one of its ancestors.

    Args:
        commit: Its hash.
        folder: Root of the checkout; by default where this package lies.

    Returns:
        ``None`` where that cannot be known: there is no checkout, or it was cloned without its whole history.
    """
    folder = Path(__file__).parents[2] if folder is None else folder
    if code(folder).commit is None:
        return None
    if _git(folder, "merge-base", "--is-ancestor", commit, "HEAD") is not None:
        return True
    shallow = _git(folder, "rev-parse", "--is-shallow-repository")
    return False if shallow is not None and shallow.strip() == "false" else None


def _git(folder: Path, *arguments: str) -> str | None:
    # A git hook sets GIT_DIR and others, which would answer for another checkout.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, env=environment
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout


def packages() -> dict[str, str]:
    """Versions of Python and of those of :data:`PACKAGES` that are installed."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def device(gpus: int = 0) -> Device:
    """This machine.

    Args:
        gpus: Number of GPUs that the run used.
    """
    import torch  # takes seconds, which who only reads records need not wait

    gpu = torch.cuda.get_device_name() if gpus else None
    return Device(_cpu(), torch.get_num_threads(), gpu, gpus)


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def portable(value: Any, roots: Mapping[str, Path]) -> Any:
    """Plain JSON values with this machine's folders replaced by names.

    Args:
        value: Of dicts, lists, tuples, paths, strings, numbers, booleans and ``None``.
        roots: Folders that may be named: ``{"data": Path("/mnt/iper")}`` turns ``/mnt/iper/001`` into ``$data/001``.

    Returns:
        Dicts, lists, strings, finite numbers, booleans and ``None``.

    Raises:
        RecordError: If a value is of another type, or a string holds an absolute path outside the roots.
    """
    return _portable(value, _by_depth(roots), "config")


def check_portable(value: Any, name: str, source: str) -> None:
    """Refuses what could not be read as it was written, or tells of a machine.

    Args:
        value: Dicts, lists, and what is in them.
        name: Where it stands, for messages.
        source: What messages call the whole.

    Raises:
        RecordError: Naming the field.
    """
    wrong = f"{source}: field {name[:200]}"
    if isinstance(value, dict):
        for key, item in value.items():
            check_portable(key, f"{name} (a key)", source)
            if not isinstance(key, str):
                raise RecordError(f"{wrong} is wrong", expected="keys that are text", found=repr(key)[:80])
            check_portable(item, f"{name}.{key}" if name else key, source)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            check_portable(item, f"{name}[{i}]", source)
    elif isinstance(value, str):
        if (path := machine_path(value)) is not None:
            raise RecordError(
                f"{wrong} holds a path of a machine",
                found=path[:200],
                remedy="pass configs through motioncopy.records.provenance.portable and messages through redacted",
            )
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise RecordError(f"{wrong} is wrong", expected="text without half surrogates", found=ascii(value)[:200])
    elif isinstance(value, int):
        if abs(value) > LARGEST:
            raise RecordError(f"{wrong} is wrong", expected="an integer of at most 64 bits")
    elif not (value is None or (isinstance(value, float) and math.isfinite(value))):
        raise RecordError(f"{wrong} is wrong", expected="plain values and finite numbers", found=repr(value)[:200])


def redacted(text: str, roots: Mapping[str, Path]) -> str:
    """A message with this machine's folders replaced: by a root's name, or else by the path's last component."""
    return _PATH.sub(lambda match: "…/" + Path(match[0]).name, _named(text, _by_depth(roots)))


def machine_path(text: str) -> str | None:
    """The first absolute path in a text, or ``None``."""
    match = _PATH.search(text)
    return match[0] if match else None


def _by_depth(roots: Mapping[str, Path]) -> list[tuple[str, str]]:
    """Each root as it was given and as it resolves, the longest first: one root may lie in another."""
    pairs = {(str(p), name) for name, path in roots.items() for p in (path, path.absolute(), path.resolve())}
    return sorted((pair for pair in pairs if pair[0] not in (".", "/")), key=lambda pair: -len(pair[0]))


def _named(text: str, roots: list[tuple[str, str]]) -> str:
    for root, name in roots:
        if text == root:
            return f"${name}"
        # A relative root is a word like "data": it is a folder only where something follows below it.
        end = r"(?![\w-]|\.\w)" if Path(root).is_absolute() else "(?=/)"
        text = re.sub(rf"(?<![\w/.$-]){re.escape(root)}{end}", f"${name}", text)
    return text


def _portable(value: Any, roots: list[tuple[str, str]], where: str) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _portable(v, roots, f"{where}.{k}") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_portable(v, roots, f"{where}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, str | Path):
        text = _named(str(value), roots)
        if (path := machine_path(text)) is not None:
            raise RecordError(
                f"{where} holds a path of this machine",
                expected=f"a path below {', '.join(sorted({name for _, name in roots})) or 'a named root'}",
                found=path,
                remedy="name its folder as a root",
            )
        return text
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise RecordError(f"{where} is not plain JSON", expected="dict, list, text, finite number or null", found=value)
