"""Which files are clips, and which of them belong together."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from motioncopy.errors import DataError
from motioncopy.files.names import printable
from motioncopy.files.writing import unreadable
from motioncopy.footage import FILE_SUFFIXES
from motioncopy.footage.images import IMAGE_SUFFIXES
from motioncopy.records import Kind
from motioncopy.records.provenance import machine_path

#: What a folder that is itself one clip is called.
ONLY = "clip"


@dataclass(frozen=True)
class Case:
    """One clip to score: the files that belong together.

    Attributes:
        name: What they have in common.
        kind: ``reconstruction`` or ``imitation``.
        generated: The generated video.
        truth: The true one, or ``None`` where there is none.
        mask: Video of the person's mask in the true one, or ``None``.
        driving: The driving video, or ``None``.
        real: Real frames of FID and alike where they are not the true ones, or ``None``; of any number and size.
    """

    name: str
    kind: Kind
    generated: Path
    truth: Path | None = None
    mask: Path | None = None
    driving: Path | None = None
    real: Path | None = None

    @property
    def files(self) -> dict[str, Path]:
        """The files by their role."""
        found = {name: getattr(self, name) for name in ("generated", "truth", "mask", "driving", "real")}
        return {name: path for name, path in found.items() if path is not None}


def find(folder: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """The clips of a folder and of those below it.

    A clip is a video, a GIF, an HDF5 stack, an ``.npy`` file, or a folder that holds images. Its name is its path
    from ``folder`` without the suffix, as :func:`motioncopy.files.names.printable` gives it. A folder that holds
    images itself is one clip of the name :data:`ONLY`. What begins with a dot is not looked at, and a folder that
    links lead to twice is looked at once.

    Returns:
        Paths by name, and for each name that is no clip's the reason: "has two clips of this name", for instance.

    Raises:
        DataError: If there is no such folder, no clip in it, it holds images beside videos, or it cannot be listed.
    """
    if _kind(folder) != "folder":
        raise DataError(f"there is no folder {folder}", remedy="check the path")
    try:
        listed = sorted(folder.iterdir())
    except OSError as error:
        raise unreadable(folder, error, DataError) from error
    if _holds_images(listed):
        # A thumbnail beside hundreds of videos must not make them vanish behind a clip of one frame.
        if beside := [p.name for p in listed if _is_file_clip(p)]:
            raise DataError(
                f"{folder} holds images and videos: it may be one clip or many",
                expected="the frames of one clip, or videos and folders of frames",
                found=f"images beside {', '.join(beside[:3])}",
                remedy="move the images elsewhere, or into a folder named after their clip",
            )
        return {ONLY: folder}, {}
    found: dict[str, list[Path]] = {}
    failures: dict[str, str] = {}
    for path in _below(listed, {os.path.realpath(folder)}, failures, folder):
        name = _name(path if _kind(path) == "folder" else path.with_suffix(""), folder)
        found.setdefault(name, []).append(path)
    if not found:
        raise DataError(
            f"{folder} holds no clip",
            expected="videos, GIFs or folders of images",
            found="; ".join(f"{name} {why}" for name, why in list(failures.items())[:3]) or None,
            remedy="check the path",
        )
    for name, paths in found.items():
        if len(paths) > 1:
            failures[name] = f"has two clips of this name: {', '.join(printable(p.name) for p in paths)}"
        elif machine_path(name) is not None:
            failures[name] = "has a clip whose name reads like a path of a machine. Remedy: rename it"
        elif _kind(paths[0]) == "other":
            failures[name] = "has no regular file of this name"  # a pipe would be waited for
    return {name: paths[0] for name, paths in sorted(found.items()) if name not in failures}, failures


def _below(listed: Sequence[Path], seen: set[str], failures: dict[str, str], folder: Path) -> Iterator[Path]:
    """All clips among what a folder holds, and below it."""
    waiting = deque([listed])
    while waiting:
        for path in waiting.popleft():
            if path.name.startswith("."):
                continue
            if _kind(path) != "folder":
                if _is_file_clip(path):
                    yield path
                continue
            if (real := os.path.realpath(path)) in seen:
                continue
            try:
                within = sorted(path.iterdir())
            except OSError as error:
                name = _name(path, folder)
                failures[name] = f"has a folder of this name that cannot be listed ({error.strerror})"
                continue
            if _holds_images(within):
                yield path
            else:
                seen.add(real)
                waiting.append(within)


def _name(path: Path, folder: Path) -> str:
    return printable(path.relative_to(folder).as_posix())


def match(
    generated: Path,
    truth: Path | None,
    *,
    masks: Path | None = None,
    driving: Path | None = None,
    real: Path | None = None,
    kinds: Mapping[str, Kind] | None = None,
) -> tuple[list[Case], dict[str, str]]:
    """Files that belong together, by name.

    Args:
        generated: Folder of the generated videos.
        truth: Folder of the true ones.
        masks: Folder of mask videos, white on the person.
        driving: Folder of driving videos.
        real: Folder of real videos for FID and alike, of those clips that have such.
        kinds: The protocol's trials: every one must be there, and no other.

    Returns:
        The clips that can be scored, and for every other name what is missing or wrong.

    Raises:
        DataError: If a folder is not there or empty.
    """
    folders = {"generated": generated, "truth": truth, "mask": masks, "driving": driving, "real": real}
    failures: dict[str, str] = {}
    found: dict[str, dict[str, Path]] = {}
    for role, folder in folders.items():
        if folder is not None:
            found[role], unusable = find(folder)
            failures |= {name: f"{role} {reason}" for name, reason in unusable.items()}
    names = list(dict.fromkeys([*found["generated"], *found.get("truth", {}), *(kinds or {})]))
    cases = []
    for name in sorted(names):
        if name in failures:
            continue
        # An imitation need not have a truth, and so no mask of one; a reconstruction without is none.
        optional = ("real", "truth", "mask") if (kinds or {}).get(name) == "imitation" else ("real",)
        lacks = [role for role, clips in found.items() if name not in clips and role not in optional]
        if kinds is not None and name not in kinds:
            failures[name] = "the protocol has no trial of this name"
        elif lacks:
            failures[name] = f"there is no {' and no '.join(lacks)} clip of this name"
        else:
            paths = {role: clips.get(name) for role, clips in found.items()}
            cases.append(Case(name, (kinds or {}).get(name, "reconstruction"), **paths))  # type: ignore[arg-type]
    return cases, failures


def _is_file_clip(path: Path) -> bool:
    return path.suffix.lower() in FILE_SUFFIXES and not path.name.startswith(".") and _kind(path) != "folder"


def _holds_images(listed: Sequence[Path]) -> bool:
    return any(p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".") for p in listed)


def _kind(path: Path) -> Literal["folder", "file", "other"]:
    try:
        mode = path.stat().st_mode
    except OSError:  # a link that leads nowhere, or where nobody may look: what opens it says so
        return "file"
    return "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "other"
